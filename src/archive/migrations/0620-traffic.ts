// What members took from the archive's web seed.

import { sql } from 'kysely';
import type { Migration } from '#sql/sql.ts';

export const trafficMigration: Migration = {
  number: 620,
  name: '0620-traffic',
  async up(transaction) {
    await sql`create table archive_traffic (
      member_id bigint not null,
      torrent_id bigint not null,
      seed_bytes bigint not null,
      primary key (member_id, torrent_id)
    )`.execute(transaction);
  },
};
