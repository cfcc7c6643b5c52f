// All words of the search index in a table of their own, by which mistyped ones are found
// (catalogue/search-vocabulary.ts); 0750-postings fills it with the index. Each tag has the number of its
// torrents, and times of upload an index.

import { sql } from 'kysely';
import type { Migration } from '#sql/sql.ts';

export const searchMigration: Migration = {
  number: 701,
  name: '0701-search',
  async up(transaction, dialect) {
    const byBytes = sql.raw(dialect === 'postgres' ? ' collate "C"' : '');
    const end = sql.raw(dialect === 'sqlite' ? ' without rowid' : '');
    await sql`create table search_word (
      word text${byBytes} primary key,
      reversed text${byBytes} not null
    )${end}`.execute(transaction);
    await sql`create index search_word_reversed on search_word (reversed)`.execute(transaction);
    await sql`alter table tag add column torrents bigint not null default 0`.execute(transaction);
    await sql`update tag set torrents = (
      select count(*) from torrent_tag
      join torrent on torrent.id = torrent_tag.torrent_id
      where torrent_tag.tag_id = tag.id and torrent.removed_ms is null
    )`.execute(transaction);
    await sql`create index tag_torrents on tag (torrents, name)`.execute(transaction);
    await sql`create index torrent_created on torrent (created_ms, id)
      where removed_ms is null`.execute(transaction);
  },
};
