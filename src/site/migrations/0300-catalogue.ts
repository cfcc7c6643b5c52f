// The catalogue: categories, torrents with their files, tags and stored .torrent files, uploads that
// wait for their uploader's word, and the full-text index. Ids of torrents are never used again,
// because the trackers and the log know torrents by them.

import { sql, type Transaction } from 'kysely';
import { bytesType, idType } from '#sql/dialect.ts';
import type { Dialect, Migration } from '#sql/sql.ts';

type Schema = Transaction<Record<string, never>>;

export const catalogueMigration: Migration = {
  number: 300,
  name: '0300-catalogue',
  async up(transaction, dialect) {
    await createCategories(transaction, dialect);
    await createTorrents(transaction, dialect);
    await createFiles(transaction, dialect);
    await createTags(transaction, dialect);
    await createSearch(transaction, dialect);
    await createDrafts(transaction, dialect);
  },
};

const CATEGORIES = ['datasets', 'software', 'video', 'audio', 'books', 'images', 'other'] as const;

async function createCategories(schema: Schema, dialect: Dialect): Promise<void> {
  await sql`create table category (
    id ${idType(dialect)},
    slug text not null unique,
    name text not null,
    position bigint not null
  )`.execute(schema);
  for (const [position, slug] of CATEGORIES.entries()) {
    const name = slug.charAt(0).toUpperCase() + slug.slice(1);
    await sql`insert into category (slug, name, position)
      values (${slug}, ${name}, ${position})`.execute(schema);
  }
}

async function createTorrents(schema: Schema, dialect: Dialect): Promise<void> {
  const bytes = sql.raw(bytesType(dialect));
  // Sorting by title compares bytes on both databases.
  const byBytes = sql.raw(dialect === 'postgres' ? ' collate "C"' : '');
  await sql`create table torrent (
    id ${idType(dialect)},
    info_hash_v1 ${bytes},
    info_hash_v2 ${bytes},
    content_v1 ${bytes},
    content_v2 ${bytes},
    name text not null,
    title text not null,
    title_key text${byBytes} not null,
    description text not null,
    category_id bigint not null references category (id),
    uploader_id bigint not null,
    source text not null,
    upload_notes text not null,
    piece_length bigint not null,
    size_bytes bigint not null,
    file_count bigint not null,
    seeders bigint not null,
    leechers bigint not null,
    completed bigint not null,
    created_ms bigint not null,
    changed_ms bigint not null,
    removed_ms bigint,
    removed_by bigint,
    removed_reason text not null
  )`.execute(schema);
  const listed = sql`where removed_ms is null`;
  await sql`create unique index torrent_info_hash_v1 on torrent (info_hash_v1) ${listed}`.execute(
    schema,
  );
  await sql`create unique index torrent_info_hash_v2 on torrent (info_hash_v2) ${listed}`.execute(
    schema,
  );
  await sql`create index torrent_content_v1 on torrent (content_v1)`.execute(schema);
  await sql`create index torrent_content_v2 on torrent (content_v2)`.execute(schema);
  for (const column of [
    'title_key',
    'size_bytes',
    'file_count',
    'seeders',
    'leechers',
    'completed',
  ]) {
    await sql`create index ${sql.raw(`torrent_${column}`)}
      on torrent (${sql.raw(column)}, id) ${listed}`.execute(schema);
  }
  await sql`create index torrent_category on torrent (category_id, id) ${listed}`.execute(schema);
  await sql`create index torrent_uploader on torrent (uploader_id, id)`.execute(schema);
}

async function createFiles(schema: Schema, dialect: Dialect): Promise<void> {
  const bytes = sql.raw(bytesType(dialect));
  await sql`create table torrent_file (
    torrent_id bigint primary key references torrent (id),
    bytes ${bytes} not null
  )`.execute(schema);
  await sql`create table torrent_entry (
    torrent_id bigint not null references torrent (id),
    position bigint not null,
    path text not null,
    file_count bigint not null,
    size_bytes bigint not null,
    primary key (torrent_id, position)
  )`.execute(schema);
}

async function createTags(schema: Schema, dialect: Dialect): Promise<void> {
  await sql`create table tag (
    id ${idType(dialect)},
    name text not null unique
  )`.execute(schema);
  await sql`create table torrent_tag (
    torrent_id bigint not null references torrent (id),
    tag_id bigint not null references tag (id),
    primary key (torrent_id, tag_id)
  )`.execute(schema);
  await sql`create index torrent_tag_tag on torrent_tag (tag_id, torrent_id)`.execute(schema);
}

// Both engines are given words that search-words.ts has cut, so that they find the same torrents.
async function createSearch(schema: Schema, dialect: Dialect): Promise<void> {
  if (dialect === 'sqlite') {
    await sql`create virtual table torrent_search using fts5 (
      title, tags, description, files, content = '', contentless_delete = 1,
      tokenize = "unicode61 remove_diacritics 0 categories 'L* N* M* Co'"
    )`.execute(schema);
    return;
  }
  await sql`create table torrent_search (
    torrent_id bigint primary key references torrent (id),
    words tsvector not null
  )`.execute(schema);
  await sql`create index torrent_search_words on torrent_search using gin (words)`.execute(schema);
}

async function createDrafts(schema: Schema, dialect: Dialect): Promise<void> {
  await sql`create table upload_draft (
    id text primary key,
    member_id bigint not null,
    bytes ${sql.raw(bytesType(dialect))} not null,
    size_bytes bigint not null,
    created_ms bigint not null
  )`.execute(schema);
  await sql`create index upload_draft_member on upload_draft (member_id, created_ms)`.execute(
    schema,
  );
}
