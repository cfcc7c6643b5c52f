// The first run: as long as nobody can run the community, the server prints a link. Whoever opens it
// names the site, says where it is reached, and makes the admin account. The link's token is random,
// stored as its SHA-256, works once, and each start of the server makes a new one.

import { utf8 } from '#base/bytes.ts';
import type { Random } from '#base/random.ts';
import { secretEqual } from '#base/secret-equal.ts';
import { Refusal } from '#site/refusal.ts';
import { hrefTo } from '#site/routes.ts';
import type { Sql } from '#sql/sql.ts';
import type { AccountTables } from './account-tables.ts';
import {
  type AccountsWorld,
  hasAdmin,
  insertMember,
  type Member,
  prepareMember,
  refuseTaken,
} from './members.ts';
import { isToken, newToken, tokenHash } from './sessions.ts';
import { readSettings, type SettingsChange, writeSettings } from './settings.ts';

/** The path to print after the site's address; undefined when there is an admin. */
export async function firstRunPath(world: {
  readonly sql: Sql;
  readonly random: Random;
}): Promise<string | undefined> {
  if (await hasAdmin(world.sql)) return undefined;
  const token = newToken(world.random);
  await world.sql.transaction<AccountTables, void>((transaction) =>
    writeSettings(transaction, { firstRunTokenHash: hexHash(token) }),
  );
  return hrefTo('firstRun', { token });
}

/** Whether this token opens the first run now. */
export async function isFirstRun(sql: Sql, token: string): Promise<boolean> {
  if (!isToken(token)) return false;
  const { firstRunTokenHash } = await readSettings(sql.read<AccountTables>());
  if (!secretEqual(utf8(hexHash(token)), utf8(firstRunTokenHash))) return false;
  return !(await hasAdmin(sql));
}

export interface FirstRun {
  readonly token: string;
  readonly name: string;
  readonly password: string;
  readonly settings: SettingsChange;
}

/** Makes the admin and saves the settings; the link is used up in the same transaction. */
export async function completeFirstRun(
  world: AccountsWorld,
  run: FirstRun,
): Promise<Member | Refusal> {
  const prepared = await prepareMember(world, {
    name: run.name,
    password: run.password,
    role: 'admin',
  });
  if (prepared instanceof Refusal) return prepared;
  const saved = await world.sql
    .transaction<AccountTables, Member | Refusal>(async (transaction) => {
      const used = await transaction
        .deleteFrom('setting')
        .where('name', '=', 'firstRunTokenHash')
        .where('value', '=', JSON.stringify(hexHash(run.token)))
        .executeTakeFirstOrThrow();
      if (used.numDeletedRows === 0n) {
        return new Refusal('first-run-over', 'This link was used already.');
      }
      await writeSettings(transaction, run.settings);
      return await insertMember(transaction, prepared);
    })
    .catch((error: unknown) => refuseTaken(error, run.name));
  if (!(saved instanceof Refusal)) world.changed();
  return saved;
}

function hexHash(token: string): string {
  return Buffer.from(tokenHash(token)).toString('hex');
}
