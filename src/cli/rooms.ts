// The rooms that a command works on, opened either by the running server or, offline, by the command
// itself under the data folder's lock. Both give the same functions the same objects.

import type { ArchiveWorld } from '#archive/archive.ts';
import type { Clock } from '#base/clock.ts';
import type { Logger } from '#base/logger.ts';
import type { Random } from '#base/random.ts';
import type { Config } from '#config/schema.ts';
import type { Scheduler } from '#jobs/scheduler.ts';
import type { Log } from '#log/log.ts';
import type { Sql } from '#sql/sql.ts';
import type { ArchiveEvents } from './archive-events.ts';
import type { Keepers } from './keepers.ts';
import type { StoreCare } from './store-care.ts';
import type { StoreRoom } from './store-room.ts';
import type { StoreSyncs } from './store-syncs.ts';
import type { Diagnosis } from './support/diagnosis.ts';

export interface Rooms {
  readonly dataPath: string;
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly sql: Sql;
  readonly log: Log;
  readonly store: StoreRoom;
  readonly care: StoreCare;
  readonly syncs: StoreSyncs;
  readonly archive: ArchiveWorld;
  /** What tells the log of changes of the archive; whoever answers for one waits for `flush`. */
  readonly events: ArchiveEvents;
  readonly keepers: Keepers;
  /** Those of the server, which run when they are due; offline, to be run by hand. */
  readonly jobs: Scheduler;
  /** Tells the outbox relay that something waits for the trackers; nothing when none runs. */
  changed(): void;
  /** Stops the ledger between two batches while `run` has its tables, then lets it go on. */
  withLedgerPaused<Result>(run: () => Promise<Result>): Promise<Result>;
  /** What the server can tell about itself; undefined offline. */
  status(): Promise<ServerStatus | undefined>;
  /** Of the running server; undefined offline. */
  readonly diagnosis: Diagnosis | undefined;
}

export interface ServerStatus {
  readonly startedMs: number;
  readonly sockets: string;
  /** Records of the log that the ledger has not applied yet. */
  readonly ledgerLag: number;
  /** Changes that the trackers have not applied yet. */
  readonly controlLag: number;
  readonly tracker: unknown;
}
