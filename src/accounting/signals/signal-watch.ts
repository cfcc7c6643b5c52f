// Looks at transfer records, in the order of the log, for what honest clients do not do. A signal is a
// hint for a moderator with the numbers that made it, never a verdict: nobody is banned by it.
//
//   too-fast           given faster than a line of `lineBytesPerSecondMax` can
//   no-leechers        given into a swarm where nobody else wanted anything since the last announce
//   many-networks      announced from more than `networksMax` networks of one family within an hour
//                      (/16 of IPv4, /32 of IPv6)
//   left-jump          misses much less than before without having taken it
//   gives-without-any  gives while it has nothing of the torrent
//
// What it remembers of torrents, members and clients is bounded, the least recently seen go first. It
// keeps nothing for ever: whoever makes one lets it see the records before those that matter.

import {
  RECORD_FLAG,
  TRANSFER_EVENT,
  type TransferRecord,
} from '#accounting/transfers/transfer-record.ts';
import { RecentMap } from './recent-map.ts';

export const SIGNAL_KINDS = [
  'too-fast',
  'no-leechers',
  'many-networks',
  'left-jump',
  'gives-without-any',
] as const;
export type SignalKind = (typeof SIGNAL_KINDS)[number];

export interface SignalSettings {
  readonly lineBytesPerSecondMax: number;
  readonly networksMax: number;
  /** False where clients announce without a name: whom nobody wrote down may have been a leecher. */
  readonly isEverybodyNamed: boolean;
}

export interface Signal {
  readonly memberId: number;
  /** 0 when it is about no single torrent. */
  readonly torrentId: number;
  readonly kind: SignalKind;
  /** Unix milliseconds of the record. */
  readonly atMs: number;
  /** What was seen, by name: bytes, seconds, a count. */
  readonly evidence: Readonly<Record<string, number>>;
}

/** Sizes of torrents in bytes; those that nobody knows are absent. */
export type TorrentSizes = ReadonlyMap<number, number>;

/** Shorter intervals say nothing about a speed: clients round and announce early. */
const SPEED_SECONDS_MIN = 60;
/** Less is noise: a piece that was on its way, a last block. */
const BYTES_MIN = 16 * 2 ** 20;
const LEFT_JUMP_BYTES_MIN = 64 * 2 ** 20;
/** A leecher announces at least this often; who has been silent for longer may be gone. */
const LEECHER_MS_MAX = 2 * 3_600_000;
const NETWORK_MS_MAX = 3_600_000;
const NETWORKS_KEPT_MAX = 16;
const TORRENTS_MAX = 20_000;
const MEMBERS_MAX = 20_000;
const CLIENTS_MAX = 100_000;
const LEFT_UNKNOWN: number = Number.MAX_SAFE_INTEGER;

/** The two members who were last seen wanting something: one of them is not the uploader. */
interface Leechers {
  readonly sinceMs: number;
  member: number;
  atMs: number;
  otherMember: number;
  otherAtMs: number;
}

interface Networks {
  readonly lastMs: Map<string, number>;
  /** The hour in which a signal was given last: one an hour is enough. */
  signalMs: number;
}

export class SignalWatch {
  readonly #settings: SignalSettings;
  readonly #leechers = new RecentMap<number, Leechers>(TORRENTS_MAX);
  readonly #networks = new RecentMap<number, Networks>(MEMBERS_MAX);
  readonly #left = new RecentMap<string, number>(CLIENTS_MAX);

  constructor(settings: SignalSettings) {
    this.#settings = settings;
  }

  /** What one record gives rise to. `sizes` should know its torrent. */
  see(record: TransferRecord, sizes: TorrentSizes): readonly Signal[] {
    const { memberId } = record;
    if (memberId === 0) return [];
    const signals: Signal[] = [];
    const size = sizes.get(record.torrentId);
    this.#speed(record, signals);
    this.#emptySwarm(record, signals);
    this.#leftJump(record, signals);
    if (size !== undefined) givesWithoutAny(record, size, signals);
    this.#manyNetworks(record, signals);
    return signals;
  }

  #speed(record: TransferRecord, signals: Signal[]): void {
    const { uploadedDelta: bytes } = record;
    if (bytes < BYTES_MIN) return;
    const seconds = Math.max(SPEED_SECONDS_MIN, record.elapsedSeconds);
    const bytesPerSecond = Math.floor(bytes / seconds);
    if (bytesPerSecond <= this.#settings.lineBytesPerSecondMax) return;
    signals.push(signalOf(record, 'too-fast', { bytes, seconds, bytesPerSecond }));
  }

