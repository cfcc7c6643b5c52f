// The tables of syncs between stores (syncs/sync-tables.ts).

import { createSyncTables } from '#archive/syncs/sync-tables.ts';
import type { Migration } from '#sql/sql.ts';

export const syncsMigration: Migration = {
  number: 640,
  name: '0640-syncs',
  async up(transaction, dialect) {
    await createSyncTables(transaction, dialect);
  },
};
