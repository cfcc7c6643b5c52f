// The migrations of jobs/, for cli's list of all rooms.

import type { Migration } from '#sql/sql.ts';
import { jobsMigration } from './0400-jobs.ts';

export const jobsMigrations: readonly Migration[] = [jobsMigration];
