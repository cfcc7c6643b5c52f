// What moderators do: bans with an end, banned networks, warnings, notes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JobContext } from '#base/job.ts';
import { TEST_PASSWORD, TestSite } from '#site/test-site.ts';
import { endBansJob } from './end-bans-job.ts';

const DAY_MS = 86_400_000;

async function withSite(run: (site: TestSite) => Promise<void>): Promise<void> {
  const site = await TestSite.open();
  try {
    await site.addMember('olga', 'admin');
    await site.addMember('mona', 'moderator');
    await site.addMember('mina');
    await run(site);
  } finally {
    await site.close();
  }
}

async function endBans(site: TestSite): Promise<void> {
  const { sql, clock } = site;
  const job = endBansJob({ sql, clock, changed: () => site.world.changed() });
  await job.run({ signal: new AbortController().signal } as JobContext);
}

/** `2026-01-02T03:04`, as browsers send it. */
function utc(atMs: number): string {
  return new Date(atMs).toISOString().slice(0, 16);
}

test('a ban with an end ends by itself, at the site and at the trackers', async () => {
  await withSite(async (site) => {
    const mona = await site.signedIn('mona');
    const mina = await site.signedIn('mina');
    await mona.get('/console/members/mina/ban');
    const past = { reason: 'spam', until: utc(site.clock.nowMs() - DAY_MS) };
    assert.equal((await mona.post('/console/members/mina/ban', past)).status, 422);
    const until = utc(site.clock.nowMs() + 2 * DAY_MS);
    const page = await mona.post('/console/members/mina/ban', { reason: 'spam', until });
    assert.equal(page.location, '/console/members/mina/moderation');
    assert.equal((await mina.get('/torrents')).status, 303);
    await endBans(site);
    const stillOut = site.browser();
    await stillOut.get('/sign-in');
    const entry = { name: 'mina', password: TEST_PASSWORD };
    assert.match((await stillOut.post('/sign-in', entry)).text, /spam/);
    site.clock.advance(2 * DAY_MS + 60_000);
    await endBans(site);
    assert.equal((await stillOut.post('/sign-in', entry)).status, 303);
    const states = (await site.messages()).filter((message) => message['kind'] === 'member');
    assert.deepEqual([states.at(-2)?.['state'], states.at(-1)?.['state']], ['banned', 'active']);
  });
});

test('a ban that was made again without an end is not ended by the first one’s', async () => {
  await withSite(async (site) => {
    const mona = await site.signedIn('mona');
    await mona.get('/console/members/mina/ban');
    const until = utc(site.clock.nowMs() + DAY_MS);
    await mona.post('/console/members/mina/ban', { reason: 'one', until });
    await mona.post('/console/members/mina/ban', { reason: 'two' });
    site.clock.advance(3 * DAY_MS);
    await endBans(site);
    assert.match((await mona.get('/console/members/mina/moderation')).text, /Banned/);
  });
});

test('a moderator keeps their hands off the staff, and an admin does not have to', async () => {
  await withSite(async (site) => {
    const mona = await site.signedIn('mona');
    await mona.get('/console/members/olga/ban');
    const page = await mona.post('/console/members/olga/ban', { reason: 'coup' });
    assert.equal(page.status, 422);
    assert.match(page.text, /olga is of the staff/);
    const olga = await site.signedIn('olga');
    await olga.get('/console/members/mona/ban');
    assert.equal((await olga.post('/console/members/mona/ban', { reason: 'x' })).status, 303);
  });
});

