// Runs groups of test files, each group in a process of its own, and collects how each test ended.

import { fork } from 'node:child_process';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ROOT } from './child-process.ts';
import type { GroupMessage, TestOutcome } from './test-group.ts';

export interface TestGroup {
  readonly name: string;
  /** Relative to the root. */
  readonly files: readonly string[];
  /** For the whole process. */
  readonly msMax: number;
  /** For one test. */
  readonly testMsMax: number;
}

export interface GroupResult {
  readonly group: TestGroup;
  readonly outcomes: readonly TestOutcome[];
  /** What the tests printed. */
  readonly output: string;
  readonly ms: number;
}

/** As bin/node gives them. */
const NODE_OPTIONS = ['--disable-warning=ExperimentalWarning', '-C', 'swarmkeep-src'];
const GROUP_SCRIPT = fileURLToPath(new URL('./test-group.ts', import.meta.url));

/** Runs up to `atOnce` groups at a time, in the order given; `onResult` hears of each as it ends. */
export async function runGroups(
  groups: readonly TestGroup[],
  options: {
    readonly atOnce: number;
    readonly envOf: (group: TestGroup) => Readonly<Record<string, string>>;
    readonly onResult: (result: GroupResult) => void;
  },
): Promise<GroupResult[]> {
  const waiting = [...groups];
  const results: GroupResult[] = [];
  const work = async (): Promise<void> => {
    for (let group = waiting.shift(); group !== undefined; group = waiting.shift()) {
      const result = await runGroup(group, options.envOf(group));
      results.push(result);
      options.onResult(result);
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, work));
  return results;
}

/** Never rejects: a process that crashes or does not end is a failed test of that group. */
export function runGroup(
  group: TestGroup,
  env: Readonly<Record<string, string>>,
): Promise<GroupResult> {
  const startedMs = performance.now();
  const outcomes: TestOutcome[] = [];
  const running = new Set<string>();
  const output: Buffer[] = [];
  let stuckOn: readonly string[] | undefined;
  let isLate = false;
  return new Promise((resolve) => {
    const child = fork(
      GROUP_SCRIPT,
      [String(group.testMsMax), ...group.files.map((file) => `${ROOT}${file}`)],
      {
        cwd: ROOT,
        env: { ...process.env, ...env },
        execArgv: NODE_OPTIONS,
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      },
    );
    const limit = setTimeout(() => {
      isLate = true;
      child.kill('SIGKILL');
    }, group.msMax);
    child.stdout?.on('data', (part: Buffer) => output.push(part));
    child.stderr?.on('data', (part: Buffer) => output.push(part));
    child.on('message', (message: GroupMessage) => {
      if (message.kind === 'begun') running.add(message.name);
      else if (message.kind === 'ended') running.delete(message.name);
      else if (message.kind === 'stuck') stuckOn = message.resources;
      else outcomes.push(message);
    });
    child.once('close', (code, signal) => {
      clearTimeout(limit);
      const isUnfinished = running.size > 0 || outcomes.length === 0;
      const end = { code, signal, isLate, stuckOn, isUnfinished, msMax: group.msMax };
      const problem = problemOf(end);
      if (problem !== undefined) outcomes.push(crashOf(group, problem, [...running]));
      resolve({
        group,
        outcomes,
        output: Buffer.concat(output).toString('utf8'),
        ms: performance.now() - startedMs,
      });
    });
  });
}

function problemOf(end: {
  readonly code: number | null;
  readonly signal: string | null;
  readonly isLate: boolean;
  readonly stuckOn: readonly string[] | undefined;
  readonly isUnfinished: boolean;
  readonly msMax: number;
}): string | undefined {
  if (end.isLate) return `It did not end in ${end.msMax / 1000} s.`;
  if (end.stuckOn !== undefined) {
    return `All tests ended, and the process did not: ${end.stuckOn.join(', ')} still open.`;
  }
  if (end.code !== 0) return `The process ended with ${end.signal ?? `exit code ${end.code}`}.`;
  return end.isUnfinished ? 'The process ended before its tests.' : undefined;
}

function crashOf(group: TestGroup, problem: string, running: readonly string[]): TestOutcome {
  const last = running.length === 0 ? '' : ` Running then: ${running.join('; ')}.`;
  return {
    kind: 'outcome',
    file: `${ROOT}${group.files[0] ?? ''}`,
    name: `the process of ${group.name}`,
    outcome: 'failed',
    reason: `${problem}${last}`,
    ms: 0,
  };
}

/** One line for each file that has tests: `ok    src/base/field.test.ts (4 tests, 21 ms)` */
export function fileLines(result: GroupResult): string[] {
  const byFile = Map.groupBy(result.outcomes, (outcome) => outcome.file);
  return [...byFile].sort().map(([file, outcomes]) => {
    const failed = outcomes.filter((one) => one.outcome === 'failed').length;
    const skipped = outcomes.filter((one) => one.outcome === 'skipped').length;
    const ms = outcomes.reduce((sum, one) => sum + one.ms, 0);
    const parts = [`${outcomes.length} ${outcomes.length === 1 ? 'test' : 'tests'}`];
    if (failed > 0) parts.push(`${failed} failed`);
    if (skipped > 0) parts.push(`${skipped} skipped`);
    parts.push(`${Math.round(ms)} ms`);
    return `${failed > 0 ? 'FAIL ' : 'ok   '} ${relative(ROOT, file)} (${parts.join(', ')})`;
  });
}
