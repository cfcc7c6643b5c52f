// The census against a swarm whose torrents come, go and change hands while it is read.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { SystemRandom } from '#base/random.ts';
import { swarmConfig } from './config.ts';
import { Swarm } from './swarm.ts';
import { newCensusEntry, type TorrentCensus } from './torrent-census.ts';

function newSwarm(): Swarm {
  const config = swarmConfig.parse({ peersMax: 1000, torrentsMax: 10_000, membersMax: 100 });
  return new Swarm({
    memory: Swarm.reserve(config),
    clock: new SystemClock(),
    random: new SystemRandom(),
    config,
  });
}

function hashOf(id: number): Uint8Array {
  return new Uint8Array(createHash('sha1').update(String(id)).digest());
}

interface Seen {
  readonly id: number;
  readonly hash: string;
  readonly completed: number;
}

function readAll(census: TorrentCensus, each: (count: number) => void = () => undefined): Seen[] {
  while (census.step());
  const entry = newCensusEntry();
  const seen: Seen[] = [];
  for (;;) {
    const result = census.next(entry);
    if (result === 'end') return seen;
    if (result === 'filled') {
      const hash = Buffer.from(entry.infoHash).toString('hex');
      seen.push({ id: entry.torrentId, hash, completed: entry.counts.completed });
    }
    each(seen.length);
  }
}

function assertAscending(seen: readonly Seen[]): void {
  for (let at = 1; at < seen.length; at++) {
    assert.ok(seen[at - 1]!.hash < seen[at]!.hash, `${seen[at]!.hash} stands in its place`);
  }
}

test('an empty swarm has an empty census', () => {
  assert.deepEqual(readAll(newSwarm().census()), []);
});

test('every torrent comes once by each of its hashes, in byte order, with its counts', () => {
  const swarm = newSwarm();
  for (let id = 1; id <= 5000; id++) {
    swarm.addTorrent(id, id === 7 ? { v1: hashOf(id), v2: hashOf(-id) } : { v1: hashOf(id) });
    swarm.setCompleted(id, id * 3);
  }
  const seen = readAll(swarm.census());
  assert.equal(seen.length, 5001);
  assertAscending(seen);
  assert.ok(seen.every(({ id, completed }) => completed === id * 3));
  assert.equal(seen.filter(({ id }) => id === 7).length, 2);
  assert.equal(new Set(seen.map(({ id }) => id)).size, 5000);
});

test('the order stands while records become other torrents, and what stays is in it', () => {
  const swarm = newSwarm();
  for (let id = 1; id <= 3000; id++) swarm.addTorrent(id, { v1: hashOf(id) });
  const census = swarm.census();
  let next = 10_001;
  const seen = readAll(census, (count) => {
    if (count % 3 !== 0) return;
    // Odd ids go, and their records are taken by others at once.
    const gone = ((count * 7) % 1500) * 2 + 1;
    swarm.removeTorrent(gone);
    swarm.addTorrent(next, { v1: hashOf(next) });
    next += 1;
  });
  assertAscending(seen);
  const ids = new Set(seen.map(({ id }) => id));
  for (let id = 2; id <= 3000; id += 2) assert.ok(ids.has(id), `torrent ${id} stayed and is told`);
});

test('the order stands also among hashes that begin alike', () => {
  const alike = (id: number): Uint8Array => hashOf(id).fill(0xaa, 0, 4);
  const swarm = newSwarm();
  for (let id = 1; id <= 2000; id++) swarm.addTorrent(id, { v1: alike(id) });
  let next = 10_001;
  const seen = readAll(swarm.census(), (count) => {
    swarm.removeTorrent(((count * 7) % 1000) * 2 + 1);
    swarm.addTorrent(next, { v1: alike(next) });
    next += 1;
  });
  assert.ok(seen.length > 0);
  assertAscending(seen);
});
