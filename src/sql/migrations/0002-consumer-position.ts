// Where a consumer of the log stands, kept in the transaction of what it wrote
// (consumer-position.ts).

import type { Migration } from '#sql/sql.ts';

export const consumerPositionMigration: Migration = {
  number: 2,
  name: '0002-consumer-position',
  async up(transaction) {
    await transaction.schema
      .createTable('consumer_position')
      .addColumn('consumer', 'text', (column) => column.primaryKey())
      .addColumn('log_id', 'text', (column) => column.notNull())
      .addColumn('epoch', 'bigint', (column) => column.notNull())
      .addColumn('next_offset', 'bigint', (column) => column.notNull())
      .execute();
  },
};
