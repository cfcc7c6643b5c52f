// The swarm: who shares which torrent, over shared memory (layout.ts), so that every tracker thread
// and the site work on the same peers. An announce has two phases under one hold of the torrent's
// shard lock, because what it is worth must be known before its baseline may move:
//
//   begin(request)       finds the peer, reserves what joining would need, fills `outcome`
//   select(request, …)   the answer's peers, while the asker is not yet among them
//   settle(request, …)   joins, refreshes or leaves, moves the baseline, counts; gives the lock back
//   settleHidden(…)      instead of settle: only the baseline moves, nobody sees the peer yet
//   abandon()            instead of settle: nothing has changed
//
// Between begin() and settle() the thread must not wait, allocate much, or call anything else here
// but select(). Nothing here knows sockets, rights or credit.

import { assert } from '#base/assert.ts';
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import { type AnnounceOutcome, clearOutcome, newAnnounceOutcome } from './announce-outcome.ts';
import { type AnnounceRequest, DOOR, EVENT } from './announce-slot.ts';
import type { Baseline, BaselineKey, BaselineNumbers } from './baseline.ts';
import { BaselineKeeper, type EndedAddresses, type EndedPeers } from './baseline-keeper.ts';
import { canBeEarly, channelWord, isRepeat, reachBitOf, secondsBetween } from './channels.ts';
import type { SwarmConfig } from './config.ts';
import { HEADER, PEER_FLAG, PEER_STATE, TORRENT, TORRENT_WORDS } from './layout.ts';
import { LookAhead } from './look-ahead.ts';
import { SwarmMemory } from './memory.ts';
import { PeerChooser, type PeerKind, WEBRTC } from './peer-chooser.ts';
import { PeerTable } from './peer-table.ts';
import { PeerViewer } from './peer-viewer.ts';
import { Reservation, SILENT_MAX } from './reservation.ts';
import { SwarmTime } from './swarm-time.ts';
import type { PeerView, SwarmCounts, SwarmTotals } from './swarm-views.ts';
import { TorrentCensus } from './torrent-census.ts';
import { type TorrentHashes, TorrentTable } from './torrent-table.ts';

export interface SwarmWorld {
  /** From Swarm.reserve() with an equal config; any number of threads make a Swarm over it. */
  readonly memory: SharedArrayBuffer;
  readonly clock: Clock;
  /** Read once, for seeds. */
  readonly random: Random;
  readonly config: SwarmConfig;
}

export class Swarm {
  /** The same object each time; begin() overwrites it. */
  readonly outcome: AnnounceOutcome = newAnnounceOutcome();
  readonly #memory: SwarmMemory;
  readonly #config: SwarmConfig;
  readonly #time: SwarmTime;
  readonly #torrents: TorrentTable;
  readonly #table: PeerTable;
  readonly #reserved: Reservation;
  readonly #chooser: PeerChooser;
  readonly #keeper: BaselineKeeper;
  readonly #viewer: PeerViewer;
  // What begin() found and reserved, until settle() or abandon().
  #torrent = 0;
  #peer = 0;
  #memberId = 0;
  #channelWord = 0;

  /** Reserves the memory. Pages are taken from the machine as they are first written. */
  static reserve(config: SwarmConfig): SharedArrayBuffer {
    return SwarmMemory.reserve(config);
  }

