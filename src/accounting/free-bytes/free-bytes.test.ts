import assert from 'node:assert/strict';
import test from 'node:test';
import { classFacts } from '#accounting/classes/member-classes.ts';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import { memberHistories } from '#accounting/rules/member-histories.ts';
import {
  memberTotals,
  memberTransfers,
  torrentTransfer,
  totalsOfMembers,
} from '#accounting/totals.ts';
import { SystemClock } from '#base/clock.ts';
import { migrate } from '#sql/migrate.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import type { Sql } from '#sql/sql.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { addFreeBytes } from './free-bytes.ts';

interface Moved {
  readonly torrentId: number;
  readonly downloaded: number;
  readonly credited: number;
}

/** As the ledger has it of member 7. */
async function fillLedger(sql: Sql, transfers: readonly Moved[]): Promise<void> {
  const sums = {
    ...{ member_id: 7, uploaded_bytes: 0, credited_uploaded_bytes: 0, seed_seconds: 0, records: 1 },
    ...{ last_seen_ms: 5 },
  };
  await sql.transaction<LedgerTables, void>(async (transaction) => {
    let [downloaded_bytes, credited_downloaded_bytes] = [0, 0];
    for (const { torrentId: torrent_id, downloaded, credited } of transfers) {
      downloaded_bytes += downloaded;
      credited_downloaded_bytes += credited;
      await transaction
        .insertInto('ledger_transfer')
        .values({
          ...{ ...sums, torrent_id, downloaded_bytes: downloaded },
          ...{ credited_downloaded_bytes: credited, first_seen_ms: 5, completed_ms: 0 },
          ...{ left_bytes: 0, client: '', seeded: 0, seeder: 0, seeding_more: '' },
        })
        .execute();
    }
    const values = {
      ...sums,
      downloaded_bytes,
      credited_downloaded_bytes,
      completed: 0,
      first_seen_ms: 5,
    };
    await transaction.insertInto('ledger_member').values(values).execute();
  });
}

forEachDatabase((name, open) => {
  test(`${name}: free bytes are taken off what is credited, at most what was announced, wherever it is read`, async () => {
    const sql = await open();
    try {
      await migrate(sql, [...sqlMigrations, ...accountingMigrations], { clock: new SystemClock() });
      await fillLedger(sql, [
        // All of it came from the archive, and the client announced it.
        { torrentId: 1, downloaded: 1000, credited: 1000 },
        // The client announced only what came from members.
        { torrentId: 2, downloaded: 300, credited: 300 },
        // At half credit.
        { torrentId: 3, downloaded: 1000, credited: 500 },
        // Nothing from the archive.
        { torrentId: 4, downloaded: 50, credited: 50 },
      ]);
      await sql.transaction(async (transaction) => {
        for (const [torrentId, bytes] of [
          [1, 600],
          [1, 400],
          [2, 900],
          [3, 200],
          [9, 5000],
        ] as const) {
          await addFreeBytes(transaction, { memberId: 7, torrentId, bytes });
        }
        await addFreeBytes(transaction, { memberId: 8, torrentId: 4, bytes: 50 });
      });
      const totals = await memberTotals(sql, 7);
      assert.deepEqual([totals.downloadedBytes, totals.freeBytes], [2350, 1400]);
      assert.equal(totals.creditedDownloadedBytes, 450);
      const transfers = await memberTransfers(sql, 7, { limit: 10 });
      assert.deepEqual(
        transfers.map((one) => one.creditedDownloadedBytes),
        [0, 0, 400, 50],
      );
      assert.equal((await torrentTransfer(sql, 7, 3))?.creditedDownloadedBytes, 400);
      assert.equal((await totalsOfMembers(sql, [7])).get(7)?.creditedDownloadedBytes, 450);
      const torrents = { facts: async () => new Map() };
      const members = [{ memberId: 7, joinedMs: 0 }];
      const [history] = await memberHistories({ sql, torrents }, members, 10);
      assert.equal(history?.downloadedBytes, 450);
      const [facts] = await classFacts(
        { sql, uploads: async () => new Map() } as never,
        members,
        10,
      );
      assert.equal(facts?.downloadedBytes, 450);
    } finally {
      await sql.close();
    }
  });
});
