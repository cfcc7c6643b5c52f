// Batches of a ledger that is behind: how large they are, and that what was read ahead counts once.

import assert from 'node:assert/strict';
import test from 'node:test';
import { audit } from '#accounting/audit/audit.ts';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import type { Sql } from '#sql/sql.ts';
import { forEachDatabase, openMigrated } from '#sql/test-databases.ts';
import { Ledger } from './ledger.ts';
import { rebuild } from './rebuild.ts';
import { appendMany, type Bench, benchOver, worldOf } from './test-ledger-bench.ts';

const RECORDS = 200;
const config = { ledgerBatchRecordsMax: 16 };

forEachDatabase((name, open) => {
  const on = (sentence: string, body: (bench: Bench) => Promise<void>): void => {
    test(`${name}: ${sentence}`, async () => {
      const sql = await openMigrated(open, [...sqlMigrations, ...accountingMigrations]);
      try {
        const bench = await benchOver(sql);
        await appendMany(bench, RECORDS);
        await body(bench);
      } finally {
        await sql.close();
      }
    });
  };

  on('a ledger that is behind takes more at once where nobody waits for it', async (bench) => {
    const ledger = await bench.open({ config });
    const most = bench.sql.dialect === 'postgres' ? RECORDS : 16;
    const first = await ledger.applyOnce();
    // Before its first batch it does not know more of the log than where it begins and ends.
    assert.equal(first, most);
    let counted = first;
    for (let more = first; more > 0; counted += more) more = await ledger.applyOnce();
    assert.equal(counted, RECORDS);
    await assertClean(bench);
  });

  for (const when of ['before', 'after'] as const) {
    on(`a batch read ahead counts once when a commit fails ${when} it is made`, async (bench) => {
      const sql = failing(bench.sql, { turn: 3, when });
      const ledger = await Ledger.open({ ...worldOf(bench.log, config), sql });
      let failures = 0;
      for (;;) {
        try {
          if ((await ledger.applyOnce()) === 0) break;
        } catch {
          failures++;
        }
      }
      assert.equal(failures, 1);
      await assertClean(bench);
    });
  }

  on('what was read ahead of a rebuild is not counted behind it', async (bench) => {
    const ledger = await bench.open({ config });
    await ledger.applyOnce();
    await ledger.paused(async () => await rebuild(bench));
    assert.equal(ledger.position(), RECORDS);
    assert.equal(await ledger.applyOnce(), 0);
    await assertClean(bench);
  });
});

async function assertClean(bench: Bench): Promise<void> {
  const { differences, records } = await audit(bench);
  assert.deepEqual(differences, []);
  assert.equal(records, RECORDS);
}

/** One transaction fails: before it is committed, or after, when only the answer is lost. */
function failing(sql: Sql, failure: { readonly turn: number; readonly when: string }): Sql {
  let turn = 0;
  return {
    // So that the ledger takes small batches from both, and reads ahead.
    dialect: 'sqlite',
    read: () => sql.read(),
    snapshot: (run) => sql.snapshot(run),
    close: () => sql.close(),
    transaction: async (run) => {
      const fails = ++turn === failure.turn;
      const result = await sql.transaction(async (transaction) => {
        const made = await run(transaction as never);
        if (fails && failure.when === 'before') throw new Error('The disk is full');
        return made;
      });
      if (fails) throw new Error('The connection is gone');
      return result;
    },
  };
}
