// Member classes (accounting/classes/class-tables.ts).

import { createClassTables } from '#accounting/classes/class-tables.ts';
import type { Migration } from '#sql/sql.ts';

export const classesMigration: Migration = {
  number: 150,
  name: '0150-classes',
  async up(transaction, dialect) {
    await createClassTables(transaction, dialect);
  },
};
