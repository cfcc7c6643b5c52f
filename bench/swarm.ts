// What the swarm alone costs: an announce through begin, select (50 wanted, leechers and seeders
// mixed) and settle, for one swarm of 1 to 1,000,000 peers and for 1,000,000 torrents of one peer
// (ten torrents a member), and how much memory they take. One thread, no sockets.
// By itself: node -C swarmkeep-src bench/swarm.ts

import { SystemClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import { announceOf, hashOf } from '#sim/announces.ts';
import type { AnnounceRequest } from '#swarm/announce-slot.ts';
import { swarmConfig } from '#swarm/config.ts';
import { Swarm } from '#swarm/swarm.ts';

const WANTED = 50;
const ANNOUNCES = 300_000;
const JOINS_MIN = 100_000;
/** A member of the many torrents is in this many of them. */
const TORRENTS_PER_MEMBER = 10;
const SIZES = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000];

interface Bench {
  readonly swarm: Swarm;
  readonly request: AnnounceRequest;
  readonly random: SeededRandom;
  readonly into: Uint8Array;
  /** Peers of a member are this many apart. */
  readonly membersMax: number;
}

/** Prints a line for each case. */
export async function run(): Promise<void> {
  for (const size of SIZES) measureOneSwarm(size);
  measureManyTorrents(1_000_000);
}

function measureOneSwarm(peers: number): void {
  const bench = open(peers, 64, peers);
  bench.swarm.addTorrent(1, { v1: hashOf(1) });
  const joined = measure(peers, (at) => announce(bench, at + 1, 1, 0));
  const drawn = (): number => 1 + (bench.random.u32() % peers);
  const again = (): number => announce(bench, drawn(), 1, WANTED);
  measure(ANNOUNCES, again);
  const announced = measure(ANNOUNCES, again);
  print(`one swarm of ${peers.toLocaleString('en')}`, {
    'ns per announce': announced.nanoseconds,
    'peers per answer': announced.sum / ANNOUNCES,
    // Fewer joins than that only show the compiler warming up.
    ...(peers >= JOINS_MIN && { 'ns per join': joined.nanoseconds }),
  });
}

function measureManyTorrents(torrents: number): void {
  const rssBefore = process.memoryUsage.rss();
  const bench = open(torrents, torrents, torrents / TORRENTS_PER_MEMBER);
  for (let id = 1; id <= torrents; id++) bench.swarm.addTorrent(id, { v1: hashOf(id) });
  const rssTorrents = process.memoryUsage.rss();
  measure(torrents, (at) => announce(bench, at + 1, at + 1, WANTED));
  const rssPeers = process.memoryUsage.rss();
  const announced = measure(ANNOUNCES, () => {
    const peer = 1 + (bench.random.u32() % torrents);
    return announce(bench, peer, peer, WANTED);
  });
  print(`${torrents.toLocaleString('en')} torrents of one peer`, {
    'ns per announce': announced.nanoseconds,
    'bytes per torrent': (rssTorrents - rssBefore) / torrents,
    'bytes per peer': (rssPeers - rssTorrents) / torrents,
    'MB altogether': (rssPeers - rssBefore) / 1e6,
  });
}

function open(peers: number, torrents: number, membersMax: number): Bench {
  const config = swarmConfig.parse({
    peersMax: Math.max(64, peers),
    torrentsMax: Math.max(64, torrents),
    membersMax: Math.max(64, membersMax),
  });
  const random = new SeededRandom(1);
  const memory = Swarm.reserve(config);
  const swarm = new Swarm({ memory, clock: new SystemClock(), random, config });
  return { swarm, request: announceOf(), random, into: new Uint8Array(WANTED * 6), membersMax };
}

const NUMBERS = {
  ...{ uploaded: 0, downloaded: 0, key: 0, sequence: 1, higherAtSeconds: 0, left: 0 },
  completed: false,
};

/** Returns how many peers the answer held. A quarter of the peers are leechers, as in most swarms. */
function announce(bench: Bench, peer: number, torrentId: number, want: number): number {
  const { swarm, request, into } = bench;
  request.memberId = 1 + (peer % bench.membersMax);
  request.torrentId = torrentId;
  writeU32(request.peerId, 8, peer);
  writeU32(request.address, 0, 0x0a00_0000 + peer);
  request.left = peer % 4 === 0 ? 1 : 0;
  swarm.begin(request);
  const count = want === 0 ? 0 : swarm.select(request, 4, want, into);
  swarm.settle(request, NUMBERS);
  return count;
}

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

function measure(
  times: number,
  step: (at: number) => number,
): { readonly nanoseconds: number; readonly sum: number } {
  const before = process.cpuUsage();
  let sum = 0;
  for (let at = 0; at < times; at++) sum += step(at);
  const used = process.cpuUsage(before);
  return { nanoseconds: ((used.user + used.system) * 1000) / times, sum };
}

function print(what: string, numbers: Record<string, number>): void {
  const shown = Object.entries(numbers).map(([name, value]) => {
    const text = value >= 100 ? Math.round(value).toLocaleString('en') : value.toFixed(2);
    return `${text} ${name}`;
  });
  process.stdout.write(`swarm: ${what}: ${shown.join(', ')}\n`);
}

if (import.meta.main) await run();
