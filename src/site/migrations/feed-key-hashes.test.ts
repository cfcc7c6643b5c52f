import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql as raw } from 'kysely';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { SimClock } from '#sim/clock.ts';
import { findFeedHolder } from '#site/feeds/feed-keys.ts';
import { migrate } from '#sql/migrate.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { siteMigrations } from './all.ts';

const ALL = [sqlMigrations, accountingMigrations, archiveMigrations, siteMigrations].flat();
type Tables = Record<string, never>;
const MEMBERS = 501;

function keyOf(memberId: number): string {
  return `key-of-member-${String(memberId).padStart(18, '0')}`;
}

forEachDatabase((name, open) => {
  test(`feed keys of an older version open feeds after the upgrade (${name})`, async () => {
    const sql = await open();
    const clock = new SimClock();
    const before = ALL.filter(({ number }) => number < 830);
    await migrate(sql, before, { clock });
    await sql.transaction<Tables, void>(async (transaction) => {
      for (let id = 1; id <= MEMBERS; id += 1) {
        await raw`insert into member (id, name, name_key, role, state, reason, created_ms)
          values (${id}, ${`m${id}`}, ${`m${id}`}, 'member', 'active', '', 1)`.execute(transaction);
        await raw`insert into feed_key (member_id, key, created_ms) values (${id}, ${keyOf(id)}, 1)`.execute(
          transaction,
        );
      }
    });
    await migrate(sql, ALL, { clock });
    for (const id of [1, MEMBERS]) {
      assert.equal((await findFeedHolder(sql, keyOf(id)))?.memberId, id);
    }
    assert.equal(await findFeedHolder(sql, keyOf(MEMBERS + 1)), undefined);
    await sql.close();
  });
});
