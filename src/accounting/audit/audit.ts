// Proves the ledger (A9): walks the whole log, checks the chain of every baseline, adds up what the
// ledger has counted and compares each total with SQL. The totals are read from one state of the
// database, so the ledger may go on meanwhile.
//
// Memory is bounded: `baselinesMax` baselines (76 bytes each) and their totals at once. When there
// are more, the walk is repeated for a half, a quarter … of the (member, torrent) pairs at a time,
// by a hash of the pair.

import { type Kysely, sql as raw, type Transaction } from 'kysely';
import { LedgerBatch, type LedgerEntry } from '#accounting/ledger/ledger-batch.ts';
import { fittingSnapshot } from '#accounting/ledger/ledger-copy.ts';
import {
  LEDGER,
  type LedgerNames,
  type LedgerTables,
  type LedgerTransferRow,
  SNAPSHOT_LEDGER,
} from '#accounting/ledger/ledger-tables.ts';
import { pairHash } from '#accounting/ledger/pair-index.ts';
import { type SeedingRow, SeedingStates } from '#accounting/seeding/seeding-states.ts';
import {
  decodeTransfer,
  TRANSFERS_TOPIC,
  type TransferRecord,
} from '#accounting/transfers/transfer-record.ts';
import type { Log } from '#log/log.ts';
import { readPosition } from '#sql/consumer-position.ts';
import type { Sql } from '#sql/sql.ts';
import { AuditChain } from './audit-chain.ts';
import {
  type AuditCheckpoint,
  decodeWalk,
  encodeWalk,
  loadEntries,
  type SavedWalk,
  savedEntries,
  type WalkIdentity,
} from './audit-checkpoint.ts';
import { AuditDays } from './audit-days.ts';
import { compareSums } from './audit-sums.ts';

export interface AuditWorld {
  readonly log: Log;
  readonly sql: Sql;
  readonly signal?: AbortSignal;
  /** Records looked at, of how many; `total` grows when the log has to be walked again. */
  readonly progress?: (done: number, total: number) => void;
  /** Called for each difference as it is found, also beyond the list's bound. */
  readonly onDifference?: (difference: string) => void;
  /** Where an audit that is ended leaves how far it came, and another begins. */
  readonly checkpoint?: AuditCheckpoint;
  /** Baselines in memory at once; 1,000,000 (76 MB) unless given. */
  readonly baselinesMax?: number;
}

export interface AuditResult {
  /** Records of the log, also those that the ledger has not counted yet. */
  readonly records: number;
  /** Members that the ledger knows. */
  readonly members: number;
  /** One line for each, at most DIFFERENCES_MAX; then one that says how many more there are. */
  readonly differences: readonly string[];
  /** What could not be looked at, and is no difference. */
  readonly notes: readonly string[];
}

export const DIFFERENCES_MAX = 1000;

const BASELINES_MAX = 1_000_000;
const PARTS_MAX = 4096;
/** Between two checkpoints of an audit that goes on: some ten seconds, which a kill costs at most. */
const SAVED_RECORDS = 4_194_304;
const PAGE_ROWS = 2000;

/** @throws SqlError, LogError; the signal's reason when it aborts */
export async function audit(world: AuditWorld): Promise<AuditResult> {
  return await world.sql.snapshot<LedgerTables, AuditResult>(async (snapshot) => {
    return await new Audit(world, snapshot).run();
  });
}

class Audit {
  readonly #world: AuditWorld;
  readonly #snapshot: Transaction<LedgerTables>;
  readonly #differences: string[] = [];
  #unlisted = 0;
  /** Completions by nobody in particular, by torrent: no row of the ledger keeps them apart. */
  readonly #anonymous = new Map<number, number>();
  #firstOffset = 0;
  /** Where totals begin: at 0, or at the snapshot of the ledger that covers what is gone. */
  #baseOffset = 0;
  /** The beginning is gone, and nothing covers it. */
  #isCut = false;
  readonly #notes: string[] = [];
  /** Chains are checked up to the log's end, totals up to where the ledger stands. */
  #endOffset = 0;
  #countedOffset = 0;
  #passes = 1;
  #done = 0;

  constructor(world: AuditWorld, snapshot: Transaction<LedgerTables>) {
    this.#world = world;
    this.#snapshot = snapshot;
  }

