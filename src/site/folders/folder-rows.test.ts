import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql as raw } from 'kysely';
import { NO_PARENT } from '#site/catalogue/file-entries.ts';
import { makeTorrent, openCatalogue, type TestCatalogue } from '#site/catalogue/test-catalogue.ts';
import { openPages } from '#site/catalogue/test-pages.ts';
import { addTorrent } from '#site/catalogue/torrents.ts';
import { foldersMigration, indexEntries } from '#site/migrations/0670-folders.ts';
import type { Sql } from '#sql/sql.ts';
import { forEachDatabase, openTestSqlite } from '#sql/test-databases.ts';
import {
  childOf,
  FOLDER_ROWS_MAX,
  type FolderOrder,
  type FolderRow,
  firstFrom,
  folderPage,
  folderRow,
  largestAtTop,
  rowsBelow,
  wayTo,
} from './folder-rows.ts';

async function added(world: TestCatalogue, files: Record<string, number>): Promise<number> {
  const words = { category: 'books', tags: [], description: '' };
  const bytes = await makeTorrent({ files });
  const result = await addTorrent(world, { ...words, bytes, uploaderId: 1 });
  assert.ok('torrent' in result);
  return result.torrent.id;
}

/** Every row of a folder, page after page to its end and back to its beginning. */
async function walked(sql: Sql, of: { torrentId: number; folder: number; order: FolderOrder }) {
  const rows: FolderRow[] = [];
  let page = await folderPage(sql, of);
  assert.equal(page.hasPrevious, false);
  for (rows.push(...page.rows); page.hasNext; rows.push(...page.rows)) {
    page = await folderPage(sql, { ...of, after: page.rows.at(-1)?.position });
    assert.equal(page.hasPrevious, true);
  }
  const back = [...page.rows];
  while (page.hasPrevious && back.length < rows.length) {
    page = await folderPage(sql, { ...of, before: back[0]?.position });
    back.unshift(...page.rows);
  }
  assert.deepEqual(back, rows, 'the way back shows the same');
  return rows;
}

