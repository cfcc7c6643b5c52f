// Series on both databases: bounded, downsampled, the same after a sample is written twice.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobContext } from '#base/job.ts';
import { silentLogger } from '#base/logger.ts';
import { historyJob } from '#site/jobs/history-job.ts';
import { TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import {
  HEALTH_STEPS,
  pruneSeries,
  readSeries,
  SAMPLE_MS,
  type SeriesTables,
  STEPS,
  writeSamples,
} from './series.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

function contextOf(site: TestSite, fenced = async () => undefined): JobContext {
  return {
    signal: new AbortController().signal,
    clock: site.clock,
    logger: silentLogger,
    fence: 1,
    progress: () => undefined,
    checkpoint: { load: async () => undefined, save: async () => undefined },
    fenced,
  };
}

async function rows(site: TestSite): Promise<number> {
  const found = await site.sql
    .read<SeriesTables>()
    .selectFrom('series_point')
    .selectAll()
    .execute();
  return found.length;
}

forEachDatabase((database, open) => {
  test(`${database}: a sample goes into a bucket of each step, and counts once`, async () => {
    const site = await TestSite.open({ open });
    const fromMs = Date.UTC(2026, 0, 1);
    for (const [minutes, value] of [
      [0, 10],
      [10, 30],
      [10, 99],
      [50, 20],
      [60, 7],
    ] as const) {
      const taken = { atMs: fromMs + minutes * 60_000, steps: HEALTH_STEPS };
      await site.sql.transaction((transaction) =>
        writeSamples(transaction, [{ series: 'health/peers', value }], taken),
      );
    }
    const hours = await readSeries(site.sql, 'health/peers', { stepMs: HOUR_MS, fromMs });
    assert.deepEqual(hours, [
      { atMs: fromMs, mean: 20, highest: 30 },
      { atMs: fromMs + HOUR_MS, mean: 7, highest: 7 },
    ]);
    assert.equal(
      (await readSeries(site.sql, 'health/peers', { stepMs: SAMPLE_MS, fromMs })).length,
      4,
    );
    await site.close();
  });

  test(`${database}: a series has a bounded number of rows, however long it is kept`, async () => {
    const site = await TestSite.open({ open });
    const bound = HEALTH_STEPS.reduce((sum, step) => sum + step.keptMs / step.stepMs + 2, 0);
    const fromMs = Date.UTC(2026, 0, 1);
    // Two and a half years, sparse, and dense at their end.
    const times = [
      ...Array.from({ length: 900 }, (_, day) => fromMs + day * DAY_MS),
      ...Array.from({ length: 500 }, (_, at) => fromMs + 900 * DAY_MS + at * SAMPLE_MS),
    ];
    await site.sql.transaction(async (transaction) => {
      for (const atMs of times) {
        const taken = { atMs, steps: HEALTH_STEPS };
        await writeSamples(transaction, [{ series: 'health/peers', value: 1 }], taken);
      }
      await pruneSeries(transaction, times.at(-1)!);
    });
    const left = await rows(site);
    assert.ok(left <= bound, `${left} rows, expected at most ${bound}`);
    const fine = await readSeries(site.sql, 'health/peers', {
      stepMs: STEPS.fine.stepMs,
      fromMs: 0,
    });
    assert.equal(fine.length, 2 * 144 + 1, 'two days of ten minutes');
    await site.close();
  });

  test(`${database}: the job samples living swarms once in ten minutes, also when it was killed`, async () => {
    const site = await TestSite.open({ open });
    const olga = await site.addMember('olga', 'admin');
    const living = await site.addTorrent(olga.id, 'Living', 1);
    const dead = await site.addTorrent(olga.id, 'Dead', 2);
    site.counts.set(living.id, { seeders: 3, leechers: 2, completed: 1 });
    site.counts.set(dead.id, { seeders: 0, leechers: 0, completed: 9 });
    const job = historyJob({
      sql: site.sql,
      swarms: site.world.swarms,
      health: async () => ({ peers: 5, memory: 100_000_000 }),
    });
    let transactions = 0;
    const killed = contextOf(site, async () => {
      if (++transactions === 2) throw new Error('planted: killed');
    });
    await assert.rejects(job.run(killed), /planted/);
    await job.run(contextOf(site));
    await job.run(contextOf(site));
    const range = { stepMs: HOUR_MS, fromMs: 0 };
    assert.equal((await readSeries(site.sql, `seeders/${living.id}`, range))[0]?.mean, 3);
    assert.equal(await rows(site), 2 * 2 + 2 * 3, 'nothing of the dead one, nothing twice');
    site.clock.advance(SAMPLE_MS);
    site.counts.set(living.id, { seeders: 1, leechers: 0, completed: 1 });
    await job.run(contextOf(site));
    assert.equal((await readSeries(site.sql, `seeders/${living.id}`, range))[0]?.mean, 2);
    await site.close();
  });
});

test('the torrent’s page shows its swarm over a week, and the console the server’s health', async () => {
  const site = await TestSite.open();
  const olga = await site.addMember('olga', 'admin');
  const torrent = await site.addTorrent(olga.id, 'Living', 1);
  const browser = await site.signedIn('olga');
  const path = `/torrents/${torrent.infoHash}`;
  assert.doesNotMatch((await browser.get(path)).text, /over a week/);
  const job = historyJob({
    sql: site.sql,
    swarms: site.world.swarms,
    health: async () => ({ peers: 5, memory: 2 ** 27 }),
  });
  for (let hour = 0; hour < 30; hour++) {
    site.counts.set(torrent.id, { seeders: hour, leechers: 1, completed: 1 });
    await job.run(contextOf(site));
    site.clock.advance(HOUR_MS);
  }
  const page = await (await site.signedIn('olga')).get(path);
  assert.match(page.text, /The swarm over a week/);
  assert.match(page.text, /Seeders: at most 29\. Leechers: at most 1\./);
  const status = await (await site.signedIn('olga')).get('/console');
  assert.match(status.text, /Memory: at most 128 MiB/);
  await site.close();
});
