// The migrations of accounting/, for cli's list of all rooms.

import type { Migration } from '#sql/sql.ts';
import { ledgerMigration } from './0100-ledger.ts';

export const accountingMigrations: readonly Migration[] = [ledgerMigration];
