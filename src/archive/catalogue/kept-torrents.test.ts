import assert from 'node:assert/strict';
import test from 'node:test';
import { FileWriter, type WrittenFile } from '#archive/content/file-writer.ts';
import { InPlaceHasher } from '#archive/hash/segment-hasher.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { SystemClock } from '#base/clock.ts';
import { migrate } from '#sql/migrate.ts';
import type { Sql } from '#sql/sql.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { MemoryStore } from '#store/memory.ts';
import { ArchiveRoots } from './archive-roots.ts';
import { KeptFiles } from './kept-files.ts';
import { isKept, keepTorrent, releaseTorrent } from './kept-torrents.ts';
import { matchFiles } from './match-files.ts';

const clock = new SystemClock();
const SEGMENT_BYTES = 256 * 1024;

async function stored(store: MemoryStore, bytes: Uint8Array): Promise<WrittenFile> {
  const world = { store, hasher: new InPlaceHasher() };
  const writer = new FileWriter(world, { bytes: bytes.length, segmentBytes: SEGMENT_BYTES });
  await writer.write(bytes);
  return writer.finish();
}

const filled = (bytes: number, value: number): Uint8Array => new Uint8Array(bytes).fill(value);

async function rootsOf(sql: Sql, store: MemoryStore): Promise<string[]> {
  const roots = new ArchiveRoots({ sql, store: async () => store });
  const refs = new Set<string>();
  for await (const ref of roots.refs(new AbortController().signal)) refs.add(ref);
  return [...refs].sort();
}

forEachDatabase((name, open) => {
  const on = (sentence: string, body: (sql: Sql) => Promise<void>): void => {
    test(`${name}: ${sentence}`, async () => {
      const sql = await open();
      try {
        await migrate(sql, archiveMigrations, { clock });
        await body(sql);
      } finally {
        await sql.close();
      }
    });
  };

  on(
    'a file that two torrents share is kept once, and stays while one of them does',
    async (sql) => {
      const store = new MemoryStore();
      const shared = await stored(store, filled(700_000, 1));
      const own = await stored(store, filled(10, 2));
      const empty = await stored(store, filled(0, 0));
      await keepTorrent(sql, { id: 1, files: [shared, empty, own], nowMs: 5 });
      await keepTorrent(sql, { id: 2, files: [shared], nowMs: 6 });
      const [first, none, last] = [...(await KeptFiles.read(sql, 1))];
      assert.deepEqual([first?.bytes, none, last?.bytes], [700_000, undefined, 10]);
      assert.deepEqual([...(await KeptFiles.read(sql, 2))][0], first);
      const all = (await store.list()).map((blob) => blob.ref).sort();
      assert.deepEqual(await rootsOf(sql, store), all);
      assert.equal(await releaseTorrent(sql, 1), true);
      assert.equal(await releaseTorrent(sql, 1), false);
      assert.equal(await isKept(sql, 1), false);
      assert.equal(await isKept(sql, 2), true);
      assert.equal((await rootsOf(sql, store)).includes(own.mapRef ?? ''), false);
      assert.equal((await rootsOf(sql, store)).includes(shared.mapRef ?? ''), true);
    },
  );

  on('hundreds of files, some with the same content, are kept in their order', async (sql) => {
    const store = new MemoryStore();
    const contents = [1, 2, 3, 4, 5, 6, 7, 8].map((value) => filled(value * 10, value));
    const some = await Promise.all(contents.map((bytes) => stored(store, bytes)));
    const empty = await stored(store, filled(0, 0));
    const files = Array.from({ length: 450 }, (_, at) => some[at % 9] ?? empty);
    await keepTorrent(sql, { id: 1, files, nowMs: 5 });
    const kept = [...(await KeptFiles.read(sql, 1))];
    assert.deepEqual(
      kept.map((file) => file?.bytes ?? 0),
      files.map(({ map }) => map?.bytes ?? 0),
    );
    assert.equal(new Set(kept.map((file) => file?.id)).size, 9);
  });

  on('a torrent is kept again as if for the first time', async (sql) => {
    const store = new MemoryStore();
    const one = await stored(store, filled(10, 1));
    const other = await stored(store, filled(20, 1));
    await keepTorrent(sql, { id: 1, files: [one, other], nowMs: 5 });
    await keepTorrent(sql, { id: 1, files: [other], nowMs: 6 });
    assert.deepEqual(
      [...(await KeptFiles.read(sql, 1))].map((file) => file?.bytes),
      [20],
    );
  });

  on('a torrent that is kept twice at the same moment is kept once', async (sql) => {
    const store = new MemoryStore();
    const files = [await stored(store, filled(10, 1)), await stored(store, filled(20, 1))];
    await Promise.all([5, 6, 7].map((nowMs) => keepTorrent(sql, { id: 1, files, nowMs })));
    assert.equal([...(await KeptFiles.read(sql, 1))].length, 2);
  });

  on('a map that is gone ends the telling of what must stay', async (sql) => {
    const store = new MemoryStore();
    const file = await stored(store, filled(10, 1));
    await keepTorrent(sql, { id: 1, files: [file], nowMs: 5 });
    assert.ok(file.mapRef !== undefined);
    await store.remove([file.mapRef]);
    await assert.rejects(rootsOf(sql, store), { code: 'STORE_BLOB_MISSING' });
  });
});

test('files are matched with those of another torrent by root, or in the order of the stream', async () => {
  const store = new MemoryStore();
  const one = await stored(store, filled(10, 1));
  const two = await stored(store, filled(20, 2));
  const empty = await stored(store, filled(0, 0));
  const entry = (sizeBytes: number, file?: WrittenFile, pad = false) => ({
    ...{ path: ['x'], sizeBytes, pad },
    ...(file?.map === undefined ? {} : { rootHash: file.map.root }),
  });
  const swapped = [entry(20, two), entry(4, undefined, true), entry(10, one)];
  assert.deepEqual(matchFiles({ files: swapped }, [one, two]), [two, one]);
  assert.deepEqual(matchFiles({ files: [entry(10), entry(0)] }, [one, empty]), [one, empty]);
  assert.equal(matchFiles({ files: [entry(15), entry(15)] }, [one, two]), undefined);
  assert.equal(matchFiles({ files: [entry(20, two)] }, [one]), undefined);
});
