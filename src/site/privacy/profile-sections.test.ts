// What members keep to themselves is seen by nobody else, in no place.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import { TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';

forEachDatabase((database, open) => {
  test(`${database}: each section of a profile is shown or kept, for members but not for the staff`, async () => {
    const site = await TestSite.open({ open });
    await site.addMember('olga', 'admin');
    const mina = await site.addMember('mina');
    await site.addMember('pavel');
    const own = await site.signedIn('mina');
    const other = await site.signedIn('pavel');
    const staff = await site.signedIn('olga');
    const moved = { uploaded_bytes: 5_000_000_000, downloaded_bytes: 1_000_000_000 };
    await site.sql.transaction<LedgerTables, unknown>(async (transaction) => {
      const day = Math.floor(site.clock.nowMs() / 86_400_000);
      const ids = { member_id: mina.id, day };
      const times = { seed_seconds: 0 };
      const credited = {
        credited_uploaded_bytes: moved.uploaded_bytes,
        credited_downloaded_bytes: moved.downloaded_bytes,
      };
      await transaction
        .insertInto('ledger_day')
        .values({ ...ids, ...moved, ...credited, ...times, leech_seconds: 0 })
        .execute();
      await transaction
        .insertInto('ledger_member')
        .values({
          ...{ member_id: mina.id, ...moved, ...credited },
          ...{ completed: 0, first_seen_ms: 0, last_seen_ms: 0, records: 1, ...times },
        })
        .execute();
    });
    const seen = {
      totals: /4\.66 GiB/,
      visits: /Last visit/,
      chart: /Given and taken over time/,
      clients: /Active now/,
      history: /id="history"/,
    };
    const check = async (shown: readonly string[]) => {
      const { text } = await other.get('/members/mina');
      const about = text.slice(text.indexOf('<main'));
      for (const [section, words] of Object.entries(seen)) {
        if (section === 'totals' && shown.includes('chart')) continue;
        assert.equal(words.test(about), shown.includes(section), `${section} of ${shown}`);
      }
      assert.doesNotMatch(about, /id="standing"|id="announce"/);
      const everything = (await staff.get('/members/mina')).text;
      for (const words of Object.values(seen)) assert.match(everything, words);
    };
    await check(['totals', 'visits']);
    for (const shown of ['', 'visits', 'chart', 'clients', 'history', 'totals']) {
      await own.get('/me/privacy');
      await own.post('/me/privacy', { shown });
      await check([shown]);
      const list = (await other.get('/members')).text;
      assert.equal(/4\.66 GiB/.test(list), shown === 'totals', `the list with ${shown}`);
    }
    assert.match((await own.get('/me/privacy')).text, /value="totals" checked/);
    await site.close();
  });
});
