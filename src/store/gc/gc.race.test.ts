// Garbage collection against puts, on every kind of stack (sim/garbage-race.ts). One seed again, alone:
//   SWARMKEEP_SEED=<seed> node -C swarmkeep-src --test src/store/gc/gc.race.test.ts
// Thousands of seeds of each: gc.soak.test.ts.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { raceSeeds } from '#sim/garbage-race.ts';
import { RACE_STACKS } from '#sim/garbage-stacks.ts';

for (const [name, { seeds, quickDisk = false, open }] of Object.entries(RACE_STACKS)) {
  it(`garbage collection races with puts over ${name}: no told blob goes, all garbage does`, async (t) => {
    const counts = await raceSeeds({ first: 1, count: seeds, quickDisk }, open);
    t.diagnostic(`${seeds} seeds: ${JSON.stringify(counts)}`);
    assert.ok(counts.removed > 0 && counts.interrupted > 0);
  });
}
