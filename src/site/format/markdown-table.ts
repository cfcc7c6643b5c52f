// Tables of Markdown: lines that begin with `|`, the second of them a rule.

export const TABLE_COLUMNS_MAX = 20;

const LINE = /^ {0,3}\|.*\|[ \t]*$/;
const RULE = /^ {0,3}\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*$/;

export function isTableAt(lines: readonly string[], at: number): boolean {
  return LINE.test(lines[at] ?? '') && RULE.test(lines[at + 1] ?? '');
}

/** Between the bars; `\|` is a bar of the text. */
export function cellsOf(line: string): readonly string[] {
  const inside = line.trim().replace(/^\|/, '').replace(/\|$/, '');
  return inside.split(/(?<!\\)\|/).map((cell) => cell.replaceAll('\\|', '|').trim());
}
