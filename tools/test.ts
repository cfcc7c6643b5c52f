// `npm test`: everything, from a fresh clone. Brings the programs the tests need, checks the code,
// runs the tests, and ends with one line: `N passed, N failed`, and how many were skipped.
//
//   npm test -- --only PATTERN    only test files whose path matches; no set-up, checks or coverage
//   npm test -- --no-coverage     without measuring coverage, which slows the tests a little
//   npm run soak                  the long runs (*.soak.test.ts) instead
//
// `x.test.ts` files of a folder share a process. A file that starts threads or servers is called
// `x.server.test.ts` and has a process of its own, as have the HEAVY. `x.e2e.test.ts` files run after
// them, because they use real programs, ports and time: they wait for these much of theirs, so that one
// more than there are processors runs at once. Those that measure TIME run when nothing else does, and so
// do `x.allocation.test.ts` files, because what the engine makes of code that others have run is not what
// is measured.
//
// When everything is run, what failed is run once more, alone, at the end (second-run.ts).

import { globSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { shareCluster } from '#sql/test-databases.ts';
import { runChecks } from './check-steps.ts';
import { ROOT, secondsText } from './child-process.ts';
import { coverageTable, readCoverage } from './coverage.ts';
import { allInShort, type Failure, inShort } from './failure-text.ts';
import { failuresOf, hasFailed, settleFailed } from './second-run.ts';
import { setUp } from './setup.ts';
import { fileLines, type GroupResult, runGroup, runGroups, type TestGroup } from './test-runner.ts';

/** On a machine that does much else too: these end what hangs, and are far above what anything takes. */
const GROUP_MS_MAX = 900_000;
const TEST_MS_MAX = 180_000;
/** What hangs is ended before by its own bounds. */
const END_TO_END_MS_MAX = 1_300_000;
const SOAK_MS_MAX = 24 * 3_600_000;
const OUTPUT_LINES_MAX = 80;
/** They hold something against a clock: how soon it happens is what they test. */
const TIME = /\/(?:freeleech|in-time|mishaps|workers)\.e2e\.test\.ts$/;
/** The longest begin first, so that none of them is alone at the end. */
const LONG = [
  'simulated-clients',
  'real-clients',
  'backup',
  'commands',
  'real-kills',
  'site',
  'store',
];
/** One life after another, thousands of them, for a minute or so. */
const HEAVY = /(?:\.crash|\.race|simulation|community)\.test\.ts$/;
/**
 * Coverage is not measured where lives that other tests have measured are repeated, thousands of times or
 * by programs that are killed and write no report: it costs a third of their time.
 */
const UNMEASURED = new RegExp(
  `${HEAVY.source}|/(?:simulated-clients|real-clients|real-kills)\\.e2e\\.test\\.ts$`,
);

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    soak: { type: 'boolean', default: false },
    'no-coverage': { type: 'boolean', default: false },
  },
});

const phases: string[] = [];
const counts = { passed: 0, failed: 0, skipped: 0 };
const failures: Failure[] = [];
/** Groups that are run once more before they count. */
const failedOnce: GroupResult[] = [];
const unsteady: Failure[] = [];
/** Without a pattern, and not the long runs. */
let isEverything = false;
/** What the processes of failed tests printed. */
const printed: string[] = [];
const skips = new Set<string>();

async function main(): Promise<void> {
  const files = findFiles();
  isEverything = options.only === undefined && !options.soak;
  if (files.length === 0) {
    countFailure({ where: 'test files', reason: `None matches "${options.only ?? 'any name'}".` });
  }
  if (isEverything) {
    await phase('set-up', () => setUp(say));
    await phase('check', check);
  }
  const isMeasured = isEverything && !options['no-coverage'];
  const reportFolder = isMeasured ? mkdtempSync(join(tmpdir(), 'swarmkeep-coverage-')) : undefined;
  const shared = isEverything ? shareCluster() : {};
  const envOf = (group: TestGroup): Readonly<Record<string, string>> =>
    reportFolder === undefined || UNMEASURED.test(group.name)
      ? shared
      : { ...shared, NODE_V8_COVERAGE: reportFolder };
  const { together, endToEnd, alone } = groupFiles(files);
  // They wait for the disk now and then: one more than there are processors keeps these busy.
  const atOnce = Math.min(4, availableParallelism() + 1);
  await phase('tests', () => runPhase(together, envOf, atOnce));
  if (endToEnd.length + alone.length > 0) {
    await phase('end to end', async () => {
      await runPhase(endToEnd, envOf, options.soak ? 1 : Math.min(3, atOnce));
      await runPhase(alone, envOf, 1);
    });
  }
  if (failedOnce.length > 0) await phase('once more', () => runFailedAgain(envOf));
  if (reportFolder !== undefined) {
    await phase('coverage', async () => say(`\n${coverageTable(readCoverage(reportFolder))}`));
    rmSync(reportFolder, { recursive: true, force: true });
  }
  summarise();
}

function findFiles(): string[] {
  const files = globSync('{src,sim,tools,bench}/**/*.test.ts', { cwd: ROOT })
    .filter((file) => file.endsWith('.soak.test.ts') === options.soak)
    .sort();
  if (options.only === undefined) return files;
  const only = new RegExp(options.only);
  return files.filter((file) => only.test(file));
}

interface Groups {
  readonly together: readonly TestGroup[];
  readonly endToEnd: readonly TestGroup[];
  readonly alone: readonly TestGroup[];
}

