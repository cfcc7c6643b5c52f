import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import fc from 'fast-check';
import { sql as raw } from 'kysely';
import { Refusal } from '#site/refusal.ts';
import type { Sql } from '#sql/sql.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import type { CatalogueTables } from './catalogue-tables.ts';
import { countSwarmsWrite, readVersions, versionBytes, versionOf } from './index-versions.ts';
import { sortKey } from './search-words.ts';
import { saveSwarmCounts } from './swarm-readings.ts';
import { makeTorrent, openCatalogue, type TestCatalogue } from './test-catalogue.ts';
import { listTorrents, type TorrentSort } from './torrent-list.ts';
import { TorrentValues, titleNumber } from './torrent-values.ts';
import { addTorrent, updateTorrent } from './torrents.ts';

const WAIT_MS_MAX = 60_000;

async function add(world: TestCatalogue, title: string, sizeBytes: number): Promise<number> {
  const bytes = await makeTorrent({ name: title, files: { 'a.bin': sizeBytes } });
  const words = { title, category: 'other', tags: ['kept'], description: '' };
  const added = await addTorrent(world, { bytes, uploaderId: 1, ...words });
  assert.ok(!(added instanceof Refusal) && added.kind === 'added');
  return added.torrent.id;
}

/** Of those with the tag, the least first. */
async function inOrder(sql: Sql, by: TorrentSort, seedersMin = 0): Promise<readonly string[]> {
  const sort = { by, descending: false };
  const asked = { words: '', tags: ['kept'], seedersMin, sort, rowsMax: 100 };
  return (await listTorrents(sql, asked)).rows.map(({ title }) => title);
}

forEachDatabase((name, open) => {
  test(`a narrowed list in an order sees what was written a moment ago (${name})`, async () => {
    const world = await openCatalogue(open);
    const { sql } = world;
    const first = await add(world, 'delta', 3000);
    await add(world, 'alpha', 2000);
    assert.deepEqual(await inOrder(sql, 'size'), ['alpha', 'delta']);
    assert.deepEqual(await inOrder(sql, 'title'), ['alpha', 'delta']);
    // One that is added, one that is renamed: read by themselves.
    await add(world, 'beta', 1000);
    const rename = async (title: string): Promise<void> => {
      const words = { title, category: 'other', tags: ['kept'], description: '' };
      const changed = await updateTorrent(world, first, {
        ...words,
        changedBy: 1,
        isBounded: false,
      });
      assert.ok(!(changed instanceof Refusal));
    };
    await rename('aardvark');
    assert.deepEqual(await inOrder(sql, 'size'), ['beta', 'alpha', 'aardvark']);
    assert.deepEqual(await inOrder(sql, 'title'), ['aardvark', 'alpha', 'beta']);
    // After more writes than are told one by one, all of the block is read.
    for (let at = 0; at < 20; at++) await rename(`zulu ${at}`);
    await rename('baker');
    assert.deepEqual(await inOrder(sql, 'title'), ['alpha', 'baker', 'beta']);
    await sql.close();
  });

  test(`saved counts order the list at once where they are saved, and soon elsewhere (${name})`, async () => {
    const world = await openCatalogue(open);
    const { sql } = world;
    const ids = [await add(world, 'one', 1000), await add(world, 'two', 2000)];
    assert.deepEqual(await inOrder(sql, 'seeders'), ['one', 'two']);
    const counts = (seeders: readonly number[]) => ({
      counts: (id: number) => ({ seeders: seeders[ids.indexOf(id)]!, leechers: 0, completed: 0 }),
    });
    await saveSwarmCounts(sql, counts([5, 2]));
    assert.deepEqual(await inOrder(sql, 'seeders'), ['two', 'one']);
    assert.deepEqual(await inOrder(sql, 'seeders', 3), ['one']);
    // As another process saves them, which cannot tell this one.
    await sql.transaction<CatalogueTables, void>(async (transaction) => {
      await raw`update torrent set seeders = 9 where id = ${ids[1]}`.execute(transaction);
      await countSwarmsWrite(transaction, 0);
    });
    const began = Date.now();
    while ((await inOrder(sql, 'seeders', 6)).length === 0) {
      assert.ok(Date.now() - began < WAIT_MS_MAX, 'the counts are read again');
      await wait(5);
    }
    assert.deepEqual(await inOrder(sql, 'seeders'), ['one', 'two']);
    await saveSwarmCounts(sql, counts([10, 9]));
    assert.deepEqual(await inOrder(sql, 'seeders'), ['two', 'one']);
    await sql.close();
  });

  test(`values of a block take no more memory than they may (${name})`, async () => {
    const world = await openCatalogue(open);
    const id = await add(world, 'one', 1000);
    const catalogue = world.sql.read<CatalogueTables>();
    const versions = await readVersions(catalogue);
    const blockBytes = 7 * 65_536 * 8;
    assert.equal(TorrentValues.of(catalogue, versions, blockBytes - 1), undefined);
    const values = TorrentValues.of(catalogue, versions, blockBytes);
    const [size, title] = (await values?.block(0, ['size', 'title'])) ?? [];
    assert.deepEqual([size?.[id], size?.[id + 1]], [1000, 0]);
    assert.equal(title?.[id], titleNumber('one'));
    await world.sql.close();
  });
});

test('numbers of titles order as their sort keys do, as far as they tell them apart', () => {
  const title = fc.string({ unit: 'grapheme', maxLength: 9 }).map((text) => sortKey(`x${text}`));
  fc.assert(
    fc.property(title, title, (one, other) => {
      const bytes = Buffer.compare(Buffer.from(one), Buffer.from(other));
      const numbers = titleNumber(one) - titleNumber(other);
      assert.ok(numbers === 0 || Math.sign(numbers) === bytes);
    }),
  );
  assert.ok(titleNumber('abcdef') > titleNumber('abcdee'));
  assert.equal(titleNumber('abcdefg'), titleNumber('abcdef'));
});

test('a version of a block has the bytes its format says, also without the latest', () => {
  const version = { version: 0x0102, latest: [7, 65_535] };
  assert.equal(Buffer.from(versionBytes(version)).toString('hex'), '02010000000000000700ffff');
  assert.deepEqual(versionOf(versionBytes(version)), version);
  const before = Buffer.from('0300000000000000', 'hex');
  assert.deepEqual(versionOf(before), { version: 3, latest: [] });
});
