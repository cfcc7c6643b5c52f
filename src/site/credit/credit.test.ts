// Freeleech through the real pages on SQLite and PostgreSQL: opened, told to the trackers, ended, and
// tokens that are spent once.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_END_MS } from '#accounting/credit.ts';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import { RuleBook } from '#site/rules/rule-book.ts';
import { TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { countTokens, giveTokens, spendToken } from './credit-tokens.ts';
import { endWindow, enqueueAllWindows, forgetOldWindows, openWindow } from './credit-windows.ts';

const DAY = 86_400_000;

forEachDatabase((database, open) => {
  const on = (sentence: string, body: (site: TestSite, hash: string) => Promise<void>): void => {
    test(`${database}: ${sentence}`, async () => {
      const site = await TestSite.open({ open });
      try {
        const olga = await site.addMember('olga', 'admin');
        await site.addMember('ben');
        const { infoHash } = await site.addTorrent(olga.id, 'Lectures 2026');
        await body(site, infoHash);
      } finally {
        await site.close();
      }
    });
  };
  const windows = async (site: TestSite): Promise<Record<string, unknown>[]> =>
    (await site.messages()).filter((message) => message['kind'] === 'credit-window');

  on(
    'an admin opens freeleech for everybody and for one torrent, and ends it',
    async (site, hash) => {
      const olga = await site.signedIn('olga');
      await olga.get('/console/freeleech');
      const opened = await olga.post('/console/freeleech', { credit: 'free-double', who: '' });
      assert.equal(opened.status, 303);
      const [message] = await windows(site);
      assert.deepEqual(
        [message?.['memberId'], message?.['torrentId'], message?.['uploadCreditPercent']],
        [0, 0, 200],
      );
      assert.equal(message?.['untilMs'], NO_END_MS);
      const ben = await site.signedIn('ben');
      const page = await ben.get(`/torrents/${hash}`);
      assert.match(page.text, /Freeleech, giving counts twice<\/strong> for you, on this torrent/);
      assert.doesNotMatch(page.text, /freeleech"/);
      const list = await olga.get('/console/freeleech');
      const end = /action="(\/console\/freeleech\/\d+\/end)"/.exec(list.text)?.[1] ?? '';
      assert.equal((await olga.post(end)).status, 303);
      assert.equal((await windows(site)).at(-1)?.['state'], 'removed');
      assert.doesNotMatch((await ben.get(`/torrents/${hash}`)).text, /for you, on this torrent/);
      assert.equal((await olga.post(end)).status, 404);
      await olga.get(`/console/torrents/${hash}/freeleech`);
      const one = { credit: 'half', from: '', until: '2039-12-24T18:00' };
      assert.equal((await olga.post(`/console/torrents/${hash}/freeleech`, one)).status, 303);
      assert.match((await ben.get(`/torrents/${hash}`)).text, /Taking counts for 50 %/);
      assert.equal((await ben.get(`/console/torrents/${hash}/freeleech`)).status, 403);
      assert.equal((await ben.get('/console/freeleech')).status, 403);
    },
  );

  on('a window that makes no sense is refused in words', async (site) => {
    const olga = await site.signedIn('olga');
    await olga.get('/console/freeleech');
    const post = async (fields: Record<string, string>): Promise<string> => {
      const answer = await olga.post('/console/freeleech', { credit: 'free', ...fields });
      assert.equal(answer.status, 422);
      return answer.text;
    };
    assert.match(await post({ until: '1971-01-01T00:00' }), /The end must lie ahead/);
    assert.match(await post({ from: 'soon' }), /A day and a time in UTC/);
    // Dates that some programs read as a day of the next month.
    for (const from of ['2039-02-30T00:00', '2039-04-31', '2039-12-24T24:00', '2039-13-01']) {
      assert.match(await post({ from }), /A day and a time in UTC/, from);
    }
    assert.match(await post({ credit: 'treble' }), /Choose what counts/);
    assert.match(await post({ who: 'nobody' }), /No member is called so/);
    const late = { from: '2039-12-25T00:00', until: '2039-12-24T00:00' };
    assert.match(await post(late), /later than the beginning/);
    assert.deepEqual(await windows(site), []);
  });

  on(
    'a token is given, spent once on one torrent, and its window ends by itself',
    async (site, hash) => {
      const olga = await site.signedIn('olga');
      await olga.get('/console/freeleech');
      assert.equal((await olga.post('/console/tokens', { holder: 'ben', count: '2' })).status, 303);
      assert.equal((await olga.post('/console/tokens', { holder: '', count: '101' })).status, 422);
      const ben = await site.signedIn('ben');
      assert.match((await ben.get(`/torrents/${hash}`)).text, /Use a token/);
      assert.match((await ben.get(`/torrents/${hash}/token`)).text, /For 4 days from now/);
      await ben.post(`/torrents/${hash}/token`);
      await ben.post(`/torrents/${hash}/token`);
      assert.equal(await countTokens(site.sql, 2, site.clock.nowMs()), 1);
      assert.equal((await windows(site)).length, 1);
      const [message] = await windows(site);
      assert.deepEqual([message?.['memberId'], message?.['downloadCreditPercent']], [2, 0]);
      site.clock.advance(4 * DAY);
      assert.equal(await forgetOldWindows(site.world), 1);
      assert.equal(await forgetOldWindows(site.world), 0);
      assert.equal((await windows(site)).at(-1)?.['state'], 'removed');
    },
  );

  on('tokens that are spent at the same time are spent once each', async (site) => {
    const nowMs = site.clock.nowMs();
    const grant = { memberIds: [2], count: 3, givenBy: 1, expiresMs: nowMs + DAY };
    await giveTokens(site.world, grant);
    const spent = await Promise.all(
      [1, 2, 3, 4, 5].map((torrentId) =>
        spendToken(site.world, { memberId: 2, torrentId, windowMs: DAY }),
      ),
    );
    assert.equal(spent.filter((one) => 'id' in one).length, 3);
    assert.equal(await countTokens(site.sql, 2, nowMs), 0);
    assert.equal((await windows(site)).length, 3);
    await giveTokens(site.world, { ...grant, expiresMs: nowMs - 1 });
    assert.equal(await countTokens(site.sql, 2, nowMs), 0);
  });

  on('a torrent that is exempted makes no hit and run', async (site, hash) => {
    const nowMs = site.clock.nowMs();
    await site.sql.transaction<LedgerTables & CatalogueTables, void>(async (transaction) => {
      await transaction.updateTable('torrent').set({ leechers: 3 }).execute();
      await transaction
        .insertInto('ledger_transfer')
        .values({
          member_id: 2,
          torrent_id: 1,
          uploaded_bytes: 0,
          downloaded_bytes: 20_000,
          credited_uploaded_bytes: 0,
          credited_downloaded_bytes: 20_000,
          seed_seconds: 60,
          records: 2,
          first_seen_ms: nowMs - 9 * DAY,
          last_seen_ms: nowMs - 9 * DAY,
          completed_ms: nowMs - 9 * DAY,
          left_bytes: 0,
          client: '',
          ...{ seeded: 0, seeder: 0, seeding_more: '' },
        })
        .execute();
    });
    await new RuleBook(site.world).change({ ...site.world.rules, strategy: 'seed-time' });
    const ben = await site.signedIn('ben');
    assert.match((await ben.get('/members/ben')).text, /counts as a hit and run/);
    const olga = await site.signedIn('olga');
    const path = `/console/torrents/${hash}`;
    assert.match((await olga.get(`${path}/freeleech`)).text, /Exempt it/);
    assert.equal((await olga.post(`${path}/exempt`, { exempt: 'yes' })).status, 303);
    assert.match((await olga.get(`${path}/freeleech`)).text, /Let it count again/);
    assert.doesNotMatch((await ben.get('/members/ben')).text, /counts as a hit and run/);
    assert.equal((await ben.post(`${path}/exempt`, { exempt: 'no' })).status, 403);
  });

  on('the trackers can be told every open window again', async (site) => {
    const nowMs = site.clock.nowMs();
    const window = {
      memberId: 0,
      torrentId: 0,
      uploadCreditPercent: 100,
      downloadCreditPercent: 0,
      fromMs: nowMs,
      untilMs: nowMs + DAY,
      openedBy: 0,
    };
    const first = await openWindow(site.world, window);
    await openWindow(site.world, { ...window, torrentId: 9 });
    assert.ok('id' in first);
    assert.equal(await endWindow(site.world, first.id), true);
    await enqueueAllWindows(site.sql);
    const last = (await windows(site)).at(-1);
    assert.deepEqual([last?.['torrentId'], last?.['state']], [9, 'active']);
    assert.equal((await windows(site)).length, 4);
  });
});
