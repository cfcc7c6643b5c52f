import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { toHex } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import type { BlobRef } from '#base/ids.ts';
import { migrate } from '#sql/migrate.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import type { ListedFile } from './entry-list.ts';
import { saveListed } from './save-listed.ts';

function listed(content: number, storedMs = content): ListedFile {
  const root = new Uint8Array(createHash('sha256').update(`${content}`).digest());
  const mapRef = `sha256-${toHex(root)}` as BlobRef;
  return { root, mapRef, bytes: 1 + content, storedMs };
}

forEachDatabase((name, open) => {
  describe(`files of an event's lists, ${name}`, () => {
    it('are written in their order: those of one content once, empty ones not at all', async () => {
      const sql = await open();
      try {
        await migrate(sql, archiveMigrations, { clock: new SystemClock() });
        // More than one statement takes, with one content in two of them.
        const files = Array.from({ length: 4500 }, (_, at) =>
          at % 1000 === 7 ? undefined : listed(at === 4400 ? 3 : at),
        );
        const lost = new Map([[toHex(listed(4401).root), [-1, 2]]]);
        const ids = await saveListed(sql, files, lost);
        assert.equal(ids.length, files.length);
        assert.equal(ids[4400], ids[3]);
        const rows = await sql
          .read<ArchiveTables>()
          .selectFrom('archive_file')
          .selectAll()
          .execute();
        const byId = new Map(rows.map((row) => [row.id, row]));
        for (const [at, file] of files.entries()) {
          const row = byId.get(ids[at] ?? -1);
          assert.equal(row?.map_ref, file?.mapRef, `file ${at}`);
          assert.deepEqual(
            row && [toHex(row.root), row.size_bytes, row.stored_ms, row.checked_ms],
            file && [toHex(file.root), file.bytes, file.storedMs, file.storedMs],
          );
        }
        assert.equal(rows.length, 4500 - 5 - 1);
        const damage = await sql
          .read<ArchiveTables>()
          .selectFrom('archive_damage')
          .selectAll()
          .orderBy('segment')
          .execute();
        const found = { file_id: ids[4401], kind: 'missing', found_ms: 4401 };
        assert.deepEqual(
          damage.map((row) => ({ ...row })),
          [
            { ...found, segment: -1 },
            { ...found, segment: 2 },
          ],
        );
        // Again: what is there stays, under its id, with what the list says now and when it was proven.
        const again = await saveListed(sql, [listed(3, 99)], new Map());
        assert.deepEqual(again, [ids[3]]);
        const row = await sql
          .read<ArchiveTables>()
          .selectFrom('archive_file')
          .select(['stored_ms', 'checked_ms'])
          .where('id', '=', ids[3] ?? -1)
          .executeTakeFirst();
        assert.deepEqual({ ...row }, { stored_ms: 99, checked_ms: 3 });
      } finally {
        await sql.close();
      }
    });
  });
});
