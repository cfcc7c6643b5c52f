// Who may announce what (T16, T17): names the member and the torrent of a request, or says why not.
// The order of the questions is the order in which a person can do something about the answer: who
// are you, with which client, for what, and what for.

import { type AnnounceRequest, DOOR, EVENT } from '#swarm/announce-slot.ts';
import type { Swarm } from '#swarm/swarm.ts';
import type {
  Directory,
  DirectoryMember,
  DirectoryTorrent,
  PasskeyHolder,
} from '#tracker/directory/directory.ts';
import { REFUSALS, type Refusal } from '#tracker/refusals.ts';
import {
  isTlsTorrent,
  isUnregistered,
  type TlsTorrents,
  tlsTorrentId,
  unregisteredId,
} from './tls-torrents.ts';

/** What of a torrent decides about credit. */
export type TorrentCredit = Pick<DirectoryTorrent, 'uploadCreditPercent' | 'downloadCreditPercent'>;

/** What an announce names its member by. */
export interface AnnounceKey {
  /** The key's bytes as they stood in the URL, `passkeyBytes` of them; 0 when none was sent. */
  readonly passkey: Uint8Array;
  readonly passkeyBytes: number;
  /** Of a key that comes again and again. */
  readonly memo?: KeyMemo;
}

/** Whom a key named, as long as the directory has that version. */
export interface KeyMemo {
  holder: PasskeyHolder | undefined;
  version: number;
}

/** A torrent that nobody registered, in `members` and `open` mode. */
const UNREGISTERED: TorrentCredit = { uploadCreditPercent: 100, downloadCreditPercent: 100 };

export class Admission {
  readonly #directory: Directory;
  readonly #swarm: Pick<Swarm, 'locate' | 'openTorrent'>;
  readonly #tlsTorrents: TlsTorrents | undefined;
  /** What is looked for when it is not the hash that was announced. */
  readonly #sought = { infoHash: new Uint8Array(20), torrentId: 0, hashVersion: 0, place: 0 };
  #holderTorrentId = 0;
  /** Of the last request that was admitted. Nobody was named when `member` is undefined. */
  member: DirectoryMember | undefined;
  torrent: TorrentCredit = UNREGISTERED;

  constructor(world: {
    readonly directory: Directory;
    readonly swarm: Pick<Swarm, 'locate' | 'openTorrent'>;
    /** Undefined: peers by TLS and plain ones are together in every mode. */
    readonly tlsTorrents?: TlsTorrents | undefined;
  }) {
    this.#directory = world.directory;
    this.#swarm = world.swarm;
    this.#tlsTorrents = world.tlsTorrents;
  }

  /** Whether the mode asks everyone for a passkey. */
  get needsPasskey(): boolean {
    const { mode } = this.#directory.settings;
    return mode === 'private' || mode === 'members';
  }

  /**
   * Fills `memberId`, `torrentId`, `hashVersion` and `place` of the request, and `member` and
   * `torrent`.
   */
  admit(request: AnnounceRequest, key: AnnounceKey): Refusal | undefined {
    const refusal =
      this.#directory.addressRefusal(request.address, request.family) ??
      this.#identify(key, request.door === DOOR.udp) ??
      this.#clientRefusal(request.peerId) ??
      this.#findTorrent(request);
    if (refusal !== undefined) return refusal;
    const { member } = this;
    if (this.#holderTorrentId !== 0 && this.#holderTorrentId !== request.torrentId) {
      return REFUSALS.passkeyOtherTorrent;
    }
    // What was moved until now still counts: `stopped` is always heard.
    if (request.event !== EVENT.stopped) {
      if (request.port === 0) return REFUSALS.portZero;
      if (member?.mayLeech === false && request.left > 0) return REFUSALS.mayNotLeech;
    }
    request.memberId = member?.memberId ?? 0;
    return undefined;
  }

  /** Names the member; for scrapes, which have no more to say. */
  identify(passkey: Uint8Array, length: number, isUdp: boolean): Refusal | undefined {
    return this.#identify({ passkey, passkeyBytes: length }, isUdp);
  }

  /** Why somebody at this address, with this passkey, has no business here any more. */
  unwelcome(
    from: { readonly address: Uint8Array; readonly family: 4 | 6 },
    passkey: Uint8Array,
  ): Refusal | undefined {
    return (
      this.#directory.addressRefusal(from.address, from.family) ??
      this.identify(passkey, passkey.byteLength, false)
    );
  }

