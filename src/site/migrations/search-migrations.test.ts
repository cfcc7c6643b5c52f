import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql as raw } from 'kysely';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { SimClock } from '#sim/clock.ts';
import { commonTags } from '#site/catalogue/categories.ts';
import { listTorrents } from '#site/catalogue/torrent-list.ts';
import { migrate } from '#sql/migrate.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import type { Sql } from '#sql/sql.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { siteMigrations } from './all.ts';

const ALL = [sqlMigrations, accountingMigrations, archiveMigrations, siteMigrations].flat();
type Tables = Record<string, never>;

/** A database as it was before searching was changed, with three torrents, one of them removed. */
async function fillOld(sql: Sql): Promise<void> {
  await migrate(
    sql,
    ALL.filter(({ number }) => number < 701),
    { clock: new SimClock() },
  );
  await sql.transaction<Tables, void>(async (transaction) => {
    await raw`insert into tag (id, name) values (1, 'lidar'), (2, 'north')`.execute(transaction);
    for (const [id, title, removed] of [
      [5, 'Glacier survey', null],
      [6, 'Glacier flora', null],
      [70_000, 'Glacier removed', 1],
    ] as const) {
      await raw`insert into torrent (id, name, title, title_key, description, category_id, uploader_id,
          source, upload_notes, piece_length, size_bytes, file_count, seeders, leechers, completed,
          created_ms, changed_ms, removed_ms, removed_reason)
        values (${id}, 'ice.csv', ${title}, lower(${title}), 'Measurements', 1, 1, '', '', 16384,
          1000, 1, 0, 0, 0, 1, 1, ${removed}, '')`.execute(transaction);
      await raw`insert into torrent_tag (torrent_id, tag_id) values (${id}, 1)`.execute(
        transaction,
      );
    }
    await raw`insert into torrent_tag (torrent_id, tag_id) values (6, 2)`.execute(transaction);
  });
}

forEachDatabase((name, open) => {
  test(`torrents of an older version are found by words, tags and category after the upgrade (${name})`, async () => {
    const sql = await open();
    await fillOld(sql);
    const applied = await migrate(sql, ALL, { clock: new SimClock() });
    assert.ok(applied.includes('0701-search') && applied.includes('0750-postings'));
    const found = async (query: object): Promise<string[]> => {
      const list = await listTorrents(sql, { words: '', tags: [], rowsMax: 9, ...query });
      assert.equal(list.total, list.rows.length);
      return list.rows.map(({ title }) => title);
    };
    assert.deepEqual(await found({}), ['Glacier flora', 'Glacier survey']);
    assert.deepEqual(await found({ words: 'glacier' }), ['Glacier flora', 'Glacier survey']);
    assert.deepEqual(await found({ words: 'surv' }), ['Glacier survey']);
    assert.deepEqual(await found({ words: 'measuremnets ice' }), [
      'Glacier flora',
      'Glacier survey',
    ]);
    assert.deepEqual(await found({ tags: ['north', 'lidar'] }), ['Glacier flora']);
    assert.equal((await found({ category: 'datasets' })).length, 2);
    assert.deepEqual(await found({ words: 'removed' }), []);
    assert.deepEqual(await commonTags(sql, 5), [
      { name: 'lidar', torrents: 2 },
      { name: 'north', torrents: 1 },
    ]);
    await sql.close();
  });
});
