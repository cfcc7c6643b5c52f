// Peers by identity (T14): in private modes (member, torrent, peer id), else (torrent, address,
// port), for WebRTC without a member (torrent, peer id). Buckets are chains, keyed by all of that but
// a member's peer id, so that one walk finds the peer and counts the member's others in the torrent.
// The caller holds the torrent's shard lock, which keeps every record of that torrent still; the
// bucket's own lock keeps the chain, which may hold peers of any torrent.
//
// An address stands once for each member in a torrent's lists: whoever comes to where another peer
// of the same member is takes it over, as a client does that was restarted. That other one is found
// in the member's own chain, which SILENT_MAX bounds. Where nobody is named the address is the peer.

import { assert } from '#base/assert.ts';
import { type AnnounceRequest, DOOR } from './announce-slot.ts';
import { EXTENSION, EXTENSION_WORDS, PEER, PEER_FLAG, PEER_WORDS } from './layout.ts';
import { BUCKET_FIRST, lockBucket, unlockBucket } from './lock.ts';
import type { SwarmMemory } from './memory.ts';
import type { PeerList } from './peer-list.ts';
import { mix } from './torrent-table.ts';
import { PEER_ID_WORDS, readAddress, readPeerId } from './wire-words.ts';

/** Longer than nearly any chain; what is not found within is looked for under the lock. */
const UNLOCKED_STEPS_MAX = 16;

export class PeerIndex {
  /** Results of the last look: the peer, or 0. */
  found = 0;
  /** The member's other peers in the torrent that are counted, and those that are silent. */
  othersPresent = 0;
  othersSilent = 0;
  /** One of the silent others that was seen longest ago, or 0. */
  oldestSilent = 0;
  /** Another present peer of the member with the very address of the request, or 0. */
  sameAddress = 0;
  /** Keeps what was read ahead from looking useless to a compiler. */
  touched = 0;
  /** The address of the last request looked for, as a list entry holds it. */
  readonly address = new Uint32Array(PEER_ID_WORDS);
  readonly #peerId = new Uint32Array(PEER_ID_WORDS);
  readonly #buckets: Int32Array;
  readonly #peers: Uint32Array;
  readonly #extensions: Uint32Array;
  readonly #words: Uint32Array;
  readonly #seed: number;
  readonly #primary: PeerList;
  readonly #ipv6: PeerList;

  constructor(memory: SwarmMemory, primary: PeerList, ipv6: PeerList) {
    this.#buckets = memory.peerIndex;
    this.#peers = memory.peers;
    this.#extensions = memory.extensions;
    this.#words = memory.arena;
    this.#seed = memory.seed;
    this.#primary = primary;
    this.#ipv6 = ipv6;
  }

