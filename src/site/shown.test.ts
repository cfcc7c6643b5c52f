// Two pages show one thing and both are saved: the second is refused, shown what stands there now, and keeps
// its own words; sent again, they are taken.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestApi, tokenFor } from '#site/api/test-api.ts';
import { type TestBrowser, TestSite } from '#site/test-site.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { addCollection } from './collections/collections.ts';
import { addComment } from './comments/comments.ts';
import { ruleValues } from './console/rule-fields.ts';
import { addRequest, offerTorrent } from './requests/requests.ts';
import { refuseUnseen, versionOf } from './shown.ts';

interface Case {
  readonly what: string;
  readonly path: (hash: string) => string;
  /** The form with these words in it. */
  readonly fields: (words: string) => Readonly<Record<string, string>>;
}

const CASES: readonly Case[] = [
  {
    what: 'a torrent',
    path: (hash) => `/torrents/${hash}/edit`,
    fields: (words) => ({ title: 'Rain', category: 'other', tags: 'wet', description: words }),
  },
  { what: 'a comment', path: () => '/comments/1', fields: (words) => ({ text: words }) },
  {
    what: 'a collection',
    path: () => '/collections/1/edit',
    fields: (words) => ({ title: words, description: 'Where it rains' }),
  },
  {
    what: 'the settings',
    path: () => '/console/settings',
    fields: (words) => ({ siteName: words, signUpMode: 'closed', trackerMode: 'private' }),
  },
  {
    what: 'the clients',
    path: () => '/console/clients',
    fields: (words) => ({ action: 'save', allowed: '', denied: words.slice(0, 20) }),
  },
  {
    what: 'the categories',
    path: () => '/console/categories',
    fields: (words) => ({ action: 'rename', slug: 'other', name: words }),
  },
];

interface World {
  readonly site: TestSite;
  readonly hash: string;
  readonly admin: TestBrowser;
  readonly memberId: number;
}

async function withWords(
  open: Parameters<typeof TestSite.open>[0],
  run: (world: World) => Promise<void>,
): Promise<void> {
  const site = await TestSite.open(open);
  try {
    const { id: memberId } = await site.addMember('ada', 'admin');
    const { id: torrentId, infoHash: hash } = await site.addTorrent(memberId, 'Rain');
    await addComment(site.world, { torrentId, memberId, text: 'Wet' });
    await addCollection(site.world, memberId, { title: 'Rains', description: '' });
    await run({ site, hash, memberId, admin: await site.signedIn('ada') });
  } finally {
    await site.close();
  }
}

async function shownOn(browser: TestBrowser, path: string): Promise<string> {
  const { text, status } = await browser.get(path);
  assert.equal(status, 200, path);
  return shownIn(text);
}

function shownIn(text: string): string {
  const version = /name="shown" value="([0-9a-f]{16})"/.exec(text)?.[1];
  assert.ok(version !== undefined, 'the form does not say what it showed');
  return version;
}

