// Threads over one memory: whatever they did, the memory is whole afterwards.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { SystemClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import { hashOf, smallSwarm } from '#sim/announces.ts';
import type { HammerData } from '#sim/swarm-hammer.ts';
import { Swarm } from './swarm.ts';
import { newSwarmCounts } from './swarm-views.ts';

const TORRENTS = 5;
const THREADS = 3;

test('T21: threads that hammer one memory leave counts, lists and slabs consistent', async () => {
  // Two shards for five torrents, so that they meet all the time, and little memory, so that it fills.
  const config = smallSwarm({ shards: 2, peersMax: 128, torrentsPerMemberMax: 3 });
  const memory = Swarm.reserve(config);
  const random = new SeededRandom(1);
  const swarm = new Swarm({ memory, clock: new SystemClock(), random, config });
  const before = swarm.memoryUse();
  for (let id = 1; id <= TORRENTS; id++) {
    swarm.addTorrent(id, { v1: hashOf(id), v2: hashOf(id, 2) });
  }
  const shape = { memory, config, steps: 15_000, torrents: TORRENTS, members: 60 };
  const runs: Promise<number>[] = [];
  for (let seed = 1; seed <= THREADS; seed++) runs.push(hammer({ ...shape, seed }));
  for (const settled of await Promise.all(runs)) assert.ok(settled > 1000, `${settled} settled`);

  let counted = 0;
  const counts = newSwarmCounts();
  for (let id = 1; id <= TORRENTS; id++) {
    if (!swarm.counts(id, counts)) continue;
    const here = counts.seeders + counts.leechers + counts.partialSeeds;
    assert.equal(swarm.peersOfTorrent(id, 1000).length, here);
    counted += here;
  }
  assert.ok(counted > 0);
  for (let id = 1; id <= TORRENTS; id++) swarm.removeTorrent(id);
  for (let pass = 0; pass < 2; pass++) while (swarm.sweep(50, () => {}) === 50) {}
  assert.deepEqual(swarm.memoryUse(), before);
  const { peers, seeders, silentBaselines, torrents } = swarm.totals();
  assert.deepEqual([peers, seeders, silentBaselines, torrents], [0, 0, 0, 0]);
});

function hammer(data: HammerData): Promise<number> {
  const url = new URL(import.meta.resolve('#sim/swarm-hammer.ts'));
  const worker = new Worker(url, { workerData: data, execArgv: ['-C', 'swarmkeep-src'] });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}
