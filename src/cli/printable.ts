// Text of others on a terminal: a file may be named by anybody, and a control character in it could draw
// over what was said, forge a line of its own, or make the terminal do something. What cannot be seen is told
// by its number, as `\n` and `\x1b`.

import type { Item, Json } from './command.ts';

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the same but for ends of lines and tabulators
const UNSEEN_IN_LINES = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g;
const SHORT: ReadonlyMap<string, string> = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
]);
/** What is named by these is a name of somebody's choice, never of several lines. */
const NAME_FIELDS: ReadonlySet<string> = new Set([
  'name',
  'path',
  'file',
  'title',
  'member',
  'tag',
]);

/** A name on one line. */
export function printable(text: string): string {
  return text.replace(UNSEEN, numbered);
}

/** The same with its lines. */
export function printableLines(text: string): string {
  return text.replace(UNSEEN_IN_LINES, numbered);
}

/** The item as text may show it; names on one line, other texts with their lines. */
export function printableItem(item: Item): Item {
  return Object.fromEntries(
    Object.entries(item).map(([field, value]) => [field, printableValue(field, value)]),
  );
}

function printableValue(field: string, value: Json): Json {
  if (typeof value === 'string') {
    return NAME_FIELDS.has(field) ? printable(value) : printableLines(value);
  }
  if (Array.isArray(value)) return value.map((one) => printableValue(field, one));
  return typeof value === 'object' && value !== null ? printableItem(value as Item) : value;
}

function numbered(character: string): string {
  const code = character.charCodeAt(0);
  const hex = code.toString(16);
  const escaped = code < 256 ? `\\x${hex.padStart(2, '0')}` : `\\u${hex.padStart(4, '0')}`;
  return SHORT.get(character) ?? escaped;
}
