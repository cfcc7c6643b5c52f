// Comments on torrents, and what stood in them before they were changed.

import { sql } from 'kysely';
import { idType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const commentsMigration: Migration = {
  number: 744,
  name: '0744-comments',
  async up(transaction, dialect) {
    await sql`create table comment (
      id ${idType(dialect)},
      torrent_id bigint not null,
      member_id bigint not null,
      text text not null,
      created_ms bigint not null,
      edited_ms bigint
    )`.execute(transaction);
    await sql`create index comment_torrent on comment (torrent_id, id)`.execute(transaction);
    await sql`create index comment_member on comment (member_id, created_ms)`.execute(transaction);
    await sql`create table comment_edit (
      id ${idType(dialect)},
      comment_id bigint not null,
      member_id bigint not null,
      text text not null,
      edited_by bigint not null,
      edited_ms bigint not null
    )`.execute(transaction);
    await sql`create index comment_edit_comment on comment_edit (comment_id, id)`.execute(
      transaction,
    );
    await sql`create index comment_edit_member on comment_edit (member_id)`.execute(transaction);
  },
};