test('nobody from a banned network gets past the door, until the ban ends', async () => {
  await withSite(async (site) => {
    const mona = await site.signedIn('mona');
    const inside = site.browser('198.51.100.77');
    const mapped = site.browser('::ffff:198.51.100.77');
    const six = site.browser('2001:db8:5::1');
    const outside = site.browser('198.51.101.1');
    await mona.get('/console/networks');
    const ban = (network: string, reason = '') =>
      mona.post('/console/networks', { network, reason });
    assert.equal((await ban('198.51.100.1/24', 'a rented botnet')).status, 303);
    assert.equal((await ban('2001:db8:5::/48')).status, 303);
    for (const browser of [inside, mapped, six]) {
      const page = await browser.get('/sign-in');
      assert.equal(page.status, 403);
      assert.match(page.text, /Your network is banned here/);
    }
    assert.match((await inside.get('/')).text, /a rented botnet/);
    assert.equal((await inside.get('/feeds/x/rss')).status, 403);
    assert.equal((await outside.get('/sign-in')).status, 200);
    const messages = (await site.messages()).filter((one) => one['kind'] === 'address-ban');
    assert.deepEqual(
      messages.map((one) => [one['network'], one['state']]),
      [
        ['198.51.100.0/24', 'active'],
        ['2001:db8:5::/48', 'active'],
      ],
    );
    await mona.get('/console/networks/1/end');
    assert.equal((await mona.post('/console/networks/1/end')).status, 303);
    assert.equal((await inside.get('/sign-in')).status, 200);
    assert.equal((await six.get('/sign-in')).status, 403);
    const last = (await site.messages()).at(-1);
    assert.deepEqual([last?.['banId'], last?.['state']], [1, 'removed']);
  });
});

test('slips are refused: half the world, one’s own network, what is no network, what is banned', async () => {
  await withSite(async (site) => {
    const mona = await site.signedIn('mona');
    await mona.get('/console/networks');
    const cases: readonly (readonly [string, RegExp])[] = [
      ['0.0.0.0/0', /half the world/],
      ['::/4', /half the world/],
      ['10.0.0.0/8', /You are in this network yourself/],
      ['10.0.0.1', /You are in this network yourself/],
      ['somewhere', /An address or a network is needed/],
    ];
    for (const [network, words] of cases) {
      const page = await mona.post('/console/networks', { network });
      assert.equal(page.status, 422, network);
      assert.match(page.text, words);
    }
    await mona.post('/console/networks', { network: '203.0.113.0/24' });
    const again = await mona.post('/console/networks', { network: '203.0.113.9/24' });
    assert.match(again.text, /is banned already/);
    const past = { network: '192.0.2.1', until: '2001-01-01T00:00' };
    assert.equal((await mona.post('/console/networks', past)).status, 422);
  });
});

test('a network that is banned for a time is let in when it is over', async () => {
  await withSite(async (site) => {
    const mona = await site.signedIn('mona');
    await mona.get('/console/networks');
    const until = utc(site.clock.nowMs() + DAY_MS);
    await mona.post('/console/networks', { network: '203.0.113.0/24', until });
    const inside = site.browser('203.0.113.4');
    assert.equal((await inside.get('/sign-in')).status, 403);
    site.clock.advance(DAY_MS + 60_000);
    await endBans(site);
    assert.equal((await inside.get('/sign-in')).status, 200);
  });
});

test('a warned member is told, and the staff remembers; notes are for the staff alone', async () => {
  await withSite(async (site) => {
    const mona = await site.signedIn('mona');
    const mina = await site.signedIn('mina');
    await mona.get('/console/members/mina/moderation');
    const empty = await mona.post('/console/members/mina/moderation/warn', { days: '30' });
    assert.equal(empty.status, 422);
    const warning = { reason: 'You called <b>olga</b> names', days: '30' };
    const warned = await mona.post('/console/members/mina/moderation/warn', warning);
    assert.equal(warned.status, 303);
    const note = { note: 'Second time. <script>alert(1)</script>' };
    assert.equal((await mona.post('/console/members/mina/moderation/note', note)).status, 303);
    assert.match((await mina.get('/me/notices')).text, /You called &lt;b&gt;olga/);
    assert.doesNotMatch((await mina.get('/members/mina')).text, /Second time/);
    const page = await mona.get('/console/members/mina/moderation');
    assert.match(page.text, /Second time/);
    assert.doesNotMatch(page.text, /<script|<b>olga/);
    assert.match(page.text, /In force/);
    const other = await mona.post('/console/members/olga/moderation/warnings/1/withdraw');
    assert.equal(other.status, 404);
    await mona.post('/console/members/mina/moderation/warnings/1/withdraw');
    assert.match((await mona.get('/console/members/mina/moderation')).text, /Withdrawn/);
    assert.equal((await mina.get('/console/members/mina/moderation')).status, 403);
  });
});