forEachDatabase((database, open) => {
  for (const { what, path: pathOf, fields } of CASES) {
    test(`${database}: of two pages that change ${what}, the later is told`, async () => {
      await withWords({ open }, async ({ admin, hash }) => {
        const path = pathOf(hash);
        const shown = await shownOn(admin, path);
        const first = await admin.post(path, { ...fields('the-first-words'), shown });
        assert.equal(first.status, 303, first.text);
        const late = await admin.post(path, { ...fields('the-later-words'), shown });
        assert.equal(late.status, 409);
        for (const words of ['the-first-words', 'the-later-words', 'Nothing was']) {
          assert.ok(late.text.includes(words), `${words} is not on the page`);
        }
        assert.ok((await admin.get(path)).text.includes('the-first-words'));
        // Seen now, it is written over.
        const again = { ...fields('the-later-words'), shown: shownIn(late.text) };
        assert.equal((await admin.post(path, again)).status, 303);
        assert.ok((await admin.get(path)).text.includes('the-later-words'));
      });
    });

    test(`${database}: of two changes of ${what} at once, one is taken`, async () => {
      await withWords({ open }, async ({ admin, hash }) => {
        const path = pathOf(hash);
        const shown = await shownOn(admin, path);
        const sent = ['one-of-both', 'the-other'].map((words) =>
          admin.post(path, { ...fields(words), shown }),
        );
        const states = (await Promise.all(sent)).map((page) => page.status).toSorted();
        assert.deepEqual(states, [303, 409]);
      });
    });
  }

  test(`${database}: rules that were tried are not put in force over others`, async () => {
    await withWords({ open }, async ({ site, admin }) => {
      const shown = await shownOn(admin, '/console/rules');
      const rules = { strategy: 'ratio', ...ruleValues(site.world.rules) };
      const first = await admin.post('/console/rules', { ...rules, ratioRequired: '0.7', shown });
      assert.equal(first.status, 303, first.text);
      const mine = { ...rules, ratioRequired: '0.9', shown };
      const tried = await admin.post('/console/rules/try', mine);
      assert.equal(shownIn(tried.text), shown, 'the dry run hands on what the form showed');
      const late = await admin.post('/console/rules', mine);
      assert.equal(late.status, 409);
      assert.match(late.text, /<pre dir="auto">0\.7<\/pre>/);
      assert.match(late.text, /value="0\.9"/);
      const again = { ...mine, shown: shownIn(late.text) };
      assert.equal((await admin.post('/console/rules', again)).status, 303);
    });
  });

  test(`${database}: classes that were tried are not put in force over others`, async () => {
    await withWords({ open }, async ({ admin }) => {
      const shown = await shownOn(admin, '/console/classes');
      const mine = { classes: 'Newcomer\nMine: given 9 GiB', shown };
      const first = { classes: 'Newcomer\nTheirs: given 7 GiB', shown };
      assert.equal((await admin.post('/console/classes', first)).status, 303);
      const tried = await admin.post('/console/classes/try', mine);
      assert.equal(tried.status, 200, tried.text);
      const handedOn = [...tried.text.matchAll(/name="shown" value="(.*?)"/g)].map(
        ([, one]) => one,
      );
      assert.deepEqual(handedOn, [shown, shown], 'the dry run hands on what the form showed');
      const edited = await admin.post('/console/classes/try', { ...mine, deed: 'edit' });
      assert.equal(shownIn(edited.text), shown);
      const late = await admin.post('/console/classes', mine);
      assert.equal(late.status, 409);
      assert.match(late.text, /<pre dir="auto">Newcomer\nTheirs: given 7 GiB<\/pre>/);
      assert.match(late.text, /Mine: given 9 GiB<\/textarea>/);
      const again = { ...mine, shown: shownIn(late.text) };
      assert.equal((await admin.post('/console/classes', again)).status, 303);
      const reset = await admin.post('/console/classes', { deed: 'reset' });
      assert.equal(reset.status, 303);
      assert.equal(await shownOn(admin, '/console/classes'), shown);
    });
  });

  for (const { what, path } of [
    { what: 'a role', path: '/console/roles/editor' },
    { what: 'a built-in role that nobody changed yet', path: '/console/roles/moderator' },
    { what: 'what a class adds', path: '/console/class-rights/1' },
  ]) {
    test(`${database}: of two pages that change ${what}, the later is told`, async () => {
      await withWords({ open }, async ({ admin }) => {
        await admin.get('/console/roles');
        assert.equal((await admin.post('/console/roles', { name: 'editor' })).status, 303);
        const shown = await shownOn(admin, path);
        const first = await admin.post(path, { permissions: 'comment', shown });
        assert.equal(first.status, 303, first.text);
        const late = await admin.post(path, { permissions: 'invite', shown });
        assert.equal(late.status, 409);
        assert.match(late.text, /<pre dir="auto">comment<\/pre>/);
        const ticked = [...late.text.matchAll(/value="([a-z]+)"[^>]* checked/g)].map(
          ([, one]) => one,
        );
        assert.deepEqual(ticked, ['invite']);
        const again = { permissions: 'invite', shown: shownIn(late.text) };
        assert.equal((await admin.post(path, again)).status, 303);
        const both = ['comment', 'upload'].map((permissions) =>
          admin.post(path, { permissions, shown: versionOf(['x']) }),
        );
        for (const page of await Promise.all(both)) assert.equal(page.status, 409);
      });
    });
  }

  test(`${database}: of two changes of a role at once one is taken; a removed one is not made again`, async () => {
    await withWords({ open }, async ({ admin }) => {
      await admin.get('/console/roles');
      assert.equal((await admin.post('/console/roles', { name: 'editor' })).status, 303);
      const path = '/console/roles/editor';
      const shown = await shownOn(admin, path);
      const sent = ['comment', 'invite'].map((permissions) =>
        admin.post(path, { permissions, shown }),
      );
      const states = (await Promise.all(sent)).map((page) => page.status).toSorted();
      assert.deepEqual(states, [303, 409]);
      assert.equal((await admin.post(`${path}/remove`, {})).status, 303);
      const late = await admin.post(path, { permissions: 'upload', shown });
      assert.equal(late.status, 404);
    });
  });

  test(`${database}: an offer is accepted by who saw that offer`, async () => {
    await withWords({ open }, async ({ site, admin }) => {
      const { id: askerId } = await site.addMember('asker');
      const { id: fillerId } = await site.addMember('filler');
      const asked = { memberId: askerId, title: 'Snow', description: '' };
      const requestId = await addRequest(site.world, asked);
      assert.equal(requestId, 1);
      const torrents = [
        await site.addTorrent(fillerId, 'Sleet', 2),
        await site.addTorrent(fillerId, 'Hail', 3),
      ] as const;
      const asker = await site.signedIn('asker');
      await offerTorrent(site.world, { requestId, torrent: torrents[0] });
      const shown = await shownOn(asker, '/requests/1');
      // A moderator decides, and something else is offered.
      await admin.get('/requests/1');
      assert.equal((await admin.post('/requests/1', { action: 'refuse', shown })).status, 303);
      await offerTorrent(site.world, { requestId, torrent: torrents[1] });
      const late = await asker.post('/requests/1', { action: 'accept', shown });
      assert.equal(late.status, 422);
      assert.match(late.text, /What is offered changed/);
      assert.match(late.text, />Hail</);
      const again = { action: 'accept', shown: shownIn(late.text) };
      assert.equal((await asker.post('/requests/1', again)).status, 303);
    });
  });
});

