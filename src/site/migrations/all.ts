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
import { shareItemsMigration } from './0686-share-items.ts';
import { extractsMigration } from './0687-extracts.ts';
import { searchesMigration } from './0700-searches.ts';
import { searchMigration } from './0701-search.ts';
import { removedHashesMigration } from './0702-removed-hashes.ts';
import { replacedMigration } from './0703-replaced.ts';
import { tokenScopesMigration } from './0720-token-scopes.ts';
import { signInMigration } from './0721-sign-in.ts';
import { applicationsMigration } from './0722-applications.ts';
import { profilePrivacyMigration } from './0723-profile-privacy.ts';
import { feedKeysMigration } from './0740-feed-keys.ts';
import { staffLogMigration } from './0741-staff-log.ts';
import { moderationMigration } from './0742-moderation.ts';
import { reportsMigration } from './0743-reports.ts';
import { commentsMigration } from './0744-comments.ts';
import { requestsMigration } from './0745-requests.ts';
import { collectionsMigration } from './0746-collections.ts';
import { postingsMigration } from './0750-postings.ts';
import { listedMigration } from './0751-listed.ts';
import { torrentChangesMigration } from './0761-torrent-changes.ts';
import { coversMigration } from './0762-covers.ts';
import { tagChangesMigration } from './0763-tag-changes.ts';
import { postingVersionsMigration } from './0810-posting-versions.ts';
import { titledMigration } from './0811-titled.ts';
import { feedKeyHashesMigration } from './0830-feed-key-hashes.ts';
import { staffRequestsMigration } from './0831-staff-requests.ts';

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
  shareItemsMigration,
  extractsMigration,
  feedKeysMigration,
  staffLogMigration,
  moderationMigration,
  reportsMigration,
  commentsMigration,
  requestsMigration,
  collectionsMigration,
  searchesMigration,
  searchMigration,
  removedHashesMigration,
  replacedMigration,
  tokenScopesMigration,
  signInMigration,
  applicationsMigration,
  profilePrivacyMigration,
  postingsMigration,
  listedMigration,
  torrentChangesMigration,
  coversMigration,
  tagChangesMigration,
  postingVersionsMigration,
  titledMigration,
  feedKeyHashesMigration,
  staffRequestsMigration,
];
