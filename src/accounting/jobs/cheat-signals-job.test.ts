// Cheat signals on SQLite and PostgreSQL: found once each, however often the job is killed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import { dismissSignal, listSignals } from '#accounting/signals/signals.ts';
import { TestAnnounces } from '#accounting/test-announces.ts';
import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import type { JobContext } from '#base/job.ts';
import { silentLogger } from '#base/logger.ts';
import { SimClock } from '#sim/clock.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import { migrate } from '#sql/migrate.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { cheatSignalsJob } from './cheat-signals-job.ts';

const GIB = 2 ** 30;

forEachDatabase((database, open) => {
  test(`${database}: a signal is written once, however often the job is killed, and again after it was dismissed`, async () => {
    const sql = await open();
    try {
      const clock = new SimClock();
      await migrate(sql, [...sqlMigrations, ...accountingMigrations], { clock });
      const log = new MemoryLog();
      await log.createTopic(TRANSFERS_TOPIC);
      const announces = new TestAnnounces();
      let uploaded = 0;
      const give = async (times: number, from: number): Promise<void> => {
        for (let at = from; at < from + times; at++) {
          uploaded += 100 * GIB;
          const value = announces.announce({ uploaded, at: at * 600, left: 0 });
          await log.append(TRANSFERS_TOPIC, [{ value }]);
        }
      };
      await log.append(TRANSFERS_TOPIC, [{ value: announces.announce({ event: 'started' }) }]);
      await give(2500, 1);
      let transactions = 0;
      const kills = new Set([1, 2, 4]);
      const context: JobContext = {
        signal: new AbortController().signal,
        clock,
        logger: silentLogger,
        fence: 1,
        progress: () => undefined,
        checkpoint: { load: async () => undefined, save: async () => undefined },
        fenced: async () => {
          if (kills.has(++transactions)) throw new Error('killed');
        },
      };
      const job = cheatSignalsJob({
        sql,
        log,
        sizes: async () => new Map(),
        settings: async () => ({
          lineBytesPerSecondMax: 100_000_000,
          networksMax: 3,
          isEverybodyNamed: false,
        }),
      });
      for (let run = 0; run < 3; run++) await assert.rejects(job.run(context), /killed/);
      await job.run(context);
      await job.run(context);
      const [signal, ...others] = await listSignals(sql, { limit: 10 });
      assert.deepEqual([signal?.kind, signal?.times, others.length], ['too-fast', 2500, 0]);
      assert.equal(signal?.evidence['bytes'], 100 * GIB);
      assert.ok(signal !== undefined);
      const by = { memberId: 9, nowMs: clock.nowMs() };
      assert.equal(await dismissSignal(sql, signal.id, by), true);
      assert.equal(await dismissSignal(sql, signal.id, by), false);
      assert.deepEqual(await listSignals(sql, { limit: 10 }), []);
      await give(1, 2501);
      await job.run(context);
      assert.deepEqual(
        (await listSignals(sql, { limit: 10 })).map((one) => one.times),
        [1],
      );
    } finally {
      await sql.close();
    }
  });
});
