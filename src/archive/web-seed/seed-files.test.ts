import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keepTorrent, releaseTorrent } from '#archive/catalogue/kept-torrents.ts';
import { FileWriter, type WrittenFile } from '#archive/content/file-writer.ts';
import { InPlaceHasher } from '#archive/hash/segment-hasher.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { SystemClock } from '#base/clock.ts';
import { migrate } from '#sql/migrate.ts';
import { openTestSqlite } from '#sql/test-databases.ts';
import { MemoryStore } from '#store/memory.ts';
import type { SkimmedFile } from '#wire/metainfo-skim.ts';
import { SeedFiles } from './seed-files.ts';

const FILES: readonly SkimmedFile[] = [
  { path: ['a', 'one'], sizeBytes: 100, pad: false },
  { path: ['.pad', '50'], sizeBytes: 50, pad: true },
  { path: ['empty'], sizeBytes: 0, pad: false },
  { path: ['why?'], sizeBytes: 200, pad: false },
  { path: ['t?'], sizeBytes: 300, pad: false },
  { path: ['t*'], sizeBytes: 400, pad: false },
  { path: ['last'], sizeBytes: 500, pad: false },
];

async function written(bytes: number): Promise<WrittenFile> {
  const writer = new FileWriter(
    { store: new MemoryStore(), hasher: new InPlaceHasher() },
    { bytes, segmentBytes: 256 * 1024 },
  );
  await writer.write(new Uint8Array(bytes).fill(bytes));
  return await writer.finish();
}

for (const [how, filesHeldMax] of [
  ['held in memory', 100],
  ['asked of the database', 0],
] as const) {
  test(`files of a torrent are found by their paths, ${how}`, async () => {
    const sql = await openTestSqlite();
    try {
      await migrate(sql, archiveMigrations, { clock: new SystemClock() });
      const own = FILES.filter(({ pad }) => !pad);
      const files = await Promise.all(own.map(({ sizeBytes }) => written(sizeBytes)));
      await keepTorrent(sql, { id: 3, files, nowMs: 1 });
      await keepTorrent(sql, { id: 4, files: files.slice(0, 1), nowMs: 1 });
      const seed = new SeedFiles({
        ...{ sql, filesHeldMax },
        catalogue: {
          torrentByHash: async () => undefined,
          listing: async (id) =>
            id === 3
              ? { name: 'survey', singleFile: false, files: FILES }
              : { name: 'one.bin', singleFile: true, files: FILES.slice(0, 1) },
        },
      });
      const found = async (path: string, id = 3): Promise<string> => {
        const file = await seed.find(id, path === '' ? [] : path.split('/'));
        if (file?.kind !== 'file') return file === undefined ? 'none' : `${file.bytes} zeros`;
        const at = files.findIndex(({ mapRef }) => mapRef === file.file.mapRef);
        return `file of ${file.file.bytes}, ${own[at]?.path.join('/')}`;
      };
      assert.equal(await found('survey/a/one'), 'file of 100, a/one');
      assert.equal(await found('survey/.pad/50'), '50 zeros');
      assert.equal(await found('survey/empty'), '0 zeros');
      assert.equal(await found('survey/why?'), 'file of 200, why?');
      assert.equal(await found('survey/why_'), 'file of 200, why?', 'as a client writes it');
      assert.equal(await found('survey/t_'), 'none', 'it might be two');
      assert.equal(await found('survey/t*'), 'file of 400, t*');
      assert.equal(await found('survey/last'), 'file of 500, last');
      for (const path of ['survey', 'survey/a', 'a/one', 'survey/other', '']) {
        assert.equal(await found(path), 'none', path);
      }
      assert.equal(await found('', 4), 'file of 100, a/one', 'the only file');
      assert.equal(await found('one.bin', 4), 'file of 100, a/one');
      assert.equal(await found('survey/a/one', 5), 'none');
      await releaseTorrent(sql, 3);
      assert.equal(await found('survey/a/one'), 'none');
    } finally {
      await sql.close();
    }
  });
}

test('of large torrents one is read at a time, and no small one waits for it', async () => {
  const sql = await openTestSqlite();
  try {
    await migrate(sql, archiveMigrations, { clock: new SystemClock() });
    const files = await Promise.all([1, 2].map((bytes) => written(bytes)));
    for (const id of [3, 4]) await keepTorrent(sql, { id, files, nowMs: 1 });
    await keepTorrent(sql, { id: 5, files: files.slice(0, 1), nowMs: 1 });
    const listing = [1, 2].map((bytes) => ({ path: [`${bytes}`], sizeBytes: bytes, pad: false }));
    const asked: number[] = [];
    const [begun, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const seed = new SeedFiles({
      ...{ sql, filesHeldMax: 1 },
      catalogue: {
        torrentByHash: async () => undefined,
        async listing(id) {
          asked.push(id);
          const own = { name: 'name', singleFile: false };
          if (id === 5) return { ...own, files: listing.slice(0, 1) };
          begun.resolve();
          await held.promise;
          if (asked.length < 3) throw new Error('The first cannot be read');
          return { ...own, files: listing };
        },
      },
    });
    const large = [3, 4].map((id) => seed.find(id, ['name', '2']));
    const ends = Promise.allSettled(large);
    await begun.promise;
    assert.equal((await seed.find(5, ['name', '1']))?.kind, 'file');
    assert.equal(asked.length, 2, 'one large one, and the small one');
    held.resolve();
    const kinds = (await ends).map(({ status }) => status);
    assert.deepEqual(kinds.toSorted(), ['fulfilled', 'rejected'], 'the other had its turn');
    assert.equal(asked.length, 3);
  } finally {
    await sql.close();
  }
});
