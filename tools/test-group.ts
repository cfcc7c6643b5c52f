// One process of the test run: loads the test files named in its arguments into itself and tells the
// runner, over the process channel, how each test ended. A process of one's own per test file would
// take twenty times as long.

import { readFileSync } from 'node:fs';
import { run } from 'node:test';
import { inspect } from 'node:util';
import { givenSeed } from '#sim/seed.ts';

export interface TestOutcome {
  readonly kind: 'outcome';
  /** Absolute path of the file that the test stands in. */
  readonly file: string;
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** Why it was skipped, or how it failed. */
  readonly reason: string;
  readonly ms: number;
}

/** What the runner hears. */
export type GroupMessage =
  | TestOutcome
  /** A test or a suite of tests. */
  | { readonly kind: 'begun'; readonly name: string }
  | { readonly kind: 'ended'; readonly name: string }
  /** All tests have ended, and the process does not. */
  | { readonly kind: 'stuck'; readonly resources: readonly string[] };

interface TestEvent {
  readonly name: string;
  readonly file?: string;
  readonly nesting: number;
  readonly skip?: string | boolean;
  readonly todo?: string | boolean;
  readonly details: {
    readonly duration_ms: number;
    readonly type?: 'suite' | 'test';
    readonly error?: unknown;
  };
}

const MS_TO_END_MAX = 15_000;
const SEED = 20_261_122;

/** Arguments: how long one test may take, in milliseconds, then the files. */
const [msMax = '', ...files] = process.argv.slice(2);
await fixSeeds();
let running = 0;
let lastEventMs = performance.now();

const events = run({ files, isolation: 'none', timeout: Number(msMax) });
events.on('test:enqueue', (event: TestEvent) => {
  if (event.nesting === 0) running++;
});
events.on('test:dequeue', (event: TestEvent) => send({ kind: 'begun', name: event.name }));
events.on('test:pass', (event: TestEvent) => {
  finish(event);
  if (event.details.type === 'suite') return;
  const isSkipped = event.skip !== undefined || event.todo !== undefined;
  tell(event, isSkipped ? 'skipped' : 'passed', String(event.skip ?? event.todo ?? ''));
});
events.on('test:fail', (event: TestEvent) => {
  finish(event);
  const { error } = event.details;
  // The parent of a failed test fails too; the failed test itself has been told already.
  if (error instanceof Error && 'failureType' in error && error.failureType === 'subtestsFailed') {
    return;
  }
  tell(event, 'failed', failureText(error));
});

// Whatever keeps the process open after its tests is a handle that a test forgot.
setInterval(() => {
  if (running > 0 || performance.now() - lastEventMs < MS_TO_END_MAX) return;
  send({ kind: 'stuck', resources: process.getActiveResourcesInfo() });
  process.disconnect?.();
  process.exit(1);
}, 1000).unref();

/**
 * What fast-check draws is the same in every run, as all else that tests draw: a failure is of a change,
 * not of a chance. SWARMKEEP_SEED looks elsewhere.
 */
async function fixSeeds(): Promise<void> {
  if (!files.some((file) => readFileSync(file, 'utf8').includes("'fast-check'"))) return;
  const { default: check } = await import('fast-check');
  check.configureGlobal({ ...check.readConfigureGlobal(), seed: givenSeed() ?? SEED });
}

function finish(event: TestEvent): void {
  lastEventMs = performance.now();
  if (event.nesting === 0) running--;
  send({ kind: 'ended', name: event.name });
}

function tell(event: TestEvent, outcome: TestOutcome['outcome'], reason: string): void {
  send({
    kind: 'outcome',
    file: event.file ?? files[0] ?? '',
    name: event.name,
    outcome,
    reason,
    ms: event.details.duration_ms,
  });
}

function send(message: GroupMessage): void {
  process.send?.(message);
}

/** The test runner wraps what a test threw; the test's own error says more. */
function failureText(error: unknown): string {
  const own = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return typeof own === 'string' ? own : inspect(own, { depth: 6, maxStringLength: 4000 });
}
