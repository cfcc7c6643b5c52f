// What the swarm does, in the plainest way: arrays and Maps, no memory layout, no locks. The model
// test compares the two; where they differ one of them is wrong.

import { type AnnounceRequest, DOOR, EVENT } from '#swarm/announce-slot.ts';
import type { Baseline, BaselineKey, BaselineNumbers, BaselineStreams } from '#swarm/baseline.ts';
import type { SwarmConfig } from '#swarm/config.ts';

interface ModelTorrent {
  readonly id: number;
  readonly isHybrid: boolean;
  isRemoved: boolean;
}

interface ModelPeer {
  readonly torrent: ModelTorrent;
  readonly memberId: number;
  readonly identity: string;
  readonly peerId: Uint8Array;
  /** Reach (family and hash version) to when it was announced last. */
  readonly reach: Map<string, number>;
  readonly addresses: Map<4 | 6, string>;
  state: 'leecher' | 'seeder' | 'partial';
  numbers: BaselineNumbers | undefined;
  lastSeen: number;
  /** The channel that the peer's own record remembers, then those of its extension. */
  own: Channel | undefined;
  others: Channel[];
  isExtended: boolean;
}

interface Channel {
  readonly name: string;
  readonly request: string;
  readonly at: number;
}

const HIGHER_AGO_MAX = 65_535;

export class SwarmModel {
  readonly #config: SwarmConfig;
  #torrents: ModelTorrent[] = [];
  #peers: ModelPeer[] = [];
  #repeated = false;
  #early = false;
  /** The member of the last announce had as many clients in the torrent as it may. */
  #isFull = false;

  constructor(config: SwarmConfig) {
    this.#config = config;
  }

  addTorrent(id: number, isHybrid: boolean): void {
    if (!this.hasTorrent(id)) this.#torrents.push({ id, isHybrid, isRemoved: false });
  }

  hasTorrent(id: number): boolean {
    return this.#torrent(id) !== undefined;
  }

  removeTorrent(id: number): void {
    const torrent = this.#torrent(id);
    if (torrent === undefined) return;
    torrent.isRemoved = true;
    this.#torrents = this.#torrents.filter((it) => it !== torrent);
  }

  begin(request: AnnounceRequest, now: number) {
    const peer = this.#find(request);
    const last = peer === undefined ? undefined : channelsOf(peer).find(isOf(request));
    const age = last === undefined ? 0 : now - last.at;
    this.#repeated = last?.request === textOf(request) && age < 60;
    const isPlain = request.event === EVENT.none || request.event === EVENT.paused;
    const isSoon = last !== undefined && (age + 1) * 1000 < this.#config.announceIntervalMsMin;
    this.#early = !this.#repeated && isPlain && isSoon;
    this.#isFull = false;
    const isPresent = peer !== undefined && peer.reach.size > 0;
    const refused = this.#refusal(request, isPresent);
    const found = refused === 'torrent-unknown' ? undefined : peer;
    const numbers = found?.numbers;
    return {
      outcome: {
        refused,
        known: numbers !== undefined,
        present: found !== undefined && isPresent,
        wasSeeder: found !== undefined && isPresent && found.state === 'seeder',
        repeated: found !== undefined && this.#repeated,
        early: found !== undefined && this.#early && request.event !== EVENT.stopped,
      },
      numbers: numbers === undefined ? undefined : withoutHigherAt(numbers),
      higherAtSeconds: numbers?.higherAtSeconds,
      lastSeenSeconds: found?.lastSeen,
    };
  }

