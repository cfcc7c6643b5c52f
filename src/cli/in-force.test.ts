import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import { migrate } from '#sql/migrate.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import { CONTROL_TOPIC, enqueue } from '#sql/outbox.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import type { ControlStatus } from '#tracker/directory/control-follower.ts';
import type { ControlMessage } from '#wire/control-message.ts';
import { runUntilInForce } from './in-force.ts';
import type { Rooms } from './rooms.ts';

const CHANGE: ControlMessage = {
  kind: 'member',
  memberId: 1,
  passkeys: ['key1'],
  state: 'active',
  reason: '',
  mayLeech: true,
  isProtected: false,
};
const EMPTY = { key: new Uint8Array(1), value: new Uint8Array(1) };

/** Its ten seconds pass in ten milliseconds. */
class FastClock extends SystemClock {
  speed = 1;
  override monotonicMs(): number {
    return super.monotonicMs() * this.speed;
  }
}

forEachDatabase((name, open) => {
  test(`${name}: a command answers when the trackers have its change, or after ten seconds`, async () => {
    const sql = await open();
    try {
      await migrate(sql, sqlMigrations, { clock: new SystemClock() });
      const clock = new FastClock();
      const log = new MemoryLog();
      await log.createTopic(CONTROL_TOPIC);
      const tracker = { applied: 0, asked: 0 };
      const world = {
        ...{ clock, sql, log, logger: silentLogger },
        tracker: {
          status: async () => {
            tracker.asked++;
            return { control: { appliedOffset: tracker.applied } as ControlStatus };
          },
        },
      };
      const run = (deed: (rooms: Rooms) => Promise<void>): Promise<void> =>
        runUntilInForce(
          world,
          { changed: () => undefined } as Rooms,
          new AbortController().signal,
          deed,
        );

      await run(async () => undefined);
      assert.equal(tracker.asked, 0, 'what changes nothing waits for nobody');

      await sql.transaction((transaction) => enqueue(transaction, CHANGE));
      const waiting = run(async (rooms) => rooms.changed());
      const states: string[] = [];
      void waiting.then(() => states.push('answered'));
      await sql.transaction((transaction) => transaction.deleteFrom('outbox' as never).execute());
      await log.append(CONTROL_TOPIC, [EMPTY]);
      while (tracker.asked < 3) await pause(1);
      states.push('in the log');
      tracker.applied = 1;
      await waiting;
      assert.deepEqual(states, ['in the log', 'answered']);

      tracker.applied = 0;
      clock.speed = 1000;
      await run(async (rooms) => rooms.changed());
    } finally {
      await sql.close();
    }
  });
});