  async run(): Promise<AuditResult> {
    const { log } = this.#world;
    const stats = await log.stats(TRANSFERS_TOPIC);
    const position = await readPosition(this.#snapshot, LEDGER.consumer);
    this.#firstOffset = stats.firstOffset;
    this.#endOffset = stats.nextOffset;
    this.#countedOffset = position?.nextOffset ?? 0;
    let members = 0;
    let records = 0;
    if (position !== undefined && (position.logId !== log.id || position.epoch !== log.epoch)) {
      this.#report(
        `the ledger was made from log ${position.logId}, epoch ${position.epoch}, ` +
          `but this is log ${log.id}, epoch ${log.epoch}`,
      );
    } else {
      if (this.#countedOffset > stats.nextOffset) {
        this.#report(
          `the ledger has counted up to offset ${this.#countedOffset}, but the log ends at ${stats.nextOffset}`,
        );
      }
      if (this.#firstOffset > 0) await this.#lookAtSnapshot();
      records = await this.#walk();
      members = await compareSums(this.#snapshot, {
        anonymous: this.#firstOffset > 0 ? undefined : this.#anonymous,
        report: (difference) => this.#report(difference),
      });
    }
    const more = this.#unlisted > 0 ? [`and ${this.#unlisted} more differences`] : [];
    const differences = [...this.#differences, ...more];
    return { records, members, differences, notes: this.#notes };
  }

  /** What retention removed is taken from the ledger's snapshot, which was proven when it was made. */
  async #lookAtSnapshot(): Promise<void> {
    const { log } = this.#world;
    const first = this.#firstOffset;
    const position = await readPosition(this.#snapshot, SNAPSHOT_LEDGER.consumer);
    const base = fittingSnapshot(log, first, position);
    if (base === undefined || base.nextOffset > this.#countedOffset) {
      this.#isCut = true;
      this.#report(
        `the log begins at offset ${first}: the ${first} records before it are gone, and nothing proves what they said`,
      );
      return;
    }
    this.#baseOffset = base.nextOffset;
    this.#notes.push(
      `the log begins at offset ${first}: totals up to offset ${base.nextOffset} are those of the ledger's snapshot, proven when it was taken, and cannot be proven again`,
      'completions by nobody in particular are not compared',
    );
  }

  /** Walks the log once, or in parts when it does not fit in memory. */
  async #walk(): Promise<number> {
    const baselinesMax = this.#world.baselinesMax ?? BASELINES_MAX;
    const chain = new AuditChain({
      baselinesMax,
      isCut: this.#firstOffset > 0,
      report: (difference) => this.#report(difference),
    });
    const reported = this.#differences.length;
    for (let parts = 1; ; parts *= 2) {
      // What a pass that did not fit has reported is reported again by the parts.
      this.#differences.length = reported;
      this.#unlisted = 0;
      this.#anonymous.clear();
      this.#passes = parts;
      this.#done = 0;
      const records = await this.#walkInParts(chain, parts, baselinesMax);
      if (records !== undefined) {
        await this.#world.checkpoint?.clear();
        return records;
      }
      if (parts >= PARTS_MAX) {
        this.#report(`there are more than ${baselinesMax * PARTS_MAX} baselines; give more memory`);
        return 0;
      }
    }
  }

  /** Undefined when a part does not fit. */
  async #walkInParts(
    chain: AuditChain,
    parts: number,
    baselinesMax: number,
  ): Promise<number | undefined> {
    let records = 0;
    for (let part = 0; part < parts; part++) {
      // All of a member at once, whose days are of all their torrents; of nobody, by torrent.
      const isMine = ({ memberId, torrentId }: Pair): boolean =>
        pairHash(memberId, memberId === 0 ? torrentId : 0) % parts === part;
      chain.clear();
      const totals = new LedgerBatch();
      const states = new SeedingStates();
      const days = new AuditDays((memberId) => isMine({ memberId, torrentId: 0 }));
      const summed = { chain, totals, states, days };
      // In parts it begins anew: what is compared of each part is of one state of the database.
      const saved = parts === 1 ? await this.#load(summed) : undefined;
      if (saved === undefined && this.#baseOffset > 0) {
        if (!(await this.#begin({ totals, states }, isMine, baselinesMax))) return undefined;
        if (!(await days.begin(this.#snapshot, baselinesMax))) return undefined;
      }
      const isCounted = (offset: number): boolean =>
        offset >= this.#baseOffset && offset < this.#countedOffset;
      const walked = await this.#walkPart({
        isMine,
        check: (offset, bytes, record) => {
          if (isCounted(offset)) days.add(record, totals.addKnown(record, states));
          // Nobody's announces have no baseline and form no chain.
          const fits = record.memberId === 0 || chain.check(offset, bytes, record);
          return fits && totals.size <= baselinesMax && days.size <= baselinesMax;
        },
        // Damage belongs to no pair; it is reported once.
        isFirst: part === 0,
        from: saved?.from ?? this.#firstOffset,
        records: saved?.records ?? 0,
        ...(parts === 1 && { save: (at) => this.#save(summed, at) }),
      });
      if (walked === undefined) return undefined;
      records = walked;
      for (const { memberId, torrentId, completions } of totals.entries) {
        if (memberId === 0 && completions > 0) this.#anonymous.set(torrentId, completions);
      }
      await this.#compareTransfers({ totals, states }, isMine);
      await days.compare(this.#snapshot, {
        isCut: this.#isCut,
        report: (difference) => this.#report(difference),
      });
    }
    return records;
  }

  async #walkPart(part: {
    readonly isMine: (record: TransferRecord) => boolean;
    /** False when there is no room. */
    readonly check: (offset: number, bytes: Uint8Array, record: TransferRecord) => boolean;
    readonly isFirst: boolean;
    readonly from: number;
    /** Looked at before `from`. */
    readonly records: number;
    readonly save?: (at: { readonly from: number; readonly records: number }) => Promise<void>;
  }): Promise<number | undefined> {
    const { log, signal, progress } = this.#world;
    const total = Math.max(0, this.#endOffset - this.#firstOffset) * this.#passes;
    let { records } = part;
    let saved = records;
    this.#done = part.from - this.#firstOffset + this.#done;
    for (let { from } = part; from < this.#endOffset; ) {
      if (signal?.aborted === true || records - saved >= SAVED_RECORDS) {
        await part.save?.({ from, records });
        saved = records;
      }
      signal?.throwIfAborted();
      const read = await log.read(TRANSFERS_TOPIC, { from, recordsMax: 4096 });
      if (part.isFirst) {
        for (const gap of read.gaps) {
          if (gap.first < this.#endOffset) {
            this.#report(`offsets ${gap.first} to ${gap.next - 1} are unreadable: ${gap.reason}`);
          }
        }
      }
      for (const { offset, value } of read.records) {
        if (offset >= this.#endOffset) break;
        records++;
        const record = decodeTransfer(value);
        if (record === undefined) {
          if (part.isFirst) this.#report(`offset ${offset}: it is no transfer record`);
          continue;
        }
        if (part.isMine(record) && !part.check(offset, value, record)) return undefined;
      }
      if (read.nextOffset === from) break;
      this.#done += Math.min(read.nextOffset, this.#endOffset) - from;
      from = read.nextOffset;
      progress?.(this.#done, total);
    }
    return records;
  }

  async #save(summed: Walked, at: Pick<SavedWalk, 'from' | 'records'>): Promise<void> {
    const { checkpoint } = this.#world;
    // Behind the ledger only chains are checked; there is little of it.
    if (checkpoint === undefined || at.from > this.#countedOffset) return;
    const walk = {
      ...{ ...this.#identity(), ...at },
      ...{ differences: this.#differences, unlisted: this.#unlisted },
      chain: summed.chain.save(),
      entries: savedEntries(summed.totals, summed.states),
      days: summed.days.save(),
    };
    await checkpoint.save(encodeWalk(walk));
  }

  async #load(summed: Walked): Promise<SavedWalk | undefined> {
    const bytes = await this.#world.checkpoint?.load();
    const walk = bytes === undefined ? undefined : decodeWalk(bytes, this.#identity());
    if (walk === undefined || walk.from > this.#countedOffset) return undefined;
    this.#differences.splice(0, Number.POSITIVE_INFINITY, ...walk.differences);
    this.#unlisted = walk.unlisted;
    summed.chain.load(walk.chain);
    loadEntries(walk.entries, summed.totals, summed.states);
    summed.days.load(walk.days);
    return walk;
  }

  #identity(): WalkIdentity {
    const { log, baselinesMax = BASELINES_MAX } = this.#world;
    const { firstOffset, baseOffset } = {
      firstOffset: this.#firstOffset,
      baseOffset: this.#baseOffset,
    };
    return { logId: log.id, epoch: log.epoch, firstOffset, baseOffset, baselinesMax };
  }

  /** Totals as the snapshot has them. False when there is no room. */
  async #begin(
    { totals, states }: Summed,
    isMine: (pair: Pair) => boolean,
    entriesMax: number,
  ): Promise<boolean> {
    for await (const row of transferRows(this.#snapshot, SNAPSHOT_LEDGER)) {
      const entry = entryOf(row);
      if (!isMine(entry)) continue;
      if (totals.size >= entriesMax) return false;
      if (row.seeded !== 0 || row.seeder !== 0) {
        entry.seedingPlace = states.placeOf(entry.memberId, entry.torrentId);
        states.put(entry.seedingPlace, row);
      }
      totals.begin(entry);
    }
    return true;
  }

  async #compareTransfers(
    { totals: { entries }, states }: Summed,
    isMine: (pair: Pair) => boolean,
  ): Promise<void> {
    const expected = new Map(entries.map((entry) => [nameOf(entry), entry]));
    for await (const row of transferRows(this.#snapshot)) {
      const pair = { memberId: row.member_id, torrentId: row.torrent_id };
      if (!isMine(pair)) continue;
      const name = nameOf(pair);
      const entry = expected.get(name);
      expected.delete(name);
      this.#compareRow({ name, entry, states }, row);
    }
    for (const name of expected.keys()) this.#report(`${name}: the log has it, the ledger has not`);
  }

  #compareRow(
    of: {
      readonly name: string;
      readonly entry: LedgerEntry | undefined;
      readonly states: SeedingStates;
    },
    row: LedgerTransferRow,
  ): void {
    const { name, entry, states } = of;
    const isCut = this.#isCut;
    if (entry === undefined) {
      if (!isCut) this.#report(`${name}: the ledger has it, the log has not`);
      return;
    }
    for (const [column, recomputed] of isCut ? [] : seedingOf(entry, states)) {
      const kept = row[column];
      if (kept !== recomputed) {
        this.#report(`${name}: ${column} is ${kept} in the ledger and ${recomputed} by the log`);
      }
    }
    for (const [column, recomputed] of columnsOf(entry)) {
      const kept = row[column];
      // Without the log's beginning the recomputed sums are what there is at least.
      if (isCut && kept >= recomputed) continue;
      if (kept !== recomputed) {
        this.#report(`${name}: ${column} is ${kept} in the ledger and ${recomputed} by the log`);
      }
    }
  }

  #report(difference: string): void {
    this.#world.onDifference?.(difference);
    if (this.#differences.length < DIFFERENCES_MAX) this.#differences.push(difference);
    else this.#unlisted++;
  }
}

interface Pair {
  readonly memberId: number;
  readonly torrentId: number;
}

interface Walked extends Summed {
  readonly chain: AuditChain;
  readonly days: AuditDays;
}

interface Summed {
  readonly totals: LedgerBatch;
  readonly states: SeedingStates;
}

type NumberColumn = Exclude<
  keyof LedgerTransferRow,
  'client' | 'member_id' | 'torrent_id' | keyof SeedingRow
>;

function columnsOf(entry: LedgerEntry): readonly (readonly [NumberColumn, number])[] {
  return [
    ['uploaded_bytes', entry.uploadedBytes],
    ['downloaded_bytes', entry.downloadedBytes],
    ['credited_uploaded_bytes', entry.creditedUploadedBytes],
    ['credited_downloaded_bytes', entry.creditedDownloadedBytes],
    ['seed_seconds', entry.seedSeconds],
    ['records', entry.records],
    ['first_seen_ms', entry.firstSeenMs],
    ['last_seen_ms', entry.lastSeenMs],
    ['completed_ms', entry.completedMs],
    ['left_bytes', entry.leftBytes],
  ];
}

function seedingOf(
  { seedingPlace: place }: LedgerEntry,
  states: SeedingStates,
): readonly (readonly [keyof SeedingRow, number | string])[] {
  return [
    ['seeded', place < 0 ? 0 : states.seeded(place)],
    ['seeder', place < 0 ? 0 : states.seeder(place)],
    ['seeding_more', place < 0 ? '' : states.more(place)],
  ];
}

function nameOf(pair: Pair): string {
  return `member ${pair.memberId}, torrent ${pair.torrentId}`;
}

function entryOf(row: LedgerTransferRow): LedgerEntry {
  return {
    memberId: row.member_id,
    torrentId: row.torrent_id,
    uploadedBytes: row.uploaded_bytes,
    downloadedBytes: row.downloaded_bytes,
    creditedUploadedBytes: row.credited_uploaded_bytes,
    creditedDownloadedBytes: row.credited_downloaded_bytes,
    seedSeconds: row.seed_seconds,
    seedingPlace: -1,
    records: row.records,
    firstSeenMs: row.first_seen_ms,
    lastSeenMs: row.last_seen_ms,
    completedMs: row.completed_ms,
    completions: row.completed_ms > 0 ? 1 : 0,
    leftBytes: row.left_bytes,
    client: row.client,
  };
}

async function* transferRows(
  snapshot: Kysely<LedgerTables>,
  names: LedgerNames = LEDGER,
): AsyncGenerator<LedgerTransferRow> {
  let after = { member: -1, torrent: -1 };
  for (;;) {
    const { rows } = await raw<LedgerTransferRow>`select * from ${raw.table(names.transfer)}
      where (member_id, torrent_id) > (${after.member}, ${after.torrent})
      order by member_id, torrent_id limit ${PAGE_ROWS}`.execute(snapshot);
    yield* rows;
    const last = rows.at(-1);
    if (last === undefined) return;
    after = { member: last.member_id, torrent: last.torrent_id };
  }
}