  settle(request: AnnounceRequest, next: BaselineNumbers, now: number): void {
    const found = this.#find(request);
    if (request.event === EVENT.stopped) {
      if (found !== undefined) this.#stop(found, request, next, now);
      return;
    }
    const peer = found ?? this.#create(request);
    const wasPresent = peer.reach.size > 0;
    const reach = reachOf(request);
    const needsRoom = [...peer.reach.keys()].some((it) => it !== reach);
    const isOtherChannel = peer.own !== undefined && peer.own.name !== channelOf(request);
    if (request.family === 6 || needsRoom || isOtherChannel) peer.isExtended = true;
    const displaced = this.#sameAddress(request, peer);
    peer.lastSeen = now;
    peer.reach.set(reach, now);
    peer.addresses.set(request.family, wireOf(request));
    if (request.memberId !== 0) this.#write(peer, next);
    const isOlder = request.uploaded < next.uploaded || request.downloaded < next.downloaded;
    const keepsState = wasPresent && isOlder && request.memberId !== 0;
    if (!keepsState) peer.state = stateOf(request);
    if (!this.#early && !this.#repeated) this.#remember(peer, request, now);
    if (displaced === undefined) return;
    for (const each of [...displaced.reach.keys()]) {
      if (this.#isFull || each[0] === reach[0]) this.#leave(displaced, each);
    }
  }

  candidates(request: AnnounceRequest, family: 4 | 6): string[] {
    if (request.event === EVENT.stopped) return [];
    const asker = this.#find(request);
    const isSeed = request.left === 0 || request.event === EVENT.paused;
    const own = request.family === family ? wireOf(request) : '';
    const found: string[] = [];
    for (const peer of this.#peers) {
      if (peer === asker || peer.torrent !== this.#torrent(request.torrentId)) continue;
      if (isSeed && peer.state !== 'leecher') continue;
      const versions = peer.torrent.isHybrid ? [request.hashVersion] : [1, 2];
      if (!versions.some((version) => peer.reach.has(`${family}v${version}`))) continue;
      const address = peer.addresses.get(family);
      if (address !== undefined && address !== own) found.push(address);
    }
    return found;
  }

  counts(id: number): [number, number, number] {
    const states = this.#peers.filter((it) => it.torrent.id === id && !it.torrent.isRemoved);
    const count = (state: string): number =>
      states.filter((it) => it.reach.size > 0 && it.state === state).length;
    return [count('seeder'), count('leecher'), count('partial')];
  }

  presentOf(memberId: number): number {
    return this.#peers.filter(
      (it) => it.memberId === memberId && it.reach.size > 0 && !it.torrent.isRemoved,
    ).length;
  }

  restore(baseline: Baseline, now: number): boolean {
    const torrent = this.#torrent(baseline.torrentId);
    if (torrent === undefined) return false;
    let peer = this.#findMember(baseline);
    if (peer === undefined) {
      peer = newPeer(torrent, baseline.memberId, baseline.peerId);
      peer.lastSeen = Math.min(baseline.lastSeenSeconds, now);
      this.#peers.push(peer);
    }
    const isHigher = peer.numbers !== undefined && peer.numbers.sequence > baseline.sequence;
    if (!isHigher) this.#write(peer, baseline);
    return true;
  }

  rollback(key: BaselineKey, previous: Baseline | undefined, now: number): void {
    const peer = this.#findMember(key);
    if (peer === undefined) {
      if (previous !== undefined) this.restore(previous, now);
    } else if (previous !== undefined) {
      this.#write(peer, previous);
    } else {
      peer.numbers = undefined;
      if (peer.reach.size === 0) this.#drop(peer);
    }
  }

  /** A full pass; the baselines it gave away. */
  sweep(now: number): Baseline[] {
    const dropped: Baseline[] = [];
    for (const peer of [...this.#peers]) {
      for (const [reach, seen] of [...peer.reach]) {
        const isAged = (now - seen) * 1000 > this.#config.peerAgeMsMax;
        if (isAged || peer.torrent.isRemoved) this.#leave(peer, reach);
      }
      if (peer.reach.size > 0 || !this.#peers.includes(peer)) continue;
      const isOld = (now - peer.lastSeen) * 1000 > this.#config.baselineSilentMs;
      if (!isOld && !peer.torrent.isRemoved) continue;
      dropped.push(baselineOf(peer));
      this.#drop(peer);
    }
    return dropped;
  }

  baselines(_now: number): Baseline[] {
    return this.#peers.filter((it) => it.numbers !== undefined).map(baselineOf);
  }

  #refusal(request: AnnounceRequest, isPresent: boolean): string {
    const torrent = this.#torrent(request.torrentId);
    if (torrent === undefined) return 'torrent-unknown';
    if (request.event === EVENT.stopped || request.memberId === 0 || isPresent) return 'none';
    const theirs = this.#peers.filter(
      (it) => it.memberId === request.memberId && it.reach.size > 0,
    );
    const here = theirs.filter((it) => it.torrent === torrent).length;
    if (here >= this.#config.peersPerMemberTorrentMax) {
      this.#isFull = true;
      if (this.#sameAddress(request, undefined) === undefined) return 'member-peers';
    }
    const torrents = new Set(theirs.map((it) => it.torrent)).size;
    if (here === 0 && torrents >= this.#config.torrentsPerMemberMax) return 'member-torrents';
    return 'none';
  }

  /** Another present peer of the member with the request's very address. */
  #sameAddress(request: AnnounceRequest, own: ModelPeer | undefined): ModelPeer | undefined {
    if (request.memberId === 0) return undefined;
    const torrent = this.#torrent(request.torrentId);
    const found = own ?? this.#find(request);
    return this.#peers.find(
      (it) =>
        it !== found &&
        it.torrent === torrent &&
        it.memberId === request.memberId &&
        [...it.reach.keys()].some((reach) => reach[0] === String(request.family)) &&
        it.addresses.get(request.family) === wireOf(request),
    );
  }

  #stop(peer: ModelPeer, request: AnnounceRequest, next: BaselineNumbers, now: number): void {
    peer.lastSeen = now;
    // Without an extension a peer has one time for everything it is reachable by.
    if (!peer.isExtended) for (const reach of peer.reach.keys()) peer.reach.set(reach, now);
    if (request.memberId !== 0) this.#write(peer, next);
    if (!this.#repeated) this.#remember(peer, request, now);
    this.#leave(peer, reachOf(request));
  }

  #leave(peer: ModelPeer, reach: string): void {
    if (!peer.reach.delete(reach) || peer.reach.size > 0) return;
    peer.isExtended = false;
    peer.others = [];
    if (peer.numbers === undefined) this.#drop(peer);
  }

  #drop(peer: ModelPeer): void {
    this.#peers = this.#peers.filter((it) => it !== peer);
  }

