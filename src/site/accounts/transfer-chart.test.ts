// The chart of a member's transfers over any time, and the warnings beside it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dayOf } from '#accounting/ledger/ledger-days.ts';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import { addNote, listWarnings, warnMember, withdrawWarning } from '#site/moderation/warnings.ts';
import { TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { SPANS, transferChart } from './transfer-chart.ts';

const DAY_MS = 86_400_000;

/** One byte more each day back: today 1, yesterday 2. */
async function fillDays(site: TestSite, memberId: number, days: number): Promise<void> {
  const today = dayOf(site.clock.nowMs());
  await site.sql.transaction<LedgerTables, void>(async (transaction) => {
    for (let back = 0; back < days; back++) {
      await transaction
        .insertInto('ledger_day')
        .values({
          ...{ member_id: memberId, day: today - back },
          ...{ uploaded_bytes: back + 1, downloaded_bytes: 10 },
          ...{ credited_uploaded_bytes: 0, credited_downloaded_bytes: 0 },
          ...{ seed_seconds: 0, leech_seconds: 0 },
        })
        .execute();
    }
  });
}

forEachDatabase((database, open) => {
  test(`${database}: S8: a chart over any time has bounded bars that hold every byte of it`, async () => {
    const site = await TestSite.open({ open });
    site.clock.advance(3000 * DAY_MS);
    const { id } = await site.addMember('mina');
    await fillDays(site, id, 1200);
    const nowMs = site.clock.nowMs();
    const seen: number[][] = [];
    for (const span of SPANS) {
      const days = await transferChart(site.sql, id, { span, nowMs });
      const step = days[0]!.days;
      const covered = Math.min(1200, days.length * step);
      const given = days.reduce((sum, day) => sum + day.givenBytes, 0);
      assert.equal(given, (covered * (covered + 1)) / 2, span);
      const taken = days.reduce((sum, day) => sum + day.takenBytes, 0);
      assert.equal(taken, covered * 10, span);
      const last = days.at(-1)!;
      assert.equal(last.dayMs + step * DAY_MS, (dayOf(nowMs) + 1) * DAY_MS, 'it ends today');
      seen.push([days.length, step]);
    }
    assert.deepEqual(seen, [
      [30, 1],
      [90, 1],
      [53, 7],
      [86, 14],
    ]);
    const other = await site.addMember('piet');
    assert.equal((await transferChart(site.sql, other.id, { span: 'all', nowMs })).length, 30);
    await site.close();
  });
});

test('S8: the profile shows the chart of the time that was chosen, and the member’s own warnings', async () => {
  const site = await TestSite.open();
  const { id, name } = await site.addMember('mina');
  await site.addMember('piet');
  await site.addMember('moss', 'moderator');
  await fillDays(site, id, 40);
  const world = site.world;
  const member = { id, name };
  await warnMember(world, { member, reason: 'Was <rude>', days: 3, givenBy: 77 });
  await warnMember(world, { member, reason: 'By mistake', days: 3, givenBy: 77 });
  const [newest] = await listWarnings(site.sql, id);
  await withdrawWarning(world, { memberId: id, id: newest!.id });
  await addNote(world, { memberId: id, text: 'keep an eye on her', writtenBy: 77 });
  const mina = await site.signedIn('mina');
  const page = (await mina.get('/members/mina?chart=year')).text;
  assert.match(page, /Over 371 days: given 820 bytes/);
  assert.match(page, /chart=year#chart" aria-current="true">A year/);
  assert.match(page, /1 warning in force/);
  assert.match(
    page,
    /Withdrawn[\s\S]*By mistake[\s\S]*In force[\s\S]*Was &lt;rude&gt;[\s\S]*ends <time/,
  );
  assert.doesNotMatch(page, /keep an eye/);
  assert.match((await mina.get('/members/mina?chart=rubbish')).text, /Over 30 days/);
  const moss = await site.signedIn('moss');
  assert.match((await moss.get('/members/mina')).text, /Was &lt;rude&gt;/);
  const piet = await site.signedIn('piet');
  const seen = (await piet.get('/members/mina?chart=year')).text;
  assert.doesNotMatch(seen, /rude|id="chart"|keep an eye/);
  site.clock.advance(4 * DAY_MS);
  const later = (await (await site.signedIn('mina')).get('/members/mina')).text;
  assert.match(later, /none in force/);
  await site.close();
});
