// House rules that no bought tool checks: who may import whom, which calls belong to one file only,
// how files are named and how long they are. tidy.test.ts plants each fault and sees it found.
//
// A rule says what to write instead. An exception is a line in `LONG_FILES` or in a rule's `mayUse`,
// with its reason; both lists only shrink.

import { globSync, readFileSync } from 'node:fs';
import { ROOT } from './child-process.ts';
import { blankComments } from './source-text.ts';

export interface Finding {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

/** Lowest rank first. A folder imports itself and folders of a strictly lower rank. */
const RANKS: readonly (readonly string[])[] = [
  ['base'],
  ['metrics'],
  ['wire', 'net'],
  ['log', 'sql', 'store'],
  ['swarm', 'accounting', 'archive'],
  ['tracker', 'site', 'jobs'],
  ['config'],
  ['cli'],
];

const LINES_MAX = 500;
// The formatter keeps code to 100; a comment that runs over by a word is not worth a diff.
const COMMENT_COLUMNS_MAX = 110;

/** Files longer than that, with the most they may have and why they are not split. */
const LONG_FILES: Readonly<Record<string, { readonly linesMax: number; readonly why: string }>> =
  {};

interface Ban {
  readonly pattern: RegExp;
  readonly instead: string;
  /** The files that own what is banned elsewhere. */
  readonly mayUse: RegExp;
}

/** Looked for in the code of src/ and sim/, comments left out. Tests stand outside of the world. */
const BANS: readonly Ban[] = [
  {
    pattern: /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bprocess\.hrtime\b/g,
    instead: 'the Clock you were given',
    mayUse: /^src\/(?:base\/clock|site\/client\/.*)\.ts$/,
  },
  {
    pattern: /(?<![.#\w])set(?:Timeout|Interval)\(|'node:timers/g,
    instead: 'clock.after()',
    mayUse: /^src\/(?:base\/clock|site\/client\/.*)\.ts$|^sim\/(?:http|udp|ws)-client\.ts$/,
  },
  {
    pattern: /\bMath\.random\(|\brandom(?:Bytes|UUID|Int|FillSync)\(|\bgetRandomValues\(/g,
    instead: 'the Random you were given',
    mayUse: /^src\/base\/random\.ts$/,
  },
  {
    pattern: /'node:fs(?:\/promises)?'/g,
    instead: 'the Disk you were given',
    // The log's writer in sim/ is a process of its own, that a test kills.
    mayUse:
      /^src\/(?:base\/disk\.ts$|config\/load\.ts$|cli\/)|^sim\/(?:log|store)-writer-process\.ts$/,
  },
  {
    pattern: /'node:(?:dgram|net|tls|https?|http2)'/g,
    instead: 'a socket of net/',
    // The clients in sim/ knock at real doors, in tests.
    mayUse: /^src\/(?:net|cli)\/|^sim\/(?:http|udp|ws)-client\.ts$/,
  },
  {
    pattern: /\bprocess\.env\b/g,
    instead: 'the config you were given',
    // A failed simulation is replayed by its seed, whatever the config says.
    mayUse: /^src\/config\/load\.ts$|^sim\/seed\.ts$/,
  },
  {
    pattern: /\bconsole\.\w+\(/g,
    instead: 'the Logger you were given',
    mayUse: /^src\/site\/client\//,
  },
];

/** Looked for in all code, tests and tools too. */
const BANS_EVERYWHERE: readonly Ban[] = [
  {
    pattern: /\bMath\.random\(/g,
    instead: 'a SeededRandom, with its seed printed',
    mayUse: /^src\/base\/random\.ts$|^src\/site\/client\/|^tools\/tidy\.test\.ts$/,
  },
  {
    pattern: /\bassert\([^\n]*`/g,
    instead: 'a constant message: a template is built even when the condition holds',
    mayUse: /\.(?:test|conformance)\.ts$|^tools\/|^bench\//,
  },
  {
    pattern: /\b(?:test|it|describe)\.(?:only|todo)\(/g,
    instead: 'a test that always runs',
    mayUse: /^tools\/tidy\.test\.ts$/,
  },
];

const IMPORT = /^(?:import|export)\b((?:[^'";=()]*?\bfrom)?)\s*'([^']+)'|\bimport\(\s*'([^']+)'/gm;
const DRAWER = /\/(?:utils?|helpers?|common|misc|types|index)\.ts$/;
// Written in two parts, so that this file does not find itself.
const LEFTOVER = new RegExp(
  `\\b(?:TO${'DO'}|FIX${'ME'}|X{3}|HA${'CK'})\\b|not ${'implemented'}`,
  'g',
);
const SUPPRESSION = /@ts-(?:ignore|nocheck|expect-error)\b/g;

/** Every source file of the project, relative to the root. */
export function sourceFiles(): string[] {
  return globSync('{src,sim,tools,bench}/**/*.ts', { cwd: ROOT })
    .filter((path) => !path.includes('/golden/'))
    .sort();
}

export function tidyTree(): Finding[] {
  const paths = sourceFiles();
  const findings = paths.flatMap((path) => tidyFile(path, readFileSync(`${ROOT}${path}`, 'utf8')));
  for (const path of Object.keys(LONG_FILES)) {
    if (!paths.includes(path)) {
      findings.push({ path, line: 1, message: 'is gone; take its line out of LONG_FILES' });
    }
  }
  return findings;
}

export function tidyFile(path: string, text: string): Finding[] {
  const findings: Finding[] = [];
  const code = blankComments(text);
  const say = (index: number, message: string): void => {
    findings.push({ path, line: text.slice(0, index).split('\n').length, message });
  };
  checkName(path, say);
  checkShape(path, text, say);
  checkImports(path, code, say);
  const isWorld = /^(?:src|sim)\//.test(path) && !isForTests(path);
  for (const ban of [...(isWorld ? BANS : []), ...BANS_EVERYWHERE]) {
    if (ban.mayUse.test(path)) continue;
    for (const match of code.matchAll(ban.pattern)) {
      say(match.index, `"${match[0]}": write ${ban.instead}`);
    }
  }
  for (const match of text.matchAll(LEFTOVER)) {
    say(match.index, `"${match[0]}": finish it, or open an issue`);
  }
  for (const match of text.matchAll(SUPPRESSION)) {
    say(match.index, `"${match[0]}": make the types true`);
  }
  return findings;
}

type Say = (index: number, message: string) => void;

/** Tests and what only tests load. */
function isForTests(path: string): boolean {
  return /\.(?:test|conformance)\.ts$|\/test-[a-z0-9-]+\.ts$/.test(path);
}

function checkName(path: string, say: Say): void {
  if (DRAWER.test(path)) say(0, 'is a drawer for everything: name it after its one noun');
}

function checkShape(path: string, text: string, say: Say): void {
  // A test is explained by the file it stands beside.
  const isTest = path.endsWith('.test.ts');
  if (!isTest && !/^(?:#!.*\n)?(?:\/\/ |\/\*\*)/.test(text)) {
    say(0, 'begins without a comment that says what the file is for');
  }
  const lines = text.trimEnd().split('\n');
  const long = LONG_FILES[path];
  const linesMax = long?.linesMax ?? LINES_MAX;
  if (lines.length > linesMax)
    say(0, `has ${lines.length} lines, at most ${linesMax}: split it by noun`);
  if (long !== undefined && lines.length <= LINES_MAX) {
    say(0, `has ${lines.length} lines: take its line out of LONG_FILES`);
  }
  let index = 0;
  for (const line of lines) {
    const isComment = /^\s*(?:\/\/|\*|\/\*\*)/.test(line) && !line.includes('://');
    if (isComment && line.length > COMMENT_COLUMNS_MAX) {
      say(index, `a comment of ${line.length} columns, at most ${COMMENT_COLUMNS_MAX}`);
    }
    index += line.length + 1;
  }
}

function checkImports(path: string, code: string, say: Say): void {
  const folder = folderOf(path);
  const rank = rankOf(folder);
  if (path.startsWith('src/') && rank < 0)
    say(0, `the folder "${folder}" has no rank in tools/tidy.ts`);
  for (const match of code.matchAll(IMPORT)) {
    const [statement, clause, fixed, dynamic] = match;
    const specifier = fixed ?? dynamic ?? '';
    if (specifier.startsWith('../')) say(match.index, `"${specifier}": write '#folder/file.ts'`);
    if (fixed !== undefined && (clause ?? '').trim() === '') {
      say(match.index, `"${specifier}": an import for its side effect hides what it does`);
    }
    if (statement.startsWith('export')) {
      say(match.index, `"${specifier}": export a thing where it is made`);
    }
    checkRank({ path, folder, rank }, specifier, (message) => say(match.index, message));
  }
}

function checkRank(
  from: { readonly path: string; readonly folder: string; readonly rank: number },
  specifier: string,
  say: (message: string) => void,
): void {
  const target = /^#([a-z]+)\//.exec(specifier)?.[1];
  if (target === undefined || target === from.folder) return;
  if (!from.path.startsWith('src/')) return;
  if (target === 'sim') {
    if (!isForTests(from.path)) say(`"${specifier}": only tests may import sim/`);
    return;
  }
  if (isForTests(from.path) || rankOf(target) < from.rank) return;
  say(
    `${from.folder}/ may not import ${target}/: declare an interface here and let cli/ plug it in`,
  );
}

function folderOf(path: string): string {
  const [top = '', room = ''] = path.split('/');
  return top === 'src' ? room : top;
}

function rankOf(folder: string): number {
  return RANKS.findIndex((rank) => rank.includes(folder));
}
