// Every room's migrations as one list, in the order of their numbers.

import { accountingMigrations } from '#accounting/migrations/all.ts';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { jobsMigrations } from '#jobs/migrations/all.ts';
import { siteMigrations } from '#site/migrations/all.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import type { Migration } from '#sql/sql.ts';

export const MIGRATIONS: readonly Migration[] = [
  ...sqlMigrations,
  ...accountingMigrations,
  ...siteMigrations,
  ...jobsMigrations,
  ...archiveMigrations,
];
