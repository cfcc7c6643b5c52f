// Baselines beyond the announce: put back, rolled back, walked for snapshots, swept. Each record is
// visited under its torrent's shard lock, which is given back before the owner is called.

import { assert } from '#base/assert.ts';
import {
  type Baseline,
  type BaselineKey,
  type BaselineStreams,
  STREAM_NUMBERS_MAX,
} from './baseline.ts';
import type { SwarmConfig } from './config.ts';
import { HEADER, PEER, PEER_FLAG, PEER_STATE, PEER_WORDS } from './layout.ts';
import type { SwarmMemory } from './memory.ts';
import type { PeerTable } from './peer-table.ts';
import type { SwarmTime } from './swarm-time.ts';
import type { TorrentTable } from './torrent-table.ts';
import { PEER_ID_WORDS, writeBytes } from './wire-words.ts';

/** Whose peers end. A set of member ids is one. */
export interface EndedPeers {
  /** Without a torrent: whether any of the member's do. */
  has(memberId: number, torrentId?: number): boolean;
}

/** Addresses at which nobody may be. */
export interface EndedAddresses {
  /** 4 or 16 bytes in wire order; they are the caller's, and change after the call. */
  has(address: Uint8Array, family: 4 | 6): boolean;
}

/** With less than one record in this many free, silent baselines are handed over after a minute. */
const RESERVE_PART = 16;
const SILENT_SECONDS_WHEN_FULL = 60;
/** Restored under one hold of a lock, at most. */
const RESTORED_MAX = 64;
/** A bit of the reach of each family that has addresses. */
const REACH_BIT = { 4: 0, 6: 2 } as const;
/** Enough that few of so many members share one. */
const SEEN_SLOTS = 1024;

export interface SwarmRooms {
  readonly memory: SwarmMemory;
  readonly time: SwarmTime;
  readonly torrents: TorrentTable;
  readonly table: PeerTable;
}

type Writable<Type> = { -readonly [Field in keyof Type]: Type[Field] };

