// A worker thread that does random things to a swarm, among others that do the same: joins, stops,
// comings and goings of torrents, sweeps, walks, looks. Every answer is checked for what must hold
// whatever the others do. Posts how many announces it settled.

import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { SystemClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import { type AnnounceRequest, EVENT } from '#swarm/announce-slot.ts';
import type { SwarmConfig } from '#swarm/config.ts';
import { Swarm } from '#swarm/swarm.ts';
import { newSwarmCounts } from '#swarm/swarm-views.ts';
import { addressOf, announceOf, hashOf, numbersOf, peerIdOf } from './announces.ts';

export interface HammerData {
  readonly memory: SharedArrayBuffer;
  readonly config: SwarmConfig;
  readonly seed: number;
  readonly steps: number;
  readonly torrents: number;
  readonly members: number;
}

const { memory, config, seed, steps, torrents, members } = workerData as HammerData;
const random = new SeededRandom(seed);
const swarm = new Swarm({ memory, clock: new SystemClock(), random, config });
const into = new Uint8Array(18 * 50);
const counts = newSwarmCounts();
let settled = 0;
for (let step = 0; step < steps; step++) {
  const kind = below(200);
  const torrentId = 1 + below(torrents);
  if (kind < 180) announce(torrentId);
  else if (kind < 184)
    swarm.addTorrent(torrentId, { v1: hashOf(torrentId), v2: hashOf(torrentId, 2) });
  else if (kind < 185) swarm.removeTorrent(torrentId);
  else if (kind < 190) swarm.sweep(20, (baseline) => assert.ok(baseline.memberId > 0));
  else if (kind < 193)
    swarm.walkBaselines(below(100), 20, (baseline) => assert.ok(baseline.torrentId > 0));
  else if (kind < 195) assert.ok(swarm.peersOfTorrent(torrentId, 20).length <= 20);
  else if (kind < 196) swarm.peersOfMember(1 + below(members), 20);
  else if (swarm.counts(torrentId, counts)) assert.ok(counts.leechers < 0x8000_0000);
}
parentPort?.postMessage(settled);

function announce(torrentId: number): void {
  const request = randomRequest(torrentId);
  const outcome = swarm.begin(request);
  if (outcome.refused !== 'none') return;
  swarm.select(request, request.family, 20, into);
  if (below(10) === 0) {
    swarm.abandon();
    return;
  }
  swarm.settle(request, numbersOf(request, 0, outcome.sequence + 1));
  // Under the lock all along, so nothing can have come between.
  assert.ok(outcome.seeders + outcome.leechers + outcome.partialSeeds < 0x8000_0000);
  settled++;
}

function randomRequest(torrentId: number): AnnounceRequest {
  const memberId = below(members + 1);
  const family = below(4) === 0 ? 6 : 4;
  const client = below(3);
  return announceOf({
    torrentId,
    memberId,
    family,
    peerId: peerIdOf(client),
    address: addressOf(memberId, family),
    port: 1000 + client,
    left: below(2),
    uploaded: counter(),
    hashVersion: 1 + below(2),
    event: below(3) === 0 ? EVENT.stopped : below(8) === 0 ? EVENT.paused : EVENT.none,
  });
}

function counter(): number {
  return below(1000) * 10_000_000;
}

function below(bound: number): number {
  return random.u32() % bound;
}