function groupFiles(files: readonly string[]): Groups {
  const isWithOthers = (file: string): boolean =>
    !/\.(?:allocation|e2e|soak)\.test\.ts$/.test(file);
  const byRoom = Map.groupBy(files.filter(isWithOthers), (file) =>
    file.endsWith('.server.test.ts') || HEAVY.test(file) ? file : folderOf(file),
  );
  // Small ones first would leave a processor idle at the end.
  const bytesOf = (group: TestGroup): number =>
    group.files.reduce((sum, file) => sum + statSync(`${ROOT}${file}`).size, 0);
  const weightOf = (group: TestGroup): number =>
    HEAVY.test(group.name) ? Number.MAX_SAFE_INTEGER : bytesOf(group);
  const together = [...byRoom].map(([name, own]) => ({
    name,
    files: own,
    msMax: GROUP_MS_MAX,
    testMsMax: HEAVY.test(name) ? GROUP_MS_MAX : TEST_MS_MAX,
  }));
  const msMax = options.soak ? SOAK_MS_MAX : END_TO_END_MS_MAX;
  const others = files
    .filter((file) => !isWithOthers(file))
    .map((file) => ({ name: file, files: [file], msMax, testMsMax: msMax }));
  const isAlone = ({ name }: TestGroup): boolean =>
    TIME.test(name) || name.includes('.allocation.');
  const turnOf = ({ name }: TestGroup): number => {
    const turn = LONG.findIndex((one) => name.endsWith(`/${one}.e2e.test.ts`));
    return turn === -1 ? LONG.length : turn;
  };
  return {
    together: together.sort((a, b) => weightOf(b) - weightOf(a)),
    endToEnd: others.filter((group) => !isAlone(group)).sort((a, b) => turnOf(a) - turnOf(b)),
    alone: others.filter(isAlone),
  };
}

/** A room; of the log and the site their folders, which together take longer than one process may. */
function folderOf(file: string): string {
  const depth = /^src\/(?:log|site)\//.test(file) ? 3 : file.startsWith('src/') ? 2 : 1;
  const folders = file.split('/').slice(0, -1);
  return folders.slice(0, depth).join('/');
}

async function phase(name: string, run: () => Promise<void>): Promise<void> {
  const startedMs = performance.now();
  await run();
  phases.push(`${name} ${secondsText(performance.now() - startedMs)}`);
}

async function check(): Promise<void> {
  for (const step of await runChecks()) {
    say(`${step.isGood ? 'ok   ' : 'FAIL '} check: ${step.name} (${secondsText(step.ms)})`);
    if (step.isGood) counts.passed++;
    else countFailure({ where: `check: ${step.name}`, reason: step.output });
  }
}

async function runPhase(
  groups: readonly TestGroup[],
  envOf: (group: TestGroup) => Readonly<Record<string, string>>,
  atOnce: number,
): Promise<void> {
  await runGroups(groups, { atOnce, envOf, onResult: report });
}

function report(result: GroupResult): void {
  for (const line of fileLines(result)) say(line);
  for (const failure of failuresOf(result)) say(inShort(failure));
  if (isEverything && hasFailed(result)) failedOnce.push(result);
  else count(result);
}

async function runFailedAgain(
  envOf: (group: TestGroup) => Readonly<Record<string, string>>,
): Promise<void> {
  const settled = await settleFailed(failedOnce, async (group) => {
    const result = await runGroup(group, envOf(group));
    for (const line of fileLines(result)) say(`once more: ${line}`);
    return result;
  });
  for (const result of settled.results) count(result);
  unsteady.push(...settled.unsteady);
}

function count(result: GroupResult): void {
  for (const { file, name, outcome, reason } of result.outcomes) {
    if (outcome === 'passed') counts.passed++;
    else if (outcome === 'skipped') {
      counts.skipped++;
      const why = reason === '' || reason === 'true' ? 'no reason given' : reason;
      skips.add(`${file.slice(ROOT.length)}: ${name} (${why})`);
    }
  }
  for (const failure of failuresOf(result)) countFailure(failure);
  if (!hasFailed(result) || result.output.trim() === '') return;
  const lines = result.output.trimEnd().split('\n').slice(-OUTPUT_LINES_MAX);
  printed.push(`Last lines printed by ${result.group.name}:\n${lines.join('\n')}`);
}

function countFailure(failure: Failure): void {
  counts.failed++;
  failures.push(failure);
}

function summarise(): void {
  if (skips.size > 0) say(`\nSkipped:\n${[...skips].map((skip) => `  ${skip}`).join('\n')}`);
  if (printed.length > 0) say(`\n${printed.join('\n\n')}`);
  if (failures.length > 0) {
    const texts = failures.map(({ where, reason }) => `${where}\n${reason}`);
    say(`\nFailed:\n\n${texts.join('\n\n')}`);
  }
  say(`\nTime: ${phases.join(', ')}`);
  if (unsteady.length > 0) {
    say(`\nUnsteady: failed among others, passed alone. Mend these:\n${allInShort(unsteady)}`);
  }
  if (failures.length > 0) say(`\n${allInShort(failures)}\n`);
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
  const shaky = unsteady.length > 0 ? `, ${unsteady.length} unsteady` : '';
  say(`${counts.passed} passed, ${counts.failed} failed${skipped}${shaky}`);
  process.exitCode = counts.failed > 0 ? 1 : 0;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
