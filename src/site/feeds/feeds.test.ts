// Feeds by their key: what they tell, to whom, and that it is XML whatever members write.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { parseXml, type XmlElement } from '#archive/webdav/dav-xml.ts';
import { updateTorrent } from '#site/catalogue/torrents.ts';
import { endWindow, openWindow } from '#site/credit/credit-windows.ts';
import { type TestBrowser, TestSite } from '#site/test-site.ts';
import { parseMetainfo } from '#wire/metainfo.ts';
import { feedItems } from './feed-items.ts';

const HOSTILE = `]]>"'&<script>alert(1)</script>\u0001\ufffe`;

let site: TestSite;
let mina: TestBrowser;
let stranger: TestBrowser;
let key = '';
let memberId = 0;

before(async () => {
  site = await TestSite.open({ config: { feedsPerMinute: 1000 } });
  const member = await site.addMember('mina');
  memberId = member.id;
  mina = await site.signedIn('mina');
  stranger = site.browser('10.9.9.9');
  key = await keyOf(mina);
  await addTorrent('Coastal survey', { category: 'datasets', tags: ['coast', 'lidar'] });
  await addTorrent('Harbour film', { category: 'video', description: `**bold** ${HOSTILE}` });
  site.clock.advance(10_000);
});

after(async () => {
  await site.close();
});

let seed = 100;
async function addTorrent(
  title: string,
  words: { category?: string; tags?: string[]; description?: string } = {},
) {
  const torrent = await site.addTorrent(memberId, title, seed++);
  const { category = 'other', tags = [], description = '' } = words;
  await updateTorrent(site.world, torrent.id, { title, category, tags, description, changedBy: 1 });
  return torrent;
}

async function keyOf(browser: TestBrowser): Promise<string> {
  const page = await browser.get('/me/feeds');
  return /\/feeds\/([\w-]{32})\/rss/.exec(page.text)?.[1] ?? '';
}

async function xmlOf(path: string): Promise<XmlElement> {
  const page = await stranger.get(path);
  assert.equal(page.status, 200, page.text);
  const root = parseXml(page.text);
  assert.ok(root !== undefined, `this is no XML: ${page.text}`);
  return root;
}

function all(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children.flatMap((child) => [
    ...(child.name === name ? [child] : []),
    ...all(child, name),
  ]);
}

async function titles(path: string): Promise<readonly string[]> {
  const { text } = await stranger.get(path);
  return [...text.matchAll(/<(?:item|entry)>.*?<title>(.*?)<\/title>/gs)].map(([, title]) =>
    String(title),
  );
}

test('RSS and Atom tell the newest first, of everything or of what a search finds', async () => {
  for (const kind of ['rss', 'atom']) {
    const feed = `/feeds/${key}/${kind}`;
    assert.deepEqual(await titles(feed), ['Harbour film', 'Coastal survey']);
    assert.deepEqual(await titles(`${feed}?category=datasets`), ['Coastal survey']);
    assert.deepEqual(await titles(`${feed}?tags=coast,lidar`), ['Coastal survey']);
    assert.deepEqual(await titles(`${feed}?q=harbour`), ['Harbour film']);
    assert.deepEqual(await titles(`${feed}?category=nothing`), []);
    assert.deepEqual(await titles(`${feed}?sort=title`), ['Harbour film', 'Coastal survey']);
  }
});

test('feeds are XML with the elements that their readers need, whatever members write', async () => {
  const rss = await xmlOf(`/feeds/${key}/rss`);
  assert.equal(rss.name, 'rss');
  for (const item of all(rss, 'item')) {
    const names = item.children.map((child) => child.name);
    for (const name of ['title', 'link', 'guid', 'pubDate', 'description', 'enclosure']) {
      assert.ok(names.includes(name), name);
    }
  }
  const atom = await xmlOf(`/feeds/${key}/atom`);
  assert.equal(`${atom.space} ${atom.name}`, 'http://www.w3.org/2005/Atom feed');
  for (const part of [atom, ...all(atom, 'entry')]) {
    const names = part.children.map((child) => child.name);
    for (const name of ['id', 'title', 'updated', 'link']) assert.ok(names.includes(name), name);
  }
  const { text } = await stranger.get(`/feeds/${key}/rss`);
  assert.doesNotMatch(text, /<script/);
  // A reader that shows the description as HTML gets it escaped once more.
  assert.match(text, /&lt;strong&gt;bold/);
  assert.match(text, /&amp;lt;script/);
});

