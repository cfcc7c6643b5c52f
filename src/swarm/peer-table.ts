// Peer records and everything that hangs on one: its place in the lists, its index entry, its
// extension and the counts it is part of. One method, setReach(), changes who is counted and where
// a peer is listed, so that lists and counts cannot disagree. Calls need the torrent's shard lock.

import { assert } from '#base/assert.ts';
import { FOUNDINGS_MAX } from './announce-outcome.ts';
import { type AnnounceRequest, DOOR } from './announce-slot.ts';
import { Arena } from './arena.ts';
import type { BaselineNumbers } from './baseline.ts';
import { Channels } from './channels.ts';
import type { SwarmConfig } from './config.ts';
import {
  EXTENSION,
  EXTENSION_WORDS,
  HEADER,
  PEER,
  PEER_FLAG,
  PEER_STATE,
  PEER_WORDS,
  TORRENT,
  TORRENT_WORDS,
} from './layout.ts';
import { MemberTable } from './member-table.ts';
import type { SwarmMemory } from './memory.ts';
import { PeerIndex } from './peer-index.ts';
import { HIDDEN_RUN, PeerList } from './peer-list.ts';
import { type ReadBaseline, readBaseline, writeBaseline } from './peer-record.ts';
import { PeerStreams } from './peer-streams.ts';
import { Slab } from './slab.ts';
import { PEER_ID_WORDS, readPeerId } from './wire-words.ts';

const REACH_BITS = 6;

export class PeerTable {
  readonly arena: Arena;
  readonly primary: PeerList;
  readonly ipv6: PeerList;
  readonly webrtc: PeerList;
  readonly index: PeerIndex;
  readonly members: MemberTable;
  readonly channels: Channels;
  readonly streams: PeerStreams;
  readonly records: Slab;
  readonly extensionRecords: Slab;
  readonly peers: Uint32Array;
  readonly #extensions: Uint32Array;
  readonly #words: Uint32Array;
  readonly #torrents: Uint32Array;
  readonly #header: Int32Array;
  readonly #peerId = new Uint32Array(PEER_ID_WORDS);

  constructor(memory: SwarmMemory, config: SwarmConfig) {
    this.arena = new Arena(memory);
    this.primary = new PeerList(memory, this.arena, 'primary');
    this.ipv6 = new PeerList(memory, this.arena, 'ipv6');
    this.webrtc = new PeerList(memory, this.arena, 'webrtc');
    this.index = new PeerIndex(memory, this.primary, this.ipv6);
    this.members = new MemberTable(memory, config.torrentsPerMemberMax);
    this.channels = new Channels(memory);
    this.streams = new PeerStreams(memory);
    this.records = new Slab(memory.header, memory.peers, {
      headerAt: HEADER.peerSlab,
      recordWords: PEER_WORDS,
      nextAt: PEER.next,
      recordsMax: memory.peersMax,
    });
    this.extensionRecords = new Slab(memory.header, memory.extensions, {
      headerAt: HEADER.extensionSlab,
      recordWords: EXTENSION_WORDS,
      nextAt: EXTENSION.place6,
      recordsMax: memory.peersMax,
    });
    this.peers = memory.peers;
    this.#extensions = memory.extensions;
    this.#words = memory.arena;
    this.#torrents = memory.torrents;
    this.#header = memory.header;
  }

  flagsOf(peer: number): number {
    return this.peers[peer * PEER_WORDS + PEER.flags]!;
  }

  reachOf(peer: number): number {
    return this.flagsOf(peer) & PEER_FLAG.reach;
  }

  stateOf(peer: number): number {
    return (this.flagsOf(peer) & PEER_FLAG.state) >>> PEER_FLAG.stateShift;
  }

  torrentOf(peer: number): number {
    return this.peers[peer * PEER_WORDS + PEER.torrent]!;
  }

  memberOf(peer: number): number {
    return this.peers[peer * PEER_WORDS + PEER.memberId]!;
  }

  lastSeenOf(peer: number): number {
    return this.peers[peer * PEER_WORDS + PEER.lastSeen]! | 0;
  }

  setFlag(peer: number, flag: number): void {
    this.peers[peer * PEER_WORDS + PEER.flags]! |= flag;
  }

  clearFlag(peer: number, flag: number): void {
    this.peers[peer * PEER_WORDS + PEER.flags]! &= ~flag;
  }