test('If-Match takes an ETag or a version; what changed since is a 412, and a merge loses nothing', async () => {
  await withWords(undefined, async ({ site, hash }) => {
    const scopes = ['browse', 'upload', 'comment', 'administer'] as const;
    const api = new TestApi(site, await tokenFor(site, 'ada', scopes));
    const params = { hash };
    const read = await api.do('getTorrent', { params });
    const etag = read.page.headers.get('etag') ?? '';
    assert.ok(etag.startsWith(`"${read.json.version}.`), etag);
    const edit = (json: object, match: string) =>
      api.call('editTorrent', { params, json, headers: { 'if-match': match } });
    assert.equal((await edit({ title: 'Drizzle' }, `W/"x", ${etag}`)).status, 200);
    const late = await edit({ tags: ['wet'] }, etag);
    assert.deepEqual([late.status, late.json.code], [412, 'changed-meanwhile']);
    const now = await api.do('getTorrent', { params });
    assert.deepEqual([now.json.title, now.json.tags], ['Drizzle', []]);
    assert.equal((await edit({ tags: ['wet'] }, `"${now.json.version}"`)).status, 200);
    assert.equal((await edit({ description: 'Long' }, '*')).status, 200);
    const plain = await api.do('editTorrent', { params, json: { title: 'Rain' } });
    assert.deepEqual([plain.json.tags, plain.json.description], [['wet'], 'Long']);
    // Live counts are in the answer, and make no change of its words.
    site.counts.set(read.json.id, { seeders: 5, leechers: 0, completed: 1 });
    const live = await api.do('getTorrent', { params });
    assert.equal(live.json.version, plain.json.version);

    const settings = (await api.do('getSettings')).json.version;
    const set = (siteName: string) =>
      api.call('changeSettings', { json: { siteName }, headers: { 'if-match': `"${settings}"` } });
    assert.deepEqual([(await set('One')).status, (await set('Two')).status], [204, 412]);

    const headersOf = (read: string | undefined) => ({ headers: { 'if-match': `"${read}"` } });
    const rights = (await api.do('listRoles')).json;
    const role = rights.roles.find(({ name }: { name: string }) => name === 'moderator')?.version;
    const give = (permissions: string[]) =>
      api.call('saveRole', {
        ...{ params: { role: 'moderator' }, json: { permissions } },
        ...headersOf(role),
      });
    const gave = [await give(['comment']), await give(['browse'])];
    assert.deepEqual(
      gave.map(({ status }) => status),
      [204, 412],
    );
    const add = (permissions: string[]) =>
      api.call('saveClassRights', {
        ...{ params: { place: '1' }, json: { permissions } },
        ...headersOf(rights.classes[0]?.version),
      });
    const added = [await add(['comment']), await add(['upload'])];
    assert.deepEqual(
      added.map(({ status }) => status),
      [204, 412],
    );

    const classes = (await api.do('getClasses')).json.version;
    const write = (lines: string[]) =>
      api.call('changeClasses', { json: { lines }, ...headersOf(classes) });
    const wrote = [await write(['Newcomer']), await write(['Beginner'])];
    assert.deepEqual(
      wrote.map(({ status }) => status),
      [204, 412],
    );

    const headers = { 'if-match': etag };
    await api.refused('bookmarkTorrent', 'request-invalid', {
      ...{ params, json: { isSet: true }, headers },
    });
  });
});

test('a version is of the words and their order; who says nothing is not asked', () => {
  assert.equal(versionOf(['a', 'b']), versionOf(['a', 'b']));
  assert.notEqual(versionOf(['a', 'b']), versionOf(['b', 'a']));
  assert.notEqual(versionOf(['ab', '']), versionOf(['a', 'b']));
  const now = versionOf(['now']);
  assert.equal(refuseUnseen([], now), undefined);
  assert.equal(refuseUnseen([versionOf(['before']), now], now), undefined);
  assert.equal(refuseUnseen([versionOf(['before'])], now)?.code, 'changed-meanwhile');
});
