import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import type { SyncTables } from '#archive/syncs/sync-tables.ts';
import { TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';

const JOB = {
  ...{ summary: 's', isPaused: false, isRequested: false, nextRunMs: 0, failures: 0 },
  ...{ progress: undefined, lastRun: undefined },
};

forEachDatabase((name, open) => {
  test(`${name}: the corner of the staff's pages tells how the whole stands, nobody else's has it`, async () => {
    const site = await TestSite.open({ open });
    await site.addMember('olga', 'admin');
    await site.addMember('mina');
    const staff = await site.signedIn('olga');
    const member = await site.signedIn('mina');
    const corner = async (path: string): Promise<string> => {
      const { text } = await staff.get(path);
      return /<details class="menu status-corner">.*?<\/details>/s.exec(text)?.[0] ?? '';
    };
    for (const path of ['/torrents', '/console', '/members', '/nothing-here']) {
      assert.match(await corner(path), /All well.*Jobs.*Scrub.*nothing is kept yet.*Sync/s, path);
    }
    assert.doesNotMatch((await member.get('/torrents')).text, /status-corner/);
    assert.doesNotMatch((await site.browser().get('/sign-in')).text, /status-corner/);

    site.jobs.views.push({ ...JOB, name: 'a', failures: 2 }, { ...JOB, name: 'b' });
    await site.sql.transaction<ArchiveTables & SyncTables, void>(async (transaction) => {
      const { id } = await transaction
        .insertInto('archive_file')
        .values({
          root: new Uint8Array(32),
          ...{ size_bytes: 1, map_ref: 'x', stored_ms: 0, checked_ms: 0 },
        })
        .returning('id')
        .executeTakeFirstOrThrow();
      await transaction
        .insertInto('archive_damage')
        .values({ file_id: id, segment: 0, kind: 'missing', found_ms: 0 })
        .execute();
      await transaction
        .insertInto('archive_wanted')
        .values([
          { torrent_id: 1, wanted_ms: 0, problem: '' },
          { torrent_id: 2, wanted_ms: 0, problem: 'It cannot be taken.' },
        ])
        .execute();
      const failure = { sync: 'a', code: 'X', first_ms: 0, last_ms: 0, tries: 1, is_copied: 0 };
      await transaction
        .insertInto('store_sync_failure')
        .values([
          { ...failure, ref: 'r', is_acknowledged: 0 },
          { ...failure, ref: 's', is_acknowledged: 1 },
        ])
        .execute();
    });
    assert.match(await corner('/torrents'), /All well/, 'it is read every few seconds only');
    site.clock.advance(5000);
    const told = await corner('/torrents');
    assert.match(told, /4 problems/);
    assert.match(told, /1 job failed last/);
    assert.match(told, /1 part cannot be read/);
    assert.match(told, /2 torrents to be taken in, 1 cannot be/);
    assert.match(told, /1 blob could not be copied/);
    await site.close();
  });
});
