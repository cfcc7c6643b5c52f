// The numbers of the rules as fields of a form: what each is called, how it is written and read.
// Sizes and times are written with units, "10 GiB" and "14 d"; ratios as plain numbers.

import { type RulesConfig, rulesConfig } from '#accounting/rules-config.ts';
import { STRATEGY_NAMES, type StrategyName } from '#accounting/strategies/strategy.ts';
import type { Errors } from '#site/accounts/entry-views.ts';

export type RuleName = Exclude<keyof RulesConfig, 'strategy' | 'checkEveryMs'>;
type RuleKind = 'bytes' | 'ms' | 'seconds' | 'quotient' | 'count';

export interface RuleField {
  readonly name: RuleName;
  readonly label: string;
  readonly hint?: string;
  readonly kind: RuleKind;
}

export interface StrategyWords {
  readonly label: string;
  readonly hint: string;
  readonly fields: readonly RuleField[];
}

export const STRATEGY_WORDS: Readonly<Record<StrategyName, StrategyWords>> = {
  free: { label: 'Free', hint: 'Everything is recorded, nobody is judged.', fields: [] },
  'upload-download': {
    label: 'Ratio',
    hint: 'What was given, divided by what was taken, must reach a number.',
    fields: [
      { name: 'ratioRequired', label: 'Given for each byte taken', kind: 'quotient' },
      {
        name: 'ratioGraceBytes',
        label: 'Free to take',
        hint: 'Up to so much nothing is asked.',
        kind: 'bytes',
      },
    ],
  },
  'required-ratio': {
    label: 'Required ratio',
    hint: 'The more was taken, the more is asked; who goes on seeding what they took is asked less.',
    fields: [],
  },
  'seed-leech': {
    label: 'Torrents seeded',
    hint: 'For each torrent taken, a part of one must be seeded.',
    fields: [
      { name: 'seedLeechRequired', label: 'Seeded for each torrent taken', kind: 'quotient' },
      { name: 'seedLeechSecondsMin', label: 'Counts for ever after', kind: 'seconds' },
      { name: 'seedLeechGraceTorrents', label: 'Torrents free to take', kind: 'count' },
    ],
  },
  'seed-leech-time': {
    label: 'Time seeded',
    hint: 'For each hour of downloading, so many hours of seeding.',
    fields: [
      { name: 'seedLeechTimeRequired', label: 'Hours seeded for each hour', kind: 'quotient' },
      { name: 'seedLeechTimeWindowDays', label: 'Days looked at', kind: 'count' },
      { name: 'seedLeechTimeGraceSeconds', label: 'Downloading free of it', kind: 'seconds' },
    ],
  },
  'seed-time': {
    label: 'No hit and run',
    hint: 'Each torrent that was taken must be seeded for a time, or given back in bytes.',
    fields: [
      { name: 'seedTimeSecondsRequired', label: 'Seed each for', kind: 'seconds' },
      { name: 'seedTimeRatioRequired', label: 'Or give back, by its size', kind: 'quotient' },
      {
        name: 'seedTimeBufferShare',
        label: 'Part free to take',
        hint: '0.1 is a tenth of the torrent.',
        kind: 'quotient',
      },
      { name: 'seedTimeWarnAfterMs', label: 'Warn when away for', kind: 'ms' },
      { name: 'seedTimeHitAndRunAfterMs', label: 'A hit and run when away for', kind: 'ms' },
      { name: 'seedTimeHitAndRunsMax', label: 'Hit and runs allowed', kind: 'count' },
    ],
  },
};

export const WATCH_FIELDS: readonly RuleField[] = [
  {
    name: 'watchMs',
    label: 'A watch lasts',
    hint: 'Who falls short has so long to make good.',
    kind: 'ms',
  },
  {
    name: 'watchBytesMax',
    label: 'Free to take during it',
    hint: 'Taking more ends the watch early.',
    kind: 'bytes',
  },
];

export const RULE_FIELDS: readonly RuleField[] = [
  ...WATCH_FIELDS,
  ...STRATEGY_NAMES.flatMap((name) => STRATEGY_WORDS[name].fields),
];