test('an enclosure is the .torrent of the key’s member, and of nobody else', async () => {
  const { text } = await stranger.get(`/feeds/${key}/rss`);
  const url = /<enclosure url="http:\/\/127\.0\.0\.1:8080([^"]+)"/.exec(text)?.[1] ?? '';
  const file = await stranger.get(url);
  assert.equal(file.headers.get('content-type'), 'application/x-bittorrent');
  assert.equal(parseMetainfo(file.bytes).ok, true);
  const { passkey } = await site.addMember('olga');
  const own = await keyOf(await site.signedIn('olga'));
  assert.notEqual(own, key);
  const other = await stranger.get(url.replace(key, own));
  assert.ok(Buffer.from(other.bytes).includes(passkey));
  assert.ok(!Buffer.from(file.bytes).includes(passkey));
});

test('a reader that comes again gets nothing twice, and everything that is new', async () => {
  const path = `/feeds/${key}/rss?q=validators`;
  const first = await stranger.get(`/feeds/${key}/rss`);
  const etag = first.headers.get('etag') ?? '';
  const modified = first.headers.get('last-modified') ?? '';
  const known: Record<string, string>[] = [
    { 'if-none-match': etag },
    { 'if-none-match': `"other", W/${etag}` },
    { 'if-modified-since': modified },
  ];
  for (const headers of known) {
    const again = await stranger.get(`/feeds/${key}/rss`, headers);
    assert.equal(again.status, 304, JSON.stringify(headers));
    assert.equal(again.text, '');
  }
  const changed: Record<string, string>[] = [
    { 'if-none-match': '"other"' },
    { 'if-none-match': '"other"', 'if-modified-since': modified },
    { 'if-modified-since': 'Mon, 01 Jan 1990 00:00:00 GMT' },
    { 'if-modified-since': 'soon' },
  ];
  for (const headers of changed) {
    const again = await stranger.get(`/feeds/${key}/rss`, headers);
    assert.equal(again.status, 200, JSON.stringify(headers));
  }
  await addTorrent('Validators one');
  const unsettled = await stranger.get(path);
  assert.equal(unsettled.headers.get('last-modified'), null);
  await addTorrent('Validators two');
  const later = { 'if-none-match': unsettled.headers.get('etag') ?? '' };
  assert.equal((await stranger.get(path, later)).status, 200);
  site.clock.advance(10_000);
});

test('another key makes the old one worthless, and leaves the passkey alone', async () => {
  const nora = await site.addMember('nora');
  const browser = await site.signedIn('nora');
  const old = await keyOf(browser);
  assert.equal((await stranger.get(`/feeds/${old}/rss`)).status, 200);
  assert.match((await browser.get('/me/feeds/reset')).text, /Reset the key of your feeds\?/);
  assert.equal((await browser.post('/me/feeds/reset')).status, 303);
  const fresh = await keyOf(browser);
  assert.notEqual(fresh, old);
  assert.equal((await stranger.get(`/feeds/${old}/rss`)).status, 404);
  assert.equal((await stranger.get(`/feeds/${fresh}/atom`)).status, 200);
  assert.equal((await stranger.get(`/feeds/${nora.passkey}/rss`)).status, 404);
  assert.match((await browser.get('/members/nora')).text, new RegExp(nora.passkey));
});

test('a feed has the beginning of a long description', async () => {
  const description = `${'word '.repeat(2000)}end`;
  await addTorrent('Long words', { description });
  for (const kind of ['rss', 'atom']) {
    const { text } = await stranger.get(`/feeds/${key}/${kind}?q=long+words`);
    const shown = text.match(/word /g)?.length ?? 0;
    assert.ok(shown >= 700 && shown < 1000 && text.includes('…'), `${shown} words`);
    assert.doesNotMatch(text, /end/);
  }
  site.clock.advance(10_000);
});

