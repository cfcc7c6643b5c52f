// What the site is built from (cli brings it) and what its handlers share.

import type { RulesConfig } from '#accounting/rules-config.ts';
import type { WrittenFile } from '#archive/content/file-writer.ts';
import type { Downloads } from '#archive/downloads/downloads.ts';
import type { PutContent, PutRequest } from '#archive/ingest/put-content.ts';
import type { PackSource } from '#archive/ingest/upload-pack.ts';
import type { Clock } from '#base/clock.ts';
import type { BlobRef } from '#base/ids.ts';
import type { Logger } from '#base/logger.ts';
import type { Random } from '#base/random.ts';
import type { Log } from '#log/log.ts';
import type { Registry } from '#metrics/registry.ts';
import type { Dial } from '#net/tcp-dial.ts';
import type { Sql } from '#sql/sql.ts';
import type { DeriveKey, Passwords } from './accounts/passwords.ts';
import type { PortTests } from './accounts/port-tests.ts';
import type { Settings, TrackerDefaults } from './accounts/settings.ts';
import type { KnownAddresses } from './announce-urls.ts';
import type { Assets } from './assets.ts';
import type { ConfiguredClasses } from './classes/class-book.ts';
import type { SiteConfig } from './config.ts';
import type { Pictures } from './covers/covers.ts';
import type { DocShelf } from './docs/doc-shelf.ts';
import type { LiveCounts } from './live/live-counts.ts';
import type { Machine } from './machine/machine.ts';
import type { AddressBans } from './moderation/address-bans.ts';
import type { Exports } from './privacy/exports.ts';
import type { RateLimit } from './rate-limit.ts';
import type { Mailer, Mails } from './recovery/mails.ts';
import type { RoleBook } from './roles/role-book.ts';
import type { RuleBook } from './rules/rule-book.ts';
import type { SharePasswords } from './shares/share-passwords.ts';
import type { ShareTraffic } from './shares/share-traffic.ts';
import type { StaffLog } from './staff-log/staff-log.ts';
import type { StatusNow } from './status/status-now.ts';
import type { Swarms } from './swarms.ts';
import type { Streams } from './transfers/streams.ts';

export interface SiteWorld {
  readonly sql: Sql;
  /** Where announces are told from: exports and the stream of transfers. */
  readonly log: Pick<Log, 'read' | 'stats' | 'topics'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly config: SiteConfig;
  /** Hashes passwords where they delay nothing; in libuv's pool unless given. */
  readonly deriveKey?: DeriveKey;
  readonly swarms: Swarms;
  /** What the archive gives to download; without it nothing can be. */
  readonly content?: SiteContent;
  readonly addresses: KnownAddresses;
  /** Without it no letters are sent. */
  readonly mailer?: Mailer;
  /** What is read at /docs; without it nothing is. */
  readonly docs?: DocShelf;
  /** How ports are tried; by sockets of this machine unless given. */
  readonly dial?: Dial;
  /** Its stores and nodes, for the console. */
  readonly machine?: Machine;
  readonly trackerDefaults: TrackerDefaults;
  /** By what members are judged, as configured; the operator may change it on the site. */
  readonly rules: RulesConfig;
  /** Member classes, as configured; the operator may change them on the site. */
  readonly classes: ConfiguredClasses;
  /** Days after which addresses are removed, for those who ask. */
  readonly addressDays: number;
  /** For which a member may buy a token; 0 sells none. */
  readonly bonusTokenPoints: number;
  /** What runs by itself; for the console. */
  readonly jobs: JobsView;
  /** Wakes the outbox relay after a commit. */
  changed(): void;
  /** For the console; undefined while the server cannot say. */
  status(): Promise<SiteStatus | undefined>;
}

