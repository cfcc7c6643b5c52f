// The log's promises across thousands of simulated ends, and some real ones. One seed again, alone:
//   SWARMKEEP_LOG_SEED=<seed> node -C swarmkeep-src --test src/log/crashes/log.crash.test.ts
// SWARMKEEP_LOG_SEEDS=<how many> runs more of them. A seed of a run with branches (sim/log-branches.ts) is
// repeated with as many: SWARMKEEP_LOG_BRANCHES=<how many>, and SWARMKEEP_LOG_LIVES as it had.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { SystemClock, sleep } from '#base/clock.ts';
import { below, SeededRandom } from '#base/random.ts';
import type { CrashSeries, CrashSum } from '#sim/log-crashes-thread.ts';
import { ToldLog } from '#sim/log-told.ts';
import type { PlantedBug } from '#sim/planted-disk.ts';

const REPLAY = 'node -C swarmkeep-src --test src/log/crashes/log.crash.test.ts';
const BRANCHES = Number(process.env['SWARMKEEP_LOG_BRANCHES'] ?? 0);
const LIVES = Number(process.env['SWARMKEEP_LOG_LIVES'] ?? 6);
const BRANCHED = { lives: 3, branches: 2 };
const BRANCHED_SEEDS = 20;
const BRANCHED_MS_MAX = 6000;
const SERIES_MS_MAX = process.env['SWARMKEEP_LOG_SEEDS'] === undefined ? 25_000 : Infinity;
const KILL_MS = Number(process.env['SWARMKEEP_KILL_MS'] ?? 3000);
const KILLS_MIN = 3;
const only = process.env['SWARMKEEP_LOG_SEED'];
const SEEDS = Number(process.env['SWARMKEEP_LOG_SEEDS'] ?? 300);

async function runSeries(series: CrashSeries): Promise<CrashSum> {
  const url = new URL('../../../sim/log-crashes-thread.ts', import.meta.url);
  const worker = new Worker(url, { workerData: series });
  const [sum] = await once(worker, 'message');
  return sum as CrashSum;
}

it('simulated crashes lose, double and invent nothing that anyone was told', async (t) => {
  const firstSeed = only === undefined ? 1 : Number(only);
  const seeds = only === undefined ? SEEDS : 1;
  const sum = await runSeries({
    firstSeed,
    seeds,
    msMax: SERIES_MS_MAX,
    options: { lives: LIVES, branches: BRANCHES },
  });
  const how =
    BRANCHES === 0 ? '' : ` SWARMKEEP_LOG_LIVES=${LIVES} SWARMKEEP_LOG_BRANCHES=${BRANCHES}`;
  const replay = `SWARMKEEP_LOG_SEED=${sum.seed}${how} ${REPLAY}`;
  assert.equal(sum.violation, undefined, `${sum.violation}\nreplay: ${replay}`);
  t.diagnostic(
    `${sum.crashes} crashes, ${sum.acknowledged} records acknowledged, ${sum.seeds} seeds from ${firstSeed}`,
  );
});

it('every moment of a life may be its end', { skip: only !== undefined }, async (t) => {
  const series = { firstSeed: 1, seeds: BRANCHED_SEEDS, msMax: BRANCHED_MS_MAX };
  const sum = await runSeries({ ...series, seedsMin: 1, options: BRANCHED });
  const how = `SWARMKEEP_LOG_LIVES=${BRANCHED.lives} SWARMKEEP_LOG_BRANCHES=${BRANCHED.branches}`;
  const replay = `SWARMKEEP_LOG_SEED=${sum.seed} ${how} ${REPLAY}`;
  assert.equal(sum.violation, undefined, `${sum.violation}\nreplay: ${replay}`);
  assert.ok(sum.crashes > sum.seeds * BRANCHED.lives, 'more ends were looked at than there were');
  t.diagnostic(`${sum.crashes} crashes of ${sum.seeds} seeds`);
});

const PLANTED: Readonly<Record<PlantedBug, string>> = {
  'answer-before-sync': 'an answer before the sync',
  'failed-sync-retried': 'a sync that failed is tried again',
  'no-checksums': 'recovery without checksums',
  'index-trusted': 'an index that is trusted after a crash',
  'torn-tail-kept': 'a torn tail that is kept',
  'folder-not-synced': 'a folder that is not synced',
};
const PLANTED_SEEDS_MAX = 1000;
for (const [planted, name] of Object.entries(PLANTED) as [PlantedBug, string][]) {
  it(`the simulator finds a planted bug: ${name}`, { skip: only !== undefined }, async (t) => {
    const options = { lives: LIVES, planted };
    const { seed, violation } = await runSeries({
      firstSeed: 1,
      seeds: PLANTED_SEEDS_MAX,
      options,
    });
    assert.notEqual(seed, undefined, `${PLANTED_SEEDS_MAX} seeds did not find it`);
    t.diagnostic(`seed ${seed}: ${violation?.split('\n')[0]}`);
  });
}

it('a look at the moments of one life finds a planted bug', {
  skip: only !== undefined,
}, async () => {
  const options = { ...BRANCHED, lives: 1, planted: 'answer-before-sync' } as const;
  const { seed } = await runSeries({ firstSeed: 1, seeds: 3, options });
  assert.notEqual(seed, undefined, 'three first lives did not find it');
});

for (const kind of ['local', 'loopback'] as const) {
  it(`kill -9 of a real process loses nothing that it was told: ${kind}`, {
    skip: only !== undefined,
  }, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'swarmkeep-kill-'));
    const random = new SeededRandom(process.pid);
    const told = new ToldLog();
    const untilMs = performance.now() + KILL_MS;
    let kills = 0;
    try {
      for (; kills < KILLS_MIN || performance.now() < untilMs; kills++) {
        const delayMs = below(random, 150);
        await told.live({ folder: `${folder}/log`, kind }, async (child) => {
          await sleep(new SystemClock(), delayMs);
          child.kill('SIGKILL');
          return undefined;
        });
        if (kills % 3 === 2) await told.compare(`${folder}/log`);
      }
      await told.compare(`${folder}/log`);
      t.diagnostic(`${kills} kills, ${told.records} records acknowledged`);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}
