// All settings: each room's own config.ts, by the room's name.

import type { z } from 'zod';
import { accountingConfig } from '#accounting/config.ts';
import { rulesConfig } from '#accounting/rules-config.ts';
import { archiveConfig } from '#archive/config.ts';
import { jobsConfig } from '#jobs/config.ts';
import { logConfig } from '#log/config.ts';
import { siteConfig } from '#site/config.ts';
import { sqlConfig } from '#sql/config.ts';
import { backupConfig } from '#store/backup/config.ts';
import { s3Config, storeConfig } from '#store/config.ts';
import { uploadConfig } from '#store/upload/config.ts';
import { swarmConfig } from '#swarm/config.ts';
import { trackerConfig } from '#tracker/config.ts';
import { serverConfig } from './server-config.ts';

export const SECTIONS = {
  server: serverConfig,
  site: siteConfig,
  tracker: trackerConfig,
  swarm: swarmConfig,
  accounting: accountingConfig,
  rules: rulesConfig,
  log: logConfig,
  sql: sqlConfig,
  store: storeConfig,
  s3: s3Config,
  upload: uploadConfig,
  archive: archiveConfig,
  backup: backupConfig,
  jobs: jobsConfig,
} as const;

export type SectionName = keyof typeof SECTIONS;
export type Config = { readonly [Name in SectionName]: z.output<(typeof SECTIONS)[Name]> };

/** What each section is about, as its comment in the printed file. */
export const SECTION_WORDS: Readonly<Record<SectionName, string>> = {
  server: 'The process as a whole.',
  site: 'The community site.',
  tracker: 'The doors that BitTorrent clients announce to.',
  swarm: 'Peers and torrents in memory.',
  accounting: 'How transferred bytes become records, and records the ledger.',
  rules: 'What members must give back, and what happens when they do not.',
  log: 'The event log.',
  sql: 'The database: SQLite in the data folder, or a PostgreSQL server.',
  store: 'Content under its hash: where blobs are kept, and how many copies.',
  s3: 'The bucket that `s3` in store.stack means.',
  upload: 'How browsers and programs use the store over the network.',
  archive: 'Content of torrents that the server keeps and gives.',
  backup: 'Backups that the server makes of itself.',
  jobs: 'What runs by itself: when, how often, how long.',
};
