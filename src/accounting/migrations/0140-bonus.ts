// Bonus points (accounting/bonus/bonus-tables.ts).

import { createBonusTables } from '#accounting/bonus/bonus-tables.ts';
import type { Migration } from '#sql/sql.ts';

export const bonusMigration: Migration = {
  number: 140,
  name: '0140-bonus',
  async up(transaction, dialect) {
    await createBonusTables(transaction, dialect);
  },
};
