// Keys by which feed readers and clients ask for a member's feeds.

import { sql } from 'kysely';
import type { Migration } from '#sql/sql.ts';

export const feedKeysMigration: Migration = {
  number: 740,
  name: '0740-feed-keys',
  async up(transaction) {
    await sql`create table feed_key (
      member_id bigint primary key,
      key text not null unique,
      created_ms bigint not null
    )`.execute(transaction);
  },
};
