// The store of a data folder and all that lives on it, for the server and for commands offline: the same
// objects, joined in the same way.

import { join } from 'node:path';
import { ChosenHasher } from '#archive/hash/chosen-hasher.ts';
import type { Clock } from '#base/clock.ts';
import type { Logger } from '#base/logger.ts';
import type { Random } from '#base/random.ts';
import type { Config } from '#config/schema.ts';
import type { Log } from '#log/log.ts';
import type { Registry } from '#metrics/registry.ts';
import type { AddonPlace } from '#net/addon.ts';
import type { Swarms } from '#site/swarms.ts';
import type { Sql } from '#sql/sql.ts';
import { openEvents } from './archive-events.ts';
import { archiveOf } from './archive-parts.ts';
import type { DataFolder } from './data-folder.ts';
import { openKeepers } from './keepers.ts';
import type { Rooms } from './rooms.ts';
import { StoreCare } from './store-care.ts';
import { StoreRoom } from './store-room.ts';
import { openSyncs } from './store-syncs.ts';

export type StoreRooms = Pick<Rooms, 'store' | 'care' | 'syncs' | 'archive' | 'events' | 'keepers'>;

export interface StoreRoomsWorld {
  readonly folder: DataFolder;
  readonly config: Config;
  readonly sql: Sql;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Registry;
  /** Undefined offline. */
  readonly swarms: Swarms | undefined;
  readonly addon: () => AddonPlace;
  /** What is named last is closed first. */
  readonly closeLater: (name: string, close: () => Promise<void>) => void;
}

/** Opens no file yet: the store is opened when it is first asked for. */
export function openStoreRooms(world: StoreRoomsWorld): StoreRooms {
  const { folder, config, sql, log, clock, random, logger, metrics, closeLater } = world;
  const store = new StoreRoom({
    ...{ folder: join(folder.path, 'store'), config, clock, random, metrics },
    logger: logger.for('store'),
  });
  closeLater('store', () => store.close());
  const { hashThreads: threads } = config.archive;
  const hasher = new ChosenHasher({ threads, clock, addon: world.addon });
  closeLater('threads that hash', () => hasher.close());
  const keepers = openKeepers({ sql, clock, random, logger, config, metrics, store });
  const { swarms } = world;
  return {
    store,
    keepers,
    care: new StoreCare({ sql, log, clock, config, metrics, store }),
    syncs: openSyncs({ sql, log, config, metrics, store }),
    archive: archiveOf({ sql, clock, config, hasher, store, swarms, keepers: keepers.desk }),
    events: openEvents({ folder, sql, log, clock, random, logger, store }),
  };
}
