// The archive's catalogue: files by their root, what is wrong with them, and which of them a torrent is
// made of. All of it can be made again from the blobs and the torrents.

import { sql } from 'kysely';
import { bytesType, idType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const archiveMigration: Migration = {
  number: 610,
  name: '0610-archive',
  async up(transaction, dialect) {
    const bytes = sql.raw(bytesType(dialect));
    await sql`create table archive_file (
      id ${idType(dialect)},
      root ${bytes} not null unique,
      size_bytes bigint not null,
      map_ref text not null,
      stored_ms bigint not null,
      checked_ms bigint not null
    )`.execute(transaction);
    await sql`create index archive_file_checked on archive_file (checked_ms)`.execute(transaction);
    await sql`create table archive_damage (
      file_id bigint not null references archive_file (id) on delete cascade,
      segment bigint not null,
      kind text not null,
      found_ms bigint not null,
      primary key (file_id, segment)
    )`.execute(transaction);
    await sql`create table archive_torrent (
      torrent_id bigint primary key,
      kept_ms bigint not null
    )`.execute(transaction);
    await sql`create table archive_entry (
      torrent_id bigint not null references archive_torrent (torrent_id) on delete cascade,
      position bigint not null,
      file_id bigint references archive_file (id),
      primary key (torrent_id, position)
    )`.execute(transaction);
    await sql`create index archive_entry_file on archive_entry (file_id)`.execute(transaction);
  },
};