  #remember(peer: ModelPeer, request: AnnounceRequest, now: number): void {
    const channel = { name: channelOf(request), request: textOf(request), at: now };
    if (peer.own === undefined || peer.own.name === channel.name || !peer.isExtended) {
      peer.own = channel;
      return;
    }
    peer.others = [...peer.others.filter((it) => it.name !== channel.name), channel];
  }

  #write(peer: ModelPeer, numbers: BaselineNumbers): void {
    const { uploaded, downloaded, left, key, sequence, completed, streams } = numbers;
    const passed = numbers.passed === true;
    const ago = Math.min(Math.max(peer.lastSeen - numbers.higherAtSeconds, 0), HIGHER_AGO_MAX);
    // Kept as a distance from the last announce.
    const higherAtSeconds = peer.lastSeen - ago;
    peer.numbers = {
      ...{ uploaded, downloaded, left, key, sequence, completed, passed, higherAtSeconds },
      ...(streams !== undefined && streams.count > 0 && { streams: structuredClone(streams) }),
    };
  }

  #create(request: AnnounceRequest): ModelPeer {
    const torrent = this.#torrent(request.torrentId);
    if (torrent === undefined) throw new Error('settled without a torrent');
    const identity = request.memberId === 0 ? wireOf(request) : undefined;
    const peer = newPeer(torrent, request.memberId, request.peerId, identity);
    this.#peers.push(peer);
    return peer;
  }

  #torrent(id: number): ModelTorrent | undefined {
    return this.#torrents.find((it) => it.id === id);
  }

  #find(request: AnnounceRequest): ModelPeer | undefined {
    if (request.memberId !== 0) return this.#findMember(request);
    const torrent = this.#torrent(request.torrentId);
    return this.#peers.find(
      (it) => it.torrent === torrent && it.memberId === 0 && it.identity === wireOf(request),
    );
  }

  #findMember(key: BaselineKey): ModelPeer | undefined {
    const torrent = this.#torrent(key.torrentId);
    const identity = Buffer.from(key.peerId).toString('hex');
    return this.#peers.find(
      (it) => it.torrent === torrent && it.memberId === key.memberId && it.identity === identity,
    );
  }
}

function newPeer(
  torrent: ModelTorrent,
  memberId: number,
  peerId: Uint8Array,
  identity = Buffer.from(peerId).toString('hex'),
): ModelPeer {
  return {
    torrent,
    memberId,
    identity,
    peerId,
    reach: new Map(),
    addresses: new Map(),
    state: 'leecher',
    numbers: undefined,
    lastSeen: 0,
    own: undefined,
    others: [],
    isExtended: false,
  };
}

function baselineOf(peer: ModelPeer): Baseline {
  if (peer.numbers === undefined) throw new Error('a silent peer has a baseline');
  const { memberId, peerId, lastSeen: lastSeenSeconds } = peer;
  return { memberId, torrentId: peer.torrent.id, peerId, ...peer.numbers, lastSeenSeconds };
}

function withoutHigherAt(numbers: BaselineNumbers) {
  const { higherAtSeconds: _, streams, ...rest } = numbers;
  return { ...rest, streams: numbersOfStreams(streams) };
}

/** What the streams say; seven numbers each. */
export function numbersOfStreams(streams: BaselineStreams | undefined): number[] {
  return streams === undefined ? [] : [...streams.numbers.subarray(0, streams.count * 7)];
}

function channelsOf(peer: ModelPeer): Channel[] {
  return peer.own === undefined ? peer.others : [peer.own, ...peer.others];
}

function isOf(request: AnnounceRequest): (channel: Channel) => boolean {
  return (channel) => channel.name === channelOf(request);
}

function reachOf(request: AnnounceRequest): string {
  return `${request.family}v${request.hashVersion}`;
}

function channelOf(request: AnnounceRequest): string {
  return `${reachOf(request)}${request.door === DOOR.http ? 'http' : 'udp'}`;
}

function textOf(request: AnnounceRequest): string {
  return [request.event, request.uploaded, request.downloaded, request.left].join();
}

function wireOf(request: AnnounceRequest): string {
  const address = request.address.subarray(0, request.family === 4 ? 4 : 16);
  const port = Buffer.of(request.port >>> 8, request.port & 0xff);
  return Buffer.concat([address, port]).toString('hex');
}

function stateOf(request: AnnounceRequest): ModelPeer['state'] {
  if (request.left === 0) return 'seeder';
  return request.event === EVENT.paused ? 'partial' : 'leecher';
}
