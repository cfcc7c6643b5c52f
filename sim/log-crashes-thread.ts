// Runs seeds of log-crashes.ts one after another and posts the sum. In a thread of its own, because
// a test runner's hooks on every promise make it several times slower.

import { parentPort, workerData } from 'node:worker_threads';
import { type CrashOptions, runCrashes } from './log-crashes.ts';

export interface CrashSeries {
  readonly firstSeed: number;
  readonly seeds: number;
  readonly options: Omit<CrashOptions, 'seed'>;
}

export interface CrashSum {
  /** The first seed that broke a rule, and how. */
  readonly seed: number | undefined;
  readonly violation: string | undefined;
  readonly crashes: number;
  readonly acknowledged: number;
}

const { firstSeed, seeds, options } = workerData as CrashSeries;
let crashes = 0;
let acknowledged = 0;
let broken: Pick<CrashSum, 'seed' | 'violation'> = { seed: undefined, violation: undefined };
for (let seed = firstSeed; seed < firstSeed + seeds && broken.seed === undefined; seed++) {
  const outcome = await runCrashes({ ...options, seed });
  crashes += outcome.crashes;
  acknowledged += outcome.acknowledged;
  if (outcome.violation !== undefined) broken = { seed, violation: outcome.violation };
}
parentPort?.postMessage({ ...broken, crashes, acknowledged } satisfies CrashSum);
