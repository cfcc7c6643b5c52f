// Cheat signals (accounting/signals/signal-tables.ts).

import { createSignalTables } from '#accounting/signals/signal-tables.ts';
import type { Migration } from '#sql/sql.ts';

export const signalsMigration: Migration = {
  number: 130,
  name: '0130-signals',
  async up(transaction, dialect) {
    await createSignalTables(transaction, dialect);
  },
};