  #emptySwarm(record: TransferRecord, signals: Signal[]): void {
    const { torrentId, memberId, timeMs, uploadedDelta: bytes } = record;
    const fromMs = timeMs - record.elapsedSeconds * 1000 - LEECHER_MS_MAX;
    const known = this.#leechers.get(torrentId);
    // Without memory of that whole time nobody can say that no one was there.
    const hasSeenAll = known !== undefined && known.sinceMs <= fromMs;
    if (hasSeenAll && this.#settings.isEverybodyNamed && bytes >= BYTES_MIN) {
      const others = [
        [known.member, known.atMs],
        [known.otherMember, known.otherAtMs],
      ] as const;
      const wasAny = others.some(([member, atMs]) => member !== memberId && atMs >= fromMs);
      if (!wasAny) {
        const seconds = record.elapsedSeconds;
        signals.push(signalOf(record, 'no-leechers', { bytes, seconds }));
      }
    }
    const wants = record.left > 0 || record.downloadedDelta > 0;
    this.#leechers.set(torrentId, leechersAfter(known, record, wants));
  }

  #leftJump(record: TransferRecord, signals: Signal[]): void {
    const key = `${record.memberId}:${record.torrentId}:${Buffer.from(record.peerId).toString('latin1')}`;
    const before = this.#left.get(key);
    const { left } = record;
    // A late announce tells of a past that was counted already.
    if (left === LEFT_UNKNOWN || (record.flags & RECORD_FLAG.late) !== 0) return;
    this.#left.set(key, left);
    // A client that starts, or whose counters began anew, may have checked files that were there; and
    // who comes back from another stream is credited less than it fetched.
    const anew = RECORD_FLAG.first | RECORD_FLAG.reset | RECORD_FLAG.resumed;
    const isNew = (record.flags & anew) !== 0;
    if (before === undefined || isNew || record.event === TRANSFER_EVENT.started) return;
    const missing = before - left - record.downloadedDelta;
    if (missing < LEFT_JUMP_BYTES_MIN) return;
    const evidence = { before, left, taken: record.downloadedDelta };
    signals.push(signalOf(record, 'left-jump', evidence));
  }

  #manyNetworks(record: TransferRecord, signals: Signal[]): void {
    if (record.family === 0) return;
    const { memberId, timeMs } = record;
    const known = this.#networks.get(memberId) ?? newNetworks();
    this.#networks.set(memberId, known);
    // Anew at the end, so that the first is the one not seen for longest.
    const network = networkOf(record);
    known.lastMs.delete(network);
    known.lastMs.set(network, timeMs);
    for (const [each, lastMs] of known.lastMs) {
      const isOld = timeMs - lastMs >= NETWORK_MS_MAX;
      if (isOld || known.lastMs.size > NETWORKS_KEPT_MAX) known.lastMs.delete(each);
    }
    const family = `${record.family}/`;
    const networks = [...known.lastMs.keys()].filter((one) => one.startsWith(family)).length;
    if (networks <= this.#settings.networksMax) return;
    if (timeMs - known.signalMs < NETWORK_MS_MAX) return;
    known.signalMs = timeMs;
    const evidence = { networks, family: record.family };
    signals.push({ ...signalOf(record, 'many-networks', evidence), torrentId: 0 });
  }
}

function newNetworks(): Networks {
  return { lastMs: new Map(), signalMs: Number.NEGATIVE_INFINITY };
}

/** Who has all of the torrent missing cannot have given any of it. */
function givesWithoutAny(record: TransferRecord, size: number, signals: Signal[]): void {
  const { left, uploadedDelta: bytes, downloaded } = record;
  if (left !== size || size === 0 || bytes < BYTES_MIN || downloaded > 0) return;
  signals.push(signalOf(record, 'gives-without-any', { bytes, left, size }));
}

function leechersAfter(
  known: Leechers | undefined,
  record: TransferRecord,
  wants: boolean,
): Leechers {
  const { memberId, timeMs } = record;
  const now = known ?? { sinceMs: timeMs, member: 0, atMs: 0, otherMember: 0, otherAtMs: 0 };
  if (!wants) return now;
  if (now.member !== memberId) {
    now.otherMember = now.member;
    now.otherAtMs = now.atMs;
    now.member = memberId;
  }
  now.atMs = timeMs;
  return now;
}

function networkOf({ family, address }: TransferRecord): string {
  const bytes = address.subarray(0, family === 4 ? 2 : 4);
  return `${family}/${Buffer.from(bytes).toString('hex')}`;
}

function signalOf(
  record: TransferRecord,
  kind: SignalKind,
  evidence: Readonly<Record<string, number>>,
): Signal {
  const { memberId, torrentId, timeMs: atMs } = record;
  return { memberId, torrentId, kind, atMs, evidence };
}
