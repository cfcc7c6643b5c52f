// Settings from three places, later ones winning: the schema's defaults, swarmkeep.toml, and
// `--set section.key=value` on the command line. An unknown key is refused with the nearest known
// one, because a setting that is silently ignored is found out at 3 a.m.

import { readFileSync } from 'node:fs';
import { parse, TomlError } from 'smol-toml';
import { codeOf } from '#base/errors.ts';
import { ConfigError } from './errors.ts';
import { RENAMED_SETTINGS, type RenamedSettings } from './renamed-settings.ts';
import { type Config, SECTIONS, type SectionName } from './schema.ts';

type Table = Record<string, unknown>;

const FILE_CHARACTERS_MAX = 1_048_576;

export interface ConfigSources {
  /** The file's path; `required` when the person named it, so that a missing one is an error. */
  readonly file?: { readonly path: string; readonly required: boolean };
  /** `section.key=value`, or `section.key.inner=value` for a table. */
  readonly overrides: readonly string[];
  /** Told of what is read although it should be written otherwise: a sentence. */
  readonly warn?: (warning: string) => void;
  /** For tests; those of renamed-settings.ts unless given. */
  readonly renamed?: RenamedSettings;
}

/** @throws ConfigError of every kind in errors.ts */
export function loadConfig(sources: ConfigSources): Config {
  const tables = sources.file === undefined ? {} : readTables(sources.file);
  const where = sources.file === undefined ? '' : ` in "${sources.file.path}"`;
  const { renamed = RENAMED_SETTINGS, warn = () => undefined } = sources;
  renameIn(tables, renamed, (from, to) =>
    warn(
      `The setting "${from}"${where} is called "${to}" now; write it so before the next version`,
    ),
  );
  for (const override of sources.overrides) {
    const from = override.slice(0, Math.max(0, override.indexOf('='))).trim();
    const to = Object.hasOwn(renamed, from) ? renamed[from] : undefined;
    if (to === undefined) {
      applyOverride(tables, override);
      continue;
    }
    warn(`The setting "${from}" of --set is called "${to}" now`);
    applyOverride(tables, `${to}${override.slice(override.indexOf('='))}`);
  }
  for (const section of Object.keys(tables)) {
    if (!isSection(section)) throw unknownError(section, Object.keys(SECTIONS), where);
  }
  const entries = Object.entries(SECTIONS).map(([name, schema]) => {
    const values = tables[name] ?? {};
    const result = schema.safeParse(values);
    if (result.success) return [name, result.data];
    throw issueError({ section: name as SectionName, values, where }, result.error.issues);
  });
  return Object.fromEntries(entries) as Config;
}

/** Moves what stands under an old name; where the new one stands as well, that one counts. */
function renameIn(
  tables: Table,
  renamed: RenamedSettings,
  tell: (from: string, to: string) => void,
): void {
  for (const [from, to] of Object.entries(renamed)) {
    const [oldSection = '', oldKey = ''] = from.split('.');
    const old = Object.hasOwn(tables, oldSection) ? tables[oldSection] : undefined;
    if (!isTable(old) || !Object.hasOwn(old, oldKey)) continue;
    const [section = '', key = ''] = to.split('.');
    const into = isTable(tables[section]) ? tables[section] : {};
    if (!Object.hasOwn(into, key)) put(into, [key], old[oldKey]);
    tables[section] = into;
    delete old[oldKey];
    tell(from, to);
  }
}

function readTables(file: { readonly path: string; readonly required: boolean }): Table {
  let text: string;
  try {
    text = readFileSync(file.path, 'utf8');
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT' && !file.required) return {};
    throw new ConfigError('CONFIG_UNREADABLE', `Cannot read "${file.path}"`, { cause });
  }
  if (text.length > FILE_CHARACTERS_MAX) {
    throw new ConfigError(
      'CONFIG_UNREADABLE',
      `Cannot read "${file.path}": ${text.length} characters, at most ${FILE_CHARACTERS_MAX}`,
    );
  }
  try {
    return parse(text);
  } catch (cause) {
    const place = cause instanceof TomlError ? `${cause.line}:${cause.column}` : '1:1';
    const reason = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
    throw new ConfigError('CONFIG_SYNTAX', `Cannot parse ${file.path}:${place}: ${reason}`);
  }
}