  constructor(world: SwarmWorld) {
    const memory = new SwarmMemory(world);
    this.#memory = memory;
    this.#config = world.config;
    this.#time = new SwarmTime(world.clock, memory.startedMs);
    this.#torrents = new TorrentTable(memory);
    this.#table = new PeerTable(memory, world.config);
    this.#reserved = new Reservation(this.#table, world.config);
    const rooms = { memory, time: this.#time, torrents: this.#torrents, table: this.#table };
    this.#chooser = new PeerChooser(rooms, world);
    this.#keeper = new BaselineKeeper(rooms, world.config);
    this.#viewer = new PeerViewer(rooms);
  }

  // Torrents

  /**
   * Makes a registered torrent known, by its one or two hashes. True also when the id is there
   * already, which changes nothing. False when torrentsMax is reached.
   */
  addTorrent(torrentId: number, hashes: TorrentHashes): boolean {
    return this.#torrents.add(torrentId, hashes, false);
  }

  /**
   * For modes in which any torrent is served: makes one known that leaves memory with its last peer,
   * so a begin() that answers 'torrent-unknown' should open it once more. True also when the id is
   * there already. False when torrentsMax is reached.
   */
  openTorrent(torrentId: number, infoHash: Uint8Array): boolean {
    return this.#torrents.add(torrentId, { v1: infoHash }, true);
  }

  /**
   * Fills `torrentId`, `hashVersion` and `place` of a request from its info hash, v1 or truncated v2.
   * What `place` holds before may be a guess, from a look ahead. False when there is no such torrent.
   */
  locate(
    request: Pick<AnnounceRequest, 'infoHash' | 'torrentId' | 'hashVersion' | 'place'>,
  ): boolean {
    const torrents = this.#torrents;
    request.place = torrents.find(request.infoHash, request.place);
    if (request.place === 0) return false;
    request.torrentId = torrents.foundId;
    request.hashVersion = torrents.foundVersion;
    return true;
  }

  /** For batches of up to `announcesMax` announces. */
  lookAhead(announcesMax: number): LookAhead {
    return new LookAhead(this.#memory, announcesMax);
  }

  /** The id of the torrent with this hash, v1 or truncated v2; 0 when the swarm has none. */
  torrentByHash(infoHash: Uint8Array): number {
    return this.#torrents.find(infoHash) === 0 ? 0 : this.#torrents.foundId;
  }

  /**
   * The torrent and its peers are gone at once; the sweep hands their baselines to its onDrop and
   * then frees them. Unknown ids are fine. The id may be added again at once.
   */
  removeTorrent(torrentId: number): void {
    const torrent = this.#torrents.lockById(torrentId);
    if (torrent === 0) return;
    this.#torrents.retire(torrent);
    const isEmpty = this.#table.primary.count(torrent) === 0;
    if (isEmpty) this.#torrents.free(torrent);
    this.#torrents.unlock();
  }

  // Announces

  /**
   * Phase 1. Unless `outcome.refused` says otherwise, the torrent's shard stays locked until
   * settle() or abandon(). A `stopped` is refused only when the torrent is unknown or the peer is
   * another's; one of an unknown peer (`known` and `present` false) leaves no trace, and settle()
   * then only fills the counts.
   */
  begin(request: AnnounceRequest): AnnounceOutcome {
    const { outcome } = this;
    assert(this.#torrent === 0, 'the last announce was settled or abandoned');
    this.#time.read();
    const torrent = this.#torrents.lockFor(request);
    clearOutcome(outcome);
    if (torrent === 0) {
      outcome.refused = 'torrent-unknown';
      return outcome;
    }
    this.#torrent = torrent;
    this.#memberId = request.memberId;
    const { index } = this.#table;
    index.look(torrent, request);
    this.#peer = index.found;
    this.#channelWord = channelWord(request, this.#time.seconds);
    if (this.#peer !== 0) this.#recall(request);
    if (this.#isOfOther(request)) {
      this.abandon();
      outcome.refused = 'peer-of-other';
      return outcome;
    }
    if (request.event === EVENT.stopped) return outcome;
    const reserved = this.#reserved;
    const bit = reachBitOf(request);
    const needsExtension = this.#table.needsExtension(this.#peer, bit, this.#channelWord);
    const refused = reserved.take(torrent, request, outcome.present, needsExtension);
    if (reserved.newPeer !== 0) this.#peer = reserved.newPeer;
    if (refused !== 'none') {
      this.abandon();
      outcome.refused = refused;
    }
    return outcome;
  }

  /**
   * Phase 2. `next` is the baseline from here on; it is not kept for a peer of nobody (member 0).
   * `left` and the event of the request decide whether the peer is a seeder, unless the request is
   * older than the baseline. Then the counts are in `outcome`, and the lock is given back. `founds`
   * counts in `outcome.foundings` until founded().
   */
  settle(request: AnnounceRequest, next: BaselineNumbers, founds = false): void {
    assert(this.#torrent !== 0, 'an announce is settled once');
    if (request.event !== EVENT.stopped) this.#join(request, next);
    else if (this.#peer !== 0) this.#stop(request, next);
    if (founds && this.#peer !== 0) this.#table.addFounding(this.#peer, 1);
    this.#finish();
  }

  /**
   * Phase 2 of an announce that others may not see before it is durable: the baseline stands from
   * here on, the peer joins nothing and stays as silent as it is. Once the record is durable the
   * announce begins again and is settled. Only for members, and no `stopped`.
   */
  settleHidden(request: AnnounceRequest, next: BaselineNumbers, founds: boolean): void {
    assert(this.#torrent !== 0, 'an announce is settled once');
    assert(request.memberId !== 0 && request.event !== EVENT.stopped, 'a member that comes');
    const table = this.#table;
    const reserved = this.#reserved;
    if (reserved.newPeer !== 0) this.#create(request);
    const peer = this.#peer;
    table.clearFlag(peer, PEER_FLAG.expired | PEER_FLAG.ended);
    table.see(peer, -1, this.#time.seconds);
    table.writeBaseline(peer, next, this.#time.unixSeconds);
    if (founds) table.addFounding(peer, 1);
    reserved.giveBack(this.#torrent, this.#memberId, true);
    this.#finish();
  }

  /** A record that founded a baseline is durable. Nothing when the baseline is gone. */
  founded(key: BaselineKey): void {
    this.#keeper.founded(key);
  }

  /** Ends an announce that begin() did not refuse; nothing changes but the room that was reserved. */
  abandon(): void {
    assert(this.#torrent !== 0, 'an announce is abandoned once');
    this.#reserved.giveBack(this.#torrent, this.#memberId, false);
    this.#finish();
  }

  /**
   * Writes up to `want` peers (at most peersPerAnswerMax, and what fits) into `into`: 6 bytes each
   * for family 4, 18 for family 6. Returns how many. Between begin() and settle() it uses their
   * lock, else it takes its own. A `stopped` gets none; `want` must not be negative.
   */
  select(request: AnnounceRequest, family: 4 | 6, want: number, into: Uint8Array): number {
    return this.#select(request, family, want, into);
  }

  /** The same for WebRTC peers: 6 bytes each, connection and worker, both lowest byte first. */
  selectWebrtc(request: AnnounceRequest, want: number, into: Uint8Array): number {
    return this.#select(request, WEBRTC, want, into);
  }

  /**
   * The connection of a WebSocket peer has ended: it is reached by it no more, and without another
   * address it leaves. Nothing happens when another connection has announced the peer since.
   */
  leaveWebrtc(request: AnnounceRequest): void {
    assert(this.#torrent === 0, 'no announce is open');
    this.#time.read();
    const torrent = this.#torrents.lockById(request.torrentId);
    if (torrent === 0) return;
    const table = this.#table;
    table.index.look(torrent, request);
    const peer = table.index.found;
    if (peer !== 0 && table.isOfConnection(peer)) {
      const rest = table.reachOf(peer) & ~PEER_FLAG.reachWebrtc;
      if (rest !== 0) table.setReach(peer, rest, table.stateOf(peer));
      else table.silence(peer);
      this.#keeper.endIfEmpty(torrent);
    }
    this.#torrents.unlock();
  }

  #select(request: AnnounceRequest, kind: PeerKind, want: number, into: Uint8Array): number {
    const chooser = this.#chooser;
    chooser.heldTorrent = this.#torrent;
    chooser.isAskerNew = this.#reserved.newPeer !== 0;
    return chooser.choose(request, kind, want, into);
  }

  // Counts

  /** False, and `into` untouched, when the torrent is unknown. */
  counts(torrentId: number, into: SwarmCounts): boolean {
    const torrent = this.#torrents.lockById(torrentId);
    if (torrent === 0) return false;
    const words = this.#memory.torrents;
    const at = torrent * TORRENT_WORDS;
    into.seeders = words[at + TORRENT.seeders]!;
    into.leechers = words[at + TORRENT.leechers]!;
    into.partialSeeds = words[at + TORRENT.partialSeeds]!;
    into.completed = words[at + TORRENT.completed]!;
    this.#torrents.unlock();
    return true;
  }

  /** Completions as the ledger counts them, at most 2^32-1. Nothing when the torrent is unknown. */
  setCompleted(torrentId: number, completed: number): void {
    const torrent = this.#torrents.lockById(torrentId);
    if (torrent === 0) return;
    const bounded = Math.min(completed, 0xffff_ffff);
    this.#memory.torrents[torrent * TORRENT_WORDS + TORRENT.completed] = bounded;
    this.#torrents.unlock();
  }

  /** All torrents by info hash, to be read in steps between announces. */
  census(): TorrentCensus {
    return new TorrentCensus(this.#memory, this.#torrents);
  }

  totals(): SwarmTotals {
    const { header } = this.#memory;
    return {
      torrents: this.#torrents.count,
      peers: Atomics.load(header, HEADER.peersCounted),
      seeders: Atomics.load(header, HEADER.seedersCounted),
      silentBaselines: Atomics.load(header, HEADER.silentCounted),
      peersMax: this.#memory.peersMax,
      torrentsMax: this.#memory.torrentsMax,
    };
  }

  // Baselines

  /**
   * Puts back a baseline, at the start or when it was found in the baseline file: a silent peer. Where
   * the swarm has one already, the higher sequence stays. False when there is no room, no such
   * torrent, or nobody's (member 0).
   */
  restoreBaseline(baseline: Baseline): boolean {
    return this.#keeper.restore(baseline, SILENT_MAX);
  }

  /**
   * The same for some of one torrent, at most some dozens: its lock is held until all are there. With
   * the torrents one after another a million takes a fraction of the time that it takes in any order.
   * Returns how many are in the swarm now.
   */
  restoreBaselines(torrentId: number, baselines: readonly Baseline[]): number {
    return this.#keeper.restoreMany(torrentId, baselines, SILENT_MAX);
  }

  /**
   * After a lost append: the baseline as it was before, undefined when there was none. A peer that is
   * counted stays in the swarm, and is not seen longer ago for it.
   */
  rollbackBaseline(key: BaselineKey, previous: Baseline | undefined): void {
    this.#keeper.rollback(key, previous);
  }

  /**
   * Looks at the next `peersMax` records: ends peers that were silent for peerAgeMsMax, frees
   * baselines that were silent for baselineSilentMs (sooner when memory is nearly full) or whose
   * torrent was removed, after `onDrop` was told. No lock is held while onDrop runs. Returns how
   * many records it looked at, fewer at the end of the memory; the next call begins anew there.
   */
  sweep(peersMax: number, onDrop: (baseline: Baseline) => void): number {
    assert(this.#torrent === 0, 'no announce is open');
    return this.#keeper.sweep(peersMax, onDrop);
  }

  /**
   * Ends these peers of members among the `peersMax` records after `from`; their baselines stay.
   * Pass 0 first, then what it returned, until that is -1. Shards without such a peer are not locked.
   */
  removeMembers(members: EndedPeers, from: number, peersMax: number): number {
    assert(this.#torrent === 0, 'no announce is open');
    return this.#keeper.removeMembers(members, from, peersMax);
  }

  /** The same for those at these addresses; who is reached at another one too stays there. */
  removeAddresses(ended: EndedAddresses, from: number, peersMax: number): number {
    assert(this.#torrent === 0, 'no announce is open');
    return this.#keeper.removeAddresses(ended, from, peersMax);
  }

  /**
   * Every baseline, in steps of `peersMax` records: pass 0 first, then what it returned, until that
   * is -1. What changes meanwhile is visited before or after its change. No lock is held while
   * `visit` runs.
   */
  walkBaselines(from: number, peersMax: number, visit: (baseline: Baseline) => void): number {
    assert(this.#torrent === 0, 'no announce is open');
    return this.#keeper.walk(from, peersMax, visit);
  }

  /** Peers of a member that are counted now. Reads every record, about 1 ms per 100,000. */
  peersOfMember(memberId: number, limit: number): PeerView[] {
    return this.#viewer.ofMember(memberId, limit);
  }

  /** Peers of a torrent that are counted now. */
  peersOfTorrent(torrentId: number, limit: number): PeerView[] {
    return this.#viewer.ofTorrent(torrentId, limit);
  }

  /** For tests: units of the peer lists that are free, and records in use. */
  memoryUse() {
    return {
      arenaUnitsFree: this.#table.arena.countFreeUnits(),
      records: this.#table.records.recordsTaken,
      extensions: this.#table.extensionRecords.recordsTaken,
      streams: this.#table.streams.records.recordsTaken,
    };
  }

  /** Fills the outcome with what is known of the peer. */
  #recall(request: AnnounceRequest): void {
    const { outcome } = this;
    const table = this.#table;
    const peer = this.#peer;
    const flags = table.flagsOf(peer);
    outcome.present = (flags & PEER_FLAG.reach) !== 0;
    outcome.wasSeeder = outcome.present && table.stateOf(peer) === PEER_STATE.seeder;
    if ((flags & PEER_FLAG.known) !== 0) {
      outcome.known = true;
      outcome.foundings = (flags & PEER_FLAG.founding) >>> PEER_FLAG.foundingShift;
      outcome.ended = (flags & PEER_FLAG.ended) !== 0;
      table.readBaseline(peer, this.#time.toUnix(table.lastSeenOf(peer)), outcome);
    }
    const last = table.channels.find(peer, this.#channelWord);
    if (last === 0) return;
    outcome.channelKnown = (table.reachOf(peer) & (1 << reachBitOf(request))) !== 0;
    outcome.repeated = isRepeat(last, this.#channelWord);
    if (outcome.repeated || !canBeEarly(request)) return;
    // Times are whole seconds, so a client that waited exactly may seem a second short.
    const waited = secondsBetween(last, this.#channelWord) + 1;
    outcome.early = waited * 1000 < this.#config.announceIntervalMsMin;
  }

  #join(request: AnnounceRequest, next: BaselineNumbers): void {
    const table = this.#table;
    const peer = this.#peer;
    const bit = reachBitOf(request);
    const { newPeer, extension, displaced, replaced } = this.#reserved;
    if (newPeer !== 0) this.#create(request);
    if (extension !== 0) table.attachExtension(peer, extension);
    table.clearFlag(peer, PEER_FLAG.expired | PEER_FLAG.ended);
    table.see(peer, bit, this.#time.seconds);
    if (request.memberId !== 0) table.writeBaseline(peer, next, this.#time.unixSeconds);
    const isOlder = request.uploaded < next.uploaded || request.downloaded < next.downloaded;
    const keepsState = this.outcome.present && isOlder && request.memberId !== 0;
    const state = keepsState ? table.stateOf(peer) : stateOf(request);
    table.setReach(peer, table.reachOf(peer) | (1 << bit), state);
    table.setAddress(peer, request);
    if (!this.outcome.early && !this.outcome.repeated) {
      table.channels.remember(peer, this.#channelWord);
    }
    // Only now: the member was in the torrent all along, so its count of torrents must not dip.
    if (replaced !== 0) table.silence(replaced);
    else if (displaced !== 0) table.leaveFamily(displaced, bit);
  }

  #create(request: AnnounceRequest): void {
    const { index } = this.#table;
    this.#table.create(this.#peer, this.#torrent, request.memberId, request.peerId);
    if (request.memberId === 0) index.insertAnonymous(this.#peer, request);
    else index.insertForMember(this.#peer);
  }

  /** `stopped` closes the hash and the address it came by; the peer ends with its last. */
  #stop(request: AnnounceRequest, next: BaselineNumbers): void {
    const table = this.#table;
    const peer = this.#peer;
    table.see(peer, -1, this.#time.seconds);
    table.setFlag(peer, PEER_FLAG.ended);
    if (request.memberId !== 0) table.writeBaseline(peer, next, this.#time.unixSeconds);
    if (!this.outcome.repeated) table.channels.remember(peer, this.#channelWord);
    // A connection says goodbye for itself only (T14).
    if (request.door === DOOR.websocket && !table.isOfConnection(peer)) return;
    const reach = table.reachOf(peer);
    const rest = reach & ~(1 << reachBitOf(request));
    if (reach === 0) return;
    if (rest !== 0) table.setReach(peer, rest, table.stateOf(peer));
    else table.silence(peer);
  }

  /** Fills the counts, ends a torrent that nobody registered with its last peer, unlocks. */
  #finish(): void {
    const torrent = this.#torrent;
    const { outcome } = this;
    const words = this.#memory.torrents;
    const at = torrent * TORRENT_WORDS;
    outcome.seeders = words[at + TORRENT.seeders]!;
    outcome.leechers = words[at + TORRENT.leechers]!;
    outcome.partialSeeds = words[at + TORRENT.partialSeeds]!;
    outcome.downloadsCompleted = words[at + TORRENT.completed]!;
    this.#keeper.endIfEmpty(torrent);
    this.#torrent = 0;
    this.#peer = 0;
    this.#reserved.clear();
    this.#torrents.unlock();
  }

  /**
   * Whether the peer id is announced by another connection. A member's own id may come back by a
   * new connection, while the old one is not yet known to be dead; where nobody is named, the
   * connection is all there is.
   */
  #isOfOther(request: AnnounceRequest): boolean {
    if (request.door !== DOOR.websocket || request.memberId !== 0 || this.#peer === 0) return false;
    return !this.#table.isOfConnection(this.#peer);
  }
}

function stateOf(request: AnnounceRequest): number {
  if (request.left === 0) return PEER_STATE.seeder;
  return request.event === EVENT.paused ? PEER_STATE.partialSeed : PEER_STATE.leecher;
}
