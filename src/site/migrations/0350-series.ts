// Numbers over time: swarms and the health of the server (series/series.ts).

import { sql } from 'kysely';
import type { Migration } from '#sql/sql.ts';

export const seriesMigration: Migration = {
  number: 350,
  name: '0350-series',
  async up(transaction, dialect) {
    // Names are compared as bytes on both databases: ranges of them are asked for.
    const byBytes = sql.raw(dialect === 'postgres' ? ' collate "C"' : '');
    await sql`create table series_point (
      series text${byBytes} not null,
      step_ms bigint not null,
      at_ms bigint not null,
      last_ms bigint not null,
      samples bigint not null,
      total bigint not null,
      highest bigint not null,
      primary key (series, step_ms, at_ms)
    )`.execute(transaction);
    await sql`create index series_point_age on series_point (step_ms, at_ms)`.execute(transaction);
  },
};
