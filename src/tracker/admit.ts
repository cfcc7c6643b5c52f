// Who may announce what (T16, T17): names the member and the torrent of a request, or says why not.
// The order of the questions is the order in which a person can do something about the answer: who
// are you, with which client, for what, and what for.

import { assert } from '#base/assert.ts';
import { type AnnounceRequest, DOOR, EVENT, HASH_VERSION } from '#swarm/announce-slot.ts';
import type { Directory, DirectoryMember, DirectoryTorrent } from './directory.ts';
import { REFUSALS, type Refusal } from './refusals.ts';

/** A torrent that nobody registered, in `members` and `open` mode. */
const UNREGISTERED_CREDIT_PERCENT = 100;
/** Ids of unregistered torrents have this bit; registered ones are counted up from 1. */
const UNREGISTERED_BIT = 0x8000_0000;

export class Admission {
  readonly #directory: Directory;
  readonly #addTorrent: (torrent: DirectoryTorrent) => boolean;
  readonly #unregistered = new Map<number, DirectoryTorrent>();
  #holderTorrentId = 0;
  /** Set when `admit` returned undefined. Nobody was named when `member` is undefined. */
  member: DirectoryMember | undefined;
  torrent: DirectoryTorrent | undefined;

  constructor(world: {
    readonly directory: Directory;
    /** Makes room in the swarm for a torrent that nobody registered; false when it is full. */
    readonly addTorrent: (torrent: DirectoryTorrent) => boolean;
  }) {
    this.#directory = world.directory;
    this.#addTorrent = world.addTorrent;
  }

  /** Whether the mode asks everyone for a passkey. */
  get needsPasskey(): boolean {
    const { mode } = this.#directory.settings;
    return mode === 'private' || mode === 'members';
  }

  /**
   * Fills `memberId`, `torrentId` and `hashVersion` of the request, and `member` and `torrent`.
   * `passkey` holds the key's bytes, `length` of them; 0 when none was sent.
   */
  admit(request: AnnounceRequest, passkey: Uint8Array, length: number): Refusal | undefined {
    const refusal =
      this.identify(passkey, length, request.door === DOOR.udp) ??
      this.#clientRefusal(request.peerId) ??
      this.#findTorrent(request);
    if (refusal !== undefined) return refusal;
    const { member, torrent } = this;
    assert(torrent !== undefined, 'an admitted request has a torrent');
    if (this.#holderTorrentId !== 0 && this.#holderTorrentId !== torrent.torrentId) {
      return REFUSALS.passkeyOtherTorrent;
    }
    // What was moved until now still counts: `stopped` is always heard.
    if (request.event !== EVENT.stopped) {
      if (request.port === 0) return REFUSALS.portZero;
      if (member?.mayLeech === false && request.left > 0) return REFUSALS.mayNotLeech;
    }
    request.memberId = member?.memberId ?? 0;
    request.torrentId = torrent.torrentId;
    return undefined;
  }

  /** Names the member; for scrapes, which have no more to say. */
  identify(passkey: Uint8Array, length: number, isUdp: boolean): Refusal | undefined {
    this.member = undefined;
    this.torrent = undefined;
    this.#holderTorrentId = 0;
    if (length === 0) {
      if (!this.needsPasskey) return undefined;
      return isUdp ? REFUSALS.passkeyMissingUdp : REFUSALS.passkeyMissing;
    }
    const holder = this.#directory.passkeyHolder(passkey, length);
    const member = holder === undefined ? undefined : this.#directory.member(holder.memberId);
    if (holder === undefined || member === undefined) {
      return this.#directory.passkeyRefusal(passkey, length) ?? REFUSALS.passkeyUnknown;
    }
    this.member = member;
    this.#holderTorrentId = holder.torrentId;
    return member.refusal;
  }

  /** Unregistered torrents, for who drops the empty ones. */
  unregisteredIds(): IterableIterator<number> {
    return this.#unregistered.keys();
  }

  get unregisteredCount(): number {
    return this.#unregistered.size;
  }

  /** The torrent has left the swarm; its next announce makes it anew. */
  forgetUnregistered(torrentId: number): void {
    this.#unregistered.delete(torrentId);
  }

  #clientRefusal(peerId: Uint8Array): Refusal | undefined {
    const { clientsAllowed, clientsDenied } = this.#directory.settings;
    if (hasPrefix(clientsDenied, peerId)) return REFUSALS.clientDenied;
    if (clientsAllowed.length === 0 || hasPrefix(clientsAllowed, peerId)) return undefined;
    return REFUSALS.clientNotAllowed;
  }

  #findTorrent(request: AnnounceRequest): Refusal | undefined {
    const { infoHash } = request;
    const torrent = this.#directory.torrentByHash(infoHash);
    if (torrent !== undefined) {
      this.torrent = torrent;
      request.hashVersion = isHash(torrent.v1, infoHash) ? HASH_VERSION.v1 : HASH_VERSION.v2;
      return undefined;
    }
    // What was taken down stays down in every mode.
    const removed = this.#directory.torrentRefusal(infoHash);
    if (removed !== undefined) return removed;
    const { mode } = this.#directory.settings;
    if (mode === 'private' || mode === 'listed') return REFUSALS.torrentUnregistered;
    this.torrent = this.#unregisteredTorrent(infoHash);
    request.hashVersion = HASH_VERSION.v1;
    return this.torrent === undefined ? REFUSALS.swarmFull : undefined;
  }

  /**
   * Its id is made from its hash, so that a baseline means the same torrent after a restart. Two
   * hashes with one id cannot be here at once: the second is refused until the first has left.
   */
  #unregisteredTorrent(infoHash: Uint8Array): DirectoryTorrent | undefined {
    const torrentId = unregisteredId(infoHash);
    const known = this.#unregistered.get(torrentId);
    if (known !== undefined) return isHash(known.v1, infoHash) ? known : undefined;
    const torrent: DirectoryTorrent = {
      torrentId,
      v1: infoHash.slice(),
      v2: undefined,
      uploadCreditPercent: UNREGISTERED_CREDIT_PERCENT,
      downloadCreditPercent: UNREGISTERED_CREDIT_PERCENT,
    };
    if (!this.#addTorrent(torrent)) return undefined;
    this.#unregistered.set(torrentId, torrent);
    return torrent;
  }
}

function unregisteredId(infoHash: Uint8Array): number {
  const word = (infoHash[0]! << 24) | (infoHash[1]! << 16) | (infoHash[2]! << 8) | infoHash[3]!;
  return (word | UNREGISTERED_BIT) >>> 0;
}

function isHash(hash: Uint8Array | undefined, infoHash: Uint8Array): boolean {
  if (hash === undefined) return false;
  for (let at = 0; at < 20; at++) if (hash[at] !== infoHash[at]) return false;
  return true;
}

function hasPrefix(prefixes: readonly Uint8Array[], peerId: Uint8Array): boolean {
  for (const prefix of prefixes) {
    let at = 0;
    while (at < prefix.byteLength && prefix[at] === peerId[at]) at++;
    if (at === prefix.byteLength) return true;
  }
  return false;
}
