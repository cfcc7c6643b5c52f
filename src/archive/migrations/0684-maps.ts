// A second copy of the map of each file, in the catalogue: 64 bytes a segment, without which nobody could say
// which blobs a file is made of.

import { sql } from 'kysely';
import { bytesType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const mapsMigration: Migration = {
  number: 684,
  name: '0684-maps',
  async up(transaction, dialect) {
    const bytes = sql.raw(bytesType(dialect));
    await sql`create table archive_map (
      file_id bigint primary key references archive_file (id) on delete cascade,
      map_bytes ${bytes} not null
    )`.execute(transaction);
  },
};
