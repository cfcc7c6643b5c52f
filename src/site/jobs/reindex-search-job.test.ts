import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { sql as raw } from 'kysely';
import type { JobContext } from '#base/job.ts';
import { silentLogger } from '#base/logger.ts';
import { reindexTorrents } from '#site/catalogue/reindex-torrents.ts';
import { TERMS_VERSION, termsOf } from '#site/catalogue/search-terms.ts';
import { makeTorrent, openCatalogue, type TestCatalogue } from '#site/catalogue/test-catalogue.ts';
import { listTorrents } from '#site/catalogue/torrent-list.ts';
import { addTorrent } from '#site/catalogue/torrents.ts';
import { Refusal } from '#site/refusal.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { reindexSearchJob } from './reindex-search-job.ts';

const TORRENTS = 201;
/** More than a page or a command ever reads at once. */
const MANY = 600;

function contextOf(world: TestCatalogue, signal = new AbortController().signal): JobContext {
  return {
    signal,
    clock: world.clock,
    logger: silentLogger,
    fence: 1,
    progress: () => undefined,
    checkpoint: { load: async () => undefined, save: async () => undefined },
    fenced: async () => undefined,
  };
}

/** As a version before left them: without the words that this one reads. */
async function forgetWords(world: TestCatalogue): Promise<void> {
  await world.sql.transaction<never, void>(async (transaction) => {
    await raw`delete from search_posting where term like 'w%' or term like 't%'`.execute(
      transaction,
    );
    await raw`update setting set value = '{"version":0}' where name = 'search-terms'`.execute(
      transaction,
    );
  });
}

/** As they stand in the table, without their words. */
async function insertTorrents(world: TestCatalogue, from: number, through: number): Promise<void> {
  await world.sql.transaction<never, void>(async (transaction) => {
    for (let at = from; at <= through; at++) {
      await raw`insert into torrent (id, name, title, title_key, description, category_id, uploader_id,
          source, upload_notes, piece_length, size_bytes, file_count, seeders, leechers, completed,
          created_ms, changed_ms, removed_reason)
        values (${at}, '', ${`Glacier ${at}`}, '', '', 1, 1, '', '', 1, 1, 1, 0, 0, 0, 1, 1, '')`.execute(
        transaction,
      );
    }
  });
}

forEachDatabase((name, open) => {
  test(`old torrents are found by new words after the job, also when it was killed halfway (${name})`, async () => {
    const world = await openCatalogue(open);
    const bytes = await makeTorrent();
    const added = await addTorrent(world, {
      ...{ bytes, uploaderId: 1, title: 'Glacier 1', category: 'books', tags: [] },
      description: '',
    });
    assert.ok(!(added instanceof Refusal) && added.kind === 'added');
    await insertTorrents(world, 2, TORRENTS);
    const found = async (): Promise<number> => {
      const query = { words: 'glacier', tags: [], rowsMax: 5 };
      return (await listTorrents(world.sql, query)).total;
    };
    await forgetWords(world);
    assert.equal(await found(), 0);
    const job = reindexSearchJob(world);
    const killed = new AbortController();
    const context = {
      ...contextOf(world, killed.signal),
      progress: () => killed.abort(new Error('killed')),
    };
    await assert.rejects(job.run(context), /killed/);
    assert.equal(await found(), 200);
    const { counts } = await job.run(contextOf(world));
    assert.deepEqual([await found(), counts], [TORRENTS, { torrents: 1 }]);
    assert.deepEqual((await job.run(contextOf(world))).counts, { torrents: 0 });
    await world.sql.close();
  });
});

forEachDatabase((name, open) => {
  test(`an upgrade makes the index of all tags of all torrents, however many (${name})`, async () => {
    const world = await openCatalogue(open);
    await insertTorrents(world, 1, MANY);
    await world.sql.transaction<never, void>(async (transaction) => {
      await raw`insert into tag (id, name, torrents) values (1, 'ice', ${MANY})`.execute(
        transaction,
      );
      await raw`insert into torrent_tag (torrent_id, tag_id) select id, 1 from torrent`.execute(
        transaction,
      );
      await raw`update setting set value = '{"version":0}' where name = 'search-terms'`.execute(
        transaction,
      );
      await reindexTorrents(transaction);
    });
    const list = await listTorrents(world.sql, { words: '', tags: ['ice'], rowsMax: 5 });
    assert.deepEqual([list.total, list.isTotalExact], [MANY, true]);
    await world.sql.close();
  });
});

test('who changes what terms a text gives raises their version', () => {
  const { terms } = termsOf({
    title: 'Ångström_v2.1 straße 東京 ﬁn',
    tags: ['C++', 'foo.bar', 'हिन्दी'],
    categoryId: 3,
    description: "O'Neill, 3.14e5: https://a.example/x?y=1 🦉",
    files: 'IMG_20240315.jpg show.3x07.mkv',
  });
  const digest = createHash('sha256')
    .update([...terms].sort().join('\n'))
    .digest('hex');
  assert.deepEqual([TERMS_VERSION, digest.slice(0, 16)], [2, 'd9fd0c97d3c7553e']);
});
