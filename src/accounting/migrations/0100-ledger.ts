// The ledger's tables (accounting/ledger-tables.ts).

import { createLedgerTables, LEDGER } from '#accounting/ledger/ledger-tables.ts';
import type { Migration } from '#sql/sql.ts';

export const ledgerMigration: Migration = {
  number: 100,
  name: '0100-ledger',
  async up(transaction) {
    await createLedgerTables(transaction, LEDGER);
  },
};
