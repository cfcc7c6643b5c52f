// The store that a restore reads, opened by settings alone: there is no data folder yet.

import { join } from 'node:path';
import { SystemClock } from '#base/clock.ts';
import { SystemRandom } from '#base/random.ts';
import type { Options } from '#cli/command.ts';
import { configFor } from '#cli/config-for.ts';
import { pinoLogger } from '#cli/pino-logger.ts';
import { StoreRoom } from '#cli/store-room.ts';
import { Registry } from '#metrics/registry.ts';

/** Key file and bucket come from --config and --set. */
export function sourceRoom(options: Options): StoreRoom {
  return new StoreRoom({
    // Nothing is kept there: a source has whole paths.
    folder: join(options.data, 'store'),
    config: configFor(options),
    ...{ clock: new SystemClock(), random: new SystemRandom(), metrics: new Registry() },
    logger: pinoLogger('warn').for('store'),
  });
}
