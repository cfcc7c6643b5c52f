// The migrations of site/, for cli's list of all rooms.

import type { Migration } from '#sql/sql.ts';
import { accountsMigration } from './0200-accounts.ts';
import { catalogueMigration } from './0300-catalogue.ts';
import { noticesMigration } from './0310-notices.ts';
import { creditMigration } from './0320-credit.ts';
import { downloadKeysMigration } from './0330-download-keys.ts';
import { privacyMigration } from './0340-privacy.ts';
import { seriesMigration } from './0350-series.ts';
import { apiTokensMigration } from './0360-api-tokens.ts';
import { foldersMigration } from './0670-folders.ts';
import { sharesMigration } from './0671-shares.ts';
import { previewsMigration } from './0672-previews.ts';

export const siteMigrations: readonly Migration[] = [
  accountsMigration,
  catalogueMigration,
  noticesMigration,
  creditMigration,
  downloadKeysMigration,
  privacyMigration,
  seriesMigration,
  apiTokensMigration,
  foldersMigration,
  sharesMigration,
  previewsMigration,
];