/** The archive's content as pages give it. */
export interface SiteContent {
  readonly downloads: Downloads;
  isKept(torrentId: number): Promise<boolean>;
  /** A small blob of the site's own, such as a preview. Undefined when it cannot be read. */
  blob(ref: BlobRef): Promise<Uint8Array | undefined>;
  /** Where covers are kept; undefined where none can be. */
  readonly pictures?: Pictures;
  /** What browsers upload into the archive; undefined where nothing can be. */
  readonly contributions?: Contributions;
  /** Told of what members are given. */
  onTaken(memberId: number, torrentId: number, bytes: number): void;
}

/** The way of content from browsers into the archive. */
export interface Contributions {
  /** Where resumable uploads are made (tus). */
  readonly uploadsPath: string;
  /** One of that member's that is complete; undefined for any other. */
  open(
    member: { readonly memberId: number; readonly name: string },
    id: string,
  ): Promise<Upload | undefined>;
  /** Everything is stored when it resolves. @throws ArchiveError, StoreError */
  put(request: PutRequest): Promise<PutContent>;
  /** Told and on disk when it resolves; false when the files are not those of the torrent. */
  keep(torrentId: number, files: readonly WrittenFile[]): Promise<boolean>;
}

export interface Upload extends PackSource {
  discard(): Promise<void>;
}

/** The scheduler as the console sees it: its own node's word for what all nodes share. */
export interface JobsView {
  /** By name. */
  views(): Promise<readonly JobView[]>;
  /** Newest first. */
  runs(name: string, runsMax: number): Promise<readonly JobRunView[]>;
  /** Rejects when no job is called so, like the next two. */
  request(name: string): Promise<void>;
  pause(name: string): Promise<void>;
  resume(name: string): Promise<void>;
}

/** Times are Unix milliseconds. */
export interface JobView {
  readonly name: string;
  readonly summary: string;
  readonly isPaused: boolean;
  readonly isRequested: boolean;
  readonly nextRunMs: number;
  /** In a row. */
  readonly failures: number;
  /** Present while it runs and says how far it is. */
  readonly progress:
    | { readonly done: number; readonly total: number | undefined; readonly unit: string }
    | undefined;
  readonly lastRun: JobRunView | undefined;
}

export interface JobRunView {
  readonly result: 'done' | 'failed' | 'timed-out' | 'cancelled' | 'running' | 'lost';
  readonly summary: string;
  /** The node that ran it. */
  readonly holder: string;
  readonly startedMs: number;
  readonly endedMs: number | undefined;
}

/** What the server tells about itself. */
export interface SiteStatus {
  /** Unix milliseconds. */
  readonly startedMs: number;
  /** Which sockets the tracker uses. */
  readonly sockets: string;
  /** Records of the log that the ledger has not applied yet. */
  readonly ledgerLag: number;
  /** Changes that the trackers have not applied yet. */
  readonly controlLag: number;
  /** More to show, in this order. */
  readonly figures?: readonly StatusFigure[];
}

export interface StatusFigure {
  readonly label: string;
  readonly value: string | number;
  readonly note?: string;
}

/** The world with what the site keeps for itself; every model takes what it needs of it. */
export interface SiteParts extends SiteWorld {
  readonly passwords: Passwords;
  readonly settings: Settings;
  readonly mails: Mails;
  readonly roleBook: RoleBook;
  readonly staffLog: StaffLog;
  readonly addressBans: AddressBans;
  readonly ruleBook: RuleBook;
  readonly assets: Assets;
  readonly portTests: PortTests;
  readonly exports: Exports;
  readonly streams: Streams;
  readonly liveCounts: LiveCounts;
  readonly shareTraffic: ShareTraffic;
  readonly sharePasswords: SharePasswords;
  readonly statusNow: StatusNow;
  readonly limits: {
    readonly signInAddress: RateLimit;
    readonly signInName: RateLimit;
    readonly signUpAddress: RateLimit;
    readonly apiCalls: RateLimit;
    /** By member, and by address for keys that are not good. */
    readonly feeds: RateLimit;
  };
}
