// Lines of the server's log as a support bundle has them. Of a line that is JSON, the words that were
// written in the source stay and so do figures; texts stay where their name says that they tell of the
// program, and all of them are redacted. Anything else a line says is cut: it may be somebody's.

import type { Item, Json } from '#cli/command.ts';
import type { Redactor } from './redactor.ts';

/** Fields that are written by the program about itself. */
const TOLD = new Set([
  ...['level', 'time', 'module', 'place', 'thread', 'requestId', 'msg', 'version'],
  ...['error', 'cause', 'code', 'reason', 'why', 'what', 'advice', 'remedy', 'kind', 'stack'],
  ...[
    'topic',
    'segment',
    'pack',
    'store',
    'sync',
    'job',
    'listener',
    'route',
    'result',
    'from',
    'to',
  ],
]);
/** Ids and counts of members are theirs. */
const PERSONAL = /member|user|viewer|holder/i;
const LINE_CHARS_MAX = 4096;

export function redactedLine(line: string, redactor: Redactor): Json {
  const cut = line.slice(0, LINE_CHARS_MAX);
  const start = cut.indexOf('{');
  const value = start < 0 ? undefined : parsed(cut.slice(start));
  if (value === undefined) return redactor.text(cut);
  return redactedFields(value, redactor);
}

function parsed(text: string): Item | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isTable = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isTable ? (value as Item) : undefined;
  } catch {
    return undefined;
  }
}

function redactedFields(fields: Item, redactor: Redactor): Item {
  const entries = Object.entries(fields).map(([key, value]): [string, Json] => {
    if (PERSONAL.test(key)) return [key, '[cut]'];
    if (typeof value === 'number' || typeof value === 'boolean') return [key, value];
    // Drawn by the server for the request alone; a person who asks tells it.
    if (key === 'requestId' && typeof value === 'string' && /^[0-9a-f]{16}$/.test(value)) {
      return [key, value];
    }
    return [key, TOLD.has(key) && typeof value === 'string' ? redactor.text(value) : '[cut]'];
  });
  return Object.fromEntries(entries);
}