  /**
   * Looks for the peer that announces. Fills every result, but where a member's peer is listed by the
   * address of the request already: then `found` alone, because nothing depends on its member's others.
   */
  look(torrent: number, request: AnnounceRequest): void {
    readAddress(request, this.address);
    if (request.memberId !== 0) {
      if (this.#lookForListed(torrent, request)) return;
      this.lookForMember(torrent, request.memberId, request.peerId);
      // Who is listed there itself is the only one of its member that is.
      if (this.othersPresent > 0 && !this.#isFoundThere(torrent, request)) {
        this.sameAddress = this.#sameAddressOf(torrent, request);
      }
      return;
    }
    this.#clear();
    readPeerId(request.peerId, this.#peerId);
    const hash = this.#anonymousHash(torrent, request);
    const bucket = hash & (this.#buckets.length - 1);
    const first = lockBucket(this.#buckets, bucket);
    for (let peer = first; peer !== 0; peer = this.#peers[peer * PEER_WORDS + PEER.next]!) {
      const at = peer * PEER_WORDS;
      if (this.#peers[at + PEER.torrent] !== torrent || this.#peers[at + PEER.memberId] !== 0) {
        continue;
      }
      if (this.#peers[at + PEER.key] !== hash >>> 0 || !this.#isAt(torrent, peer, request))
        continue;
      this.found = peer;
      break;
    }
    unlockBucket(this.#buckets, bucket, first);
  }

  /** Looks for a member's peer; fills every result but `sameAddress`. */
  lookForMember(torrent: number, memberId: number, peerId: Uint8Array): void {
    this.#clear();
    readPeerId(peerId, this.#peerId);
    const peers = this.#peers;
    const bucket = this.#memberBucket(torrent, memberId);
    let silentSince = 0;
    const first = lockBucket(this.#buckets, bucket);
    for (let peer = first; peer !== 0; peer = peers[peer * PEER_WORDS + PEER.next]!) {
      const at = peer * PEER_WORDS;
      if (peers[at + PEER.torrent] !== torrent || peers[at + PEER.memberId] !== memberId) continue;
      if (this.#hasPeerId(at)) {
        this.found = peer;
      } else if ((peers[at + PEER.flags]! & PEER_FLAG.reach) !== 0) {
        this.othersPresent++;
      } else {
        const seen = peers[at + PEER.lastSeen]! | 0;
        this.othersSilent++;
        if (this.oldestSilent === 0 || seen < silentSince) {
          this.oldestSilent = peer;
          silentSince = seen;
        }
      }
    }
    unlockBucket(this.#buckets, bucket, first);
  }

  /**
   * Nearly every announce: a member's peer that is where it was. Finds it without the bucket's lock. A
   * change of the chain under way may lead astray, but not to a wrong peer: whoever has this torrent,
   * member and peer id is the one, and stands still under the torrent's lock. False: look with care.
   */
  #lookForListed(torrent: number, request: AnnounceRequest): boolean {
    this.#clear();
    const { memberId } = request;
    readPeerId(request.peerId, this.#peerId);
    const peers = this.#peers;
    let peer = this.#buckets[this.#memberBucket(torrent, memberId)]! & BUCKET_FIRST;
    for (let step = 0; peer !== 0 && step < UNLOCKED_STEPS_MAX; step++) {
      const at = peer * PEER_WORDS;
      const isMembers =
        peers[at + PEER.torrent] === torrent && peers[at + PEER.memberId] === memberId;
      if (isMembers && this.#hasPeerId(at)) {
        if (!this.#isAt(torrent, peer, request)) return false;
        this.found = peer;
        return true;
      }
      peer = peers[at + PEER.next]!;
    }
    return false;
  }

  /**
   * Reads what lookForMember() will read first for each of them, so that the processor fetches all of
   * it at once instead of one after the other. Decides nothing and takes no lock.
   */
  lookAhead(torrent: number, members: readonly { readonly memberId: number }[]): void {
    let touched = 0;
    for (const { memberId } of members) {
      touched ^= this.#buckets[this.#memberBucket(torrent, memberId)]!;
    }
    this.touched ^= touched;
  }

  /** Whether the member has any peer in the torrent, or left a baseline there. */
  hasMember(torrent: number, memberId: number): boolean {
    const peers = this.#peers;
    const bucket = this.#memberBucket(torrent, memberId);
    let found = false;
    const first = lockBucket(this.#buckets, bucket);
    for (let peer = first; peer !== 0 && !found; peer = peers[peer * PEER_WORDS + PEER.next]!) {
      const at = peer * PEER_WORDS;
      found = peers[at + PEER.torrent] === torrent && peers[at + PEER.memberId] === memberId;
    }
    unlockBucket(this.#buckets, bucket, first);
    return found;
  }

  /** Whether the member of `peer` is counted in the torrent by another peer. */
  hasOtherPresent(torrent: number, peer: number): boolean {
    const peers = this.#peers;
    const memberId = peers[peer * PEER_WORDS + PEER.memberId]!;
    const bucket = this.#memberBucket(torrent, memberId);
    let found = false;
    const first = lockBucket(this.#buckets, bucket);
    for (let other = first; other !== 0; other = peers[other * PEER_WORDS + PEER.next]!) {
      const at = other * PEER_WORDS;
      if (peers[at + PEER.torrent] !== torrent || peers[at + PEER.memberId] !== memberId) continue;
      if (other !== peer && (peers[at + PEER.flags]! & PEER_FLAG.reach) !== 0) found = true;
    }
    unlockBucket(this.#buckets, bucket, first);
    return found;
  }

  /** Adds a member's peer, its torrent, member and peer id already written. */
  insertForMember(peer: number): void {
    const at = peer * PEER_WORDS;
    const memberId = this.#peers[at + PEER.memberId]!;
    this.#insert(peer, this.#memberBucket(this.#peers[at + PEER.torrent]!, memberId));
  }

  /** Adds a peer of nobody; its key word keeps the hash by which it is found again. */
  insertAnonymous(peer: number, request: AnnounceRequest): void {
    const at = peer * PEER_WORDS;
    const hash = this.#anonymousHash(this.#peers[at + PEER.torrent]!, request);
    this.#peers[at + PEER.key] = hash;
    this.#insert(peer, hash & (this.#buckets.length - 1));
  }

  remove(peer: number): void {
    const peers = this.#peers;
    const at = peer * PEER_WORDS;
    const memberId = peers[at + PEER.memberId]!;
    const bucket =
      memberId === 0
        ? peers[at + PEER.key]! & (this.#buckets.length - 1)
        : this.#memberBucket(peers[at + PEER.torrent]!, memberId);
    let first = lockBucket(this.#buckets, bucket);
    const next = peers[at + PEER.next]!;
    if (first === peer) {
      first = next;
    } else {
      let from = first;
      while (peers[from * PEER_WORDS + PEER.next] !== peer) {
        from = peers[from * PEER_WORDS + PEER.next]!;
        assert(from !== 0, 'an indexed peer is in its chain');
      }
      peers[from * PEER_WORDS + PEER.next] = next;
    }
    unlockBucket(this.#buckets, bucket, first);
  }

  #clear(): void {
    this.found = 0;
    this.othersPresent = 0;
    this.othersSilent = 0;
    this.oldestSilent = 0;
    this.sameAddress = 0;
  }

  #insert(peer: number, bucket: number): void {
    const first = lockBucket(this.#buckets, bucket);
    this.#peers[peer * PEER_WORDS + PEER.next] = first;
    unlockBucket(this.#buckets, bucket, peer);
  }

  #memberBucket(torrent: number, memberId: number): number {
    return memberHash(torrent, memberId, this.#seed) & (this.#buckets.length - 1);
  }

  #anonymousHash(torrent: number, request: AnnounceRequest): number {
    const isWebrtc = request.door === DOOR.websocket;
    const words = isWebrtc ? this.#peerId : this.address;
    const count = isWebrtc ? PEER_ID_WORDS : request.family === 4 ? 2 : 5;
    let hash = mix(torrent, this.#seed);
    for (let word = 0; word < count; word++) hash = mix(hash, words[word]!);
    return hash;
  }

  #hasPeerId(at: number): boolean {
    for (let word = 0; word < PEER_ID_WORDS; word++) {
      if (this.#peers[at + PEER.peerId + word] !== this.#peerId[word]) return false;
    }
    return true;
  }

  #isFoundThere(torrent: number, request: AnnounceRequest): boolean {
    return this.found !== 0 && this.#isAt(torrent, this.found, request);
  }

  /** Whether a present peer is listed by the address that is looked for. */
  #isAt(torrent: number, peer: number, request: AnnounceRequest): boolean {
    const at = peer * PEER_WORDS;
    const reach = this.#peers[at + PEER.flags]! & PEER_FLAG.reach;
    if (request.door === DOOR.websocket) {
      return (reach & PEER_FLAG.reachWebrtc) !== 0 && this.#hasPeerId(at);
    }
    if (request.family === 4) {
      if ((reach & PEER_FLAG.reachIpv4) === 0) return false;
      const entry = this.#primary.entryAt(torrent, this.#peers[at + PEER.place]!);
      if (this.#words[entry + 1] !== this.address[0]) return false;
      return (this.#words[entry + 2]! & 0xffff) === this.address[1];
    }
    if ((reach & PEER_FLAG.reachIpv6) === 0) return false;
    const extension = this.#peers[at + PEER.extension]!;
    const place = this.#extensions[extension * EXTENSION_WORDS + EXTENSION.place6]!;
    const entry = this.#ipv6.entryAt(torrent, place);
    for (let word = 0; word < 4; word++) {
      if (this.#words[entry + 1 + word] !== this.address[word]) return false;
    }
    return (this.#words[entry + 5]! & 0xffff) === this.address[4];
  }

  /** Walks the chain of the member's own peers: only where another is present, and it is new there. */
  #sameAddressOf(torrent: number, request: AnnounceRequest): number {
    if (request.door === DOOR.websocket) return 0;
    const peers = this.#peers;
    const bucket = this.#memberBucket(torrent, request.memberId);
    let found = 0;
    const first = lockBucket(this.#buckets, bucket);
    for (let peer = first; peer !== 0; peer = peers[peer * PEER_WORDS + PEER.next]!) {
      const at = peer * PEER_WORDS;
      if (peers[at + PEER.torrent] !== torrent) continue;
      if (peers[at + PEER.memberId] !== request.memberId) continue;
      if (peer !== this.found && this.#isAt(torrent, peer, request)) found = peer;
    }
    unlockBucket(this.#buckets, bucket, first);
    return found;
  }
}

/** Its low bits name the bucket of a member's peers in a torrent. */
export function memberHash(torrent: number, memberId: number, seed: number): number {
  return mix(mix(memberId, torrent), seed);
}
