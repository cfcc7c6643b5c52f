// Keys of feeds are found by their SHA-256: how long a search for the key itself takes would tell how much
// of a guess was right. The key stays beside it, because members are shown their addresses again.

import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import { bytesType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

const ROWS_AT_ONCE = 500;

export const feedKeyHashesMigration: Migration = {
  number: 830,
  name: '0830-feed-key-hashes',
  async up(transaction, dialect) {
    const bytes = sql.raw(bytesType(dialect));
    await sql`alter table feed_key add column key_hash ${bytes}`.execute(transaction);
    for (let after = 0; ; ) {
      const { rows } = await sql<{ member_id: number; key: string }>`select member_id, key
        from feed_key where member_id > ${after} order by member_id limit ${ROWS_AT_ONCE}`.execute(
        transaction,
      );
      for (const { member_id: memberId, key } of rows) {
        const hash = new Uint8Array(createHash('sha256').update(key).digest());
        await sql`update feed_key set key_hash = ${hash} where member_id = ${memberId}`.execute(
          transaction,
        );
      }
      const last = rows.at(-1);
      if (last === undefined) break;
      after = last.member_id;
    }
    await sql`create unique index feed_key_hash on feed_key (key_hash)`.execute(transaction);
  },
};
