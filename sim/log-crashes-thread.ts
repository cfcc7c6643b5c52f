// Runs seeds of log-crashes.ts one after another and posts the sum. In a thread of its own, because
// a test runner's hooks on every promise make it several times slower.

import { parentPort, workerData } from 'node:worker_threads';
import { SystemClock } from '#base/clock.ts';
import { type CrashOptions, runCrashes } from './log-crashes.ts';

export interface CrashSeries {
  readonly firstSeed: number;
  readonly seeds: number;
  /** No further seed is begun after it, on a busy machine; of the first `seedsMin` (20) all are. */
  readonly msMax?: number;
  readonly seedsMin?: number;
  readonly options: Omit<CrashOptions, 'seed'>;
}

export interface CrashSum {
  /** The first seed that broke a rule, and how. */
  readonly seed: number | undefined;
  readonly violation: string | undefined;
  readonly crashes: number;
  readonly acknowledged: number;
  /** How many were run. */
  readonly seeds: number;
}

const SEEDS_MIN = 20;

const {
  firstSeed,
  seeds,
  options,
  msMax = Infinity,
  seedsMin = SEEDS_MIN,
} = workerData as CrashSeries;
const clock = new SystemClock();
const lateMs = clock.monotonicMs() + msMax;
let run = 0;
let crashes = 0;
let acknowledged = 0;
let broken: Pick<CrashSum, 'seed' | 'violation'> = { seed: undefined, violation: undefined };
for (let seed = firstSeed; run < seeds && broken.seed === undefined; seed++) {
  if (run >= seedsMin && clock.monotonicMs() > lateMs) break;
  run++;
  const outcome = await runCrashes({ ...options, seed });
  crashes += outcome.crashes;
  acknowledged += outcome.acknowledged;
  if (outcome.violation !== undefined) broken = { seed, violation: outcome.violation };
}
parentPort?.postMessage({ ...broken, crashes, acknowledged, seeds: run } satisfies CrashSum);
