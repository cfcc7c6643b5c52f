import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filesToCheck } from '#archive/catalogue/archive-health.ts';
import { keepTorrent } from '#archive/catalogue/kept-torrents.ts';
import { FileWriter, type WrittenFile } from '#archive/content/file-writer.ts';
import { InPlaceHasher } from '#archive/hash/segment-hasher.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { SystemClock } from '#base/clock.ts';
import { migrate } from '#sql/migrate.ts';
import type { Sql } from '#sql/sql.ts';
import { forEachDatabase, type OpenTestSql } from '#sql/test-databases.ts';
import { StoreError } from '#store/errors.ts';
import { MemoryStore } from '#store/memory.ts';
import { proveFiles } from './prove-files.ts';

const FILES = 12;
const SEGMENT_BYTES = 256 * 1024;
const CHECKED_MS = 5000;
const hasher = new InPlaceHasher();

async function withFiles(
  open: OpenTestSql,
  run: (parts: { readonly sql: Sql; readonly store: MemoryStore }) => Promise<void>,
): Promise<void> {
  const sql = await open();
  try {
    await migrate(sql, archiveMigrations, { clock: new SystemClock() });
    const store = new MemoryStore();
    const files: WrittenFile[] = [];
    for (let at = 0; at < FILES; at++) {
      const bytes = 10_000 + at;
      const writer = new FileWriter({ store, hasher }, { bytes, segmentBytes: SEGMENT_BYTES });
      await writer.write(new Uint8Array(bytes).fill(at));
      files.push(await writer.finish());
    }
    await keepTorrent(sql, { id: 1, files, nowMs: 1 });
    await run({ sql, store });
  } finally {
    await sql.close();
  }
}

forEachDatabase((name, open) => {
  test(`${name}: what ends while files are written down is written down together`, () =>
    withFiles(open, async ({ sql, store }) => {
      let checked = 0;
      let transactions = 0;
      const all = Promise.withResolvers<void>();
      const slow: Sql = Object.create(sql, {
        transaction: {
          value: async (work: never) => {
            transactions++;
            await all.promise;
            return await sql.transaction(work);
          },
        },
      });
      const pace = async (bytes: number): Promise<void> => {
        if (bytes > 0 && ++checked === FILES) setImmediate(all.resolve);
      };
      const files = await filesToCheck(sql, CHECKED_MS, 100);
      const told: number[] = [];
      const nowMs = (): number => CHECKED_MS;
      const world = { sql: slow, store, hasher, healers: [], pace, nowMs };
      await proveFiles(world, files, ({ id }, { bytes }) => {
        assert.ok(bytes >= 10_000);
        told.push(id);
      });
      // Two are checked at once.
      const byId = (a: number, b: number): number => a - b;
      assert.deepEqual(told.toSorted(byId), files.map(({ id }) => id).toSorted(byId));
      assert.ok(transactions <= 4, `${transactions} transactions`);
      assert.deepEqual(await filesToCheck(sql, CHECKED_MS, 100), []);
    }));

  test(`${name}: what was proven before a store fails is written down`, () =>
    withFiles(open, async ({ sql, store }) => {
      const get = store.get.bind(store);
      let reads = 0;
      store.get = async (ref, options) => {
        if (++reads > 14) throw new StoreError('STORE_READ_FAILED', 'no disk');
        return await get(ref, options);
      };
      const files = await filesToCheck(sql, CHECKED_MS, 100);
      const told: number[] = [];
      const world = { sql, store, hasher, healers: [], nowMs: () => CHECKED_MS };
      const proving = proveFiles(world, files, ({ id }) => told.push(id));
      await assert.rejects(proving, { code: 'STORE_READ_FAILED' });
      assert.ok(told.length >= 5 && told.length < FILES, `${told.length} files`);
      const rest = await filesToCheck(sql, CHECKED_MS, 100);
      assert.equal(rest.length, FILES - told.length);
      assert.ok(rest.every(({ id }) => !told.includes(id)));
    }));
});
