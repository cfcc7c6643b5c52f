// The migrations of archive/, for cli's list of all rooms.

import type { Migration } from '#sql/sql.ts';
import { pinsMigration } from './0600-pins.ts';
import { archiveMigration } from './0610-archive.ts';
import { trafficMigration } from './0620-traffic.ts';
import { wantedMigration } from './0630-wanted.ts';
import { syncsMigration } from './0640-syncs.ts';
import { sourcesMigration } from './0650-sources.ts';
import { eventsMigration } from './0680-events.ts';
import { keepersMigration } from './0682-keepers.ts';
import { mapsMigration } from './0684-maps.ts';
import { turnsMigration } from './0760-turns.ts';

export const archiveMigrations: readonly Migration[] = [
  pinsMigration,
  archiveMigration,
  trafficMigration,
  wantedMigration,
  syncsMigration,
  sourcesMigration,
  eventsMigration,
  keepersMigration,
  mapsMigration,
  turnsMigration,
];
