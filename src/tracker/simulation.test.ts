// Worlds of a few clients from many seeds (sim/tracker-world.ts): what members are credited is what
// their clients moved, whatever fails.
//
// accounting/ simulates the delta rule and the ledger; this one sees what the tracker adds: waiting
// answers and retransmissions that join them, look-ups of old baselines, two families, both hashes
// of hybrid torrents, repeats, back-pressure, refusals, roll-back inside the swarm.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accountingConfig } from '#accounting/config.ts';
import { testSeed } from '#sim/seed.ts';
import { newWorldCounts, TrackerWorld } from '#sim/tracker-world.ts';
import { swarmConfig } from '#swarm/config.ts';

const SEEDS = 250;
const ACCOUNTING = accountingConfig.parse({ batchRecordsMax: 3, recordsPendingMax: 6 });
const SWARM = swarmConfig.parse({
  peersMax: 256,
  torrentsMax: 64,
  membersMax: 64,
  shards: 2,
  // Killed clients that come back under a new id must not be refused for their old one.
  peersPerMemberTorrentMax: 12,
  // Short, so that silent baselines move to the store and are looked up again.
  peerAgeMsMax: 2_700_000,
  baselineSilentMs: 60_000,
});

test('what members are credited is what their clients moved, whatever fails', async (context) => {
  const first = testSeed(context, 1);
  const count = process.env['SWARMKEEP_SEED'] === undefined ? SEEDS : 1;
  const sums = newWorldCounts();
  for (let seed = first; seed < first + count; seed++) {
    try {
      const world = new TrackerWorld({
        seed,
        members: 2,
        clients: [2, 6],
        torrents: 2,
        waitingMax: 3,
        stallOneIn: 200,
        trickery: true,
        swarm: SWARM,
        accounting: ACCOUNTING,
      });
      await world.run();
      world.check();
      for (const name of Object.keys(sums) as (keyof typeof sums)[]) {
        sums[name] += world.counts[name];
      }
    } catch (error) {
      throw new Error(`seed ${seed}: replay with SWARMKEEP_SEED=${seed}`, { cause: error });
    }
  }
  context.diagnostic(JSON.stringify(sums));
  if (count > 1) for (const [name, sum] of Object.entries(sums)) assert.ok(sum > 50, name);
});
