// How much of src/ the tests ran: lines and branches, summed over every process that V8 wrote a
// report for (NODE_V8_COVERAGE), child processes and threads included. Node runs the sources with
// their types blanked out in place, so a character's place in a report is its place in the file.
//
// A line is covered when some process ran any character of it that is code. A branch is a block that
// V8 counts apart (an arm of an if, a default, the right side of ??); it is covered when some process
// ran its first character.

import { globSync, readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { pathToFileURL } from 'node:url';
import { ROOT } from './child-process.ts';

interface Report {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly {
      readonly isBlockCoverage: boolean;
      readonly ranges: readonly {
        readonly startOffset: number;
        readonly endOffset: number;
        readonly count: number;
      }[];
    }[];
  }[];
}

export interface Tally {
  lines: number;
  linesCovered: number;
  branches: number;
  branchesCovered: number;
}

interface Source {
  readonly code: string;
  /** 1 where some process ran the character. */
  readonly ran: Uint8Array;
  /** Start offsets of blocks that V8 counted apart. */
  readonly branches: Set<number>;
}

/** By folder of src/, sorted, and `all` as the last. */
export function readCoverage(reportFolder: string): Map<string, Tally> {
  const sources = new Map<string, Source>();
  const paths = globSync('src/**/*.ts', { cwd: ROOT }).filter((path) => isCounted(path));
  for (const path of paths.sort()) {
    const code = codeOnly(readFileSync(`${ROOT}${path}`, 'utf8'));
    const source = { code, ran: new Uint8Array(code.length), branches: new Set<number>() };
    sources.set(pathToFileURL(`${ROOT}${path}`).href, source);
  }
  for (const name of readdirSync(reportFolder)) {
    for (const script of readReport(`${reportFolder}/${name}`).result) {
      const source = sources.get(script.url);
      if (source !== undefined) addScript(source, script.functions);
    }
  }
  return tallies(sources);
}

export function coverageTable(coverage: ReadonlyMap<string, Tally>): string {
  const rows = [...coverage].map(([folder, tally]) => {
    const lines = percent(tally.linesCovered, tally.lines);
    return `  ${folder.padEnd(12)} ${lines} ${percent(tally.branchesCovered, tally.branches)}`;
  });
  return [`  ${'folder'.padEnd(12)}   lines branches`, ...rows].join('\n');
}

function percent(part: number, whole: number): string {
  return (whole === 0 ? '-' : `${((part * 100) / whole).toFixed(1)} %`).padStart(8);
}

function isCounted(path: string): boolean {
  return !/\.(?:test|conformance)\.ts$/.test(path) && !path.includes('/client/');
}

/** Types, comments and white space carry no lines; every other character stays in its place. */
function codeOnly(text: string): string {
  const javascript = stripTypeScriptTypes(text);
  return javascript.replace(/^\s*\/\/.*$|^\s*\/?\*.*$/gm, (comment) => ' '.repeat(comment.length));
}

/** A process that was killed while writing leaves half a report; it says nothing then. */
function readReport(path: string): Report {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Report;
  } catch {
    return { result: [] };
  }
}

function addScript(source: Source, functions: Report['result'][number]['functions']): void {
  const ran = new Uint8Array(source.ran.length);
  // Outer ranges come before inner ones, so the innermost count of a character is written last.
  const ranges = functions.flatMap((one) =>
    one.ranges.map((range, at) => ({ ...range, isBranch: one.isBlockCoverage && at > 0 })),
  );
  ranges.sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset);
  for (const range of ranges) {
    ran.fill(range.count > 0 ? 1 : 0, range.startOffset, range.endOffset);
    if (range.isBranch) source.branches.add(range.startOffset);
  }
  for (let at = 0; at < ran.length; at++) if (ran[at] === 1) source.ran[at] = 1;
}

function tallies(sources: ReadonlyMap<string, Source>): Map<string, Tally> {
  const byFolder = new Map<string, Tally>();
  const all = newTally();
  for (const [url, source] of sources) {
    const folder = /\/src\/([^/]+)\//.exec(url)?.[1] ?? '';
    const tally = byFolder.get(folder) ?? newTally();
    byFolder.set(folder, tally);
    for (const target of [tally, all]) addSource(target, source);
  }
  return byFolder.set('all', all);
}

function newTally(): Tally {
  return { lines: 0, linesCovered: 0, branches: 0, branchesCovered: 0 };
}

function addSource(tally: Tally, source: Source): void {
  for (const branch of source.branches) {
    tally.branches++;
    if (source.ran[branch] === 1) tally.branchesCovered++;
  }
  let at = 0;
  for (const line of source.code.split('\n')) {
    // A lone bracket is on no path of its own.
    if (/[A-Za-z0-9_]/.test(line)) {
      tally.lines++;
      const first = at + line.search(/[A-Za-z0-9_]/);
      if (source.ran.subarray(first, at + line.length).includes(1)) tally.linesCovered++;
    }
    at += line.length + 1;
  }
}
