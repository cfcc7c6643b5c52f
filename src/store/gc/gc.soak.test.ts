// The race of gc.race.test.ts over thousands of seeds. SWARMKEEP_SOAK_SEEDS says how many of each stack
// (1000), SWARMKEEP_SOAK_FIRST where to begin:
//   node -C swarmkeep-src --test src/store/gc/gc.soak.test.ts

import { it } from 'node:test';
import { raceSeeds } from '#sim/garbage-race.ts';
import { RACE_STACKS } from '#sim/garbage-stacks.ts';

const count = Number(process.env['SWARMKEEP_SOAK_SEEDS'] ?? 1000);
const first = Number(process.env['SWARMKEEP_SOAK_FIRST'] ?? 1_000_000);

for (const [name, { quickDisk = false, open }] of Object.entries(RACE_STACKS)) {
  it(`soak: garbage collection races with puts over ${name}`, async (t) => {
    const counts = await raceSeeds({ first, count, quickDisk }, open);
    t.diagnostic(`${count} seeds: ${JSON.stringify(counts)}`);
  });
}
