// The member classes in force: those of the configuration, or what the operator wrote on the site, kept
// in SQL and in force from the next check on.

import type { Kysely } from 'kysely';
import { parseClasses } from '#accounting/classes/class-list.ts';
import type { ClassRules } from '#accounting/classes/member-classes.ts';
import { assert } from '#base/assert.ts';
import type { AccountTables } from '#site/accounts/account-tables.ts';
import { storedSetting } from '#site/accounts/settings.ts';
import type { Refusal } from '#site/refusal.ts';
import { refuseUnseen, type Shown, versionOf } from '#site/shown.ts';
import { lockForTransaction } from '#sql/dialect.ts';
import type { Sql } from '#sql/sql.ts';

const SETTING = 'classes';

export interface ClassBookWorld {
  readonly sql: Sql;
  /** Of the configuration. */
  readonly classes: ConfiguredClasses;
}

export interface ConfiguredClasses {
  readonly lines: readonly string[];
  readonly graceMs: number;
}

export interface ClassesInForce extends ClassRules {
  /** As they were written. */
  readonly lines: readonly string[];
  /** False when they are the configuration's. */
  readonly isFromSite: boolean;
  readonly version: string;
}

/** Read for each page and each check: rare enough to need no memory. */
export async function classesInForce({ sql, classes }: ClassBookWorld): Promise<ClassesInForce> {
  const value = await storedValue(sql.read<AccountTables>());
  const stored = value === '' ? undefined : storedLines(value);
  const lines = stored ?? classes.lines;
  const parsed = parseClasses(lines);
  assert(typeof parsed !== 'string', 'classes in force were checked');
  return {
    ...{ lines, classes: parsed, graceMs: classes.graceMs },
    ...{ isFromSite: stored !== undefined, version: versionOf([value]) },
  };
}

/**
 * Undefined leaves the configuration's in force again. The lines were parsed before. Not over classes that
 * the writer did not see.
 */
export async function changeClasses(
  sql: Sql,
  lines: readonly string[] | undefined,
  shown: Shown = [],
): Promise<Refusal | undefined> {
  return await sql.transaction<AccountTables, Refusal | undefined>(async (transaction) => {
    await lockForTransaction(transaction, 'settings');
    const unseen = refuseUnseen(shown, versionOf([await storedValue(transaction)]));
    if (unseen !== undefined) return unseen;
    await transaction.deleteFrom('setting').where('name', '=', SETTING).execute();
    if (lines === undefined) return undefined;
    const value = JSON.stringify(lines);
    await transaction.insertInto('setting').values({ name: SETTING, value }).execute();
    return undefined;
  });
}

/** Empty while the configuration's hold. */
async function storedValue(reading: Kysely<AccountTables>): Promise<string> {
  return (await storedSetting(reading, SETTING)) ?? '';
}

/** What another version wrote and this one cannot read is as if it were not there. */
function storedLines(json: string): readonly string[] | undefined {
  const value: unknown = JSON.parse(json);
  if (!Array.isArray(value) || !value.every((line) => typeof line === 'string')) return undefined;
  return typeof parseClasses(value) === 'string' ? undefined : value;
}
