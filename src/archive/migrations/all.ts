// The migrations of archive/, for cli's list of all rooms.

import type { Migration } from '#sql/sql.ts';
import { pinsMigration } from './0600-pins.ts';

export const archiveMigrations: readonly Migration[] = [pinsMigration];
