// Ten million simulated crashes, on every processor; SWARMKEEP_LOG_CRASHES sets how many, and
// SWARMKEEP_LOG_SEED the first seed. Nearly all of them are branches of a life (sim/log-branches.ts): a
// copy of the disk loses power at each moment of it. It takes hours: a core does about a thousand a second.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { it } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { CrashSeries, CrashSum } from '#sim/log-crashes-thread.ts';

const CRASHES = Number(process.env['SWARMKEEP_LOG_CRASHES'] ?? 10_000_000);
const FIRST_SEED = Number(process.env['SWARMKEEP_LOG_SEED'] ?? 10_000_000);
const REPLAY = 'node -C swarmkeep-src --test src/log/crashes/log.crash.test.ts';
const LIVES = 3;
const BRANCHES = 2;
const SERIES_SEEDS = 40;

it('simulated crashes in great number lose, double and invent nothing', async (t) => {
  let nextSeed = FIRST_SEED;
  let crashes = 0;
  let acknowledged = 0;
  const broken: CrashSum[] = [];
  const work = async (): Promise<void> => {
    while (crashes < CRASHES && broken.length === 0) {
      const url = new URL('../../../sim/log-crashes-thread.ts', import.meta.url);
      const series = {
        firstSeed: nextSeed,
        seeds: SERIES_SEEDS,
        options: { lives: LIVES, branches: BRANCHES },
      };
      nextSeed += SERIES_SEEDS;
      const worker = new Worker(url, { workerData: series satisfies CrashSeries });
      const [sum] = (await once(worker, 'message')) as [CrashSum];
      crashes += sum.crashes;
      acknowledged += sum.acknowledged;
      if (sum.violation !== undefined) broken.push(sum);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  const seeds = `seeds ${FIRST_SEED} to ${nextSeed - 1}`;
  t.diagnostic(`${crashes} crashes, ${acknowledged} records acknowledged, ${seeds}`);
  const [first] = broken;
  const how = `SWARMKEEP_LOG_LIVES=${LIVES} SWARMKEEP_LOG_BRANCHES=${BRANCHES}`;
  const replay = `SWARMKEEP_LOG_SEED=${first?.seed} ${how} ${REPLAY}`;
  assert.equal(first, undefined, `${first?.violation}\nreplay: ${replay}`);
});
