// Torrents that nobody seeds (accounting/unseeded/unseeded-table.ts).

import { createUnseededTable } from '#accounting/unseeded/unseeded-table.ts';
import type { Migration } from '#sql/sql.ts';

export const unseededMigration: Migration = {
  number: 181,
  name: '0181-unseeded',
  async up(transaction) {
    await createUnseededTable(transaction);
  },
};
