// Kinds of settings that several rooms have, as zod schemas. A room adds the default and describes the
// consequence: `segmentBytesMax: bytes({ min: 65_536 }).default(64 * MIB).describe('…')`. Memory holds
// bytes and milliseconds; a person may write "64 MiB" and "5 min".

import { z } from 'zod';

interface Range {
  /** 0 unless given. */
  readonly min?: number;
  /** 2^53-1 unless given. */
  readonly max?: number;
}

const BYTE_UNITS: Units = {
  b: 1,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
};

const TIME_UNITS: Units = { ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000 };

/** A hundred years: added to a moment it is still one that every part can keep. */
const MS_MAX = 36_525 * 86_400_000;

type Units = Readonly<Record<string, number>>;

/** A size: whole bytes, or text such as "64 MiB" (1024²) and "64 MB" (1000²). */
export function bytes(range: Range = {}) {
  return withUnits(BYTE_UNITS, range);
}

/** A time: whole milliseconds, or text such as "200 ms", "30 s", "5 min", "2 h", "21 d". */
export function ms(range: Range = {}) {
  return withUnits(TIME_UNITS, { max: MS_MAX, ...range });
}

/** A number of things. */
export function count(range: Range = {}) {
  return z
    .int()
    .min(range.min ?? 0)
    .max(range.max ?? Number.MAX_SAFE_INTEGER);
}

/**
 * Where something is reached from outside: a URL of one of these schemes, without a query, a fragment
 * or a name and password; empty where it need not be said.
 */
export function publicUrl(schemes: readonly string[]) {
  return z
    .string()
    .max(300)
    .refine(
      (text) => text === '' || isBaseUrl(text, schemes),
      `expected an address such as "${schemes[0]}://swarm.example.org", or nothing`,
    );
}

function isBaseUrl(text: string, schemes: readonly string[]): boolean {
  if (!URL.canParse(text) || /[?#\s]/.test(text)) return false;
  const url = new URL(text);
  const isBare = url.username === '' && url.password === '';
  return schemes.includes(url.protocol.slice(0, -1)) && url.host !== '' && isBare;
}

function withUnits(units: Units, range: Range) {
  return z.preprocess((value) => measure(value, units), count(range));
}

/** What is no number with a known unit passes as it is, and the number's schema refuses it. */
function measure(value: unknown, units: Units): unknown {
  if (typeof value !== 'string') return value;
  const [, digits = '', unit = ''] = /^([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*)$/.exec(value) ?? [];
  if (digits === '') return value;
  const factor = unit === '' ? 1 : units[unit.toLowerCase()];
  return factor === undefined ? value : Number(digits) * factor;
}
