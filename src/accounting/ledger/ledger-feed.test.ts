// The ledger that follows the queue of records counts what the log has, each record once, through lost
// appends, failing commits, places that are taken again and records that only the log has.

import assert from 'node:assert/strict';
import test from 'node:test';
import { accountingConfig } from '#accounting/config.ts';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import { TransferFeed } from '#accounting/transfers/transfer-feed.ts';
import { TransferQueue } from '#accounting/transfers/transfer-queue.ts';
import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { TransferWriter } from '#accounting/transfers/transfer-writer.ts';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { below, SeededRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import { testSeed } from '#sim/seed.ts';
import { migrate } from '#sql/migrate.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import type { Sql } from '#sql/sql.ts';
import { openTestSqlite } from '#sql/test-databases.ts';
import { Ledger } from './ledger.ts';
import type { RecordFeed } from './ledger-read.ts';
import { appendMany, type Bench, benchOver, everything, worldOf } from './test-ledger-bench.ts';

const SETTINGS = { batchRecordsMax: 8, batchAgeMsMax: 1, recordsPendingMax: 40 };
const PLACES = 64;
const RECORDS = 600;
const BURST = 30;
const SEEDS = 3;

test('A7: a ledger that follows the queue counts each record of the log once', async (context) => {
  const first = testSeed(context, 1);
  const count = process.env['SWARMKEEP_SEED'] === undefined ? SEEDS : 1;
  for (let seed = first; seed < first + count; seed++) {
    const random = new SeededRandom(seed);
    await withSql(async (sql) => {
      const { log, feed, fed, fill } = await queueOver(random);
      // So many that the queue has forgotten the first before anybody counts.
      await fill(PLACES + RECORDS / 4);
      const world = worldOf(log, { ledgerIntervalMs: 1, ledgerBatchRecordsMax: 64 });
      const ledger = await Ledger.open({ ...world, sql: failing(sql, random), feed });
      const stop = new AbortController();
      const running = ledger.run(stop.signal);
      let nextOffset = 0;
      for (let left = RECORDS; left > 0; left -= BURST) {
        await fill(BURST);
        nextOffset = (await log.stats(TRANSFERS_TOPIC)).nextOffset;
        while (below(random, 4) > 0 && ledger.position() < nextOffset) await pause();
      }
      while (ledger.position() < nextOffset) await pause();
      stop.abort();
      await running;
      // However far behind it ran: once it has caught up, the queue alone knows what is next.
      await fill(BURST);
      nextOffset = (await log.stats(TRANSFERS_TOPIC)).nextOffset;
      while (ledger.position() < nextOffset) await ledger.applyOnce().catch(onlyPlanted);
      assert.deepEqual(await everything(sql), await countedFromLog(log), `seed ${seed}`);
      assert.ok(fed() > 0 && fed() < nextOffset, `${fed()} of ${nextOffset} by the queue`);
    });
  }
});

test('a record that the feed shows and nobody can read counts nothing, as in the log', async () => {
  await withSql(async (sql) => {
    const bench = await benchOver(sql);
    await bench.append({}, { uploaded: 5, at: 1 });
    const feed: RecordFeed = {
      read: (from, _max, visit) => {
        if (from !== 0) return 0;
        visit(new Uint32Array(32), 0);
        return 1;
      },
    };
    const ledger = await Ledger.open({ ...worldOf(bench.log), sql, feed });
    assert.deepEqual([await ledger.applyOnce(), await ledger.applyOnce()], [1, 1]);
    assert.equal(ledger.position(), 2);
  });
});

/** A log that is filled through a queue: appends fail now and then, and somebody else appends too. */
async function queueOver(random: SeededRandom) {
  const config = accountingConfig.parse(SETTINGS);
  const memory = TransferQueue.reserve(config);
  const log = new MemoryLog();
  await log.createTopic(TRANSFERS_TOPIC);
  log.delay = pause;
  log.beforeAppend = () => {
    if (below(random, 12) === 0) throw new Error('planted');
  };
  const clock = new SystemClock();
  const writer = new TransferWriter({
    ...{ log, clock, config, memory, logger: silentLogger },
    ...{ metrics: new Registry(), onLost: () => undefined },
  });
  const inner = new TransferFeed({ memory, clock, config });
  const fed = new Set<number>();
  const feed: RecordFeed = {
    read: (from, recordsMax, visit) => {
      const count = inner.read(from, recordsMax, visit);
      for (let offset = from; offset < from + count; offset++) fed.add(offset);
      return count;
    },
  };
  const values = await announced();
  let pushed = 0;
  const fill = async (records: number): Promise<void> => {
    for (const value of values.slice(pushed, pushed + records)) {
      while (writer.isFull) await pause();
      writer.push(value);
      if (below(random, 40) === 0) await pause();
      if (below(random, 100) === 0) await log.append(TRANSFERS_TOPIC, [{ value }]).catch(() => {});
    }
    pushed += records;
    await writer.settled();
  };
  return { log, feed, fill, fed: () => fed.size };
}

async function announced(): Promise<readonly Uint8Array[]> {
  const log = new MemoryLog();
  await log.createTopic(TRANSFERS_TOPIC);
  const { announces } = await benchOver({} as Sql);
  const append: Bench['append'] = async (...list) => {
    const records = list.map((announce) => ({ value: announces.announce(announce) }));
    await log.append(TRANSFERS_TOPIC, records);
  };
  await appendMany(
    { log, announces, append, open: () => assert.fail('nobody counts') },
    RECORDS * 2,
  );
  return log.recordsOf(TRANSFERS_TOPIC).map(({ value }) => value);
}

async function countedFromLog(log: MemoryLog): Promise<unknown> {
  return await withSql(async (sql) => {
    const ledger = await Ledger.open({ ...worldOf(log), sql });
    while ((await ledger.applyOnce()) > 0);
    return await everything(sql);
  });
}

async function withSql<Result>(run: (sql: Sql) => Promise<Result>): Promise<Result> {
  const sql = await openTestSqlite();
  try {
    await migrate(sql, [...sqlMigrations, ...accountingMigrations], { clock: new SystemClock() });
    return await run(sql);
  } finally {
    await sql.close();
  }
}

/** Some transactions fail: before they are committed, or after, when only the answer is lost. */
function failing(sql: Sql, random: SeededRandom): Sql {
  return {
    dialect: sql.dialect,
    read: () => sql.read(),
    snapshot: (run) => sql.snapshot(run),
    close: () => sql.close(),
    transaction: async (run) => {
      const failure = below(random, 8);
      const result = await sql.transaction(async (transaction) => {
        const made = await run(transaction as never);
        if (failure === 0) throw new PlantedError('The disk is full');
        return made;
      });
      if (failure === 1) throw new PlantedError('The connection is gone');
      return result;
    },
  };
}

class PlantedError extends Error {}

function onlyPlanted(error: unknown): void {
  if (!(error instanceof PlantedError)) throw error;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
