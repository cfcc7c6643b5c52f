// A snapshot of the ledger in the place of what the log has let go, on every database.

import assert from 'node:assert/strict';
import test from 'node:test';
import { sql as raw } from 'kysely';
import { audit } from '#accounting/audit/audit.ts';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { SeededRandom } from '#base/random.ts';
import { SimDisk } from '#sim/disk.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import { forEachDatabase, openMigrated } from '#sql/test-databases.ts';
import { takeLedgerSnapshot } from './ledger-snapshot.ts';
import { rebuild } from './rebuild.ts';
import { appendMany, type Bench, benchOver, everything } from './test-ledger-bench.ts';

forEachDatabase((name, open) => {
  const on = (sentence: string, body: (bench: Bench) => Promise<void>): void => {
    test(`${name}: ${sentence}`, async () => {
      const sql = await openMigrated(open, [...sqlMigrations, ...accountingMigrations]);
      try {
        await body(await benchOver(sql));
      } finally {
        await sql.close();
      }
    });
  };

  on(
    'a snapshot stands for what the log has let go: the audit and a rebuild begin there',
    async ({ sql, ...bench }) => {
      await appendMany(bench, 50);
      const ledger = await bench.open();
      while ((await ledger.applyOnce()) > 0);
      const disk = new SimDisk({ random: new SeededRandom(1) });
      const world = { log: bench.log, sql, baselines: { disk, folder: '/baselines' } };
      const taken = await takeLedgerSnapshot(world);
      assert.deepEqual(taken, { nextOffset: 50, coveredOffset: 0 });
      await appendMany(bench, 30);
      while ((await ledger.applyOnce()) > 0);
      const before = await everything(sql);
      bench.log.retain(TRANSFERS_TOPIC, 40);
      const found = await audit({ log: bench.log, sql });
      assert.deepEqual(found.differences, []);
      assert.match(found.notes[0] ?? '', /begins at offset 40: totals up to offset 50 are those/);
      await sql.transaction((transaction) =>
        raw`update ledger_transfer set uploaded_bytes = uploaded_bytes + 1`.execute(transaction),
      );
      assert.ok((await audit({ log: bench.log, sql })).differences.length > 0);
      await assert.rejects(takeLedgerSnapshot(world), { code: 'LEDGER_SNAPSHOT_REFUSED' });
      await rebuild({ log: bench.log, sql });
      assert.deepEqual(await everything(sql), before);
      bench.log.retain(TRANSFERS_TOPIC, 60);
      const gone = await audit({ log: bench.log, sql });
      assert.match(gone.differences[0] ?? '', /nothing proves what they said/);
      await assert.rejects(rebuild({ log: bench.log, sql }), {
        code: 'LEDGER_RECORDS_REMOVED',
        message: /there is one of 50/,
      });
    },
  );
});
