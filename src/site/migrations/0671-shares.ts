// Links by which members let strangers take what the archive keeps (shares/shares.ts). Of a link only its
// hash is kept.

import { sql } from 'kysely';
import { bytesType, idType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const sharesMigration: Migration = {
  number: 671,
  name: '0671-shares',
  async up(transaction, dialect) {
    await sql`create table share (
      id ${idType(dialect)},
      token_hash ${sql.raw(bytesType(dialect))} not null unique,
      member_id bigint not null,
      torrent_id bigint not null references torrent (id),
      position bigint not null,
      label text not null,
      password_hash text,
      created_ms bigint not null,
      expires_ms bigint not null,
      revoked_ms bigint,
      downloads_max bigint,
      downloads bigint not null,
      sent_bytes bigint not null
    )`.execute(transaction);
    await sql`create index share_member on share (member_id, id)`.execute(transaction);
    await sql`create index share_expires on share (expires_ms)`.execute(transaction);
  },
};