export class BaselineKeeper {
  readonly #header: Int32Array;
  readonly #arena: Uint32Array;
  readonly #peersMax: number;
  readonly #time: SwarmTime;
  readonly #torrents: TorrentTable;
  readonly #table: PeerTable;
  readonly #peerSecondsMax: number;
  readonly #silentSecondsMax: number;
  // Of restoreMany(): which are fresh, the records taken for them, and which members were seen.
  readonly #isFresh = new Uint8Array(RESTORED_MAX);
  readonly #taken = new Uint32Array(RESTORED_MAX);
  readonly #seen = new Uint8Array(SEEN_SLOTS);
  /** Of the record that removeAddresses() looks at. */
  readonly #addresses = { 4: new Uint8Array(4), 6: new Uint8Array(16) };
  /** A copy of the record that is being visited, made while its lock is held. */
  readonly #copy: Writable<Baseline> & { passed: boolean; readonly streams: BaselineStreams } = {
    memberId: 0,
    torrentId: 0,
    peerId: new Uint8Array(PEER_ID_WORDS * 4),
    uploaded: 0,
    downloaded: 0,
    key: 0,
    sequence: 0,
    higherAtSeconds: 0,
    left: 0,
    completed: false,
    passed: false,
    streams: { count: 0, numbers: new Float64Array(STREAM_NUMBERS_MAX) },
    lastSeenSeconds: 0,
  };

  constructor(rooms: SwarmRooms, config: SwarmConfig) {
    this.#header = rooms.memory.header;
    this.#arena = rooms.memory.arena;
    this.#peersMax = rooms.memory.peersMax;
    this.#time = rooms.time;
    this.#torrents = rooms.torrents;
    this.#table = rooms.table;
    this.#peerSecondsMax = Math.floor(config.peerAgeMsMax / 1000);
    this.#silentSecondsMax = Math.floor(config.baselineSilentMs / 1000);
  }

  restore(baseline: Baseline, silentMax: number): boolean {
    this.#time.read();
    const torrent = this.#torrents.lockById(baseline.torrentId);
    if (torrent === 0) return false;
    const isThere = this.#restoreIn(torrent, baseline, silentMax);
    this.#torrents.unlock();
    return isThere;
  }

  /**
   * The usual baseline is of a member whom the swarm does not have in that torrent. Those are written
   * one after another without a lock or any other atomic step between them, each of which would wait
   * until memory has taken all that was written before; the others take the way of restore().
   */
  restoreMany(torrentId: number, baselines: readonly Baseline[], silentMax: number): number {
    assert(baselines.length <= RESTORED_MAX, 'no more than are restored at once');
    this.#time.read();
    const torrent = this.#torrents.lockById(torrentId);
    if (torrent === 0) return 0;
    const fresh = this.#freshOf(torrent, baselines);
    let restored = this.#writeFresh(torrent, baselines, fresh);
    for (let nth = 0; nth < baselines.length; nth++) {
      if (this.#isFresh[nth] === 1) continue;
      if (this.#restoreIn(torrent, baselines[nth]!, silentMax)) restored++;
    }
    this.#table.primary.trim(torrent);
    this.#torrents.unlock();
    return restored;
  }

  /** Marks in #isFresh those whose member has nothing in the torrent, here or before them; how many. */
  #freshOf(torrent: number, baselines: readonly Baseline[]): number {
    const { index } = this.#table;
    const seen = this.#seen.fill(0);
    let count = 0;
    index.lookAhead(torrent, baselines);
    for (let nth = 0; nth < baselines.length; nth++) {
      const { memberId, torrentId } = baselines[nth]!;
      assert(torrentId === this.#torrents.idOf(torrent), 'they are of one torrent');
      const slot = memberId % SEEN_SLOTS;
      const isFresh = memberId !== 0 && seen[slot] === 0 && !index.hasMember(torrent, memberId);
      seen[slot] = 1;
      this.#isFresh[nth] = isFresh ? 1 : 0;
      if (isFresh) count++;
    }
    return count;
  }

  /** Returns how many it wrote; where there is no room for the others they are fresh no more. */
  #writeFresh(torrent: number, baselines: readonly Baseline[], fresh: number): number {
    const table = this.#table;
    const time = this.#time;
    const isRoom = fresh > 0 && table.primary.makeRoom(torrent, fresh);
    const taken = isRoom ? table.records.takeMany(this.#taken, fresh) : 0;
    let next = 0;
    for (let nth = 0; nth < baselines.length; nth++) {
      if (this.#isFresh[nth] === 0) continue;
      if (next === taken) {
        this.#isFresh[nth] = 0;
        continue;
      }
      const peer = this.#taken[next++]!;
      const baseline = baselines[nth]!;
      table.fill(peer, torrent, baseline.memberId, baseline.peerId);
      table.see(peer, -1, time.fromUnix(baseline.lastSeenSeconds));
      this.#write(peer, baseline);
    }
    table.countSilent(taken);
    for (let at = 0; at < taken; at++) table.index.insertForMember(this.#taken[at]!);
    return taken;
  }

  #restoreIn(torrent: number, baseline: Baseline, silentMax: number): boolean {
    if (baseline.memberId === 0) return false;
    const table = this.#table;
    table.index.lookForMember(torrent, baseline.memberId, baseline.peerId);
    let peer = table.index.found;
    const isNew = peer === 0;
    if (isNew && table.index.othersSilent < silentMax && table.primary.makeRoom(torrent)) {
      peer = table.records.take();
      if (peer === 0) table.primary.trim(torrent);
      else {
        table.create(peer, torrent, baseline.memberId, baseline.peerId);
        table.index.insertForMember(peer);
        table.see(peer, -1, this.#time.fromUnix(baseline.lastSeenSeconds));
      }
    }
    if (peer !== 0 && !this.#hasHigher(peer, baseline.sequence)) this.#write(peer, baseline);
    return peer !== 0;
  }

  rollback(key: BaselineKey, previous: Baseline | undefined): void {
    const table = this.#table;
    this.#time.read();
    const torrent = this.#torrents.lockById(key.torrentId);
    if (torrent === 0) return;
    table.index.lookForMember(torrent, key.memberId, key.peerId);
    const peer = table.index.found;
    // Every record that is not durable is lost at once, those that founded among them.
    if (peer !== 0) table.clearFlag(peer, PEER_FLAG.founding);
    if (peer !== 0 && previous !== undefined) this.#write(peer, previous);
    if (peer !== 0 && previous === undefined) {
      table.clearFlag(peer, PEER_FLAG.known | PEER_FLAG.completed);
      table.streams.free(peer);
      if (table.reachOf(peer) === 0) table.free(peer);
      this.endIfEmpty(torrent);
    }
    this.#torrents.unlock();
    // The sweep gave it away in between: the owner's newer copy must not be what is found next.
    if (peer === 0 && previous !== undefined) this.restore(previous, Number.MAX_SAFE_INTEGER);
  }

  founded(key: BaselineKey): void {
    const table = this.#table;
    const torrent = this.#torrents.lockById(key.torrentId);
    if (torrent === 0) return;
    table.index.lookForMember(torrent, key.memberId, key.peerId);
    if (table.index.found !== 0) table.addFounding(table.index.found, -1);
    this.#torrents.unlock();
  }

  removeMembers(members: EndedPeers, from: number, peersMax: number): number {
    const table = this.#table;
    const used = table.records.recordsUsed;
    const until = Math.min(from + peersMax, used);
    for (let peer = from + 1; peer <= until; peer++) {
      // Read without the lock: it is checked again under it.
      if (!members.has(table.memberOf(peer)) || table.reachOf(peer) === 0) continue;
      const torrent = this.#lock(peer);
      if (torrent === 0) continue;
      const isEnded = members.has(table.memberOf(peer), this.#torrents.idOf(torrent));
      if (isEnded && table.reachOf(peer) !== 0) {
        table.setFlag(peer, PEER_FLAG.ended);
        table.silence(peer);
        this.endIfEmpty(torrent);
      }
      this.#torrents.unlock();
    }
    return until >= used ? -1 : until;
  }

  removeAddresses(ended: EndedAddresses, from: number, peersMax: number): number {
    const table = this.#table;
    const used = table.records.recordsUsed;
    const until = Math.min(from + peersMax, used);
    for (let peer = from + 1; peer <= until; peer++) {
      if (table.reachOf(peer) === 0) continue;
      const torrent = this.#lock(peer);
      if (torrent === 0) continue;
      for (const family of [4, 6] as const) this.#endAddress(peer, torrent, { family, ended });
      this.endIfEmpty(torrent);
      this.#torrents.unlock();
    }
    return until >= used ? -1 : until;
  }

  #endAddress(
    peer: number,
    torrent: number,
    { family, ended }: { readonly family: 4 | 6; readonly ended: EndedAddresses },
  ): void {
    const table = this.#table;
    const bits = family === 4 ? PEER_FLAG.reachIpv4 : PEER_FLAG.reachIpv6;
    if ((table.reachOf(peer) & bits) === 0) return;
    const address = this.#addresses[family];
    const entry =
      family === 4
        ? table.primary.entryAt(torrent, table.peers[peer * PEER_WORDS + PEER.place]!)
        : table.ipv6.entryAt(torrent, table.place6Of(peer));
    writeBytes(this.#arena, entry + 1, address, { at: 0, count: address.length });
    if (ended.has(address, family)) table.leaveFamily(peer, REACH_BIT[family]);
  }

  /** Frees a retired or unregistered torrent that has no peer left. Its shard is locked. */
  endIfEmpty(torrent: number): void {
    if (this.#table.primary.count(torrent) !== 0) return;
    const isAlive = this.#torrents.isAlive(torrent);
    if (isAlive && !this.#torrents.isTransient(torrent)) return;
    if (isAlive) this.#torrents.retire(torrent);
    this.#torrents.free(torrent);
  }

  walk(from: number, peersMax: number, visit: (baseline: Baseline) => void): number {
    this.#time.read();
    const used = this.#table.records.recordsUsed;
    const until = Math.min(from + peersMax, used);
    for (let peer = from + 1; peer <= until; peer++) {
      const torrent = this.#lock(peer);
      if (torrent === 0) continue;
      const isKnown = (this.#table.flagsOf(peer) & PEER_FLAG.known) !== 0;
      if (isKnown) this.#read(peer, torrent);
      this.#torrents.unlock();
      if (isKnown) visit(this.#takeCopy());
    }
    return until >= used ? -1 : until;
  }

  sweep(peersMax: number, onDrop: (baseline: Baseline) => void): number {
    this.#time.read();
    const { records } = this.#table;
    const used = records.recordsUsed;
    const free = this.#peersMax - records.recordsTaken;
    const isFull = free < this.#peersMax / RESERVE_PART;
    const silentSecondsMax = isFull
      ? Math.min(SILENT_SECONDS_WHEN_FULL, this.#silentSecondsMax)
      : this.#silentSecondsMax;
    const from = Atomics.add(this.#header, HEADER.sweepCursor, peersMax);
    // A pass ends here even when the last step came out even, so that its caller sees the end.
    if (from + peersMax > used) Atomics.store(this.#header, HEADER.sweepCursor, 0);
    if (from >= used) return 0;
    const until = Math.min(from + peersMax, used);
    for (let peer = from + 1; peer <= until; peer++) {
      // Read without the lock: what is due now is checked again under it.
      if (this.#isDue(peer, silentSecondsMax)) this.#sweepPeer(peer, silentSecondsMax, onDrop);
    }
    return until - from;
  }

  #isDue(peer: number, silentSecondsMax: number): boolean {
    const table = this.#table;
    const flags = table.flagsOf(peer);
    if ((flags & PEER_FLAG.used) === 0) return false;
    if (!this.#torrents.isAlive(table.torrentOf(peer))) return true;
    // Its owner must not be given what may yet be lost.
    if ((flags & PEER_FLAG.founding) !== 0) return false;
    const age = this.#time.seconds - table.lastSeenOf(peer);
    if ((flags & PEER_FLAG.reach) === 0) {
      return (flags & PEER_FLAG.expired) !== 0 || age > silentSecondsMax;
    }
    if (table.agedReach(peer, this.#time.seconds, this.#peerSecondsMax) !== 0) return true;
    return table.channels.hasStale(peer, this.#time.seconds);
  }

  #sweepPeer(peer: number, silentSecondsMax: number, onDrop: (baseline: Baseline) => void): void {
    const table = this.#table;
    const torrent = this.#lock(peer);
    if (torrent === 0) return;
    const reach = table.reachOf(peer);
    let isThere = true;
    if (reach !== 0) {
      table.channels.freeStale(peer, this.#time.seconds);
      const aged = this.#torrents.isAlive(torrent)
        ? table.agedReach(peer, this.#time.seconds, this.#peerSecondsMax)
        : reach;
      if (aged === reach) isThere = table.silence(peer);
      else if (aged !== 0) table.setReach(peer, reach & ~aged, table.stateOf(peer));
    }
    const isDropped = isThere && table.reachOf(peer) === 0 && this.#isDue(peer, silentSecondsMax);
    if (isDropped) this.#read(peer, torrent);
    this.endIfEmpty(torrent);
    this.#torrents.unlock();
    if (!isDropped) return;
    const dropped = this.#takeCopy();
    onDrop(dropped);
    this.#free(peer, torrent, dropped);
  }

  /** Frees the record unless its peer came back while the owner was told. */
  #free(peer: number, torrent: number, dropped: Baseline): void {
    const table = this.#table;
    const torrentNow = this.#lock(peer);
    if (torrentNow === 0) return;
    const at = peer * PEER_WORDS;
    const isSame = torrentNow === torrent && table.memberOf(peer) === dropped.memberId;
    const isSilent = isSame && table.reachOf(peer) === 0;
    if (isSilent && table.peers[at + PEER.sequence] === dropped.sequence) {
      table.free(peer);
      this.endIfEmpty(torrent);
    }
    this.#torrents.unlock();
  }

  /** Locks the shard of a used record and returns its torrent; 0, unlocked, when it is not in use. */
  #lock(peer: number): number {
    const table = this.#table;
    const torrent = table.torrentOf(peer);
    if (torrent === 0 || !this.#torrents.lockRecord(torrent)) return 0;
    const isUsed = (table.flagsOf(peer) & PEER_FLAG.used) !== 0;
    if (isUsed && table.torrentOf(peer) === torrent) return torrent;
    this.#torrents.unlock();
    return 0;
  }

  #hasHigher(peer: number, sequence: number): boolean {
    const isKnown = (this.#table.flagsOf(peer) & PEER_FLAG.known) !== 0;
    return isKnown && this.#table.peers[peer * PEER_WORDS + PEER.sequence]! > sequence;
  }

  #write(peer: number, baseline: Baseline): void {
    const table = this.#table;
    const lastSeenUnix = this.#time.toUnix(table.lastSeenOf(peer));
    table.writeBaseline(peer, baseline, lastSeenUnix);
  }

  #read(peer: number, torrent: number): void {
    const { peers } = this.#table;
    const copy = this.#copy;
    const at = peer * PEER_WORDS;
    assert(this.#table.stateOf(peer) <= PEER_STATE.partialSeed, 'a record holds a state');
    copy.memberId = peers[at + PEER.memberId]!;
    copy.torrentId = this.#torrents.idOf(torrent);
    writeBytes(peers, at + PEER.peerId, copy.peerId, { at: 0, count: PEER_ID_WORDS * 4 });
    this.#table.readBaseline(peer, this.#time.toUnix(this.#table.lastSeenOf(peer)), copy);
  }

  #takeCopy(): Baseline {
    const { streams, ...rest } = this.#copy;
    const copied = { ...rest, peerId: rest.peerId.slice() };
    if (streams.count === 0) return copied;
    return { ...copied, streams: { count: streams.count, numbers: streams.numbers.slice() } };
  }
}