  #identify(key: AnnounceKey, isUdp: boolean): Refusal | undefined {
    const { passkey, passkeyBytes: length } = key;
    this.member = undefined;
    this.#holderTorrentId = 0;
    if (length === 0) {
      if (!this.needsPasskey) return undefined;
      return isUdp ? REFUSALS.passkeyMissingUdp : REFUSALS.passkeyMissing;
    }
    const holder = this.#holderOf(key);
    const member = holder?.member ?? this.#memberOf(holder);
    if (holder === undefined || member === undefined) {
      return this.#directory.passkeyRefusal(passkey, length) ?? REFUSALS.passkeyUnknown;
    }
    this.member = member;
    this.#holderTorrentId = holder.torrentId;
    return member.refusal;
  }

  #holderOf({ passkey, passkeyBytes, memo }: AnnounceKey): PasskeyHolder | undefined {
    const directory = this.#directory;
    if (memo !== undefined && memo.version === directory.version) return memo.holder;
    const holder = directory.passkeyHolder(passkey, passkeyBytes);
    if (memo !== undefined) {
      memo.holder = holder;
      memo.version = directory.version;
    }
    return holder;
  }

  #memberOf(holder: PasskeyHolder | undefined): DirectoryMember | undefined {
    return holder === undefined ? undefined : this.#directory.member(holder.memberId);
  }

  /**
   * Which torrents a full scrape tells the one who was identified last: all registered ones, or the
   * only one of a download key. One that nobody registered is told in open mode alone, because in
   * others its info hash is known to those that were given it.
   */
  get lists(): (torrentId: number) => boolean {
    const directory = this.#directory;
    const only = this.#holderTorrentId;
    return (torrentId) => {
      if (only !== 0) return torrentId === only;
      if (isTlsTorrent(torrentId)) return false;
      if (isUnregistered(torrentId)) return directory.settings.mode === 'open';
      return directory.torrent(torrentId) !== undefined;
    };
  }

  /**
   * The torrent of an admitted request left the swarm meanwhile, as unregistered ones do with their
   * last peer. True when it is there again.
   */
  reopen(request: AnnounceRequest): boolean {
    const { torrentId, infoHash } = request;
    if (!isUnregistered(torrentId)) return false;
    request.place = 0;
    const hash = isTlsTorrent(torrentId) ? this.#tlsTorrents?.hashOf(infoHash) : infoHash;
    return hash !== undefined && this.#swarm.openTorrent(torrentId, hash);
  }

  /** Whether the one who was identified last finds the swarms of those that came by TLS alone. */
  isApart(isTls: boolean): boolean {
    if (!isTls || this.#tlsTorrents === undefined) return false;
    const { mode } = this.#directory.settings;
    return this.#tlsTorrents.separates(isTls, this.member !== undefined, mode);
  }

  /** The hash under which the swarm has what that one asks for; valid until the next call. */
  hashFor(infoHash: Uint8Array, isTls: boolean): Uint8Array {
    return this.isApart(isTls) ? (this.#tlsTorrents?.hashOf(infoHash) ?? infoHash) : infoHash;
  }

  #clientRefusal(peerId: Uint8Array): Refusal | undefined {
    const { clientsAllowed, clientsDenied } = this.#directory.settings;
    if (hasPrefix(clientsDenied, peerId)) return REFUSALS.clientDenied;
    if (clientsAllowed.length === 0 || hasPrefix(clientsAllowed, peerId)) return undefined;
    return REFUSALS.clientNotAllowed;
  }

  #findTorrent(request: AnnounceRequest): Refusal | undefined {
    if (request.isTls && this.isApart(true)) return this.#findTlsTorrent(request);
    if (this.#swarm.locate(request)) {
      const torrent = this.#located(request.torrentId);
      if (torrent !== undefined) {
        this.torrent = torrent;
        return undefined;
      }
    }
    request.place = 0;
    const registered = this.#directory.torrentByHash(request.infoHash);
    if (registered !== undefined) {
      // The swarm had no room for it, and will say so.
      request.torrentId = registered.torrentId;
      this.torrent = registered;
      return undefined;
    }
    // What was taken down stays down in every mode.
    const removed = this.#directory.torrentRefusal(request.infoHash);
    if (removed !== undefined) return removed;
    if (!this.#servesAll) return REFUSALS.torrentUnregistered;
    return this.#openTorrent(request);
  }

  #located(torrentId: number): TorrentCredit | undefined {
    if (!isUnregistered(torrentId)) return this.#directory.torrent(torrentId);
    return this.#servesAll ? UNREGISTERED : undefined;
  }

  get #servesAll(): boolean {
    const { mode } = this.#directory.settings;
    return mode === 'open' || mode === 'members';
  }

  /** As `#findTorrent` in open mode; registered or not, it is another torrent than the plain one. */
  #findTlsTorrent(request: AnnounceRequest): Refusal | undefined {
    const removed = this.#directory.torrentRefusal(request.infoHash);
    if (removed !== undefined) return removed;
    const sought = this.#sought;
    sought.infoHash.set(this.hashFor(request.infoHash, true));
    sought.place = 0;
    this.torrent = UNREGISTERED;
    const isThere =
      this.#swarm.locate(sought) ||
      (this.#swarm.openTorrent(tlsTorrentId(sought.infoHash), sought.infoHash) &&
        this.#swarm.locate(sought));
    if (!isThere) return REFUSALS.swarmFull;
    request.torrentId = sought.torrentId;
    request.hashVersion = sought.hashVersion;
    request.place = sought.place;
    return undefined;
  }

  /**
   * The id is made from the hash, so that a baseline means the same torrent after a restart. Two
   * hashes with one id cannot be here at once: the second is refused until the first has left.
   */
  #openTorrent(request: AnnounceRequest): Refusal | undefined {
    this.torrent = UNREGISTERED;
    const isOpen = this.#swarm.openTorrent(unregisteredId(request.infoHash), request.infoHash);
    return isOpen && this.#swarm.locate(request) ? undefined : REFUSALS.swarmFull;
  }
}

function hasPrefix(prefixes: readonly Uint8Array[], peerId: Uint8Array): boolean {
  for (const prefix of prefixes) {
    let at = 0;
    while (at < prefix.byteLength && prefix[at] === peerId[at]) at++;
    if (at === prefix.byteLength) return true;
  }
  return false;
}
