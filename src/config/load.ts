// Settings from three places, later ones winning: the schema's defaults, swarmkeep.toml, and
// `--set section.key=value` on the command line. An unknown key is refused with the nearest known
// one, because a setting that is silently ignored is found out at 3 a.m.

import { readFileSync } from 'node:fs';
import { parse, TomlError } from 'smol-toml';
import { codeOf } from '#base/errors.ts';
import { ConfigError } from './errors.ts';
import { type Config, SECTIONS, type SectionName } from './schema.ts';

type Table = Record<string, unknown>;

export interface ConfigSources {
  /** The file's path; `required` when the person named it, so that a missing one is an error. */
  readonly file?: { readonly path: string; readonly required: boolean };
  /** `section.key=value`, or `section.key.inner=value` for a table. */
  readonly overrides: readonly string[];
}

/** @throws ConfigError of every kind in errors.ts */
export function loadConfig(sources: ConfigSources): Config {
  const tables = sources.file === undefined ? {} : readTables(sources.file);
  for (const override of sources.overrides) applyOverride(tables, override);
  for (const section of Object.keys(tables)) {
    if (!isSection(section)) {
      throw new ConfigError('CONFIG_UNKNOWN_KEY', unknownWords(section, Object.keys(SECTIONS)));
    }
  }
  const entries = Object.entries(SECTIONS).map(([name, schema]) => {
    const result = schema.safeParse(tables[name] ?? {});
    if (result.success) return [name, result.data];
    throw issueError(name as SectionName, result.error.issues);
  });
  return Object.fromEntries(entries) as Config;
}

function readTables(file: { readonly path: string; readonly required: boolean }): Table {
  let text: string;
  try {
    text = readFileSync(file.path, 'utf8');
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT' && !file.required) return {};
    throw new ConfigError('CONFIG_UNREADABLE', `Cannot read "${file.path}"`, { cause });
  }
  try {
    return parse(text) as Table;
  } catch (cause) {
    const place = cause instanceof TomlError ? `${cause.line}:${cause.column}` : '1:1';
    const reason = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
    throw new ConfigError('CONFIG_SYNTAX', `Cannot parse ${file.path}:${place}: ${reason}`);
  }
}

function applyOverride(tables: Table, override: string): void {
  const equals = override.indexOf('=');
  const path = (equals < 0 ? override : override.slice(0, equals)).trim().split('.');
  if (equals < 0 || path.length < 2) {
    throw new ConfigError(
      'CONFIG_INVALID',
      `Cannot use --set "${override}": expected section.key=value`,
    );
  }
  const [section = '', ...keys] = path;
  if (!isSection(section)) {
    throw new ConfigError('CONFIG_UNKNOWN_KEY', unknownWords(section, Object.keys(SECTIONS)));
  }
  const text = override.slice(equals + 1);
  // The schema decides what the words mean: the first reading that it accepts is taken.
  for (const value of readings(text)) {
    const trial = structuredClone(tables);
    put(trial, [section, ...keys], value);
    if (SECTIONS[section].safeParse(trial[section]).success) {
      put(tables, [section, ...keys], value);
      return;
    }
  }
  put(tables, [section, ...keys], text);
}

/** `8080` may be a number or a text, `a,b` a list or a text. The text is the last resort. */
function* readings(text: string): Generator<unknown> {
  if (text === 'true' || text === 'false') yield text === 'true';
  if (text.trim() !== '' && Number.isFinite(Number(text))) yield Number(text);
  yield text;
  yield text === '' ? [] : text.split(',').map((part) => part.trim());
}

function put(tables: Table, path: readonly string[], value: unknown): void {
  let table = tables;
  for (const key of path.slice(0, -1)) {
    const inner = table[key];
    const next: Table = typeof inner === 'object' && inner !== null ? (inner as Table) : {};
    table[key] = next;
    table = next;
  }
  table[path.at(-1) ?? ''] = value;
}

interface Issue {
  readonly code?: string;
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly keys?: readonly string[];
}

function issueError(section: SectionName, issues: readonly Issue[]): ConfigError {
  const issue = issues[0];
  const path = [section, ...(issue?.path ?? []).map(String)].join('.');
  if (issue?.code === 'unrecognized_keys') {
    const known = Object.keys(SECTIONS[section].shape).map((key) => `${section}.${key}`);
    const unknown = `${path}.${issue.keys?.[0] ?? ''}`;
    return new ConfigError('CONFIG_UNKNOWN_KEY', unknownWords(unknown, known));
  }
  return new ConfigError('CONFIG_INVALID', `Cannot use ${path}: ${issue?.message ?? 'invalid'}`);
}

function unknownWords(unknown: string, known: readonly string[]): string {
  const ranked = known.map((name) => ({ name, steps: editSteps(unknown, name) }));
  ranked.sort((a, b) => a.steps - b.steps);
  return `There is no setting "${unknown}"; the nearest is "${ranked[0]?.name ?? ''}"`;
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
