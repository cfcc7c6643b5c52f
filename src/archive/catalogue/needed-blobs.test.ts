import assert from 'node:assert/strict';
import test from 'node:test';
import { encodeFileMap, makeFileMap, segmentName } from '#archive/content/file-map.ts';
import type { WrittenFile } from '#archive/content/file-writer.ts';
import { saveListed } from '#archive/events/save-listed.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import { SeededRandom } from '#base/random.ts';
import type { Sql } from '#sql/sql.ts';
import { forEachDatabase, openMigrated } from '#sql/test-databases.ts';
import { MemoryStore } from '#store/memory.ts';
import { refOf, refOfHash } from '#store/store.ts';
import type { ArchiveTables } from './archive-tables.ts';
import { keepTorrent, releaseTorrent } from './kept-torrents.ts';
import { neededBlobs } from './needed-blobs.ts';

const SEGMENT_BYTES = 256 * 1024;
const { signal } = new AbortController();
const random = new SeededRandom(1);

/** As if it was stored: its map alone. */
function fileOf(segments: number): WrittenFile {
  const bytes = segments * SEGMENT_BYTES;
  const words = Uint32Array.from({ length: segments * 16 }, () => random.u32());
  const map = makeFileMap({
    ...{ bytes, segmentBytes: SEGMENT_BYTES },
    segments: new Uint8Array(words.buffer),
  });
  return { map, mapRef: refOf(random.bytes(32)), layer: new Uint8Array(0), newBytes: 0 };
}

function segmentsOf(file: WrittenFile): BlobRef[] {
  const { map } = file;
  assert.ok(map !== undefined);
  return Array.from({ length: map.segments.length / 64 }, (_, at) => {
    return refOfHash(segmentName(map, at));
  });
}

forEachDatabase((name, open) => {
  const on = (sentence: string, body: (sql: Sql) => Promise<void>): void => {
    test(`${name}: ${sentence}`, async () => {
      const sql = await openMigrated(open, archiveMigrations);
      try {
        await body(sql);
      } finally {
        await sql.close();
      }
    });
  };
  const store = new MemoryStore();
  const needed = async (sql: Sql, refs: readonly BlobRef[]) =>
    [...(await neededBlobs({ sql, store: async () => store }, refs, signal))].sort();

  on('maps and segments of kept torrents are needed, and of no others', async (sql) => {
    // More than a page, some maps larger than what is in memory at once.
    const large = [fileOf(40_000), fileOf(70_000), fileOf(3)];
    const small = Array.from({ length: 4500 }, () => fileOf(1));
    const released = fileOf(2);
    const files = [...small.slice(0, 1000), ...large, ...small.slice(1000)];
    await keepTorrent(sql, { id: 1, files, nowMs: 1 });
    await keepTorrent(sql, { id: 2, files: [released], nowMs: 1 });
    const free = segmentsOf(fileOf(2));
    // The same first bytes, and another hash.
    const near = blobRef(`${segmentsOf(large[1]!)[69_999]!.slice(0, -2)}00`);
    assert.ok(near !== undefined);
    const kept = [
      ...segmentsOf(large[0]!).slice(0, 2),
      ...segmentsOf(large[1]!).slice(-2),
      ...[0, 999, 1000, 1999, 2000, 4499].flatMap((at) => segmentsOf(small[at]!)),
      small[4499]!.mapRef!,
      large[2]!.mapRef!,
    ];
    const asked = [...free, near, ...kept, released.mapRef!, ...segmentsOf(released)];
    assert.deepEqual(
      await needed(sql, asked),
      [...kept, released.mapRef!, ...segmentsOf(released)].sort(),
    );
    await releaseTorrent(sql, 2);
    assert.deepEqual(await needed(sql, asked), [...kept].sort());
    assert.deepEqual(await needed(sql, free), []);
    assert.deepEqual(await needed(sql, []), []);
  });

  on('files of a wanted torrent that are here already are needed', async (sql) => {
    const file = fileOf(2);
    await keepTorrent(sql, { id: 1, files: [file], nowMs: 1 });
    await sql.transaction<ArchiveTables, void>(async (transaction) => {
      const { id } = await transaction
        .selectFrom('archive_file')
        .select('id')
        .executeTakeFirstOrThrow();
      await transaction
        .insertInto('archive_wanted')
        .values({ torrent_id: 3, wanted_ms: 1, problem: '' })
        .execute();
      await transaction
        .insertInto('archive_taken')
        .values({ torrent_id: 3, position: 0, file_id: id })
        .execute();
    });
    await releaseTorrent(sql, 1);
    assert.deepEqual(await needed(sql, segmentsOf(file)), segmentsOf(file).sort());
  });

  on('a map that the catalogue has not is read from the store, or ends it', async (sql) => {
    const made = fileOf(2);
    const { ref: mapRef } = await store.put(encodeFileMap(made.map!));
    await keepTorrent(sql, { id: 1, files: [{ ...made, mapRef }], nowMs: 1 });
    await sql.transaction<ArchiveTables, void>(async (transaction) => {
      await transaction.deleteFrom('archive_map').execute();
    });
    assert.deepEqual(await needed(sql, segmentsOf(made)), segmentsOf(made).sort());
    await store.remove([mapRef]);
    await assert.rejects(needed(sql, segmentsOf(made)), { code: 'STORE_BLOB_MISSING' });
  });

  on(
    'a file that a list of the log names another map for is looked up in that one',
    async (sql) => {
      const [before, after] = [fileOf(2), fileOf(2)];
      await keepTorrent(sql, { id: 1, files: [before], nowMs: 1 });
      const { ref: mapRef } = await store.put(encodeFileMap(after.map!));
      const row = await sql
        .read<ArchiveTables>()
        .selectFrom('archive_file')
        .selectAll()
        .executeTakeFirstOrThrow();
      const listed = { root: new Uint8Array(row.root), mapRef, bytes: row.size_bytes, storedMs: 2 };
      await saveListed(sql, [listed], new Map());
      assert.deepEqual(await needed(sql, segmentsOf(after)), segmentsOf(after).sort());
      await saveListed(sql, [listed], new Map());
      assert.deepEqual(await needed(sql, segmentsOf(after)), segmentsOf(after).sort());
    },
  );

  on('it ends when nobody waits for it', async (sql) => {
    await keepTorrent(sql, { id: 1, files: [fileOf(1)], nowMs: 1 });
    const world = { sql, store: async () => store };
    const asked = segmentsOf(fileOf(1));
    await assert.rejects(neededBlobs(world, asked, AbortSignal.abort()), {
      code: 'STORE_CANCELLED',
    });
  });
});
