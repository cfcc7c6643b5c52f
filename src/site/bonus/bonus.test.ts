// Bonus points through the real pages: seen by their owner, spent once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { grantBonus } from '#accounting/bonus/bonus.ts';
import type { BonusTables } from '#accounting/bonus/bonus-tables.ts';
import { countTokens } from '#site/credit/credit-tokens.ts';
import { formatPoints } from '#site/format/points.ts';
import { TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';

forEachDatabase((database, open) => {
  test(`${database}: points are shown to their owner and buy a token, once for each press`, async () => {
    const site = await TestSite.open({ open });
    try {
      const ada = await site.addMember('ada');
      await site.addMember('ben');
      const browser = await site.signedIn('ada');
      assert.match(
        (await browser.get('/me/bonus')).text,
        /500\.?0* more are needed|500 more are needed/,
      );
      await site.sql.transaction<BonusTables, number>((transaction) =>
        grantBonus(
          transaction,
          [700_500, 499_500].map((milliPoints, at) => ({
            memberId: ada.id,
            atMs: site.clock.nowMs(),
            milliPoints,
            kind: 'seeding',
            once: `hour:${at}`,
          })),
        ),
      );
      const page = await browser.get('/me/bonus');
      assert.match(page.text, /1,200/);
      assert.match((await browser.get('/members/ada')).text, /1,200 points/);
      const other = await (await site.signedIn('ben')).get('/members/ada');
      assert.doesNotMatch(other.text, /1,200 points/);
      const order = /name="order" value="(\w+)"/.exec(page.text)?.[1] ?? '';
      await Promise.all([
        browser.post('/me/bonus', { order }),
        browser.post('/me/bonus', { order }),
      ]);
      assert.equal(await countTokens(site.sql, ada.id, site.clock.nowMs()), 1);
      const after = await browser.get('/me/bonus');
      assert.match(after.text, /−500/);
      assert.match(after.text, />700</);
      assert.equal((await browser.post('/me/bonus', { order: 'x' })).status, 303);
      assert.match((await browser.get('/me/bonus')).text, /Nothing was bought\. Press the button/);
      // Who has too few is told so, also without the button that is not shown to them.
      const poor = await site.signedIn('ben');
      await poor.get('/me/bonus');
      for (const body of [{}, { order: 'x' }, { order: 'a'.repeat(24) }]) {
        assert.equal((await poor.post('/me/bonus', body)).status, 303);
        assert.match((await poor.get('/me/bonus')).text, /not enough points: a token costs 500/);
      }
      assert.equal(await countTokens(site.sql, ada.id, site.clock.nowMs()), 1);
    } finally {
      await site.close();
    }
  });
});

test('points are written rounded down', () => {
  const cases = [
    [0, '0'],
    [439, '0.43'],
    [12_500, '12.50'],
    [1_204_999, '1,204'],
    [-2000, '−2'],
  ] as const;
  for (const [milliPoints, text] of cases) assert.equal(formatPoints(milliPoints), text);
});
