// What members keep an eye on (bookmarks), put together for others (collections), and thanked for.

import { sql } from 'kysely';
import { idType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const collectionsMigration: Migration = {
  number: 746,
  name: '0746-collections',
  async up(transaction, dialect) {
    for (const table of ['bookmark', 'thanks']) {
      await sql`create table ${sql.table(table)} (
        member_id bigint not null,
        torrent_id bigint not null,
        created_ms bigint not null,
        primary key (member_id, torrent_id)
      )`.execute(transaction);
      await sql`create index ${sql.raw(`${table}_torrent`)} on ${sql.table(table)} (torrent_id)`.execute(
        transaction,
      );
    }
    await sql`create table collection (
      id ${idType(dialect)},
      member_id bigint not null,
      title text not null,
      description text not null,
      created_ms bigint not null,
      changed_ms bigint not null
    )`.execute(transaction);
    await sql`create index collection_member on collection (member_id, id)`.execute(transaction);
    await sql`create table collection_item (
      collection_id bigint not null,
      torrent_id bigint not null,
      added_ms bigint not null,
      primary key (collection_id, torrent_id)
    )`.execute(transaction);
  },
};
