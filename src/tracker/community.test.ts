// The thousand members of sim/community.ts, once in each run of the suite; thousands of seeds are for
// `npm run soak`.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { communityHolds } from '#sim/community.ts';
import { testSeed } from '#sim/seed.ts';

test('a thousand members are credited what their clients moved, to the byte, and the audit agrees', {
  timeout: 240_000,
}, async (context) => {
  const counts = await communityHolds(testSeed(context, 1), 1000);
  context.diagnostic(JSON.stringify(counts));
  // Copies from an older session are for simulation.test.ts, whose pauses are shorter.
  const { copies: _, ...happened } = counts;
  for (const [name, count] of Object.entries(happened)) assert.ok(count > 0, name);
});
