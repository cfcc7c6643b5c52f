// The scheduler on a simulated clock: months in milliseconds, and nodes that die in the middle.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sleep } from '#base/clock.ts';
import type { Job, JobContext, JobResult } from '#base/job.ts';
import { type LogLine, memoryLogger } from '#base/logger.ts';
import { SeededRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import { SimClock } from '#sim/clock.ts';
import { migrate } from '#sql/migrate.ts';
import type { Sql } from '#sql/sql.ts';
import { openTestSqlite } from '#sql/test-databases.ts';
import { type JobsConfig, jobsConfig } from './config.ts';
import { JobsError } from './errors.ts';
import { jobsMigrations } from './migrations/all.ts';
import { Scheduler } from './scheduler.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;

class World {
  readonly clock: SimClock;
  readonly sql: Sql;
  readonly lines: LogLine[] = [];
  readonly #stops: AbortController[] = [];
  readonly #ends: Promise<void>[] = [];

  constructor(sql: Sql, clock: SimClock) {
    this.sql = sql;
    this.clock = clock;
  }

  static async open(): Promise<World> {
    const sql = await openTestSqlite();
    await migrate(sql, jobsMigrations, { clock: new SimClock() });
    return new World(sql, new SimClock());
  }

  /** A node with its own scheduler over the shared database. */
  async node(
    jobs: readonly Job[],
    options: { readonly holder?: string; readonly config?: Partial<JobsConfig> } = {},
  ): Promise<{ readonly scheduler: Scheduler; readonly stop: () => Promise<void> }> {
    const stop = new AbortController();
    const scheduler = new Scheduler(
      {
        sql: this.sql,
        clock: this.clock,
        random: new SeededRandom(1),
        logger: memoryLogger(this.lines),
        metrics: new Registry(),
        config: { ...jobsConfig.parse({}), ...options.config },
        holder: options.holder ?? 'one',
      },
      jobs,
    );
    await scheduler.prepare();
    const ended = scheduler.run(stop.signal);
    this.#stops.push(stop);
    this.#ends.push(ended);
    return {
      scheduler,
      stop: async () => {
        stop.abort();
        await this.clock.until(ended);
      },
    };
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) stop.abort();
    await this.clock.until(Promise.all(this.#ends));
    await this.sql.close();
  }
}

function job(run: (context: JobContext) => Promise<JobResult>, rest: Partial<Job> = {}): Job {
  return {
    name: 'count',
    summary: 'Counts for a test.',
    schedule: { everyMs: 10 * MINUTE },
    timeLimitMs: 5 * MINUTE,
    run,
    ...rest,
  };
}

async function inWorld(body: (world: World) => Promise<void>): Promise<void> {
  const world = await World.open();
  try {
    await body(world);
  } finally {
    await world.close();
  }
}

test('a job runs once per period for three months, and its runs are kept up to a number', () =>
  inWorld(async (world) => {
    let runs = 0;
    const daily = job(async () => ({ summary: `run ${++runs}`, counts: { members: 2 } }), {
      schedule: { everyMs: DAY, jitterPercent: 10 },
    });
    const { scheduler } = await world.node([daily], {
      config: { runsKept: 5, pollIntervalMs: 600_000 },
    });
    await world.clock.run(90 * DAY);
    assert.ok(runs >= 88 && runs <= 92, `${runs} runs`);
    const kept = await scheduler.runs('count', 100);
    assert.equal(kept.length, 5);
    assert.equal(kept[0]?.summary, `run ${runs} (members 2)`);
    assert.equal(kept[0]?.result, 'done');
  }));

test('a period that became shorter is kept to at once, one that became longer after the next run', () =>
  inWorld(async (world) => {
    let runs = 0;
    const every = (everyMs: number): Job =>
      job(
        async () => {
          runs += 1;
          return { summary: 'Counted.' };
        },
        { schedule: { everyMs } },
      );
    const slow = await world.node([every(24 * 60 * MINUTE)]);
    await slow.stop();
    const quick = await world.node([every(5 * MINUTE)]);
    await world.clock.run(30 * MINUTE);
    assert.ok(runs >= 4, `${runs} runs in half an hour`);
    await quick.stop();
    const before = runs;
    await world.node([every(24 * 60 * MINUTE)]);
    await world.clock.run(60 * MINUTE);
    assert.equal(runs - before, 1);
  }));

test('a job of the calendar runs at its hour', () =>
  inWorld(async (world) => {
    const hours: number[] = [];
    const nightly = job(
      async ({ clock }) => {
        hours.push(new Date(clock.nowMs()).getUTCHours());
        return { summary: 'done' };
      },
      { schedule: { cron: '30 3 * * *' } },
    );
    await world.node([nightly], { config: { pollIntervalMs: 600_000 } });
    await world.clock.run(3 * DAY);
    assert.deepEqual(hours, [3, 3, 3]);
  }));

test('a run that was missed while the program stood still is made once', () =>
  inWorld(async (world) => {
    let runs = 0;
    const counting = job(async () => ({ summary: `run ${++runs}` }));
    const first = await world.node([counting]);
    await world.clock.run(11 * MINUTE);
    await first.stop();
    world.clock.advance(5 * DAY);
    await world.node([counting]);
    await world.clock.run(MINUTE);
    assert.equal(runs, 2);
  }));

test('a failure is tried again after waits that double, and a success ends them', () =>
  inWorld(async (world) => {
    const atMs: number[] = [];
    const failing = job(async ({ clock }) => {
      atMs.push(clock.nowMs());
      if (atMs.length <= 3) throw new Error('the disk is full');
      return { summary: 'done' };
    });
    const { scheduler } = await world.node([failing], {
      config: { retryMsMin: 60_000, retryMsMax: 150_000 },
    });
    await world.clock.run(30 * MINUTE);
    const waits = atMs.slice(1).map((ms, at) => ms - atMs[at]!);
    assert.deepEqual(waits.slice(0, 3), [60_000, 120_000, 150_000]);
    const [view] = await scheduler.views();
    assert.equal(view?.failures, 0);
    const runs = await scheduler.runs('count', 10);
    assert.ok(runs.some((run) => run.result === 'failed' && run.summary === 'the disk is full'));
  }));

test('a run is cancelled at its time limit and goes on from its checkpoint', () =>
  inWorld(async (world) => {
    const seen: unknown[] = [];
    const slow = job(
      async ({ signal, clock, checkpoint, progress }) => {
        const from = ((await checkpoint.load()) as number | undefined) ?? 0;
        seen.push(from);
        for (let step = from; step < 10; step++) {
          progress(step, 10, 'steps');
          await sleep(clock, MINUTE, signal);
          await checkpoint.save(step + 1);
        }
        await checkpoint.save(undefined);
        return { summary: 'all ten' };
      },
      { timeLimitMs: 4.5 * MINUTE },
    );
    const { scheduler } = await world.node([slow], { config: { retryMsMin: 60_000 } });
    await world.clock.run(14.9 * MINUTE);
    const [view] = await scheduler.views();
    assert.equal(view?.lastRun?.result, 'timed-out');
    await world.clock.run(20 * MINUTE);
    assert.deepEqual(seen.slice(0, 3), [0, 4, 8]);
    assert.ok((await scheduler.runs('count', 10)).some((run) => run.summary === 'all ten'));
  }));

test('a run that a person interrupts is cancelled, and the next goes on from its checkpoint', () =>
  inWorld(async (world) => {
    const seen: unknown[] = [];
    const slow = job(async ({ signal, clock, checkpoint }) => {
      const from = ((await checkpoint.load()) as number | undefined) ?? 0;
      seen.push(from);
      for (let step = from; step < 4; step++) {
        await sleep(clock, MINUTE, signal);
        await checkpoint.save(step + 1);
      }
      return { summary: 'all four' };
    });
    const { scheduler, stop } = await world.node([slow]);
    // As a command does it that has the folder for itself.
    await stop();
    const interrupt = new AbortController();
    const first = scheduler.runHere('count', interrupt.signal);
    await world.clock.run(2.5 * MINUTE);
    interrupt.abort();
    await world.clock.until(first);
    assert.equal((await scheduler.views())[0]?.lastRun?.result, 'cancelled');
    await world.clock.until(scheduler.runHere('count', new AbortController().signal));
    const [run] = await scheduler.runs('count', 1);
    assert.deepEqual([seen, run?.result, run?.summary], [[0, 2], 'done', 'all four']);
  }));

test('a run by hand is made at once, but not sooner than the gap after the last', () =>
  inWorld(async (world) => {
    const atMs: number[] = [];
    const counting = job(async ({ clock }) => {
      atMs.push(clock.monotonicMs());
      return { summary: 'done' };
    });
    const { scheduler } = await world.node([counting], { config: { gapMsMin: 20_000 } });
    await world.clock.run(1000);
    await scheduler.request('count');
    await world.clock.run(1000);
    assert.equal(atMs.length, 1);
    await scheduler.request('count');
    await world.clock.run(15_000);
    assert.equal(atMs.length, 1);
    await world.clock.run(10_000);
    assert.equal(atMs.length, 2);
    await assert.rejects(scheduler.request('no-such'), { code: 'JOB_UNKNOWN' });
  }));

test('a pause cancels the run under way; nothing runs until it is resumed', () =>
  inWorld(async (world) => {
    let [begun, ended] = [0, 0];
    const long = job(async ({ signal, clock }) => {
      begun++;
      await sleep(clock, 2 * MINUTE, signal);
      ended++;
      return { summary: 'done' };
    });
    const { scheduler } = await world.node([long], { config: { pollIntervalMs: 60_000 } });
    await world.clock.run(11 * MINUTE);
    assert.deepEqual([begun, ended], [1, 0]);
    await scheduler.pause('count');
    await world.clock.run(DAY);
    assert.deepEqual([begun, ended], [1, 0]);
    const [view] = await scheduler.views();
    assert.deepEqual([view?.isPaused, view?.lastRun?.result], [true, 'cancelled']);
    await scheduler.resume('count');
    await world.clock.run(3 * MINUTE);
    assert.deepEqual([begun, ended], [2, 1]);
  }));

test('no more jobs run at once than runningMax; the one that is due longest goes first', () =>
  inWorld(async (world) => {
    const order: string[] = [];
    let [now, most] = [0, 0];
    const named = (name: string, everyMs: number): Job =>
      job(
        async ({ signal, clock }) => {
          order.push(name);
          most = Math.max(most, ++now);
          await sleep(clock, 4 * MINUTE, signal);
          now--;
          return { summary: 'done' };
        },
        { name, schedule: { everyMs } },
      );
    const jobs = [named('c', 12 * MINUTE), named('a', 10 * MINUTE), named('b', 11 * MINUTE)];
    await world.node(jobs, { config: { runningMax: 1 } });
    await world.clock.run(20 * MINUTE);
    assert.equal(most, 1);
    assert.deepEqual(order.slice(0, 3), ['a', 'b', 'c']);
  }));

test('on two nodes a job runs once at a time, and moves when its node falls silent', () =>
  inWorld(async (world) => {
    let now = 0;
    const ranOn: string[] = [];
    const on = (holder: string): Job =>
      job(async (context) => {
        assert.equal(++now, 1, 'it runs twice at once');
        ranOn.push(holder);
        try {
          await sleep(context.clock, MINUTE, context.signal);
        } finally {
          now--;
        }
        return { summary: 'done' };
      });
    const one = await world.node([on('one')], { holder: 'one' });
    await world.node([on('two')], { holder: 'two' });
    await world.clock.run(65 * MINUTE);
    assert.ok(ranOn.length >= 6 && ranOn.length <= 7, ranOn.join(' '));
    await one.stop();
    const before = ranOn.length;
    await world.clock.run(30 * MINUTE);
    assert.ok(ranOn.length >= before + 2);
    assert.ok(ranOn.slice(before + 1).every((holder) => holder === 'two'));
  }));

test('a node that lost its lease writes nothing any more', () =>
  inWorld(async (world) => {
    let late: JobContext | undefined;
    const results: string[] = [];
    const stuck = job(async (context) => {
      late ??= context;
      await sleep(context.clock, 5 * MINUTE);
      await context.checkpoint.save('from the past').catch((error: JobsError) => {
        results.push(error.code);
        throw error;
      });
      return { summary: 'from the past' };
    });
    const { scheduler } = await world.node([stuck], { holder: 'one' });
    await world.clock.run(11 * MINUTE);
    assert.ok(late !== undefined);
    // Another node took the lease, as it may once this one has not renewed it.
    await world.sql.transaction<Record<'leases', { fence: number; holder: string }>, void>(
      async (transaction) => {
        await transaction
          .updateTable('leases')
          .set((row) => ({ fence: row('fence', '+', 1), holder: 'two' }))
          .execute();
      },
    );
    await world.clock.run(30_000);
    assert.equal((late.signal.reason as JobsError).code, 'JOB_LEASE_LOST');
    await world.clock.run(6 * MINUTE);
    assert.deepEqual(results, ['JOB_LEASE_LOST']);
    const [run] = await scheduler.runs('count', 1);
    assert.equal(run?.result, 'running');
    await assert.rejects(
      world.sql.transaction((transaction) => late!.fenced(transaction)),
      JobsError,
    );
  }));

test('a restarted node takes its own job over at once and calls the old run lost', () =>
  inWorld(async (world) => {
    let begun = 0;
    const hanging = job(async ({ clock, signal }) => {
      begun++;
      await sleep(clock, 3 * MINUTE, signal);
      return { summary: 'done' };
    });
    await world.node([hanging], { holder: 'one' });
    await world.clock.run(11 * MINUTE);
    // The same node again, as after kill -9: the first never says goodbye.
    const again = await world.node([hanging], { holder: 'one' });
    await again.scheduler.request('count');
    await world.clock.run(5000);
    assert.equal(begun, 2);
    const runs = await again.scheduler.runs('count', 2);
    assert.deepEqual(
      runs.map((run) => run.result),
      ['running', 'lost'],
    );
  }));

test('the end of the program cancels what runs and waits for it; the next start goes on', () =>
  inWorld(async (world) => {
    let begun = 0;
    const long = job(async ({ signal, clock }) => {
      begun++;
      await sleep(clock, 4 * MINUTE, signal);
      return { summary: 'done' };
    });
    const first = await world.node([long]);
    await world.clock.run(11 * MINUTE);
    await first.stop();
    const second = await world.node([long]);
    const [view] = await second.scheduler.views();
    assert.equal(view?.lastRun?.result, 'cancelled');
    await world.clock.run(5000);
    assert.equal(begun, 2);
  }));

test('progress is shown while a job runs and not after', () =>
  inWorld(async (world) => {
    const counting = job(async ({ progress, clock, signal }) => {
      for (let done = 0; done < 100; done++) {
        progress(done, 100, 'torrents');
        await sleep(clock, 1000, signal);
      }
      return { summary: 'done' };
    });
    const { scheduler } = await world.node([counting]);
    await world.clock.run(10 * MINUTE + 50_000);
    const [during] = await scheduler.views();
    assert.ok(during?.progress !== undefined);
    assert.ok(during.progress.done >= 40 && during.progress.done <= 50, `${during.progress.done}`);
    assert.deepEqual([during.progress.total, during.progress.unit], [100, 'torrents']);
    await world.clock.run(60_000);
    const [after] = await scheduler.views();
    assert.equal(after?.progress, undefined);
  }));
