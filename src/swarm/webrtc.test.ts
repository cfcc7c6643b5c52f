// Peers that are reached by WebRTC over a connection of ours (T1, T14): who is chosen, who owns one,
// and what is left when the connection ends.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '#base/random.ts';
import { announceOf, hashOf, numbersOf, peerIdOf, smallSwarm } from '#sim/announces.ts';
import { SimClock } from '#sim/clock.ts';
import { type AnnounceRequest, DOOR, EVENT } from './announce-slot.ts';
import { Swarm } from './swarm.ts';
import { newSwarmCounts } from './swarm-views.ts';

function newSwarm(): Swarm {
  const config = smallSwarm();
  const swarm = new Swarm({
    memory: Swarm.reserve(config),
    clock: new SimClock(),
    random: new SeededRandom(1, 2),
    config,
  });
  swarm.addTorrent(1, { v1: hashOf(1) });
  swarm.addTorrent(2, { v1: hashOf(2), v2: hashOf(2, 2) });
  return swarm;
}

function webOf(connection: number, changes: Partial<AnnounceRequest> = {}): AnnounceRequest {
  const memberId = changes.memberId ?? connection;
  return announceOf({
    door: DOOR.websocket,
    connection,
    worker: 3,
    memberId,
    peerId: peerIdOf(connection),
    ...changes,
  });
}

function announce(swarm: Swarm, request: AnnounceRequest): string {
  const outcome = swarm.begin(request);
  if (outcome.refused !== 'none') return outcome.refused;
  swarm.settle(request, numbersOf(request));
  return 'none';
}

/** Connections that an offer of `request` would go to. */
function chosen(swarm: Swarm, request: AnnounceRequest, want = 50): number[] {
  const into = new Uint8Array(want * 6);
  const count = swarm.selectWebrtc(request, want, into);
  const view = new DataView(into.buffer);
  const connections: number[] = [];
  for (let index = 0; index < count; index++) {
    assert.equal(view.getUint16(index * 6 + 4, true), 3, 'the worker stands behind the connection');
    connections.push(view.getUint32(index * 6, true));
  }
  return connections.sort((a, b) => a - b);
}

function counts(swarm: Swarm, torrentId = 1): [number, number] {
  const into = newSwarmCounts();
  assert.ok(swarm.counts(torrentId, into));
  return [into.seeders, into.leechers];
}

test('T1: offers go to WebRTC peers, compact lists hold dialable ones, counts hold all', () => {
  const swarm = newSwarm();
  announce(swarm, webOf(70_001));
  announce(swarm, webOf(70_002, { left: 0 }));
  announce(swarm, announceOf({ memberId: 9, peerId: peerIdOf(9), port: 900 }));
  const asker = webOf(70_003);
  announce(swarm, asker);
  assert.deepEqual(chosen(swarm, asker), [70_001, 70_002]);
  assert.deepEqual(chosen(swarm, webOf(70_002, { left: 0 })), [70_001, 70_003]);
  const into = new Uint8Array(600);
  assert.equal(swarm.select(asker, 4, 50, into), 1);
  assert.equal((into[4]! << 8) | into[5]!, 900);
  assert.deepEqual(counts(swarm), [1, 3]);
});

test('a client by UDP and WebRTC is one peer, and each goodbye closes its own way', () => {
  const swarm = newSwarm();
  const web = webOf(5, { memberId: 1 });
  const udp = announceOf({ memberId: 1, peerId: peerIdOf(5) });
  announce(swarm, web);
  announce(swarm, udp);
  assert.deepEqual(counts(swarm), [0, 1]);
  const asker = webOf(6);
  announce(swarm, asker);
  announce(swarm, { ...udp, event: EVENT.stopped });
  assert.deepEqual([chosen(swarm, asker), counts(swarm)], [[5], [0, 2]]);
  assert.equal(swarm.select(asker, 4, 50, new Uint8Array(60)), 0);
  announce(swarm, { ...web, event: EVENT.stopped });
  assert.deepEqual([chosen(swarm, asker), counts(swarm)], [[], [0, 1]]);
});

