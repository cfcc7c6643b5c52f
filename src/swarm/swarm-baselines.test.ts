// Baselines in the swarm: kept over a stop, restored, rolled back, hidden until they are settled.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announceOf, numbersOf, peerIdOf } from '#sim/announces.ts';
import { TestSwarm } from '#sim/test-swarm.ts';

const HOUR_MS = 3_600_000;

test('A4: `stopped` of a peer that nobody knows leaves no trace', () => {
  const world = new TestSwarm();
  const outcome = world.stop({});
  assert.deepEqual([outcome.refused, outcome.known, outcome.leechers], ['none', false, 0]);
  assert.equal(world.swarm.memoryUse().records, 0);
});

test('A2: counters survive a stop to the byte, up to 2^53-1, and are given away when silent', () => {
  const world = new TestSwarm();
  const most = Number.MAX_SAFE_INTEGER;
  const counters = { uploaded: most, downloaded: most - 1, left: most - 2, key: 0xffff_ffff };
  world.announce(counters);
  world.stop(counters);
  const outcome = world.announce({ uploaded: 1 });
  const { uploaded, downloaded, left, key, known } = outcome;
  assert.deepEqual({ uploaded, downloaded, left, key }, counters);
  assert.ok(known);
  world.stop({ uploaded: 1 });
  world.clock.advance(4 * HOUR_MS);
  assert.deepEqual(
    world.sweep().map((it) => it.uploaded),
    [1],
  );
  assert.equal(world.announce({}).known, false);
});

test('A2: a restored baseline is neither counted nor handed out, and is what is measured against', () => {
  const world = new TestSwarm();
  const baseline = world.baseline({ uploaded: 50, sequence: 9 });
  assert.ok(world.swarm.restoreBaseline(baseline));
  assert.equal(world.counts().leechers, 0);
  assert.deepEqual(world.peersFor({ memberId: 2 }), []);
  const outcome = world.announce({ uploaded: 60 });
  assert.deepEqual([outcome.known, outcome.uploaded, outcome.sequence], [true, 50, 9]);
});

test('A6: a restore never puts a lower sequence over a higher one', () => {
  const world = new TestSwarm();
  world.swarm.restoreBaseline(world.baseline({ uploaded: 50, sequence: 9 }));
  assert.ok(world.swarm.restoreBaseline(world.baseline({ uploaded: 40, sequence: 8 })));
  assert.equal(world.announce({}).uploaded, 50);
});

test('A6: a baseline is rolled back to what it was, and to none, while its peer stays', () => {
  const world = new TestSwarm();
  world.announce({ uploaded: 10 });
  const key = { memberId: 1, torrentId: 1, peerId: peerIdOf(1) };
  world.swarm.rollbackBaseline(key, world.baseline({ uploaded: 3, sequence: 2 }));
  assert.equal(world.counts().leechers, 1);
  assert.equal(world.announce({ uploaded: 10 }).uploaded, 3);
  world.swarm.rollbackBaseline(key, undefined);
  const outcome = world.announce({ uploaded: 10 });
  assert.deepEqual([outcome.known, outcome.present], [false, true]);
});

test('A6: a hidden announce moves the baseline, and nobody sees the peer until it is settled', () => {
  const world = new TestSwarm();
  const before = world.swarm.memoryUse();
  const request = announceOf({ family: 6, uploaded: 4 });
  assert.equal(world.swarm.begin(request).refused, 'none');
  world.swarm.settleHidden(request, numbersOf(request), true);
  assert.equal(world.counts().leechers, 0);
  assert.deepEqual(world.peersFor({ memberId: 2 }), []);
  const { extensions, records } = world.swarm.memoryUse();
  assert.deepEqual([extensions, records], [before.extensions, before.records + 1]);
  const outcome = world.swarm.begin(request);
  assert.deepEqual([outcome.foundings, outcome.known, outcome.present], [1, true, false]);
  world.swarm.settle(request, outcome);
  world.swarm.founded(request);
  assert.equal(world.counts().leechers, 1);
  assert.equal(world.swarm.begin(request).foundings, 0);
  world.swarm.abandon();
});
