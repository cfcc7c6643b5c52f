// The way of a member who gives too little, through the real pages: judged by the job, told on the
// site, kept from taking more at the trackers, and let go when enough was given.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ratioWatchJob } from '#accounting/jobs/ratio-watch-job.ts';
import { dayOf } from '#accounting/ledger/ledger-days.ts';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import { rulesConfig } from '#accounting/rules-config.ts';
import { silentLogger } from '#base/logger.ts';
import { TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { RuleBook } from './rule-book.ts';
import { judgedMembers, standingEffects, torrentCatalogue } from './standing-effects.ts';

const DAY = 86_400_000;
const GIB = 2 ** 30;
const RULES = { ...rulesConfig.parse({}), strategy: 'upload-download' } as const;

async function judgeAll(site: TestSite): Promise<void> {
  const job = ratioWatchJob({
    recordsBehind: async () => 0,
    sql: site.sql,
    torrents: torrentCatalogue(site.sql),
    members: judgedMembers(site.sql),
    rules: async () => (await new RuleBook(site.world).current()).rules,
    effects: standingEffects(() => site.world.changed()),
    everyMs: RULES.checkEveryMs,
  });
  await job.run({
    signal: new AbortController().signal,
    clock: site.clock,
    logger: silentLogger,
    fence: 1,
    progress: () => undefined,
    checkpoint: { load: async () => undefined, save: async () => undefined },
    fenced: async () => undefined,
  });
}

async function moved(site: TestSite, memberId: number, up: number, down: number): Promise<void> {
  const sums = {
    uploaded_bytes: up * GIB,
    downloaded_bytes: down * GIB,
    credited_uploaded_bytes: up * GIB,
    credited_downloaded_bytes: down * GIB,
  };
  const zeros = { seed_seconds: 0, records: 0, completed: 0, first_seen_ms: 0, last_seen_ms: 0 };
  await site.sql.transaction<LedgerTables, void>(async (transaction) => {
    await transaction
      .insertInto('ledger_member')
      .values({ member_id: memberId, ...sums, ...zeros })
      .onConflict((conflict) => conflict.column('member_id').doUpdateSet(sums))
      .execute();
    const day = { member_id: memberId, day: dayOf(site.clock.nowMs()), ...sums };
    await transaction
      .insertInto('ledger_day')
      .values({ ...day, seed_seconds: 0, leech_seconds: 0 })
      .onConflict((conflict) => conflict.columns(['member_id', 'day']).doUpdateSet(sums))
      .execute();
  });
}

forEachDatabase((database, open) => {
  const on = (sentence: string, body: (site: TestSite) => Promise<void>): void => {
    test(`${database}: ${sentence}`, async () => {
      const site = await TestSite.open({ open, rules: RULES });
      try {
        await body(site);
      } finally {
        await site.close();
      }
    });
  };

  on('who gives too little is watched, restricted, told, and let go', async (site) => {
    const ada = await site.addMember('ada');
    const browser = await site.signedIn('ada');
    await moved(site, ada.id, 0, 20);
    const before = await browser.get('/members/ada');
    assert.match(before.text, /With the next check you are put on watch/);
    await judgeAll(site);
    const watched = await browser.get('/members/ada');
    assert.match(watched.text, /On ratio watch/);
    assert.match(watched.text, /0 times what you took; 0\.6 is required/);
    assert.match(watched.text, /1 new<span class="visually-hidden"> notices/);
    site.clock.advance(15 * DAY);
    await judgeAll(site);
    const told = await site.messages();
    const last = told.at(-1);
    assert.deepEqual(
      [last?.['memberId'], last?.['mayLeech'], last?.['state']],
      [ada.id, false, 'active'],
    );
    const again = await site.signedIn('ada');
    assert.match((await again.get('/me/notices')).text, /You may not take more for now/);
    await moved(site, ada.id, 12, 20);
    assert.match((await again.get('/members/ada')).text, /with the next check you may download/);
    await judgeAll(site);
    assert.equal((await site.messages()).at(-1)?.['mayLeech'], true);
    const page = await again.get('/me/notices');
    assert.match(page.text, /3 notices unread/);
    const through = /name="through" value="(\d+)"/.exec(page.text)?.[1] ?? '';
    assert.equal((await again.post('/me/notices', { through })).status, 303);
    assert.match((await again.get('/me/notices')).text, /You have read everything/);
  });

  on('a passkey reset by a restricted member lifts nothing', async (site) => {
    const ada = await site.addMember('ada');
    await moved(site, ada.id, 0, 20);
    await judgeAll(site);
    site.clock.advance(15 * DAY);
    await judgeAll(site);
    const browser = await site.signedIn('ada');
    await browser.get('/me/passkey/reset');
    await browser.post('/me/passkey/reset');
    const last = (await site.messages()).at(-1);
    assert.deepEqual([last?.['memberId'], last?.['mayLeech']], [ada.id, false]);
  });

  on(
    'a job that runs again tells nobody twice, and nobody reads another’s notices',
    async (site) => {
      const ada = await site.addMember('ada');
      await site.addMember('ben');
      await moved(site, ada.id, 0, 20);
      await judgeAll(site);
      await judgeAll(site);
      const own = await (await site.signedIn('ada')).get('/me/notices');
      assert.match(own.text, /1 notice unread/);
      const other = await (await site.signedIn('ben')).get('/me/notices');
      assert.match(other.text, /Nothing was told to you yet/);
    },
  );

  on('the profile shows the days, and only to the member and admins', async (site) => {
    const ada = await site.addMember('ada');
    await site.addMember('ben');
    await moved(site, ada.id, 3, 1);
    const own = await (await site.signedIn('ada')).get('/members/ada');
    assert.match(own.text, /Over 30 days: given 3\.00 GiB, taken 1\.00 GiB/);
    const other = await (await site.signedIn('ben')).get('/members/ada');
    assert.doesNotMatch(other.text, /Over 30 days|Standing/);
  });
});
