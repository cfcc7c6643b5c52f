// The search index of our own in the place of the engines' (docs/decisions/0030): for each term and each
// block of torrents' numbers the set of those that have it. Made here of all that there are.

import { type Kysely, sql } from 'kysely';
import { reindexTorrents } from '#site/catalogue/reindex-torrents.ts';
import { bytesType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const postingsMigration: Migration = {
  number: 750,
  name: '0750-postings',
  async up(transaction, dialect) {
    await sql`drop table torrent_search`.execute(transaction);
    const byBytes = sql.raw(dialect === 'postgres' ? ' collate "C"' : '');
    const end = sql.raw(dialect === 'sqlite' ? ' without rowid' : '');
    await sql`create table search_posting (
      block bigint not null,
      term text${byBytes} not null,
      ids ${sql.raw(bytesType(dialect))} not null,
      primary key (block, term)
    )${end}`.execute(transaction);
    if (dialect === 'postgres') {
      // Sets of numbers do not become smaller by being packed.
      await sql`alter table search_posting alter column ids set storage external`.execute(
        transaction,
      );
    }
    await reindexTorrents(transaction as unknown as Kysely<never>);
  },
};