/** What stands in the form: text as it was typed. */
export type RuleValues = Readonly<Record<string, string>>;

export function ruleValues(rules: RulesConfig): RuleValues {
  const values: Record<string, string> = { strategy: rules.strategy };
  for (const { name, kind } of RULE_FIELDS) values[name] = writeRule(kind, rules[name]);
  return values;
}

/** Reads what was typed; what has no field keeps its value in `rules`. */
export function readRules(
  rules: RulesConfig,
  values: RuleValues,
): { readonly rules: RulesConfig } | { readonly errors: Errors } {
  const errors: Record<string, string> = {};
  const read: Record<string, unknown> = { ...rules };
  const strategy = STRATEGY_NAMES.find((name) => name === values['strategy']);
  if (strategy === undefined) errors['strategy'] = 'Choose how members are judged.';
  else read['strategy'] = strategy;
  for (const { name, kind } of RULE_FIELDS) {
    const number = readRule(kind, values[name] ?? '');
    if (number === undefined) errors[name] = FORMS[kind];
    else read[name] = number;
  }
  if (Object.keys(errors).length > 0) return { errors };
  const parsed = rulesConfig.safeParse(read);
  if (parsed.success) return { rules: parsed.data };
  for (const issue of parsed.error.issues) {
    const field = RULE_FIELDS.find((one) => one.name === issue.path[0]);
    if (field !== undefined) errors[field.name] = boundWords(field.kind, issue);
  }
  return { errors };
}

const FORMS: Readonly<Record<RuleKind, string>> = {
  bytes: 'A size is needed, such as 10 GiB or 500 MiB.',
  ms: 'A time is needed, such as 14 d, 36 h or 30 min.',
  seconds: 'A time is needed, such as 7 d, 36 h or 30 min.',
  quotient: 'A number is needed, such as 0.6.',
  count: 'A whole number is needed.',
};

function boundWords(
  kind: RuleKind,
  issue: { readonly code: string; readonly maximum?: unknown; readonly minimum?: unknown },
): string {
  if (issue.code === 'too_big') return `At most ${writeRule(kind, Number(issue.maximum))}.`;
  if (issue.code === 'too_small') return `At least ${writeRule(kind, Number(issue.minimum))}.`;
  return FORMS[kind];
}

type Units = readonly (readonly [unit: string, size: number])[];

const TIMES: Units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
  ['ms', 1],
];

const SIZES: Units = [
  ['TiB', 2 ** 40],
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
  ['B', 1],
];

export function writeRule(kind: RuleKind, value: number): string {
  switch (kind) {
    case 'bytes':
      return writeUnits(value, SIZES);
    case 'ms':
      return writeUnits(value, TIMES);
    case 'seconds':
      return writeUnits(value * 1000, TIMES);
    default:
      return String(value);
  }
}

/** In the largest unit that leaves nothing over. */
function writeUnits(value: number, units: Units): string {
  if (value === 0) return '0';
  const [unit, size] = units.find(([, each]) => value % each === 0) ?? units.at(-1)!;
  return `${value / size} ${unit}`;
}

function readRule(kind: RuleKind, text: string): number | undefined {
  const clean = text.trim().replace(',', '.');
  switch (kind) {
    case 'bytes':
      return readUnits(clean, SIZES);
    case 'ms':
      return readUnits(clean, TIMES);
    case 'seconds': {
      const timeMs = readUnits(clean, TIMES);
      return timeMs === undefined ? undefined : Math.round(timeMs / 1000);
    }
    default:
      return /^\d{1,12}(\.\d{1,6})?$/.test(clean) ? Number(clean) : undefined;
  }
}

/** Only nothing needs no unit. */
function readUnits(text: string, units: Units): number | undefined {
  if (text === '0') return 0;
  const [, digits = '', unit = ''] = /^(\d{1,12}(?:\.\d{1,6})?) ?([A-Za-z]+)$/.exec(text) ?? [];
  const found = units.find(([name]) => name.toLowerCase() === unit.toLowerCase());
  return found === undefined ? undefined : Math.round(Number(digits) * found[1]);
}
