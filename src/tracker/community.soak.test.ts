// Thousands of communities (sim/community.ts), for `npm run soak`. SWARMKEEP_SEED names the first of
// them, SWARMKEEP_SEEDS how many.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { communityHolds } from '#sim/community.ts';

const SEEDS = 4000;
/** Of the small ones every fiftieth is followed by a thousand members. */
const SMALL_MEMBERS = 25;
const LARGE_EVERY = 50;

test('thousands of communities are credited what their clients moved', async (context) => {
  const first = Number(process.env['SWARMKEEP_SEED'] ?? 1);
  const count = Number(process.env['SWARMKEEP_SEEDS'] ?? SEEDS);
  let records = 0;
  for (let seed = first; seed < first + count; seed++) {
    records += (await communityHolds(seed, SMALL_MEMBERS)).records;
    if (seed % LARGE_EVERY === 0) records += (await communityHolds(seed, 1000)).records;
    if (seed % 100 === 0) context.diagnostic(`seed ${seed}: ${records} records so far`);
  }
  assert.ok(records > count, 'enough happened');
});
