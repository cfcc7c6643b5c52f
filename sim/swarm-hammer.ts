// A worker thread that does random things to a swarm, among others that do the same: joins by every
// door, hidden ones that appear afterwards, stops, comings and goings of torrents, baselines restored
// and rolled back, members that are ended, sweeps, walks, looks. Every answer is checked for what must hold
// whatever the others do. Posts how many announces it settled.

import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { SystemClock } from '#base/clock.ts';
import { SeededRandom } from '#base/random.ts';
import { FOUNDINGS_MAX } from '#swarm/announce-outcome.ts';
import { type AnnounceRequest, DOOR, EVENT } from '#swarm/announce-slot.ts';
import type { Baseline } from '#swarm/baseline.ts';
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
const clock = new SystemClock();
const swarm = new Swarm({ memory, clock, random, config });
const into = new Uint8Array(18 * 50);
const counts = newSwarmCounts();
const webrtc = new Uint8Array(6 * 50);
/** Announces that founded a baseline and are to appear. */
const hidden: AnnounceRequest[] = [];
let settled = 0;
for (let step = 0; step < steps; step++) {
  const kind = below(200);
  const torrentId = 1 + below(torrents);
  if (kind < 160) announce(torrentId);
  else if (kind < 168) appear();
  else if (kind < 172) restore(torrentId);
  else if (kind < 177) rollBack(torrentId);
  else if (kind < 179) endMembers();
  else if (kind < 180) swarm.leaveWebrtc(randomRequest(torrentId, DOOR.websocket));
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
for (const request of hidden) swarm.founded(request);
parentPort?.postMessage(settled);

function announce(torrentId: number): void {
  const request = randomRequest(torrentId);
  const outcome = swarm.begin(request);
  if (outcome.refused !== 'none') return;
  if (request.door === DOOR.websocket) swarm.selectWebrtc(request, 20, webrtc);
  else swarm.select(request, request.family, 20, into);
  if (below(10) === 0) {
    swarm.abandon();
    return;
  }
  const isNew = !outcome.present && request.memberId !== 0 && request.event !== EVENT.stopped;
  if (isNew && outcome.foundings < FOUNDINGS_MAX && below(2) === 0) {
    swarm.settleHidden(request, numbersOf(request, 0, outcome.sequence + 1), true);
    hidden.push(request);
    return;
  }
  swarm.settle(request, numbersOf(request, 0, outcome.sequence + 1));
  // Under the lock all along, so nothing can have come between.
  assert.ok(outcome.seeders + outcome.leechers + outcome.partialSeeds < 0x8000_0000);
  settled++;
}

/** As an announce does whose record is durable. */
function appear(): void {
  const request = hidden.pop();
  if (request === undefined) return;
  swarm.founded(request);
  const outcome = swarm.begin(request);
  if (outcome.refused !== 'none') return;
  if (outcome.known && !outcome.ended) swarm.settle(request, outcome);
  else swarm.abandon();
}

function restore(torrentId: number): void {
  const request = randomRequest(torrentId);
  if (request.memberId === 0) return;
  swarm.restoreBaseline(baselineOf(request));
}

function rollBack(torrentId: number): void {
  const request = randomRequest(torrentId);
  if (request.memberId === 0) return;
  swarm.rollbackBaseline(request, below(2) === 0 ? undefined : baselineOf(request));
}

function baselineOf(request: AnnounceRequest): Baseline {
  const { memberId, peerId } = request;
  const lastSeenSeconds = Math.floor(clock.nowMs() / 1000) - below(100);
  return { ...numbersOf(request), memberId, torrentId: request.torrentId, peerId, lastSeenSeconds };
}

function endMembers(): void {
  const ended = new Set([1 + below(members), 1 + below(members)]);
  for (let from = 0; from !== -1; ) from = swarm.removeMembers(ended, from, 50);
}

function randomRequest(torrentId: number, door = randomDoor()): AnnounceRequest {
  const memberId = below(members + 1);
  const family = below(4) === 0 ? 6 : 4;
  const client = below(3);
  return announceOf({
    torrentId,
    memberId,
    door,
    family,
    connection: memberId * 10 + client,
    peerId: peerIdOf(client),
    address: addressOf(memberId, family),
    port: 1000 + client,
    left: below(2),
    uploaded: counter(),
    hashVersion: 1 + below(2),
    event: below(3) === 0 ? EVENT.stopped : below(8) === 0 ? EVENT.paused : EVENT.none,
  });
}

function randomDoor(): AnnounceRequest['door'] {
  return below(5) === 0 ? DOOR.websocket : DOOR.udp;
}

function counter(): number {
  return below(1000) * 10_000_000;
}

function below(bound: number): number {
  return random.u32() % bound;
}
