// The log's promises across thousands of simulated ends, and a few real ones. One seed again, alone:
//   SWARMKEEP_LOG_SEED=<seed> node -C swarmkeep-src --test src/log/log.crash.test.ts

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type CrashOptions, runCrashes } from '#sim/log-crashes.ts';

const REPLAY = 'SWARMKEEP_LOG_SEED=<seed> node -C swarmkeep-src --test src/log/log.crash.test.ts';
const LIVES = 6;
const SEEDS = 400;
const only = process.env['SWARMKEEP_LOG_SEED'];
const base = only === undefined ? 1 : Number(only);
const seeds = only === undefined ? SEEDS : 1;

it('crashes lose, double and invent nothing that anyone was told', async (t) => {
  let crashes = 0;
  let acknowledged = 0;
  for (let seed = base; seed < base + seeds; seed++) {
    const outcome = await runCrashes({ seed, lives: LIVES });
    crashes += outcome.crashes;
    acknowledged += outcome.acknowledged;
    assert.equal(
      outcome.violation,
      undefined,
      `seed ${seed}; replay: ${REPLAY.replace('<seed>', `${seed}`)}`,
    );
  }
  t.diagnostic(
    `${crashes} crashes, ${acknowledged} records acknowledged, seeds ${base} to ${base + seeds - 1}`,
  );
});

const PLANTED: { name: string; options: Partial<CrashOptions> }[] = [
  { name: 'an answer before the sync', options: { lying: 'datasync' } },
  { name: 'a name that is not synced', options: { lying: 'syncFolder' } },
  { name: 'recovery without checksums', options: { planted: 'recovery-without-checksums' } },
  { name: 'a torn tail that is kept', options: { planted: 'torn-tail-kept' } },
];
for (const { name, options } of PLANTED) {
  it(`the simulator finds a planted bug: ${name}`, { skip: only !== undefined }, async (t) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { violation } = await runCrashes({ seed, lives: LIVES, ...options });
      if (violation === undefined) continue;
      t.diagnostic(`seed ${seed}: ${violation.split('\n')[0]}`);
      return;
    }
    assert.fail(`${SEEDS} seeds did not find it`);
  });
}
