// Walks one fault over every operation of log-fault-walk.ts and posts what came of it. In a thread of
// its own, as log-crashes-thread.ts is and for the same reason.

import { parentPort, workerData } from 'node:worker_threads';
import type { Fault } from './fault-disk.ts';
import { type WalkedPoint, walkPoint } from './log-fault-walk.ts';
import type { PlantedBug } from './planted-disk.ts';

export interface Walk {
  readonly fault: Fault;
  /** Only this operation. */
  readonly nth?: number;
  /** Only one in so many, others in each run of the tests. Default all. */
  readonly every?: number;
  readonly planted?: PlantedBug;
}

export interface Walked {
  /** Operations that the fault fits. */
  readonly points: number;
  /** The first that broke a rule. */
  readonly broken: (WalkedPoint & { readonly nth: number }) | undefined;
}

const { fault, nth: only, every = 1, planted } = workerData as Walk;
// Up to its fault a run is the same as any other.
const whole = await walkPoint(fault, 0, planted);
const all = Array.from({ length: whole.operations }, (_, nth) => nth + 1);
const some = all.filter((nth) => nth % every === process.pid % every);
const fitting = fault === 'short write' ? whole.writes : some;
let points = 0;
let broken: Walked['broken'];
for (const nth of only === undefined ? fitting : [only]) {
  const point = await walkPoint(fault, nth, planted);
  if (point.hit !== undefined) points++;
  if (point.violation === undefined) continue;
  broken = { ...point, nth };
  break;
}
parentPort?.postMessage({ points, broken } satisfies Walked);