forEachDatabase((name, open) => {
  test(`${name}: a folder comes page by page, in the order of names or the biggest first`, async () => {
    const world = await openCatalogue(open);
    const { sql } = world;
    const files: Record<string, number> = { 'a/readme.txt': 3, 'z.txt': 2 };
    // Many of one size, so that pages begin and end among equals.
    for (let at = 0; at < 250; at++) files[`scans/page ${at}.png`] = at % 4 === 0 ? 40 : 10;
    for (let at = 0; at < 120; at++) files[`scans/box ${at}/x`] = at;
    const torrentId = await added(world, files);
    const top = await folderPage(sql, { torrentId, folder: NO_PARENT, order: 'size' });
    assert.deepEqual(
      top.rows.map((row) => [row.name, row.isFolder, row.fileCount, row.sizeBytes]),
      [
        ['scans', true, 370, 63 * 40 + 187 * 10 + 7140],
        ['a', true, 1, 3],
        ['z.txt', false, 1, 2],
      ],
    );
    const folder = top.rows[0]?.position ?? -2;
    const byName = await walked(sql, { torrentId, folder, order: 'name' });
    assert.equal(byName.length, 370);
    assert.deepEqual(
      [byName[0]?.name, byName[119]?.name, byName[120]?.name, byName[369]?.name],
      ['box 0', 'box 119', 'page 0.png', 'page 249.png'],
    );
    const bySize = await walked(sql, { torrentId, folder, order: 'size' });
    const sorted = byName.toSorted((a, b) => b.sizeBytes - a.sizeBytes || a.position - b.position);
    assert.deepEqual(bySize, sorted);
    assert.deepEqual(
      (await largestAtTop(sql, torrentId)).map((row) => row.name),
      [...['scans', 'a', 'z.txt']],
    );
    await sql.close();
  });

  test(`${name}: a name is found in its folder, and so is where it would stand`, async () => {
    const world = await openCatalogue(open);
    const { sql } = world;
    const files: Record<string, number> = {};
    for (let at = 0; at < 300; at += 2) files[`deep/er/page ${at}.png`] = 1;
    files['deep/zz/other'] = 1;
    files['deep/page 7.png'] = 1;
    const torrentId = await added(world, files);
    const deep = await childOf(sql, { torrentId, folder: NO_PARENT }, 'deep');
    const er = await childOf(sql, { torrentId, folder: deep?.position ?? -2 }, 'er');
    assert.ok(deep !== undefined && er !== undefined);
    const within = { torrentId, folder: er.position };
    assert.equal((await childOf(sql, within, 'page 44.png'))?.path, 'deep/er/page 44.png');
    assert.equal(await childOf(sql, within, 'page 45.png'), undefined);
    assert.equal(await childOf(sql, within, 'other'), undefined);
    const from = async (folder: FolderRow | undefined, words: string) =>
      (await firstFrom(sql, { torrentId, folder }, words))?.path;
    assert.equal(await from(er, 'page 45'), 'deep/er/page 46.png');
    assert.equal(await from(er, ''), 'deep/er/page 0.png');
    assert.equal(await from(er, 'q'), undefined);
    assert.equal(await from(deep, 'a'), 'deep/page 7.png');
    assert.equal(await from(deep, 'Z'), 'deep/zz/', 'a folder that begins so comes first');
    assert.equal(await from(deep, 'pz'), 'deep/zz/', 'or when no file is left');
    assert.equal(await from(undefined, 'c'), 'deep/');
    const last = await childOf(sql, within, 'page 298.png');
    assert.ok(last !== undefined);
    const way = await wayTo(sql, torrentId, last);
    assert.deepEqual(
      way.map((row) => row.path),
      ['deep/', 'deep/er/', 'deep/er/page 298.png'],
    );
    const below = { torrentId, path: 'deep/er/', after: er.position };
    assert.equal((await rowsBelow(sql, below, 1000)).length, 150);
    const first = await folderPage(sql, { ...within, order: 'name' });
    const before = first.rows[0]?.position;
    for (const order of ['name', 'size'] as const) {
      const page = await folderPage(sql, { ...within, order, before });
      assert.equal(page.rows.length, 100, 'what is before the first is the first page');
      assert.equal(page.hasPrevious, false);
    }
    const foreign = await folderPage(sql, { ...within, order: 'name', after: deep.position });
    assert.equal(foreign.hasPrevious, false, 'a place that is not in the folder is its beginning');
    await sql.close();
  });
});

test('entries that were there before folders knew what lies in them are given their place', async () => {
  const world = await openCatalogue(openTestSqlite);
  const files = { 'a/b/1': 1, 'a/b/2': 2, 'a/3': 3, 'ab/4': 4, '5': 5 };
  await added(world, files);
  await added(world, { ...files, '6': 6 });
  const rows = async (): Promise<unknown> =>
    (await raw`select * from torrent_entry order by torrent_id, position`.execute(world.sql.read()))
      .rows;
  const placed = await rows();
  await world.sql.transaction<Record<string, never>, void>(async (transaction) => {
    for (const column of ['parent', 'name_key']) {
      for (const name of ['tree', 'size', 'name']) {
        await raw`drop index if exists ${raw.raw(`torrent_entry_${name}`)}`.execute(transaction);
      }
      await raw`alter table torrent_entry drop column ${raw.raw(column)}`.execute(transaction);
    }
    await foldersMigration.up(transaction, 'sqlite');
  });
  assert.deepEqual(await rows(), placed);
  await world.sql.close();
});

