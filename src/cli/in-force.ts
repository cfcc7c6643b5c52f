// A command answers when what it changed is in force: the change is in the database, the relay has moved
// it to the topic `control`, and every tracker thread of this server has applied it. So a script may
// announce right after `torrent add`, and a ban holds when `member ban` returns.

import { type Clock, sleep } from '#base/clock.ts';
import type { Logger } from '#base/logger.ts';
import type { Log } from '#log/log.ts';
import { CONTROL_TOPIC, outboxPending } from '#sql/outbox.ts';
import type { Sql } from '#sql/sql.ts';
import type { TrackerStats } from '#tracker/tracker-stats.ts';
import type { Rooms } from './rooms.ts';

/** After it the command answers anyway: what was changed is kept, and comes into force later. */
const WAIT_MS_MAX = 10_000;
const LOOK_EVERY_MS = 10;

export interface InForceWorld {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly sql: Sql;
  readonly log: Pick<Log, 'stats'>;
  readonly tracker: { status(): Promise<Pick<TrackerStats, 'control'>> };
}

/** Gives `run` rooms that notice a change; after one it resolves when that is in force, or after 10 s. */
export async function runUntilInForce(
  world: InForceWorld,
  rooms: Rooms,
  signal: AbortSignal,
  run: (rooms: Rooms) => Promise<void>,
): Promise<void> {
  let hasChanged = false;
  const changed = (): void => {
    hasChanged = true;
    rooms.changed();
  };
  await run({ ...rooms, changed });
  if (hasChanged) await waitUntilInForce(world, signal);
}

async function waitUntilInForce(world: InForceWorld, signal: AbortSignal): Promise<void> {
  const { clock, logger } = world;
  const lastMs = clock.monotonicMs() + WAIT_MS_MAX;
  while (!signal.aborted) {
    if (await isInForce(world)) return;
    if (clock.monotonicMs() >= lastMs) {
      logger.warn('a change is not in force at the tracker yet', { waitedMs: WAIT_MS_MAX });
      return;
    }
    await sleep(clock, LOOK_EVERY_MS, signal).catch(() => undefined);
  }
}

async function isInForce({ sql, log, tracker }: InForceWorld): Promise<boolean> {
  if ((await outboxPending(sql)) > 0) return false;
  const { nextOffset } = await log.stats(CONTROL_TOPIC);
  return (await tracker.status()).control.appliedOffset >= nextOffset;
}
