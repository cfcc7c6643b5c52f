// The ledger's table of days. A ledger that has counted already lacks them, so it begins again and
// counts the whole log anew: everything in it follows from the log.

import { sql } from 'kysely';
import { createDayTable, LEDGER } from '#accounting/ledger/ledger-tables.ts';
import { removePosition } from '#sql/consumer-position.ts';
import type { Migration } from '#sql/sql.ts';

export const ledgerDaysMigration: Migration = {
  number: 110,
  name: '0110-ledger-days',
  async up(transaction) {
    await createDayTable(transaction, LEDGER);
    for (const table of [LEDGER.transfer, LEDGER.member, LEDGER.torrent]) {
      await sql`delete from ${sql.table(table)}`.execute(transaction);
    }
    await removePosition(transaction, LEDGER.consumer);
  },
};
