// `jobs run` without a server: what it shows while the job runs, and what Ctrl-C leaves.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import type { Job } from '#base/job.ts';
import { silentLogger } from '#base/logger.ts';
import { SeededRandom } from '#base/random.ts';
import type { Item, Output } from '#cli/command.ts';
import type { Rooms } from '#cli/rooms.ts';
import { jobsConfig } from '#jobs/config.ts';
import { jobsMigrations } from '#jobs/migrations/all.ts';
import { Scheduler } from '#jobs/scheduler.ts';
import { Registry } from '#metrics/registry.ts';
import { migrate } from '#sql/migrate.ts';
import { openTestSqlite } from '#sql/test-databases.ts';
import { jobsRun } from './job-commands.ts';

interface Run {
  readonly items: Item[];
  /** Resolves with the first progress shown. */
  readonly shown: Promise<{ readonly what: string; readonly done: number; readonly total: number }>;
  readonly interrupt: AbortController;
  readonly ended: Promise<void>;
}

/** Runs the body with a command that runs `job`. */
async function withRun(job: Job, body: (start: () => Run) => Promise<void>): Promise<void> {
  const sql = await openTestSqlite();
  const clock = new SystemClock();
  try {
    await migrate(sql, jobsMigrations, { clock });
    const world = { sql, clock, random: new SeededRandom(1), logger: silentLogger };
    const config = { ...jobsConfig.parse({}), gapMsMin: 0 };
    const jobs = new Scheduler({ ...world, metrics: new Registry(), config, holder: 'one' }, [job]);
    const rooms = { jobs, clock, status: async () => undefined } as unknown as Rooms;
    await body(() => {
      const items: Item[] = [];
      const interrupt = new AbortController();
      const shown = Promise.withResolvers<Awaited<Run['shown']>>();
      const output: Output = {
        item: (item) => items.push(item),
        progress: (progress) => shown.resolve(progress),
        signal: interrupt.signal,
      };
      const ended = jobsRun.run(rooms, { name: job.name }, output);
      return { items, shown: shown.promise, interrupt, ended };
    });
  } finally {
    await sql.close();
  }
}

test('a job that a command runs itself shows how far it is, is ended by Ctrl-C and goes on', async () => {
  const release = Promise.withResolvers<void>();
  const began: unknown[] = [];
  const job: Job = {
    ...{ name: 'count', summary: 'Counts.', schedule: { everyMs: 60_000 }, timeLimitMs: 60_000 },
    async run({ signal, progress, checkpoint }) {
      began.push(await checkpoint.load());
      await checkpoint.save(7);
      progress(7, 10, 'steps');
      const interrupted = Promise.withResolvers<never>();
      signal.addEventListener('abort', () => interrupted.reject(signal.reason));
      await Promise.race([release.promise, interrupted.promise]);
      return { summary: 'all ten' };
    },
  };
  await withRun(job, async (start) => {
    const first = start();
    assert.deepEqual(await first.shown, { what: 'count', done: 7, total: 10 });
    first.interrupt.abort(new Error('Ctrl-C'));
    await assert.rejects(first.ended, /"count" ended: cancelled/);
    const second = start();
    await second.shown;
    release.resolve();
    await second.ended;
    assert.deepEqual(began, [undefined, 7]);
    const [item] = second.items as { lastRun?: { result: string; summary: string } }[];
    assert.deepEqual([item?.lastRun?.result, item?.lastRun?.summary], ['done', 'all ten']);
  });
});
