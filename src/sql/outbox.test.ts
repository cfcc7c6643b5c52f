import assert from 'node:assert/strict';
import test from 'node:test';
import { type Clock, SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { below, SeededRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import { waitFor } from '#tools/e2e/server.ts';
import { type ControlMessage, decodeControl } from '#wire/control-message.ts';
import { sqlConfig } from './config.ts';
import { migrate } from './migrate.ts';
import { sqlMigrations } from './migrations/all.ts';
import { CONTROL_TOPIC, enqueue, OutboxRelay, outboxPending } from './outbox.ts';
import type { Sql } from './sql.ts';
import { forEachDatabase } from './test-databases.ts';

const clock = new SystemClock();

forEachDatabase((name, open) => {
  const on = (sentence: string, body: (sql: Sql) => Promise<void>): void => {
    test(`${name}: ${sentence}`, async () => {
      const sql = await open();
      try {
        await migrate(sql, sqlMigrations, { clock });
        await body(sql);
      } finally {
        await sql.close();
      }
    });
  };

  on('what is enqueued with a change is relayed in order, once', async (sql) => {
    const log = new MemoryLog();
    for (let at = 1; at <= 5; at++) await say(sql, at);
    const relay = relayOf(sql, log);
    assert.equal(await relay.relayOnce(), 5);
    assert.equal(await relay.relayOnce(), 0);
    assert.deepEqual(relayed(log), [1, 2, 3, 4, 5]);
    assert.equal(await outboxPending(sql), 0);
  });

  on('a change that is rolled back tells the trackers nothing', async (sql) => {
    const log = new MemoryLog();
    const failed = sql.transaction(async (transaction) => {
      await enqueue(transaction, member(1));
      throw new Error('no');
    });
    await assert.rejects(failed);
    assert.equal(await relayOf(sql, log).relayOnce(), 0);
  });

  on('a crash between append and commit neither doubles nor reorders', async (sql) => {
    const log = new MemoryLog();
    const diverged: string[] = [];
    await say(sql, 1);
    await say(sql, 2);
    log.afterAppend = () => {
      throw new Error('the answer was lost');
    };
    await assert.rejects(relayOf(sql, log).relayOnce());
    log.afterAppend = undefined;
    await say(sql, 3);
    const relay = relayOf(sql, log, diverged);
    while ((await relay.relayOnce()) > 0);
    assert.deepEqual(relayed(log), [1, 2, 3]);
    assert.deepEqual(diverged, []);
  });

  on('the same relay recovers by itself from an answer that was lost', async (sql) => {
    const log = new MemoryLog();
    const relay = relayOf(sql, log);
    await say(sql, 1);
    await relay.relayOnce();
    await say(sql, 2);
    log.afterAppend = () => {
      throw new Error('the answer was lost');
    };
    await assert.rejects(relay.relayOnce());
    log.afterAppend = undefined;
    await say(sql, 3);
    await relay.relayOnce();
    assert.deepEqual(relayed(log), [1, 2, 3]);
  });

  on('another log, or a database put back from a copy, is noticed and told', async (sql) => {
    const diverged: string[] = [];
    await say(sql, 1);
    await relayOf(sql, new MemoryLog('log-1'), diverged).relayOnce();
    assert.deepEqual(diverged, []);
    const other = new MemoryLog('log-2');
    await say(sql, 2);
    const relay = relayOf(sql, other, diverged);
    await relay.relayOnce();
    assert.equal(diverged.length, 1);
    assert.deepEqual(relayed(other), [2]);

    // The log has what the database does not remember: ids go on above those, none is used twice.
    await say(sql, 3);
    await relay.relayOnce();
    const strange = other.recordsOf(CONTROL_TOPIC).at(-1)!;
    const text = new TextDecoder()
      .decode(strange.value)
      .replace(/"outboxId":\d+/, '"outboxId":900');
    await other.append(CONTROL_TOPIC, [{ value: new TextEncoder().encode(text) }]);
    await say(sql, 4);
    await relayOf(sql, other, diverged).relayOnce();
    assert.equal(diverged.length, 2);
    assert.deepEqual(relayed(other), [2, 3, 3, 4]);
    const last = decodeControl(other.recordsOf(CONTROL_TOPIC).at(-1)!.value);
    assert.ok(last!.outboxId > 900, String(last!.outboxId));
  });

  on('run() relays within a moment of wake(), also after failures', async (sql) => {
    const log = new MemoryLog();
    let failures = 2;
    log.beforeAppend = () => {
      if (failures-- > 0) throw new Error('disk full');
    };
    const relay = relayOf(sql, log);
    const stop = new AbortController();
    // Made here, so that it can be looked at before the relay has come to making it.
    await log.createTopic(CONTROL_TOPIC);
    const running = relay.run(stop.signal);
    await say(sql, 1);
    relay.wake();
    const deadline = clock.monotonicMs() + 30_000;
    while (relayed(log).length < 1 && clock.monotonicMs() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    stop.abort();
    await running;
    assert.deepEqual(relayed(log), [1]);
  });

  on('run() asks the database only when somebody may have written to it', async (sql) => {
    const log = new MemoryLog();
    let asked = 0;
    let rests = 0;
    const counted: Sql = {
      dialect: sql.dialect,
      get transactionsEnded() {
        return sql.transactionsEnded;
      },
      read<Tables>() {
        asked++;
        return sql.read<Tables>();
      },
      transaction: (run) => sql.transaction(run),
      snapshot: (run) => sql.snapshot(run),
      close: () => sql.close(),
    };
    // Rests that take no time.
    const quick = {
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      after: (_delayMs: number, run: () => void) => {
        rests++;
        return clock.after(0, run);
      },
    };
    await log.createTopic(CONTROL_TOPIC);
    const stop = new AbortController();
    const running = relayOf(counted, log, [], quick).run(stop.signal);
    await waitFor('rests', 60_000, () => (rests >= 20 ? true : undefined));
    const [before, restsBefore] = [asked, rests];
    await waitFor('more rests', 60_000, () => (rests >= restsBefore + 50 ? true : undefined));
    const isAlone = sql.dialect === 'sqlite';
    assert.equal(asked === before, isAlone, `asked ${before} and then ${asked} times`);
    // Nobody wakes it.
    await say(sql, 7);
    await waitFor('the message', 60_000, () => (relayed(log).length > 0 ? true : undefined));
    stop.abort();
    await running;
    assert.deepEqual(relayed(log), [7]);
  });

  on('crashes at any point keep every message, once, in the order of commits', async (sql) => {
    for (let seed = 1; seed <= (name === 'sqlite' ? 25 : 5); seed++) await crashes(sql, seed);
  });
});

async function crashes(sql: Sql, seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  const log = new MemoryLog(`log-${seed}`);
  const said: number[] = [];
  let relay = relayOf(sql, log);
  await relay.relayOnce();
  for (let round = 0; round < 12; round++) {
    const count = below(random, 4);
    // Several at once: commits race, and the order of ids must be theirs.
    await Promise.all(
      Array.from({ length: count }, async (_, at) => {
        const id = seed * 1000 + round * 10 + at + 1;
        await say(sql, id);
        said.push(id);
      }),
    );
    const fault = below(random, 4);
    log.beforeAppend = fault === 0 ? fail : undefined;
    log.afterAppend = fault === 1 ? fail : undefined;
    await relay.relayOnce().catch(() => undefined);
    if (below(random, 2) === 0) relay = relayOf(sql, log);
  }
  log.beforeAppend = undefined;
  log.afterAppend = undefined;
  while ((await relay.relayOnce()) > 0);
  const ids = log.recordsOf(CONTROL_TOPIC).map((record) => decodeControl(record.value)!.outboxId);
  const words = `seed ${seed}: node -C swarmkeep-src --test src/sql/outbox.test.ts`;
  assert.deepEqual(
    [...ids].sort((one, other) => one - other),
    ids,
    words,
  );
  assert.deepEqual(relayed(log).sort(byNumber), said.sort(byNumber), words);
}

function byNumber(one: number, other: number): number {
  return one - other;
}

function fail(): void {
  throw new Error('planted');
}

function relayOf(
  sql: Sql,
  log: MemoryLog,
  diverged: string[] = [],
  ownClock: Clock = clock,
): OutboxRelay {
  return new OutboxRelay({
    sql,
    log,
    clock: ownClock,
    logger: silentLogger,
    metrics: new Registry(),
    config: sqlConfig.parse({}),
    onDiverged: (reason) => diverged.push(reason),
  });
}

function member(memberId: number): ControlMessage {
  return {
    kind: 'member',
    memberId,
    passkeys: [`key${memberId}`],
    state: 'active',
    reason: '',
    mayLeech: true,
    isProtected: false,
  };
}

async function say(sql: Sql, memberId: number): Promise<void> {
  await sql.transaction((transaction) => enqueue(transaction, member(memberId)));
}

function relayed(log: MemoryLog): number[] {
  return log.recordsOf(CONTROL_TOPIC).map((record) => {
    const decoded = decodeControl(record.value);
    return decoded?.message.kind === 'member' ? decoded.message.memberId : 0;
  });
}
