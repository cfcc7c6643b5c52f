// What lists of torrents are narrowed and ordered by, as an index of its own: a torrent's row, which has
// its description, takes four times as long to read (docs/decisions/0030).

import { sql } from 'kysely';
import type { Migration } from '#sql/sql.ts';

export const listedMigration: Migration = {
  number: 751,
  name: '0751-listed',
  async up(transaction) {
    await sql`create index torrent_listed on torrent
      (id, size_bytes, created_ms, seeders, leechers, completed, file_count)`.execute(transaction);
  },
};
