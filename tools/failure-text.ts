// Failures in few lines, for who sees only the end of a long output: where, what was said, which line of
// ours it came from.

import { ROOT } from './child-process.ts';

export interface Failure {
  /** `src/base/field.test.ts: reads what was written` */
  readonly where: string;
  /** As the test threw it, stack and all. */
  readonly reason: string;
}

/** All of it together fits the last forty lines of a run. */
const FAILURES_MAX = 5;
const WORDS_LINES_MAX = 4;
const LINE_CHARACTERS_MAX = 300;
/** Of a difference the lines that differ. */
const DIFFERENCE = '+ actual - expected';

/** The message's first lines, and the first line of the stack that stands in this repository. */
export function inShort({ where, reason }: Failure): string {
  const lines = reason.split('\n').filter((line) => line.trim() !== '');
  const stackAt = lines.findIndex((line) => /^\s+at /.test(line));
  const all = lines.slice(0, stackAt === -1 ? lines.length : stackAt);
  const isDifference = all.some((line) => line.startsWith(DIFFERENCE));
  const telling = (line: string, at: number): boolean =>
    at === 0 || !isDifference || (/^[+-]/.test(line) && !line.startsWith(DIFFERENCE));
  const words = all.filter(telling).slice(0, WORDS_LINES_MAX);
  const stack = stackAt === -1 ? [] : lines.slice(stackAt);
  const own = stack.find((line) => line.includes(ROOT) && !line.includes('node_modules'));
  const told =
    own === undefined
      ? words
      : [...words, own.trim().replace(`file://${ROOT}`, '').replace(/ \{$/, '')];
  return [`FAIL  ${where}`, ...told.map((line) => `      ${line}`)].map(cut).join('\n');
}

/** The first few, and how many there are beside them. */
export function allInShort(failures: readonly Failure[]): string {
  const shown = failures.slice(0, FAILURES_MAX).map(inShort);
  const more = failures.length - shown.length;
  if (more > 0) shown.push(`and ${more} more, told above`);
  return shown.join('\n');
}

function cut(line: string): string {
  const isLong = line.length > LINE_CHARACTERS_MAX;
  return isLong ? `${line.slice(0, LINE_CHARACTERS_MAX)}…` : line;
}
