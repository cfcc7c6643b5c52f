// The tables of the jobs (jobs/job-tables.ts).

import { createJobTables } from '#jobs/job-tables.ts';
import type { Migration } from '#sql/sql.ts';

export const jobsMigration: Migration = {
  number: 400,
  name: '0400-jobs',
  async up(transaction) {
    await createJobTables(transaction);
  },
};
