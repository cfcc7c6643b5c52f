// Torrents that nobody seeds, through the real site on SQLite and PostgreSQL.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unseededStep } from '#accounting/unseeded/unseeded-watch.ts';
import { keepTorrent } from '#archive/catalogue/kept-torrents.ts';
import type { Job, JobContext } from '#base/job.ts';
import { silentLogger } from '#base/logger.ts';
import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import type { NoticeTables } from '#site/notices/notices.ts';
import { TestSite, testSiteConfig } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { purgeUnseeded } from './purge-unseeded.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

test('every step of a torrent that nobody seeds', () => {
  const settings = { afterMs: 100, graceMs: 10 };
  const step = (before: [number, number] | undefined, isSeeded: boolean, nowMs: number) => {
    const known = before === undefined ? undefined : { sinceMs: before[0], warnedMs: before[1] };
    return unseededStep(known, { isSeeded, nowMs }, settings);
  };
  assert.equal(step(undefined, true, 5), undefined);
  assert.equal(step(undefined, false, 5), 'noted');
  assert.equal(step([5, 0], true, 6), 'forgotten');
  assert.equal(step([5, 0], false, 104), undefined);
  assert.equal(step([5, 0], false, 105), 'warned');
  assert.equal(step([5, 105], true, 500), 'forgotten');
  assert.equal(step([5, 105], false, 114), undefined);
  assert.equal(step([5, 105], false, 115), 'removed');
});

/** The site with some torrents of one uploader, of whom the first is always seeded. */
class Bench {
  readonly site: TestSite;
  readonly ids: readonly number[];
  /** Transactions of the job until it is killed. */
  alive = Number.POSITIVE_INFINITY;
  readonly #job: Job;
  #kept: unknown;

  private constructor(site: TestSite, ids: readonly number[]) {
    this.site = site;
    this.ids = ids;
    const { sql, clock, world } = site;
    const config = testSiteConfig({
      purgeUnseededDays: 3,
      purgeGraceDays: 2,
      purgeShareMax: 0.1,
    });
    const [job] = purgeUnseeded({
      ...{ sql, clock, config },
      swarms: { counts: (id) => site.counts.get(id) },
      changed: world.changed,
    });
    this.#job = job!;
    for (const id of ids) this.seed(id);
  }

  static async open(site: TestSite, torrents: number): Promise<Bench> {
    const olga = await site.addMember('olga', 'admin');
    const ids: number[] = [];
    for (let at = 0; at < torrents; at++) {
      ids.push((await site.addTorrent(olga.id, `Lecture ${at}`, at + 1)).id);
    }
    return new Bench(site, ids);
  }

  seed(id: number, seeders = 1): void {
    this.site.counts.set(id, { seeders, leechers: 0, completed: 0 });
  }

