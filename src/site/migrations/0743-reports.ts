// What members report to the staff.

import { sql } from 'kysely';
import { idType } from '#sql/dialect.ts';
import type { Migration } from '#sql/sql.ts';

export const reportsMigration: Migration = {
  number: 743,
  name: '0743-reports',
  async up(transaction, dialect) {
    await sql`create table report (
      id ${idType(dialect)},
      kind text not null,
      subject_id bigint not null,
      member_id bigint not null,
      words text not null,
      created_ms bigint not null,
      claimed_by bigint,
      claimed_ms bigint,
      resolved_by bigint,
      resolved_ms bigint,
      outcome text not null,
      answer text not null
    )`.execute(transaction);
    // One open report of a thing by a member: another says nothing new.
    await sql`create unique index report_open on report (member_id, kind, subject_id)
      where resolved_ms is null`.execute(transaction);
    await sql`create index report_queue on report (id) where resolved_ms is null`.execute(
      transaction,
    );
    await sql`create index report_subject on report (kind, subject_id, id)`.execute(transaction);
  },
};