/** 900,000 files in one folder beside 50,000 folders of two: 1,050,002 rows. */
async function insertMillion(sql: Sql): Promise<void> {
  await sql.transaction<Record<string, never>, void>(async (transaction) => {
    for (const name of ['tree', 'size', 'name']) {
      await raw`drop index ${raw.raw(`torrent_entry_${name}`)}`.execute(transaction);
    }
    await raw`delete from torrent_entry`.execute(transaction);
    await raw`update torrent set file_count = 1000000`.execute(transaction);
    const columns = raw.raw('torrent_id, position, path, file_count, size_bytes, parent, name_key');
    const numbers = raw`with recursive n(at) as
      (select 0 union all select at + 1 from n where at < 899999)`;
    await raw`insert into torrent_entry (${columns}) ${numbers}
      select 1, 1 + at, 'frames/frame ' || at || '.png', 1, 1000, 0, 0 from n
      union all select 1, 0, 'frames/', 900000, 900000000, -1, 0
      union all select 1, 900001, 'shots/', 100000, 200000, -1, 0`.execute(transaction);
    for (const [step, path, files, size, parent] of [
      [0, '', 2, 4, '900001'],
      [1, 'a.txt', 1, 1, '900002 + 3 * at'],
      [2, 'b.txt', 1, 3, '900002 + 3 * at'],
    ] as const) {
      await raw`insert into torrent_entry (${columns}) ${numbers}
        select 1, ${900_002 + step} + 3 * at, 'shots/shot ' || at || ${`/${path}`},
          cast(${files} as bigint), cast(${size} as bigint), ${raw.raw(parent)}, 0
        from n where at < 50000`.execute(transaction);
    }
    await indexEntries(transaction);
  });
}

/** Far above what a page takes (a few ms of the processor), far below what reading the folder would. */
const PAGE_CPU_MS_MAX = 500;

test('a folder of a million files is browsed page by page, each of which costs as much as any', async (t) => {
  const pages = await openPages(openTestSqlite);
  const visitor = await pages.signIn('mina');
  const sent = await visitor.post('/upload', { file: await makeTorrent() });
  const words = { title: 'Film', category: 'books', tags: '', description: '' };
  const saved = await visitor.post(sent.headers.get('location') ?? '', words);
  const path = saved.headers.get('location') ?? '';
  const { sql } = pages;
  await insertMillion(sql);
  const times: number[] = [];

  const shown = async (query: string): Promise<string> => {
    const before = process.cpuUsage();
    const page = await visitor.get(`${path}/files${query}`);
    const text = await page.text();
    times.push(process.cpuUsage(before).user / 1000);
    assert.equal(page.status, 200, query);
    return text;
  };
  const rowsOn = (text: string): number => text.split('class="tree-line"').length - 1;
  assert.match(await shown(''), /1,000,000 files/);
  for (const sort of ['', '&sort=size']) {
    const first = await shown(`?in=0${sort}`);
    assert.equal(rowsOn(first), FOLDER_ROWS_MAX);
    assert.match(await shown(`?in=0${sort}&after=${450_000}`), /frame 450000\.png/);
    const end = await shown(`?in=0${sort}&after=899990`);
    assert.equal(rowsOn(end), 10);
    assert.doesNotMatch(end, />Next/);
    assert.match(await shown(`?in=0${sort}&before=899990`), /frame 899889\.png/);
    assert.equal(rowsOn(await shown(`?in=900001${sort}&after=975001`)), FOLDER_ROWS_MAX);
  }
  assert.match(await shown('?in=0&name=frame+777777.png'), /frame 777777\.png/);
  assert.match(await shown('?in=0&name=frame+777777a'), /frame 777778\.png/);
  assert.match(await shown('?in=900001&name=SHOT+4999'), />shot 4999</);
  assert.equal(rowsOn(await shown('?in=0&name=g')), 0);
  const before = process.cpuUsage();
  assert.match(await (await visitor.get(path)).text(), /Browse all 1,000,000 files/);
  times.push(process.cpuUsage(before).user / 1000);
  const sorted = times.toSorted((a, b) => a - b);
  t.diagnostic(`ms of CPU a page: ${sorted.map((ms) => ms.toFixed(1)).join(' ')}`);
  assert.ok((sorted[sorted.length >> 1] ?? 0) < PAGE_CPU_MS_MAX);
  assert.equal((await visitor.get(`${path}/files?in=1`)).status, 404, 'a file is no folder');
  assert.equal((await visitor.get(`${path}/files?in=x`)).status, 404);
  assert.equal(await folderRow(sql, 1, 9_999_999), undefined);
  await sql.close();
});
