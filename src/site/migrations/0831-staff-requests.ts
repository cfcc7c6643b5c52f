// Lines of the staff log name the request that wrote them, by which a server's own lines are found. Empty
// in lines from before, and in those of the command line.

import { sql } from 'kysely';
import type { Migration } from '#sql/sql.ts';

export const staffRequestsMigration: Migration = {
  number: 831,
  name: '0831-staff-requests',
  async up(transaction) {
    await sql`alter table staff_action add column request_id text not null default ''`.execute(
      transaction,
    );
  },
};