function applyOverride(tables: Table, override: string): void {
  const equals = override.indexOf('=');
  const path = (equals < 0 ? override : override.slice(0, equals)).trim().split('.');
  const [section = '', ...keys] = path;
  if (equals < 0 || keys.length === 0) {
    throw new ConfigError(
      'CONFIG_INVALID',
      `Cannot use --set "${override}": expected section.key=value`,
    );
  }
  if (!isSection(section)) throw unknownError(section, Object.keys(SECTIONS), ' of --set');
  const text = override.slice(equals + 1);
  // The schema decides what the words mean: the first reading that it accepts is taken.
  for (const value of readings(text)) {
    if (!SECTIONS[section].safeParse(tableOf(keys, value)).success) continue;
    const table = isTable(tables[section]) ? tables[section] : {};
    tables[section] = table;
    put(table, keys, value);
    return;
  }
  throw readingError(section, keys, text);
}

/** Of the reading that comes closest: one of the right type, out of bounds, before all others. */
function readingError(section: SectionName, keys: readonly string[], text: string): ConfigError {
  let closest: { readonly values: Table; readonly issues: readonly Issue[] } | undefined;
  for (const value of [text, ...readings(text)]) {
    const values = tableOf(keys, value);
    const issues = SECTIONS[section].safeParse(values).error?.issues ?? [];
    const isOfType = issues[0]?.code !== 'invalid_type';
    closest ??= { values, issues };
    if (!isOfType) continue;
    closest = { values, issues };
    break;
  }
  return issueError(
    { section, values: closest?.values ?? {}, where: ' of --set' },
    closest?.issues ?? [],
  );
}

/** `8080` may be a number or a text, `a,b` a list or a text; TOML's own notation works too. */
function* readings(text: string): Generator<unknown> {
  yield* tomlReading(text);
  yield text;
  const parts = text === '' ? [] : text.split(',').map((part) => part.trim());
  yield parts;
  yield parts.map(Number);
}

function* tomlReading(text: string): Generator<unknown> {
  // One value is one line; what follows a line break could be a key of its own.
  if (/[\r\n]/.test(text)) return;
  try {
    yield parse(`value = ${text}`)['value'];
  } catch {
    // No TOML: the other readings remain.
  }
}

function tableOf(keys: readonly string[], value: unknown): Table {
  const table: Table = {};
  put(table, keys, value);
  return table;
}

/** Own properties only: `__proto__` is a key like any other, and no schema knows it. */
function put(into: Table, keys: readonly string[], value: unknown): void {
  let table = into;
  for (const [at, key] of keys.entries()) {
    const known = Object.hasOwn(table, key) ? table[key] : undefined;
    const next = at === keys.length - 1 ? value : isTable(known) ? known : {};
    Object.defineProperty(table, key, {
      value: next,
      configurable: true,
      enumerable: true,
      writable: true,
    });
    if (isTable(next)) table = next;
  }
}

function isTable(value: unknown): value is Table {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

interface Issue {
  readonly code?: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}

function issueError(
  given: { readonly section: SectionName; readonly values: unknown; readonly where: string },
  issues: readonly Issue[],
): ConfigError {
  const { section, where } = given;
  const issue = issues[0];
  const path = [section, ...(issue?.path ?? []).map(String)].join('.');
  if (issue?.code === 'unrecognized_keys') {
    const known = Object.keys(SECTIONS[section].shape).map((key) => `${section}.${key}`);
    return unknownError(`${path}.${issue.keys?.[0] ?? ''}`, known, where);
  }
  const value = JSON.stringify(valueAt(given.values, issue?.path ?? []));
  return new ConfigError(
    'CONFIG_INVALID',
    `Cannot use ${path} = ${value?.slice(0, 80)}${where}: ${issue?.message ?? 'invalid'}`,
  );
}

function valueAt(values: unknown, path: readonly PropertyKey[]): unknown {
  let value = values;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

function unknownError(unknown: string, known: readonly string[], where: string): ConfigError {
  const ranked = known.map((name) => ({ name, steps: editSteps(unknown.slice(0, 80), name) }));
  ranked.sort((a, b) => a.steps - b.steps);
  return new ConfigError(
    'CONFIG_UNKNOWN_KEY',
    `There is no setting "${unknown}"${where}; the nearest is "${ranked[0]?.name ?? ''}"`,
  );
}

function isSection(name: string): name is SectionName {
  return Object.hasOwn(SECTIONS, name);
}

/** Levenshtein's distance: how many letters to add, take away or change. */
function editSteps(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let at = 1; at <= from.length; at++) {
    const next = [at];
    for (let other = 1; other <= to.length; other++) {
      const change = (row[other - 1] ?? 0) + (from[at - 1] === to[other - 1] ? 0 : 1);
      next.push(Math.min(change, (row[other] ?? 0) + 1, (next[other - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

/** The process' environment, for what is not a setting of the server. */
export function environment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}
