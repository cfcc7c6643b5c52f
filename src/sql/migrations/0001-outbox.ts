// What the trackers must be told, written in the transaction of the change itself (outbox.ts).

import { idType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const outboxMigration: Migration = {
  number: 1,
  name: '0001-outbox',
  async up(transaction, dialect) {
    await transaction.schema
      .createTable('outbox')
      .addColumn('id', idType(dialect))
      .addColumn('message', 'text', (column) => column.notNull())
      .execute();
  },
};
