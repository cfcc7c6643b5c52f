// The rooms opened by a command itself, when no server runs on the data folder: under the folder's
// lock, in this thread, with the log recovered and the schema brought up to date as `serve` would.

import { join } from 'node:path';
import { BLANK_ADDRESSES, blankAddresses } from '#accounting/forget-addresses.ts';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { SystemRandom } from '#base/random.ts';
import type { Config } from '#config/schema.ts';
import { LocalLog } from '#log/local-log.ts';
import { Registry } from '#metrics/registry.ts';
import { migrate } from '#sql/migrate.ts';
import { openSql } from '#sql/open.ts';
import { findOrBuildAddon } from './addon-build.ts';
import type { Options } from './command.ts';
import { configFor } from './config-for.ts';
import { DataFolder } from './data-folder.ts';
import { deleteHookOf } from './delete-hook.ts';
import { buildScheduler } from './jobs.ts';
import { MIGRATIONS } from './migrations.ts';
import { pinoLogger } from './pino-logger.ts';
import type { Rooms } from './rooms.ts';
import { openStoreRooms } from './store-rooms.ts';
import { createTopics } from './topics.ts';

export interface Offline {
  readonly rooms: Rooms;
  close(): Promise<void>;
}

/** `readOnly` leaves the schema as it is. @throws CliError CLI_DATA_LOCKED, CLI_DATA_UNUSABLE */
export async function openOffline(options: Options, readOnly: boolean): Promise<Offline> {
  const config = configFor(options);
  const folder = DataFolder.take(options.data);
  const undo: (() => Promise<void>)[] = [async () => folder.release()];
  const close = async (): Promise<void> => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    const rooms = await openRooms({ folder, config, readOnly, undo });
    return { rooms, close };
  } catch (error) {
    await close();
    throw error;
  }
}

interface Opening {
  readonly folder: DataFolder;
  readonly config: Config;
  readonly readOnly: boolean;
  /** What was opened, to be closed in reverse. */
  readonly undo: (() => Promise<void>)[];
}

async function openRooms(opening: Opening): Promise<Rooms> {
  const { folder, config, undo } = opening;
  const clock = new SystemClock();
  const random = new SystemRandom();
  // A command speaks by its output; only what an operator must know goes to standard error.
  const logger = pinoLogger('warn');
  const log = await LocalLog.open({
    disk: new SystemDisk(),
    folder: folder.folder('log'),
    clock,
    random,
    logger: logger.for('log'),
    metrics: new Registry(),
    config: config.log,
    hook: deleteHookOf(config.log, logger.for('log')),
    changes: new Map([[BLANK_ADDRESSES, blankAddresses]]),
    onFatal: (error) => {
      throw error;
    },
  });
  undo.push(() => log.close());
  await createTopics(log);
  const sql = await openSql({
    url: config.sql.url,
    folder: folder.folder('sql'),
    config: config.sql,
    logger: logger.for('sql'),
    clock,
    threads: false,
  });
  undo.push(() => sql.close());
  if (!opening.readOnly) await migrate(sql, MIGRATIONS, { clock });
  const metrics = new Registry();
  const stored = openStoreRooms({
    ...{ folder, config, sql, log, clock, random, logger, metrics, swarms: undefined },
    addon: () => findOrBuildAddon({ folders: [join(folder.path, 'addon')] }),
    closeLater: (_, close) => undo.push(close),
  });
  const jobs = buildScheduler({
    ...{ folder, config, sql, log, clock, random, logger, metrics, ...stored },
    swarms: undefined,
    health: undefined,
    changed: () => undefined,
  });
  return {
    dataPath: folder.path,
    config,
    clock,
    random,
    logger,
    sql,
    log,
    ...stored,
    jobs,
    // The outbox keeps the change; the next server relays it.
    changed: () => undefined,
    withLedgerPaused: (run) => run(),
    status: async () => undefined,
    diagnosis: undefined,
  };
}
