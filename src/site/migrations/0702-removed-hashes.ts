// Torrents that were removed are found by their hashes, as those that are listed are.

import { sql } from 'kysely';
import type { Migration } from '#sql/sql.ts';

export const removedHashesMigration: Migration = {
  number: 702,
  name: '0702-removed-hashes',
  async up(transaction) {
    for (const column of ['info_hash_v1', 'info_hash_v2']) {
      await sql`create index ${sql.raw(`torrent_removed_${column}`)}
        on torrent (${sql.raw(column)}) where removed_ms is not null`.execute(transaction);
    }
  },
};
