// Baselines in the swarm: kept over a stop, restored, rolled back, hidden until they are settled.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { below, SeededRandom } from '#base/random.ts';
import { announceOf, numbersOf, peerIdOf } from '#sim/announces.ts';
import { TestSwarm } from '#sim/test-swarm.ts';
import type { Baseline } from './baseline.ts';

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

/** Some of one torrent as a file may have them: clients of one member, and one client twice. */
function manyBaselines(world: TestSwarm, random: SeededRandom): Baseline[] {
  const count = 1 + below(random, 64);
  return Array.from({ length: count }, (_, nth) =>
    world.baseline({
      memberId: below(random, 8) === 0 ? 1025 : 1 + below(random, 50),
      peerId: peerIdOf(below(random, 3)),
      uploaded: 1000 + nth,
      sequence: below(random, 100),
      completed: below(random, 2) === 0,
      lastSeenSeconds: Math.floor(world.clock.nowMs() / 1000) - below(random, 1000),
    }),
  );
}

function everyBaseline(world: TestSwarm): string[] {
  const all: string[] = [];
  world.swarm.walkBaselines(0, 10_000, (each) => all.push(JSON.stringify(each)));
  return all.sort();
}

test('A2: restored together, baselines are what they are restored one by one', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = new SeededRandom(seed);
    const [together, alone] = [new TestSwarm(), new TestSwarm()];
    for (let round = 0; round < 3; round++) {
      for (const world of [together, alone]) world.announce({ memberId: 1 + round, uploaded: 5 });
      const baselines = manyBaselines(together, random);
      let restored = 0;
      for (const each of baselines) if (alone.swarm.restoreBaseline(each)) restored++;
      const why = `seed ${seed}, round ${round}`;
      assert.equal(together.swarm.restoreBaselines(1, baselines), restored, why);
      assert.deepEqual(everyBaseline(together), everyBaseline(alone), why);
      assert.deepEqual(together.swarm.totals(), alone.swarm.totals(), why);
    }
    // Everything that was taken for them is given back with them.
    for (const world of [together, alone]) {
      world.swarm.removeTorrent(1);
      while (world.sweep().length > 0) {}
    }
    assert.deepEqual(together.swarm.memoryUse(), alone.swarm.memoryUse(), `seed ${seed}`);
    assert.equal(together.swarm.totals().silentBaselines, 0);
  }
});

test('A2: of baselines restored together as many come in as there is room for', () => {
  const peersMax = 64;
  const world = new TestSwarm({ peersMax });
  const of = (memberId: number) => world.baseline({ memberId });
  const first = Array.from({ length: 40 }, (_, at) => of(1 + at));
  assert.equal(world.swarm.restoreBaselines(1, first), 40);
  const second = Array.from({ length: 40 }, (_, at) => of(21 + at));
  assert.equal(world.swarm.restoreBaselines(1, second), 40);
  const third = Array.from({ length: 40 }, (_, at) => of(61 + at));
  assert.equal(world.swarm.restoreBaselines(1, third), 4);
  assert.equal(world.swarm.memoryUse().records, peersMax);
  assert.equal(world.swarm.totals().silentBaselines, peersMax);
  assert.equal(world.swarm.restoreBaselines(2, [world.baseline({ torrentId: 2 })]), 0);
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
