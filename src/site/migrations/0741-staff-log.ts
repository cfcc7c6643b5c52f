// What the staff did, in a table to which lines can only be added: the database itself refuses to change
// or remove one, whoever asks.

import { sql } from 'kysely';
import { bytesType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const staffLogMigration: Migration = {
  number: 741,
  name: '0741-staff-log',
  async up(transaction, dialect) {
    await sql`create table staff_action (
      number bigint primary key,
      at_ms bigint not null,
      member_id bigint not null,
      action text not null,
      subject text not null,
      words text not null,
      hash ${sql.raw(bytesType(dialect))} not null
    )`.execute(transaction);
    await sql`create index staff_action_member on staff_action (member_id, number)`.execute(
      transaction,
    );
    if (dialect === 'postgres') {
      await sql`create function staff_action_stays() returns trigger language plpgsql as
        $$ begin raise exception 'the staff log cannot be edited'; end $$`.execute(transaction);
      await sql`create trigger staff_action_stays before update or delete or truncate
        on staff_action for each statement execute function staff_action_stays()`.execute(
        transaction,
      );
      return;
    }
    for (const deed of ['update', 'delete']) {
      await sql`create trigger ${sql.raw(`staff_action_no_${deed}`)} before ${sql.raw(deed)}
        on staff_action begin select raise(abort, 'the staff log cannot be edited'); end`.execute(
        transaction,
      );
    }
  },
};
