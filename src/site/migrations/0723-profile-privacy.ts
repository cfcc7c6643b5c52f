// What of a member's profile other members see, where the member said so.

import { sql } from 'kysely';
import type { Migration } from '#sql/sql.ts';

export const profilePrivacyMigration: Migration = {
  number: 723,
  name: '0723-profile-privacy',
  async up(transaction) {
    await sql`create table member_privacy (
      member_id bigint primary key references member (id),
      shown text not null
    )`.execute(transaction);
  },
};
