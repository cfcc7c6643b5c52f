// The migrations of accounting/, for cli's list of all rooms.

import type { Migration } from '#sql/sql.ts';
import { ledgerMigration } from './0100-ledger.ts';
import { ledgerDaysMigration } from './0110-ledger-days.ts';
import { standingsMigration } from './0120-standings.ts';
import { signalsMigration } from './0130-signals.ts';
import { bonusMigration } from './0140-bonus.ts';
import { classesMigration } from './0150-classes.ts';
import { ledgerFillMigration } from './0160-ledger-fill.ts';
import { seedingMigration } from './0180-seeding.ts';
import { unseededMigration } from './0181-unseeded.ts';
import { freeBytesMigration } from './0685-free-bytes.ts';

export const accountingMigrations: readonly Migration[] = [
  ledgerMigration,
  ledgerDaysMigration,
  standingsMigration,
  signalsMigration,
  bonusMigration,
  classesMigration,
  ledgerFillMigration,
  seedingMigration,
  unseededMigration,
  freeBytesMigration,
];