test('a member who is banned has no feeds', async () => {
  await site.addMember('vera');
  const own = await keyOf(await site.signedIn('vera'));
  const { hash } = await firstTorrent();
  assert.equal((await stranger.get(`/feeds/${own}/torrents/${hash}`)).status, 200);
  await site.sql.transaction<{ member: { name: string; state: string } }, void>(async (sql) => {
    await sql.updateTable('member').set({ state: 'banned' }).where('name', '=', 'vera').execute();
  });
  const paths = [`/feeds/${own}/rss`, `/feeds/${own}/atom`, `/feeds/${own}/torrents/${hash}`];
  for (const path of paths) assert.equal((await stranger.get(path)).status, 404, path);
  assert.match((await stranger.get(`/torznab/api?t=caps&apikey=${own}`)).text, /code="100"/);
});

async function firstTorrent(): Promise<{ hash: string }> {
  const { text } = await stranger.get(`/feeds/${key}/rss`);
  return { hash: /urn:btih:([0-9a-f]{40})/.exec(text)?.[1] ?? '' };
}

test('who asks too often waits, and who guesses keys does not make others wait', async () => {
  const small = await TestSite.open({ config: { feedsPerMinute: 3 } });
  try {
    await small.addMember('mina');
    const own = await keyOf(await small.signedIn('mina'));
    const reader = small.browser('10.3.0.1');
    for (const status of [404, 404, 404, 429]) {
      assert.equal((await reader.get(`/feeds/${'x'.repeat(32)}/rss`)).status, status);
    }
    for (const status of [200, 200, 200, 429]) {
      assert.equal((await reader.get(`/feeds/${own}/rss`)).status, status);
    }
    const waiting = await reader.get(`/torznab/api?t=caps&apikey=${own}`);
    assert.equal(waiting.status, 429);
    assert.ok(Number(waiting.headers.get('retry-after')) > 0);
  } finally {
    await small.close();
  }
});

test('Torznab tells what it can, finds by words and categories, and turns pages', async () => {
  const ask = (query: string): string => `/torznab/api?apikey=${key}&${query}`;
  const caps = await xmlOf(ask('t=caps'));
  assert.equal(caps.name, 'caps');
  assert.deepEqual(
    all(caps, 'categories')[0]
      ?.children.map((child) => child.name)
      .slice(0, 2),
    ['category', 'category'],
  );
  const own = await stranger.get(ask('t=caps'));
  const datasets = /id="(\d+)" name="Datasets"/.exec(own.text)?.[1] ?? '';
  assert.deepEqual(await titles(ask('t=search&q=coastal')), ['Coastal survey']);
  assert.deepEqual(await titles(ask(`t=search&cat=${datasets}`)), ['Coastal survey']);
  assert.deepEqual(await titles(ask(`t=search&cat=${datasets},5040`)), [
    'Harbour film',
    'Coastal survey',
  ]);
  assert.deepEqual(await titles(ask('t=search&cat=3000')), []);
  assert.deepEqual(await titles(ask('t=movie&q=harbour&cat=2045')), ['Harbour film']);
  await addTorrent('Night train S02E05', { category: 'video' });
  assert.deepEqual(await titles(ask('t=tvsearch&q=night+train&season=2&ep=5')), [
    'Night train S02E05',
  ]);
  assert.deepEqual(await titles(ask('t=tvsearch&q=night+train&season=3')), []);
  const everything = await titles(ask('t=search'));
  assert.deepEqual(await titles(ask('t=search&limit=2&offset=1')), everything.slice(1, 3));
  const found = await xmlOf(ask('t=search&q=coastal'));
  assert.equal(all(found, 'attr').length, 11);
});