  /** Counts one more or one less founding announce that is not durable yet. */
  addFounding(peer: number, change: 1 | -1): void {
    const at = peer * PEER_WORDS + PEER.flags;
    const flags = this.peers[at]!;
    const count = ((flags & PEER_FLAG.founding) >>> PEER_FLAG.foundingShift) + change;
    assert(count <= FOUNDINGS_MAX, 'the caller looks at outcome.foundings first');
    if (count < 0) return;
    this.peers[at] = (flags & ~PEER_FLAG.founding) | (count << PEER_FLAG.foundingShift);
  }

  /** Fills a taken record; the peer is silent, listed as hidden. Room was made in the list. */
  create(peer: number, torrent: number, memberId: number, peerId: Uint8Array): void {
    this.fill(peer, torrent, memberId, peerId);
    this.countSilent(1);
  }

  /** create() without the count: it is the caller's to call countSilent() for all that it fills. */
  fill(peer: number, torrent: number, memberId: number, peerId: Uint8Array): void {
    const { peers } = this;
    const at = peer * PEER_WORDS;
    readPeerId(peerId, this.#peerId);
    // A loop: a call into the engine costs more than twenty words.
    for (let word = 0; word < PEER_WORDS; word++) peers[at + word] = 0;
    peers[at + PEER.torrent] = torrent;
    peers[at + PEER.memberId] = memberId;
    for (let word = 0; word < PEER_ID_WORDS; word++) {
      peers[at + PEER.peerId + word] = this.#peerId[word]!;
    }
    const place = this.primary.insert(torrent, peer, HIDDEN_RUN);
    const entry = this.primary.entryAt(torrent, place);
    this.#words[entry + 1] = 0;
    this.#words[entry + 2] = 0;
    peers[at + PEER.flags] = PEER_FLAG.used;
  }

  countSilent(count: number): void {
    Atomics.add(this.#header, HEADER.silentCounted, count);
  }

  /** Everything but lastSeen. `lastSeenUnix` is what lastSeen will read as, in Unix seconds. */
  writeBaseline(peer: number, numbers: BaselineNumbers, lastSeenUnix: number): void {
    writeBaseline(this.peers, peer, numbers, lastSeenUnix);
    this.streams.write(peer, numbers);
  }

  /** Fills the baseline fields of `into`; the record holds a baseline. */
  readBaseline(peer: number, lastSeenUnix: number, into: ReadBaseline): void {
    readBaseline(this.peers, peer, lastSeenUnix, into);
    this.streams.read(peer, into);
  }

  /** Gives a peer an extension record; what was announced before keeps the peer's last time. */
  attachExtension(peer: number, extension: number): void {
    const at = peer * PEER_WORDS;
    const first = extension * EXTENSION_WORDS;
    this.#extensions.fill(0, first, first + EXTENSION_WORDS);
    for (let bit = 0; bit < REACH_BITS; bit++) {
      this.#extensions[first + EXTENSION.seen + bit] = this.peers[at + PEER.lastSeen]!;
    }
    this.peers[at + PEER.extension] = extension;
  }

  /** Whether an announce that sets `bit` needs more than the record itself holds. */
  needsExtension(peer: number, bit: number, channelWord: number): boolean {
    const mask = 1 << bit;
    // The places in those lists stand in the extension.
    const isListedApart = (mask & (PEER_FLAG.reachIpv6 | PEER_FLAG.reachWebrtc)) !== 0;
    if (peer === 0) return isListedApart;
    if (this.peers[peer * PEER_WORDS + PEER.extension] !== 0) return false;
    if (isListedApart || (this.reachOf(peer) & ~mask) !== 0) return true;
    return this.channels.needsExtension(peer, channelWord);
  }

  /** When this reach bit was announced last, in seconds since the memory's start. */
  seenOf(peer: number, bit: number): number {
    const extension = this.peers[peer * PEER_WORDS + PEER.extension]!;
    if (extension === 0) return this.lastSeenOf(peer);
    return this.#extensions[extension * EXTENSION_WORDS + EXTENSION.seen + bit]! | 0;
  }

  /** Notes an announce by `bit` at `nowSeconds`; no bit (-1) notes it for the peer alone. */
  see(peer: number, bit: number, nowSeconds: number): void {
    const at = peer * PEER_WORDS;
    this.peers[at + PEER.lastSeen] = nowSeconds;
    const extension = this.peers[at + PEER.extension]!;
    if (extension !== 0 && bit >= 0) {
      this.#extensions[extension * EXTENSION_WORDS + EXTENSION.seen + bit] = nowSeconds;
    }
  }

  /** The reach bits that were not announced for `ageSecondsMax`. */
  agedReach(peer: number, nowSeconds: number, ageSecondsMax: number): number {
    const reach = this.reachOf(peer);
    let aged = 0;
    for (let bit = 0; bit < REACH_BITS; bit++) {
      const isSet = (reach & (1 << bit)) !== 0;
      if (isSet && nowSeconds - this.seenOf(peer, bit) > ageSecondsMax) aged |= 1 << bit;
    }
    return aged;
  }

  /**
   * The peer is reachable by `reach` in `state` from here on: lists and counts follow. No reach
   * makes it silent. Room in the other lists was made and the peer has an extension where it needs it.
   */
  setReach(peer: number, reach: number, state: number): void {
    const at = peer * PEER_WORDS;
    const torrent = this.peers[at + PEER.torrent]!;
    const flags = this.peers[at + PEER.flags]!;
    const reachBefore = flags & PEER_FLAG.reach;
    if (reachBefore === reach && (flags & PEER_FLAG.state) >>> PEER_FLAG.stateShift === state)
      return;
    const run = (reach & PEER_FLAG.reachIpv4) === 0 ? HIDDEN_RUN : state;
    const place = this.primary.moveToRun(torrent, this.peers[at + PEER.place]!, run);
    this.#tag(this.primary.entryAt(torrent, place) + 2, reach & 3);
    this.#listIpv6(peer, reach, state);
    this.#listWebrtc(peer, reach, state);
    const kept = flags & ~(PEER_FLAG.reach | PEER_FLAG.state);
    this.peers[at + PEER.flags] = kept | reach | (state << PEER_FLAG.stateShift);
    if (reachBefore !== 0)
      this.#count(torrent, (flags & PEER_FLAG.state) >>> PEER_FLAG.stateShift, -1);
    if (reach !== 0) this.#count(torrent, state, 1);
    if ((reachBefore !== 0) === (reach !== 0)) return;
    Atomics.add(this.#header, HEADER.silentCounted, reach === 0 ? 1 : -1);
  }

  /** Writes the address of `request` (already looked for) into the entry of its family. */
  setAddress(peer: number, request: AnnounceRequest): void {
    const at = peer * PEER_WORDS;
    const torrent = this.peers[at + PEER.torrent]!;
    const { address } = this.index;
    const words = this.#words;
    if (request.door === DOOR.websocket) {
      const entry = this.webrtc.entryAt(torrent, this.placeWebrtcOf(peer));
      words[entry + 1] = address[0]!;
      words[entry + 2] = (words[entry + 2]! & 0xffff_0000) | address[1]!;
      return;
    }
    if (request.family === 4) {
      const entry = this.primary.entryAt(torrent, this.peers[at + PEER.place]!);
      words[entry + 1] = address[0]!;
      words[entry + 2] = (words[entry + 2]! & 0xffff_0000) | address[1]!;
      return;
    }
    const entry = this.ipv6.entryAt(torrent, this.place6Of(peer));
    for (let word = 0; word < 4; word++) words[entry + 1 + word] = address[word]!;
    words[entry + 5] = (words[entry + 5]! & 0xffff_0000) | address[4]!;
  }

  place6Of(peer: number): number {
    const extension = this.peers[peer * PEER_WORDS + PEER.extension]!;
    return this.#extensions[extension * EXTENSION_WORDS + EXTENSION.place6]!;
  }

  placeWebrtcOf(peer: number): number {
    const extension = this.peers[peer * PEER_WORDS + PEER.extension]!;
    return this.#extensions[extension * EXTENSION_WORDS + EXTENSION.placeWebrtc]!;
  }

  /** Whether the peer is reached by WebRTC over the very connection that was looked for last. */
  isOfConnection(peer: number): boolean {
    if ((this.reachOf(peer) & PEER_FLAG.reachWebrtc) === 0) return false;
    const entry = this.webrtc.entryAt(this.torrentOf(peer), this.placeWebrtcOf(peer));
    const { address } = this.index;
    if (this.#words[entry + 1] !== address[0]) return false;
    return (this.#words[entry + 2]! & 0xffff) === address[1];
  }

  /**
   * Ends a present peer: it is neither counted nor handed out from here on. Its baseline stays as a
   * silent record; without one the record is freed. Returns whether the record is still there.
   */
  silence(peer: number): boolean {
    const at = peer * PEER_WORDS;
    const torrent = this.torrentOf(peer);
    const memberId = this.memberOf(peer);
    assert(this.reachOf(peer) !== 0, 'only a present peer can leave');
    if (memberId !== 0 && !this.index.hasOtherPresent(torrent, peer)) this.members.leave(memberId);
    this.setReach(peer, 0, this.stateOf(peer));
    const extension = this.peers[at + PEER.extension]!;
    if (extension !== 0) {
      this.peers[at + PEER.extension] = 0;
      this.extensionRecords.give(extension);
    }
    if ((this.flagsOf(peer) & PEER_FLAG.known) !== 0) return true;
    this.free(peer);
    return false;
  }

  /**
   * A present peer is no longer at the address of the family of reach `bit`: by none of its hashes.
   * Without another address it ends; its baseline stays.
   */
  leaveFamily(peer: number, bit: number): void {
    const rest = this.reachOf(peer) & ~(3 << (bit & ~1));
    if (rest === 0) this.silence(peer);
    else this.setReach(peer, rest, this.stateOf(peer));
  }

  /** Frees the record of a silent peer. */
  free(peer: number): void {
    const at = peer * PEER_WORDS;
    const torrent = this.torrentOf(peer);
    assert(this.reachOf(peer) === 0, 'only a silent peer is freed');
    assert(this.peers[at + PEER.extension] === 0, 'a silent peer has no extension');
    this.index.remove(peer);
    this.primary.remove(torrent, this.peers[at + PEER.place]!);
    this.primary.trim(torrent);
    this.streams.free(peer);
    this.peers[at + PEER.flags] = 0;
    this.peers[at + PEER.torrent] = 0;
    this.records.give(peer);
    Atomics.sub(this.#header, HEADER.silentCounted, 1);
  }

  /** Called before the new reach is written. */
  #listIpv6(peer: number, reach: number, state: number): void {
    const torrent = this.torrentOf(peer);
    const wasListed = (this.reachOf(peer) & PEER_FLAG.reachIpv6) !== 0;
    if ((reach & PEER_FLAG.reachIpv6) === 0) {
      if (!wasListed) return;
      this.ipv6.remove(torrent, this.place6Of(peer));
      this.ipv6.trim(torrent);
      return;
    }
    const place = wasListed
      ? this.ipv6.moveToRun(torrent, this.place6Of(peer), state)
      : this.ipv6.insert(torrent, peer, state);
    this.#tag(this.ipv6.entryAt(torrent, place) + 5, (reach >>> 2) & 3);
  }

  /** Called before the new reach is written. */
  #listWebrtc(peer: number, reach: number, state: number): void {
    const torrent = this.torrentOf(peer);
    const wasListed = (this.reachOf(peer) & PEER_FLAG.reachWebrtc) !== 0;
    if ((reach & PEER_FLAG.reachWebrtc) === 0) {
      if (!wasListed) return;
      this.webrtc.remove(torrent, this.placeWebrtcOf(peer));
      this.webrtc.trim(torrent);
      return;
    }
    const place = wasListed
      ? this.webrtc.moveToRun(torrent, this.placeWebrtcOf(peer), state)
      : this.webrtc.insert(torrent, peer, state);
    this.#tag(this.webrtc.entryAt(torrent, place) + 2, (reach >>> 4) & 3);
  }

  #tag(word: number, versions: number): void {
    this.#words[word] = (this.#words[word]! & 0xffff) | (versions << 16);
  }

  #count(torrent: number, state: number, by: 1 | -1): void {
    const at = torrent * TORRENT_WORDS;
    if (state === PEER_STATE.seeder) this.#torrents[at + TORRENT.seeders]! += by;
    else if (state === PEER_STATE.leecher) this.#torrents[at + TORRENT.leechers]! += by;
    else this.#torrents[at + TORRENT.partialSeeds]! += by;
    Atomics.add(this.#header, HEADER.peersCounted, by);
    if (state === PEER_STATE.seeder) Atomics.add(this.#header, HEADER.seedersCounted, by);
  }
}
