// What the ledger keeps of each pair's seeding (accounting/seeding/seeding.ts). Seed times of before
// were counted for each client, so that the ledger begins again, and counts the whole log anew; where
// the log's beginning is gone, from the ledger's snapshot on (ledger.ts). Bonus points were granted for
// what was counted before, and are granted for what comes on top of it.

import { sql } from 'kysely';
import { createBonusSeeding } from '#accounting/bonus/bonus-tables.ts';
import {
  addSeedingColumns,
  dropLedgerTables,
  LEDGER,
  REBUILT_LEDGER,
  SNAPSHOT_LEDGER,
} from '#accounting/ledger/ledger-tables.ts';
import { readPosition, removePosition } from '#sql/consumer-position.ts';
import type { Migration } from '#sql/sql.ts';

export const seedingMigration: Migration = {
  number: 180,
  name: '0180-seeding',
  async up(transaction) {
    await createBonusSeeding(transaction);
    await addSeedingColumns(transaction, LEDGER);
    if ((await readPosition(transaction, SNAPSHOT_LEDGER.consumer)) !== undefined) {
      await addSeedingColumns(transaction, SNAPSHOT_LEDGER);
    }
    // A rebuild that was ended begins again.
    await dropLedgerTables(transaction, REBUILT_LEDGER);
    await removePosition(transaction, REBUILT_LEDGER.consumer);
    for (const table of [LEDGER.transfer, LEDGER.member, LEDGER.torrent, LEDGER.day]) {
      await sql`delete from ${sql.table(table)}`.execute(transaction);
    }
    await removePosition(transaction, LEDGER.consumer);
  },
};
