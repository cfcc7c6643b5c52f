// Ledgers on PostgreSQL that were made without room in their pages get it, for the pages to come.

import { sql } from 'kysely';
import { LEDGER, POSTGRES_FILL } from '#accounting/ledger/ledger-tables.ts';
import type { Migration } from '#sql/sql.ts';

export const ledgerFillMigration: Migration = {
  number: 160,
  name: '0160-ledger-fill',
  async up(transaction, dialect) {
    if (dialect === 'sqlite') return;
    for (const table of [LEDGER.transfer, LEDGER.member, LEDGER.torrent, LEDGER.day]) {
      await sql`alter table ${sql.table(table)} set (fillfactor = ${sql.lit(POSTGRES_FILL)})`.execute(
        transaction,
      );
    }
  },
};
