// A17 whole: records of many days in a log of small segments, accounts on both databases, the job run
// day by day, killed on the way, and the audit after it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { audit } from '#accounting/audit/audit.ts';
import { accountingConfig } from '#accounting/config.ts';
import { BLANK_ADDRESSES, blankAddresses } from '#accounting/forget-addresses.ts';
import { Ledger } from '#accounting/ledger/ledger.ts';
import { TEST_START_MS, TestAnnounces } from '#accounting/test-announces.ts';
import { memberTotals } from '#accounting/totals.ts';
import { decodeTransfer, TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import type { JobContext, JobResult } from '#base/job.ts';
import { silentLogger } from '#base/logger.ts';
import { SeededRandom } from '#base/random.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { Registry } from '#metrics/registry.ts';
import { SimDisk } from '#sim/disk.ts';
import { eraseMember } from '#site/privacy/erase-member.ts';
import { protectMember } from '#site/privacy/protect-member.ts';
import { TestSite } from '#site/test-site.ts';
import { forEachDatabase, type OpenTestSql } from '#sql/test-databases.ts';
import { forgetAddressesJob } from './forget-addresses-job.ts';

const DAY_MS = 86_400_000;
const DAY_SECONDS = 86_400;
const DAYS_KEPT = 30;

class Bench {
  readonly site: TestSite;
  readonly log: LocalLog;
  readonly #announces = new TestAnnounces();
  #checkpoint: unknown;
  #day = 0;

  private constructor(site: TestSite, log: LocalLog) {
    this.site = site;
    this.log = log;
  }

  static async open(open: OpenTestSql): Promise<Bench> {
    const site = await TestSite.open({ open });
    site.clock.advance(TEST_START_MS - site.clock.nowMs());
    const log = await LocalLog.open({
      disk: new SimDisk({ random: new SeededRandom(1) }),
      clock: site.clock,
      random: new SeededRandom(2),
      logger: silentLogger,
      metrics: new Registry(),
      config: logConfig.parse({ segmentBytesMax: 4096, scrubBytesPerSecond: 0 }),
      folder: '/log',
      changes: new Map([[BLANK_ADDRESSES, blankAddresses]]),
    });
    await log.createTopic(TRANSFERS_TOPIC, { consistency: 'durable' });
    return new Bench(site, log);
  }

  /** Days of the two members, four announces each day. */
  async live(days: number, memberIds: readonly number[]): Promise<void> {
    for (let day = 0; day < days; day++, this.#day++) {
      for (let quarter = 0; quarter < 4; quarter++) {
        const at = this.#day * DAY_SECONDS + (quarter * DAY_SECONDS) / 4;
        const uploaded = at * 100;
        const records = memberIds.map((memberId) => ({
          value: this.#announces.announce({ memberId, uploaded, at, left: 0 }),
        }));
        await this.log.append(TRANSFERS_TOPIC, records);
        this.site.clock.advance(DAY_MS / 4);
      }
    }
  }

  run(killed?: AbortSignal): Promise<JobResult> {
    const { sql, clock } = this.site;
    const context: JobContext = {
      signal: killed ?? new AbortController().signal,
      clock,
      logger: silentLogger,
      fence: 1,
      progress: () => undefined,
      checkpoint: {
        load: async () => this.#checkpoint,
        save: async (value) => {
          this.#checkpoint = JSON.parse(JSON.stringify(value));
        },
      },
      fenced: async () => undefined,
    };
    return forgetAddressesJob({ sql, log: this.log, daysKept: DAYS_KEPT }).run(context);
  }

  /** Days, counted back from now, of the oldest record with an address; by member. */
  async oldestAddress(memberId: number): Promise<number | undefined> {
    const { records } = await this.log.read(TRANSFERS_TOPIC, { from: 0 });
    for (const { value } of records) {
      const record = decodeTransfer(value);
      assert.ok(record !== undefined, 'every record is valid');
      if (record.memberId !== memberId || record.family === 0) continue;
      assert.ok(record.port === 6881 && record.address[0] === 10);
      return (this.site.clock.nowMs() - record.timeMs) / DAY_MS;
    }
    return undefined;
  }

  async differences(): Promise<readonly string[]> {
    const { sql, clock } = this.site;
    const config = accountingConfig.parse({});
    const world = { sql, log: this.log, clock, logger: silentLogger, metrics: new Registry() };
    const ledger = await Ledger.open({ ...world, config });
    while ((await ledger.applyOnce()) > 0);
    return (await audit({ sql, log: this.log })).differences;
  }

  async close(): Promise<void> {
    await this.log.close();
    await this.site.close();
  }
}

forEachDatabase((database, open) => {
  test(`${database}: A17: addresses leave the log after 30 days, and the audit stays clean`, async () => {
    const bench = await Bench.open(open);
    const mina = await bench.site.addMember('mina');
    await bench.site.signedIn('mina');
    await bench.live(40, [mina.id]);
    const before = await bench.differences();
    const { counts } = await bench.run();
    assert.equal(counts?.['sessions'], 1);
    assert.equal(counts?.['addresses'], 40, 'ten days of four announces');
    assert.equal(await bench.oldestAddress(mina.id), DAYS_KEPT);
    for (let day = 1; day <= 5; day++) {
      await bench.live(1, [mina.id]);
      const again = await bench.run();
      assert.equal(again.counts?.['addresses'], 4, `day ${day}`);
      assert.equal(await bench.oldestAddress(mina.id), DAYS_KEPT);
    }
    assert.equal((await bench.run()).counts?.['addresses'], 0, 'a run too many does nothing');
    assert.deepEqual(await bench.differences(), before);
    assert.deepEqual(before, []);
    await bench.close();
  });

  test(`${database}: A17: addresses of protected and erased members go whatever their age`, async () => {
    const bench = await Bench.open(open);
    const { site } = bench;
    await site.addMember('olga', 'admin');
    const mina = await site.addMember('mina');
    const noor = await site.addMember('noor');
    const pim = await site.addMember('pim');
    await bench.live(10, [mina.id, noor.id, pim.id]);
    assert.equal((await bench.run()).counts?.['addresses'], 0);
    const world = { ...site.world, passwords: site.passwords };
    await eraseMember(world, 'mina');
    await protectMember(world, 'noor', true);
    await bench.run();
    // What the segment that is being written holds waits until that is sealed.
    assert.ok(((await bench.oldestAddress(mina.id)) ?? 0) < 2.5);
    assert.equal(await bench.oldestAddress(pim.id), 10);
    await bench.live(4, [pim.id]);
    await bench.run();
    assert.equal(await bench.oldestAddress(mina.id), undefined);
    assert.equal(await bench.oldestAddress(noor.id), undefined);
    assert.equal(await bench.oldestAddress(pim.id), 14);
    assert.deepEqual(await bench.differences(), []);
    assert.ok((await memberTotals(site.sql, mina.id)).uploadedBytes > 0, 'totals stay');
    await bench.close();
  });

  test(`${database}: A17: a run that is killed halfway is ended by the next`, async () => {
    const bench = await Bench.open(open);
    const mina = await bench.site.addMember('mina');
    await bench.live(60, [mina.id]);
    const killed = new AbortController();
    const rewrite = bench.log.rewriteSegment.bind(bench.log);
    let segments = 0;
    bench.log.rewriteSegment = (topic, options) => {
      if (++segments === 3) killed.abort();
      return rewrite(topic, options);
    };
    await assert.rejects(bench.run(killed.signal));
    assert.ok(((await bench.oldestAddress(mina.id)) ?? 0) > DAYS_KEPT);
    await bench.run();
    assert.equal(await bench.oldestAddress(mina.id), DAYS_KEPT);
    assert.deepEqual(await bench.differences(), []);
    await bench.close();
  });
});
