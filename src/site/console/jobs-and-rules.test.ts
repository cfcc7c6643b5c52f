// The operator's pages of jobs and rules, as a browser without scripts uses them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import { formatDate } from '#site/format/time.ts';
import { RuleBook } from '#site/rules/rule-book.ts';
import { TestSite } from '#site/test-site.ts';
import type { JobView } from '#site/world.ts';
import { forEachDatabase } from '#sql/test-databases.ts';

const GIB = 2 ** 30;
const HOUR = 3_600_000;

function job(name: string, nowMs: number, more: Partial<JobView> = {}): JobView {
  return {
    name,
    summary: 'Does something.',
    isPaused: false,
    isRequested: false,
    nextRunMs: nowMs + 2 * HOUR,
    failures: 0,
    progress: undefined,
    lastRun: undefined,
    ...more,
  };
}

/** As a browser sends the form of `page` back, with `changes`. */
function formOf(text: string, changes: Readonly<Record<string, string>>): Record<string, string> {
  const fields: Record<string, string> = {};
  const inputs = text.matchAll(/<input [^>]*name="(\w+)"[^>]*>/g);
  for (const [input, name = ''] of inputs) {
    if (input.includes('type="radio"') && !input.includes(' checked')) continue;
    fields[name] = /value="([^"]*)"/.exec(input)?.[1] ?? '';
  }
  return { ...fields, ...changes };
}

forEachDatabase((database, open) => {
  const on = (sentence: string, body: (site: TestSite) => Promise<void>): void => {
    test(`${database}: ${sentence}`, async () => {
      const site = await TestSite.open({ open });
      try {
        await site.addMember('olga', 'admin');
        await site.addMember('ben');
        await body(site);
      } finally {
        await site.close();
      }
    });
  };

  on('the page of jobs shows state, progress and last runs, and steers them', async (site) => {
    const nowMs = site.clock.nowMs();
    const run = { summary: '3 members judged.', holder: 'n1', startedMs: nowMs - HOUR };
    site.jobs.views.push(
      job('expire', nowMs, { isPaused: true }),
      job('ratio-watch', nowMs, {
        lastRun: { ...run, result: 'done', endedMs: nowMs - HOUR + 1500 },
      }),
      job('swarm-readings', nowMs, {
        progress: { done: 40, total: 80, unit: 'torrents' },
        lastRun: { ...run, result: 'running', endedMs: undefined },
      }),
    );
    const olga = await site.signedIn('olga');
    const list = await olga.get('/console/jobs');
    assert.match(list.text, /1 job is paused/);
    assert.match(list.text, /40 of 80 torrents/);
    assert.match(list.text, /in 2 hours/);
    const one = await olga.get('/console/jobs/ratio-watch');
    assert.match(one.text, /3 members judged\./);
    assert.match(one.text, /1 second/);
    await olga.post('/console/jobs/ratio-watch', { deed: 'run' });
    await olga.post('/console/jobs/swarm-readings', { deed: 'pause', back: 'list' });
    const refused = await olga.post('/console/jobs/expire', { deed: 'run' });
    assert.equal(refused.location, '/console/jobs/expire');
    await olga.post('/console/jobs/expire', { deed: 'resume' });
    assert.deepEqual(site.jobs.asked, ['run ratio-watch', 'pause swarm-readings', 'resume expire']);
    assert.equal((await olga.get('/console/jobs/nothing')).status, 404);
    assert.equal((await olga.post('/console/jobs/expire', { deed: 'burn' })).status, 404);
    const ben = await site.signedIn('ben');
    assert.equal((await ben.get('/console/jobs')).status, 403);
    assert.equal((await ben.post('/console/jobs/expire', { deed: 'run' })).status, 403);
  });

  on('new rules are shown with whom they touch before they are in force', async (site) => {
    await site.sql.transaction<LedgerTables, void>(async (transaction) => {
      await transaction
        .insertInto('ledger_member')
        .values({
          member_id: 2,
          uploaded_bytes: 0,
          downloaded_bytes: 20 * GIB,
          credited_uploaded_bytes: 0,
          credited_downloaded_bytes: 20 * GIB,
          seed_seconds: 0,
          records: 1,
          completed: 0,
          first_seen_ms: 0,
          last_seen_ms: 0,
        })
        .execute();
      const zeros = { seed_seconds: 0, leech_seconds: 0, uploaded_bytes: 0 };
      const taken = { downloaded_bytes: GIB, credited_downloaded_bytes: GIB };
      const day = Math.floor(site.clock.nowMs() / (24 * HOUR)) - 3;
      await transaction
        .insertInto('ledger_day')
        .values({ member_id: 2, day, ...zeros, ...taken, credited_uploaded_bytes: 0 })
        .execute();
    });
    const olga = await site.signedIn('olga');
    const page = await olga.get('/console/rules');
    assert.match(page.text, /As configured/);
    const changes = { strategy: 'upload-download', ratioRequired: '0,7', watchMs: '10 d' };
    const tried = await olga.post('/console/rules/try', formOf(page.text, changes));
    assert.equal(tried.status, 200);
    assert.match(tried.text, /1 member, at the next check/);
    const known = formatDate(site.clock.nowMs() - 3 * 24 * HOUR);
    assert.ok(tried.text.includes(`The last 30 days are known from ${known} on`));
    assert.match(tried.text, />ben<[\s\S]*Watched[\s\S]*0\.7 is required/);
    assert.match(tried.text, /Free → Ratio[\s\S]*14 d → 10 d[\s\S]*0\.6 → 0\.7/);
    const book = new RuleBook(site.world);
    assert.equal((await book.current()).rules.strategy, 'free');
    const saved = await olga.post('/console/rules', formOf(tried.text, {}));
    assert.equal(saved.location, '/console/rules');
    site.clock.advance(1000);
    const { rules, isFromSite } = await book.current();
    assert.deepEqual(
      [rules.strategy, rules.ratioRequired, rules.watchMs, isFromSite],
      ['upload-download', 0.7, 240 * HOUR, true],
    );
    assert.match((await olga.get('/members/ben')).text, /0\.7 is required/);
    const back = await olga.get('/console/rules/reset');
    assert.match(back.text, /Ratio → Free/);
    await olga.post('/console/rules/reset');
    site.clock.advance(1000);
    assert.equal((await book.current()).isFromSite, false);
  });

  on('rules that cannot be read are sent back with what would be right', async (site) => {
    const olga = await site.signedIn('olga');
    const page = await olga.get('/console/rules');
    const changes = { strategy: 'none', watchBytesMax: 'ten', seedLeechRequired: '2' };
    const answer = await olga.post('/console/rules/try', formOf(page.text, changes));
    assert.equal(answer.status, 422);
    assert.match(answer.text, /2 things to correct/);
    assert.match(answer.text, /A size is needed, such as 10 GiB/);
    assert.match(answer.text, /name="watchBytesMax"[^>]*value="ten"/);
    const high = await olga.post('/console/rules', formOf(page.text, { seedLeechRequired: '2' }));
    assert.match(high.text, /At most 1\./);
    assert.equal((await new RuleBook(site.world).current()).isFromSite, false);
    const ben = await site.signedIn('ben');
    assert.equal((await ben.get('/console/rules')).status, 403);
  });
});