test('Torznab says in its own words what is wrong', async () => {
  const cases: readonly (readonly [string, number])[] = [
    ['t=search', 100],
    [`t=search&apikey=${'y'.repeat(32)}`, 100],
    [`apikey=${key}`, 200],
    [`t=toString&apikey=${key}`, 202],
  ];
  for (const [query, code] of cases) {
    const { text, status } = await stranger.get(`/torznab/api?${query}`);
    assert.equal(status, 200);
    assert.match(text, new RegExp(`<error code="${code}" `), query);
  }
});

test('Torznab reads the dates and writings that programs send, and finds nothing by numbers of others', async () => {
  const ask = (query: string): string => `/torznab/api?apikey=${key}&${query}`;
  await addTorrent('Evening news 2026 05 12', { category: 'video' });
  const daily = 't=tvsearch&q=evening+news&season=2026&ep=';
  assert.deepEqual(await titles(ask(`${daily}05/12`)), ['Evening news 2026 05 12']);
  assert.deepEqual(await titles(ask(`${daily}5/13`)), []);
  const train = 't=tvsearch&q=night+train';
  assert.deepEqual(await titles(ask(`${train}&season=S02&ep=E05`)), ['Night train S02E05']);
  const wrong: readonly (readonly [string, number])[] = [
    [`${train}&season=two`, 201],
    [`${train}&ep=5`, 201],
    [`${train}&season=2&ep=5-6`, 201],
    ['t=tvsearch&tvdbid=121361&season=1', 203],
    ['t=movie&imdbid=tt0111161', 203],
  ];
  for (const [query, code] of wrong) {
    const { text } = await stranger.get(ask(query));
    assert.match(text, new RegExp(`<error code="${code}" `), query);
  }
  assert.deepEqual(await titles(ask('t=movie&q=harbour&imdbid=tt0111161')), ['Harbour film']);
  assert.deepEqual(await titles(ask('t=movie&q=harbour&year=1999')), []);
});

test('Torznab says what of a transfer counts for its member now', async () => {
  const factors = async (): Promise<readonly string[]> => {
    const { text } = await stranger.get(`/torznab/api?apikey=${key}&t=search&q=coastal`);
    return [...text.matchAll(/name="(\w+)volumefactor" value="([^"]+)"/g)].map(
      ([, name, value]) => `${name} ${value}`,
    );
  };
  assert.deepEqual(await factors(), ['download 1', 'upload 1']);
  const opened = await openWindow(site.world, {
    ...{ memberId: 0, torrentId: 0, openedBy: 1, fromMs: 0, untilMs: site.clock.nowMs() + 1000 },
    ...{ uploadCreditPercent: 150, downloadCreditPercent: 0 },
  });
  assert.ok('id' in opened);
  assert.deepEqual(await factors(), ['download 0', 'upload 1.5']);
  await endWindow(site.world, opened.id);
});

test('pages of several categories are one list, the newest first, and each item stands on one', async () => {
  const ask = (query: string): string => `/torznab/api?apikey=${key}&t=search&${query}`;
  const kinds = ['video', 'datasets', 'datasets', 'video', 'video', 'books'];
  for (const [at, category] of kinds.entries()) await addTorrent(`Paged ${at}`, { category });
  const { text } = await stranger.get(`/torznab/api?apikey=${key}&t=caps`);
  const numbers = ['Datasets', 'Books'].map(
    (name) => new RegExp(`id="(\\d+)" name="${name}"`).exec(text)?.[1],
  );
  const within = `cat=5000,${numbers.join(',')}`;
  const whole = await titles(ask(within));
  assert.deepEqual(
    whole.slice(0, 6),
    [5, 4, 3, 2, 1, 0].map((at) => `Paged ${at}`),
  );
  const paged: string[] = [];
  for (let offset = 0; offset < whole.length; offset += 2) {
    paged.push(...(await titles(ask(`${within}&limit=2&offset=${offset}`))));
  }
  assert.deepEqual(paged, whole);
  const others = Array.from({ length: 12 }, (_, at) => `nothing-${at}`);
  const categories = ['datasets', 'books', 'video', ...others];
  const picked = await feedItems(site.sql, { words: '', tags: [], categories, limit: 100 });
  assert.deepEqual(
    picked.map(({ title }) => title),
    whole,
    'also when they are picked from the list of all',
  );
});
