// Where members stand, and how they came there (accounting/rules/standing-tables.ts).

import { createStandingTables } from '#accounting/rules/standing-tables.ts';
import type { Migration } from '#sql/sql.ts';

export const standingsMigration: Migration = {
  number: 120,
  name: '0120-standings',
  async up(transaction, dialect) {
    await createStandingTables(transaction, dialect);
  },
};