  async run(isByHand = false): Promise<Readonly<Record<string, number>>> {
    const context: JobContext = {
      signal: new AbortController().signal,
      clock: this.site.clock,
      logger: silentLogger,
      isByHand,
      fence: 1,
      progress: () => undefined,
      checkpoint: {
        load: async () => this.#kept,
        save: async (value) => {
          this.#kept = JSON.parse(JSON.stringify(value));
        },
      },
      fenced: async () => {
        if (this.alive-- <= 0) throw new Error('killed');
      },
    };
    return (await this.#job.run(context)).counts ?? {};
  }

  /** Runs every two hours, which leaves out no time, for so many days. */
  async runFor(days: number, onError?: (error: unknown) => void): Promise<void> {
    for (let hours = 0; hours < days * 24; hours += 2) {
      this.site.clock.advance(2 * HOUR);
      const run = this.run();
      await (onError === undefined ? run : run.catch(onError));
    }
  }

  async removed(): Promise<readonly number[]> {
    const rows = await this.site.sql
      .read<CatalogueTables>()
      .selectFrom('torrent')
      .select('id')
      .where('removed_ms', 'is not', null)
      .orderBy('id')
      .execute();
    return rows.map((row) => row.id);
  }

  async notices(): Promise<readonly { member_id: number; title: string }[]> {
    return await this.site.sql
      .read<NoticeTables>()
      .selectFrom('notice')
      .select(['member_id', 'title'])
      .orderBy('id')
      .execute();
  }
}

forEachDatabase((database, open) => {
  const on = (sentence: string, torrents: number, body: (bench: Bench) => Promise<void>): void => {
    test(`${database}: ${sentence}`, async () => {
      const site = await TestSite.open({ open });
      try {
        await body(await Bench.open(site, torrents));
      } finally {
        await site.close();
      }
    });
  };

  on('a torrent that nobody seeds is warned of, and removed after the grace', 4, async (bench) => {
    const [, left, rescued, kept] = bench.ids as [number, number, number, number];
    await keepTorrent(bench.site.sql, { id: kept, files: [], nowMs: 1 });
    await bench.run();
    for (const id of [left, rescued, kept]) bench.seed(id, 0);
    await bench.runFor(3);
    assert.deepEqual(await bench.notices(), []);
    await bench.runFor(1);
    const titles = (await bench.notices()).map((notice) => notice.title);
    const words = (name: string) => `Nobody seeds “${name}” any more`;
    assert.deepEqual(titles, [words('Lecture 1'), words('Lecture 2')]);
    bench.seed(rescued);
    await bench.runFor(1);
    assert.deepEqual(await bench.removed(), []);
    await bench.runFor(1);
    assert.deepEqual(await bench.removed(), [left]);
    assert.equal((await bench.notices()).length, 2);
    const told = (await bench.site.messages()).filter((one) => one['state'] === 'removed');
    assert.equal(told.length, 1, 'the trackers are told');
    assert.match(String(told[0]?.['reason']), /Nobody has seeded it for more than 3 days/);
  });

  on(
    'a run that is killed halfway is ended by the next, and tells nobody twice',
    3,
    async (bench) => {
      await bench.run();
      for (const id of bench.ids.slice(1)) bench.seed(id, 0);
      bench.alive = 5;
      await assert.rejects(bench.runFor(4), /killed/);
      bench.alive = Number.POSITIVE_INFINITY;
      await bench.runFor(4);
      const before = await bench.notices();
      assert.equal(before.length, 2);
      bench.alive = 0;
      await assert.rejects(bench.runFor(1), /killed/);
      assert.deepEqual(await bench.removed(), []);
      bench.alive = Number.POSITIVE_INFINITY;
      await bench.runFor(2);
      assert.deepEqual(await bench.removed(), bench.ids.slice(1));
      assert.deepEqual(await bench.notices(), before);
    },
  );

  on('where more than a share is left at once, it stops and asks', 12, async (bench) => {
    await bench.run();
    for (const id of bench.ids.slice(1)) bench.seed(id, 0);
    await bench.runFor(1);
    // No time passes while nobody looks: an outage of the program is nobody's fault.
    bench.site.clock.advance(60 * DAY);
    await bench.run();
    await bench.runFor(2);
    bench.site.clock.advance(2 * HOUR);
    await assert.rejects(bench.run(true), { code: 'PURGE_ABNORMAL' }, 'nobody was asked yet');
    let asked = 0;
    await bench.runFor(1, (error) => {
      assert.equal((error as { code?: string }).code, 'PURGE_ABNORMAL');
      assert.match(String(error), /11 of 12 torrents would be .* expected at most 10/);
      asked++;
    });
    assert.ok(asked > 0);
    assert.deepEqual(await bench.notices(), []);
    assert.equal((await bench.run(true))['warned'], 11);
    assert.equal((await bench.notices()).length, 11);
  });

  on('where nobody seeds anything no time is counted', 3, async (bench) => {
    for (const id of bench.ids) bench.seed(id, 0);
    await bench.runFor(6);
    bench.seed(bench.ids[0]!);
    await bench.runFor(2);
    assert.deepEqual(await bench.notices(), []);
  });
});
