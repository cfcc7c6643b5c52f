// The table of pins (pins/pin-tables.ts).

import { createPinTables } from '#archive/pins/pin-tables.ts';
import type { Migration } from '#sql/sql.ts';

export const pinsMigration: Migration = {
  number: 600,
  name: '0600-pins',
  async up(transaction, dialect) {
    await createPinTables(transaction, dialect);
  },
};
