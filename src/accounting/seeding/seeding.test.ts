import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import {
  advanceSeeding,
  newSeeding,
  readSeedingMore,
  SEED_SECONDS_PER_RECORD_MAX,
  type Seeding,
  type SeedingTold,
  seedingMore,
  seedsAt,
} from './seeding.ts';

const START = 1_767_225_600;

/** Spans in minutes after the start, told when they end; returns the minutes that each adds. */
function minutes(spans: readonly (readonly [from: number, until: number])[]): number[] {
  const seeding = newSeeding();
  return spans.map(([from, until]) => {
    const told = { atSeconds: START + until * 60, seconds: (until - from) * 60 };
    return advanceSeeding(seeding, { ...told, client: 1, seeds: true }) / 60;
  });
}

/** Where it stands after a store and a load, as between two batches. */
function reloaded(seeding: Seeding): Seeding {
  return { ...seeding, ...readSeedingMore(seedingMore(seeding)) };
}

test('two clients that seed at the same time seed once', () => {
  assert.deepEqual(
    minutes([
      [0, 30],
      [15, 45],
      [30, 60],
      [45, 75],
    ]),
    [30, 15, 15, 15],
  );
});

test('a client that tells late fills the gap that the others left', () => {
  assert.deepEqual(
    minutes([
      [0, 10],
      [30, 40],
      [5, 60],
    ]),
    [10, 10, 40],
  );
  assert.deepEqual(
    minutes([
      [0, 10],
      [30, 40],
      [12, 28],
      [10, 50],
    ]),
    [10, 10, 16, 14],
  );
});

test('a clock that was set back by more than an hour loses no seed time from then on', () => {
  assert.deepEqual(
    minutes([
      [1000, 1030],
      [100, 130],
      [130, 160],
      [120, 150],
    ]),
    [30, 30, 30, 0],
  );
});

/** A client of the model: when it announces, and whether it has everything and goes after it. */
const announces = fc.array(
  fc.record({
    client: fc.integer({ min: 1, max: 4 }),
    after: fc.integer({ min: 0, max: 2400 }),
    left: fc.constantFrom(0, 0, 0, 10),
    event: fc.constantFrom('none', 'none', 'none', 'started', 'stopped'),
  }),
  { maxLength: 40 },
);

test('seed time is the union of what clients prove, and who seeds is who said so last', () => {
  fc.assert(
    fc.property(announces, fc.boolean(), (list, reloads) => {
      let seeding = newSeeding();
      const seeded = new Set<number>();
      const clients = new Map<number, { at: number; seeds: boolean }>();
      let now = START;
      let counted = 0;
      for (const { client, after, left, event } of list) {
        now += after;
        const before = clients.get(client);
        const proves = before?.seeds === true && event !== 'started';
        const seconds = proves ? Math.min(now - before.at, SEED_SECONDS_PER_RECORD_MAX) : 0;
        for (let second = now - seconds; second < now; second++) seeded.add(second);
        const seeds = left === 0 && event !== 'stopped';
        clients.set(client, { at: now, seeds });
        if (left === 0 || before?.seeds === true) {
          const told: SeedingTold = { atSeconds: now, seconds, client, seeds };
          counted += advanceSeeding(seeding, told);
        }
        if (reloads) seeding = reloaded(seeding);
        assert.equal(counted, seeded.size);
        const isSeeding = [...clients.values()].some(
          (one) => one.seeds && now - one.at < SEED_SECONDS_PER_RECORD_MAX,
        );
        assert.equal(seedsAt(seeding.seenSeconds * 1000, now * 1000), isSeeding);
      }
    }),
    { numRuns: 300, seed: 180 },
  );
});

test('more gaps and clients than are remembered count less, never twice, and take no room', () => {
  const many = fc.array(
    fc.record({
      client: fc.integer({ min: 1, max: 60 }),
      after: fc.integer({ min: 0, max: 90 }),
      seconds: fc.integer({ min: 0, max: SEED_SECONDS_PER_RECORD_MAX }),
    }),
    { minLength: 60, maxLength: 120 },
  );
  fc.assert(
    fc.property(many, (list) => {
      const seeding = newSeeding();
      const seeded = new Set<number>();
      let now = START;
      let counted = 0;
      for (const { client, after, seconds } of list) {
        now += after;
        for (let second = now - seconds; second < now; second++) seeded.add(second);
        const added = advanceSeeding(seeding, { atSeconds: now, seconds, client, seeds: true });
        assert.ok(added >= 0 && added <= seconds);
        counted += added;
        assert.ok(counted <= seeded.size);
        assert.ok(seedingMore(seeding).length <= 400);
      }
    }),
    { numRuns: 50, seed: 180 },
  );
});

test('whoever spoke last stands first, and the others in the order in which they were heard', () => {
  const told = fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.boolean()), { maxLength: 60 });
  fc.assert(
    fc.property(told, (list) => {
      const seeding = newSeeding();
      let heard: { readonly client: number; readonly atSeconds: number }[] = [];
      for (const [turn, [client, seeds]] of list.entries()) {
        const atSeconds = 1_000_000 + turn;
        advanceSeeding(seeding, { atSeconds, seconds: 0, client, seeds });
        heard = heard.filter((one) => one.client !== client);
        if (seeds) heard.push({ client, atSeconds });
        const last = heard.at(-1) ?? { client: 0, atSeconds: 0 };
        assert.deepEqual([seeding.client, seeding.seenSeconds], [last.client, last.atSeconds]);
        const others = heard.slice(0, -1).flatMap((one) => [one.client, one.atSeconds]);
        assert.deepEqual(seeding.clients, others);
      }
    }),
  );
});
