// The steps of `npm run check`: types, lint and format, unused code, house rules, generated pages,
// licences of dependencies. They run side by side; each says what is wrong, or nothing.

import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { ROOT, runProgram, runScript } from './child-process.ts';

export interface CheckResult {
  readonly name: string;
  readonly isGood: boolean;
  readonly output: string;
  readonly ms: number;
}

interface Verdict {
  readonly isGood: boolean;
  readonly output: string;
}

interface Step {
  readonly name: string;
  readonly run: () => Promise<Verdict>;
}

/** What may be used by a program under the MIT licence that is given away as a whole. */
const LICENCES = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'ISC',
  'MIT',
  'MIT-0',
]);
/** Packages whose lockfile entry names none, with what their own package.json says. */
const LICENCES_READ: Readonly<Record<string, string>> = { 'node_modules/limiter': 'MIT' };
/** Used while developing, and given to nobody. */
const LICENCES_DEVELOPMENT = new Set(['BSD', 'MPL-2.0', 'Unlicense']);

const STEPS: readonly Step[] = [
  {
    name: 'types',
    run: () => ran(runScript('typescript/bin/tsc', ['-p', '.', '--pretty', 'false'])),
  },
  {
    name: 'lint and format',
    run: () =>
      ran(runScript('@biomejs/biome/bin/biome', ['ci', '--colors=off', '--error-on-warnings'])),
  },
  { name: 'unused code', run: checkUnused },
  { name: 'house rules', run: () => ran(runTool('tidy-report.ts')) },
  { name: 'generated pages', run: () => ran(runTool('stale-report.ts')) },
  { name: 'licences', run: checkLicences },
];

export async function runChecks(): Promise<CheckResult[]> {
  return await Promise.all(
    STEPS.map(async ({ name, run }) => {
      const startedMs = performance.now();
      const verdict = await run();
      return { name, ...verdict, ms: performance.now() - startedMs };
    }),
  );
}

async function ran(program: ReturnType<typeof runProgram>): Promise<Verdict> {
  const { exitCode, output } = await program;
  return { isGood: exitCode === 0, output: output.trim() };
}

function runTool(name: string): ReturnType<typeof runProgram> {
  return runProgram('sh', ['bin/node', `tools/${name}`]);
}

/** Knip knows no condition of the import map and would follow it into dist/, where a build is. */
async function checkUnused(): Promise<Verdict> {
  const [dist, aside] = [`${ROOT}dist`, `${ROOT}.tmp/dist-while-checking`];
  const isBuilt = existsSync(dist);
  if (isBuilt) {
    mkdirSync(`${ROOT}.tmp`, { recursive: true });
    renameSync(dist, aside);
  }
  try {
    return await ran(runScript('knip/bin/knip.js', ['--no-progress']));
  } finally {
    if (isBuilt) renameSync(aside, dist);
  }
}

interface LockFile {
  readonly packages: Readonly<
    Record<string, { readonly license?: string; readonly dev?: boolean; readonly link?: boolean }>
  >;
}

async function checkLicences(): Promise<Verdict> {
  const lock = JSON.parse(readFileSync(`${ROOT}package-lock.json`, 'utf8')) as LockFile;
  const wrong = Object.entries(lock.packages)
    .filter(([path, { license = LICENCES_READ[path] ?? '', dev }]) => {
      return path !== '' && !isLicensed(license, dev === true);
    })
    .map(([path, { license }]) => `${path}: ${license ?? 'no licence'} is not on the list`);
  return { isGood: wrong.length === 0, output: wrong.join('\n') };
}

/** `MIT OR Apache-2.0`: one that is on the list is enough. */
function isLicensed(expression: string, isDevelopment: boolean): boolean {
  return expression
    .replace(/^\((.*)\)$/, '$1')
    .split(' OR ')
    .some((one) => LICENCES.has(one) || (isDevelopment && LICENCES_DEVELOPMENT.has(one)));
}
