// `npm test`: everything, from a fresh clone. Brings the programs the tests need, checks the code,
// runs the tests, and ends with one line: `N passed, N failed`, and how many were skipped.
//
//   npm test -- --only PATTERN    only test files whose path matches; no set-up, checks or coverage
//   npm test -- --no-coverage     without measuring coverage, which slows the tests a little
//   npm run soak                  the long runs (*.soak.test.ts) instead
//
// `x.test.ts` files of a folder share a process. A file that starts threads or servers is called
// `x.server.test.ts` and has a process of its own. `x.e2e.test.ts` files run one after the other, when
// nothing else runs, because they use real programs, ports and time; so do `x.allocation.test.ts` files,
// because what the engine makes of code that others have run is not what is measured. Of the end-to-end
// files the PATIENT run first, two at once.

import { globSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runChecks } from './check-steps.ts';
import { ROOT, secondsText } from './child-process.ts';
import { coverageTable, readCoverage } from './coverage.ts';
import { setUp } from './setup.ts';
import { fileLines, type GroupResult, runGroups, type TestGroup } from './test-runner.ts';

const GROUP_MS_MAX = 480_000;
const TEST_MS_MAX = 60_000;
const END_TO_END_MS_MAX = 480_000;
const SOAK_MS_MAX = 24 * 3_600_000;
const OUTPUT_LINES_MAX = 80;
/** They take minutes, much of which is waiting for programs, and nothing in them has to happen soon. */
const PATIENT = /\/(?:backup|real-kills|simulated-clients)\.e2e\.test\.ts$/;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    soak: { type: 'boolean', default: false },
    'no-coverage': { type: 'boolean', default: false },
  },
});

const phases: string[] = [];
const counts = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];
const skips = new Set<string>();

async function main(): Promise<void> {
  const files = findFiles();
  const isEverything = options.only === undefined && !options.soak;
  if (files.length === 0) countFailure(`No test file matches "${options.only ?? 'any name'}".`);
  if (isEverything) {
    await phase('set-up', () => setUp(say));
    await phase('check', check);
  }
  const isMeasured = isEverything && !options['no-coverage'];
  const reportFolder = isMeasured ? mkdtempSync(join(tmpdir(), 'swarmkeep-coverage-')) : undefined;
  const env = reportFolder === undefined ? {} : { NODE_V8_COVERAGE: reportFolder };
  const { together, alone } = groupFiles(files);
  await phase('tests', () => runPhase(together, env, Math.min(4, availableParallelism())));
  if (alone.length > 0) {
    await phase('end to end', async () => {
      const isPatient = (group: TestGroup): boolean => PATIENT.test(group.name);
      await runPhase(alone.filter(isPatient), env, Math.min(2, availableParallelism()));
      const others = alone.filter((group) => !isPatient(group));
      await runPhase(others, env, 1);
    });
  }
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

/** Small files first would leave one processor idle at the end, so the largest groups start first. */
function groupFiles(files: readonly string[]): { together: TestGroup[]; alone: TestGroup[] } {
  const isAlone = (file: string): boolean => /\.(?:allocation|e2e|soak)\.test\.ts$/.test(file);
  const shared = files.filter((file) => !isAlone(file));
  const byRoom = Map.groupBy(shared, (file) =>
    file.endsWith('.server.test.ts') ? file : folderOf(file),
  );
  const bytesOf = (group: TestGroup): number =>
    group.files.reduce((sum, file) => sum + statSync(`${ROOT}${file}`).size, 0);
  const together = [...byRoom].map(([name, own]) => ({
    name,
    files: own,
    msMax: GROUP_MS_MAX,
    testMsMax: TEST_MS_MAX,
  }));
  const msMax = options.soak ? SOAK_MS_MAX : END_TO_END_MS_MAX;
  const alone = files
    .filter(isAlone)
    .map((file) => ({ name: file, files: [file], msMax, testMsMax: msMax }));
  return { together: together.sort((a, b) => bytesOf(b) - bytesOf(a)), alone };
}

/** A room; of the log its folders too, which together take longer than one process may. */
function folderOf(file: string): string {
  const depth = file.startsWith('src/log/') ? 3 : file.startsWith('src/') ? 2 : 1;
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
    else countFailure(`check: ${step.name}\n${step.output}`);
  }
}

async function runPhase(
  groups: readonly TestGroup[],
  env: Readonly<Record<string, string>>,
  atOnce: number,
): Promise<void> {
  await runGroups(groups, { atOnce, env, onResult: report });
}

function report(result: GroupResult): void {
  for (const line of fileLines(result)) say(line);
  let hasFailed = false;
  for (const { file, name, outcome, reason } of result.outcomes) {
    const where = `${file.slice(ROOT.length)}: ${name}`;
    if (outcome === 'passed') counts.passed++;
    else if (outcome === 'skipped') {
      counts.skipped++;
      skips.add(`${where} (${reason === '' || reason === 'true' ? 'no reason given' : reason})`);
    } else {
      hasFailed = true;
      countFailure(`${where}\n${reason}`);
    }
  }
  if (!hasFailed || result.output.trim() === '') return;
  const lines = result.output.trimEnd().split('\n').slice(-OUTPUT_LINES_MAX);
  failures.push(`Last lines printed by ${result.group.name}:\n${lines.join('\n')}`);
}

function countFailure(text: string): void {
  counts.failed++;
  failures.push(text);
}

function summarise(): void {
  if (skips.size > 0) say(`\nSkipped:\n${[...skips].map((skip) => `  ${skip}`).join('\n')}`);
  if (failures.length > 0) say(`\nFailed:\n\n${failures.join('\n\n')}`);
  say(`\nTime: ${phases.join(', ')}`);
  const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
  say(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
  process.exitCode = counts.failed > 0 ? 1 : 0;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main();