test('T14: a connection that ends takes away only what it still owns', () => {
  const swarm = newSwarm();
  const asker = webOf(9);
  announce(swarm, asker);
  const old = webOf(5, { memberId: 1 });
  announce(swarm, old);
  // The member's client came back by a new connection before the old one was known to be dead.
  announce(swarm, { ...old, connection: 6 });
  assert.deepEqual(chosen(swarm, asker), [6]);
  announce(swarm, { ...old, event: EVENT.stopped });
  assert.deepEqual(chosen(swarm, asker), [6], 'the old connection cannot stop it any more');
  swarm.leaveWebrtc(old);
  assert.deepEqual(chosen(swarm, asker), [6]);
  swarm.leaveWebrtc({ ...old, connection: 6 });
  assert.deepEqual([chosen(swarm, asker), counts(swarm)], [[], [0, 1]]);
});

test('T14: where nobody is named a peer id belongs to the connection that announced it', () => {
  const swarm = newSwarm();
  const owner = webOf(5, { memberId: 0 });
  const thief = { ...owner, connection: 6 };
  assert.equal(announce(swarm, owner), 'none');
  assert.equal(announce(swarm, thief), 'peer-of-other');
  assert.equal(announce(swarm, { ...thief, event: EVENT.stopped }), 'peer-of-other');
  swarm.leaveWebrtc(thief);
  assert.deepEqual(chosen(swarm, webOf(7, { memberId: 0 })), [5]);
  swarm.leaveWebrtc(owner);
  assert.deepEqual([announce(swarm, thief), counts(swarm)], ['none', [0, 1]]);
});

test('T8: a v1 asker offers to peers with v1, a v2 asker to those with v2', () => {
  const swarm = newSwarm();
  const of = (connection: number, hashVersion: number): AnnounceRequest =>
    webOf(connection, { torrentId: 2, infoHash: hashOf(2, hashVersion as 1 | 2), hashVersion });
  announce(swarm, of(1, 1));
  announce(swarm, of(2, 2));
  announce(swarm, of(3, 1));
  announce(swarm, of(3, 2));
  assert.deepEqual(chosen(swarm, of(8, 1)), [1, 3]);
  assert.deepEqual(chosen(swarm, of(8, 2)), [2, 3]);
});

test('T12: every WebRTC peer is chosen about equally often', () => {
  const swarm = newSwarm();
  const peers = 200;
  for (let connection = 1; connection <= peers; connection++) {
    announce(swarm, webOf(connection, { left: connection % 3 === 0 ? 0 : 10 }));
  }
  const asker = webOf(1000);
  const times = new Map<number, number>();
  const rounds = 4000;
  for (let round = 0; round < rounds; round++) {
    for (const connection of chosen(swarm, asker, 5)) {
      times.set(connection, (times.get(connection) ?? 0) + 1);
    }
  }
  const expected = (rounds * 5) / peers;
  let chiSquare = 0;
  for (let connection = 1; connection <= peers; connection++) {
    chiSquare += ((times.get(connection) ?? 0) - expected) ** 2 / expected;
  }
  // 199 degrees of freedom: above 281 once in 10,000 times, and the seed is fixed.
  assert.ok(chiSquare < 281, `chi-square ${chiSquare}`);
});

test('memory is given back when web peers are gone', () => {
  const swarm = newSwarm();
  const before = swarm.memoryUse();
  const requests = Array.from({ length: 300 }, (_, at) => webOf(at + 1, { memberId: 0 }));
  for (const request of requests) announce(swarm, request);
  for (const request of requests) swarm.leaveWebrtc(request);
  assert.deepEqual(swarm.memoryUse(), before);
  assert.deepEqual(counts(swarm), [0, 0]);
});
