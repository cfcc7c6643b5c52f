import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { makeTorrent } from '#site/catalogue/test-catalogue.ts';
import { TEST_PASSWORD, type TestBrowser, TestSite } from '#site/test-site.ts';
import { STAFF_SCOPES, TestApi, tokenFor } from './test-api.ts';

const ORIGIN = 'https://tools.example.org';
const WORDS = {
  title: 'Rain over Oslo',
  category: 'datasets',
  tags: ['csv'],
  description: 'Daily.',
};

let site: TestSite;
let mina: TestApi;
let olga: TestApi;
let nobody: TestApi;

before(async () => {
  site = await TestSite.open({ config: { apiOrigins: [ORIGIN], apiCallsPerMinute: 1000 } });
  await site.addMember('olga', 'admin');
  await site.addMember('mina');
  await site.addMember('piet');
  mina = await TestApi.of(site, 'mina');
  olga = await TestApi.of(site, 'olga', STAFF_SCOPES);
  nobody = new TestApi(site);
});

after(async () => {
  await site.close();
});

describe('who may', () => {
  test('without a token nothing but the description is told', async () => {
    await nobody.refused('listTorrents', 'signed-out');
    const { json } = await nobody.do('getOpenApi');
    assert.equal(json.openapi, '3.1.0');
  });

  test('a token that is not good is refused, also beside a session that is', async () => {
    const bad = new TestApi(site, 'x'.repeat(43));
    await bad.refused('getMe', 'signed-out');
    const browser = await site.signedIn('mina');
    const page = await browser.get('/api/v1/me', { authorization: `Bearer ${'x'.repeat(43)}` });
    assert.equal(page.status, 401);
    assert.equal(page.headers.get('www-authenticate'), 'Bearer');
  });

  test('a token may what both it and its member may', async () => {
    const reader = await TestApi.of(site, 'mina', ['browse']);
    await reader.do('listTorrents');
    const problem = await reader.refused('getMe', 'scope-missing');
    assert.match(problem.detail, /`account`/);
    await mina.refused('getStatus', 'forbidden');
    await olga.do('getStatus');
  });

  test('a time that is over, or that no page could show, is refused', async () => {
    const params = { name: 'piet' };
    const json = { reason: 'x', untilMs: 1 };
    await olga.refused('banMember', 'until-past', { params, json });
    const late = { untilMs: 8_999_999_999_999_999 };
    await olga.refused('banMember', 'request-invalid', { params, json: { ...json, ...late } });
    const network = { network: '203.0.113.0/24', ...late };
    await olga.refused('banNetwork', 'request-invalid', { json: network });
    const window = { uploadCreditPercent: 200, downloadCreditPercent: 100, ...late };
    await olga.refused('openCreditWindow', 'request-invalid', { json: window });
    const last = Date.UTC(9999, 11, 31);
    const { json: made } = await olga.do('banNetwork', { json: { ...network, untilMs: last } });
    assert.equal((await (await site.signedIn('olga')).get('/console/networks')).status, 200);
    await olga.do('endNetworkBan', { params: { id: made.id } });
  });

  test('no token makes itself another one, and a banned member’s is over at once', async () => {
    const sent = { json: { label: 'more', scopes: ['account'], current: TEST_PASSWORD } };
    await olga.refused('addToken', 'session-only', sent);
    const piet = await TestApi.of(site, 'piet');
    await piet.do('getMe');
    await olga.do('banMember', { params: { name: 'piet' }, json: { reason: 'shared an account' } });
    await piet.refused('getMe', 'signed-out');
    await olga.do('unbanMember', { params: { name: 'piet' } });
  });

  test('a session changes something from the site’s own pages alone, with the CSRF token', async () => {
    const browser = await site.signedIn('mina');
    const me = JSON.parse((await browser.get('/api/v1/me')).text) as { csrfToken: string };
    const own = { 'x-csrf-token': me.csrfToken, 'sec-fetch-site': 'same-origin' };
    assert.equal((await putJson(browser, {})).status, 403);
    assert.equal((await putJson(browser, { 'x-csrf-token': 'guessed' })).status, 403);
    const crossSite = { ...own, 'sec-fetch-site': 'cross-site' };
    assert.equal((await putJson(browser, crossSite)).status, 403);
    assert.equal((await putJson(browser, own)).status, 204);
  });

  test('a session makes tokens that programs act with', async () => {
    const browser = await site.signedIn('mina');
    const me = JSON.parse((await browser.get('/api/v1/me')).text) as { csrfToken: string };
    const csrf = { 'x-csrf-token': me.csrfToken };
    const asked = { label: 'backup', scopes: ['account'], days: 30 };
    const json = { ...asked, current: TEST_PASSWORD };
    const guess = { ...asked, current: 'a guess' };
    assert.equal((await post(browser, '/me/tokens', { json: guess, csrf })).status, 422);
    const made = await post(browser, '/me/tokens', { json, csrf });
    assert.equal(made.status, 201, made.text);
    const program = new TestApi(site, (JSON.parse(made.text) as { token: string }).token);
    const { json: tokens } = await program.do('listTokens');
    const { id } = tokens.items.find((one: { label: string }) => one.label === 'backup');
    await program.do('removeToken', { params: { id } });
    await program.refused('listTokens', 'signed-out');
  });

  async function putJson(browser: TestBrowser, csrf: Readonly<Record<string, string>>) {
    return await post(browser, '/me/notices/read', { json: { throughId: 0 }, csrf });
  }

  async function post(
    browser: TestBrowser,
    path: string,
    sent: { readonly json: unknown; readonly csrf: Readonly<Record<string, string>> },
  ) {
    const headers = { 'content-type': 'application/json', ...sent.csrf };
    const init = { method: 'POST', headers, body: JSON.stringify(sent.json) };
    return await browser.send(new Request(`http://127.0.0.1:8080/api/v1${path}`, init));
  }
});

describe('how it answers', () => {
  test('fields that are not described are refused by their names', async () => {
    const sent = { params: { hash: 'nothing' }, query: { folder: 'x', colour: 'red' } };
    const problem = await mina.refused('listTorrentFiles', 'request-invalid', sent);
    assert.deepEqual(
      problem.errors.map(({ in: where, field }) => `${where} ${field}`),
      ['path hash', 'query folder', 'query '],
    );
  });

  test('a body is bounded, of its type, and JSON', async () => {
    const path = '/api/v1/me/invites';
    const typed = { headers: { 'content-type': 'text/plain' }, bytes: Buffer.from('{}') };
    assert.equal((await mina.raw('POST', path, typed)).status, 415);
    const broken = { headers: { 'content-type': 'application/json' }, bytes: Buffer.from('{') };
    assert.equal((await mina.raw('POST', path, broken)).status, 400);
    await mina.refused('addInvite', 'too-large', { json: { note: 'x'.repeat(140_000) } });
  });

  test('unknown paths and methods are problems too', async () => {
    const unknown = await mina.raw('GET', '/api/v1/nothing');
    assert.equal(unknown.status, 404);
    assert.equal(unknown.headers.get('content-type'), 'application/problem+json');
    const method = await mina.raw('DELETE', '/api/v1/torrents');
    assert.equal(method.status, 405);
    assert.equal(method.headers.get('allow'), 'GET, POST');
  });

  test('what did not change is not sent again', async () => {
    const first = await mina.do('listCategories');
    const etag = first.page.headers.get('etag') ?? '';
    const again = await mina.call('listCategories', { headers: { 'if-none-match': etag } });
    assert.equal(again.status, 304);
    assert.equal(again.page.text, '');
    assert.equal((await mina.raw('HEAD', '/api/v1/categories')).status, 200);
  });

  test('pages of a configured origin read it with a token, of no other', async () => {
    const asked = { 'access-control-request-method': 'POST' };
    const headers = { ...asked, origin: ORIGIN };
    const yes = await nobody.raw('OPTIONS', '/api/v1/torrents', { headers });
    assert.equal(yes.status, 204);
    assert.equal(yes.headers.get('access-control-allow-origin'), ORIGIN);
    assert.match(
      yes.headers.get('access-control-allow-headers') ?? '',
      /authorization, .*idempotency-key/,
    );
    const other = { headers: { ...asked, origin: 'https://evil.example' } };
    const no = await nobody.raw('OPTIONS', '/api/v1/torrents', other);
    assert.equal(no.headers.get('access-control-allow-origin'), null);
    const read = await mina.call('getMe', { headers: { origin: ORIGIN } });
    assert.equal(read.page.headers.get('access-control-allow-origin'), ORIGIN);
    assert.equal(read.page.headers.get('access-control-allow-credentials'), null);
    const refused = await nobody.call('getMe', { headers: { origin: ORIGIN } });
    assert.equal(refused.page.headers.get('access-control-allow-origin'), ORIGIN);
  });

  test('a member’s requests are counted, and one too many is told when to come again', async () => {
    const few = await TestSite.open({ config: { apiCallsPerMinute: 2 } });
    try {
      await few.addMember('mina');
      const api = new TestApi(few, await tokenFor(few, 'mina'));
      await api.do('getMe');
      await api.do('getMe');
      await api.refused('getMe', 'too-many');
      const { page } = await api.call('getMe');
      assert.match(page.headers.get('retry-after') ?? '', /^\d+$/);
      await new TestApi(few).refused('getMe', 'signed-out');
      few.clock.advance(60_000);
      await api.do('getMe');
    } finally {
      await few.close();
    }
  });

  test('no cookie is set by any answer', async () => {
    for (const page of [await mina.raw('GET', '/api/v1/me'), await nobody.raw('GET', '/api/v1/me')])
      assert.deepEqual(page.headers.getSetCookie(), []);
  });
});

describe('torrents', () => {
  test('an upload is looked at, saved, edited, found, taken and removed', async () => {
    const bytes = await makeTorrent({ name: 'rain.csv', seed: 11 });
    const { json: upload } = await mina.do('beginUpload', { bytes });
    const params = { draft: upload.draft };
    assert.deepEqual((await mina.do('getUpload', { params })).json, upload);
    await olga.refused('getUpload', 'not-found', { params });
    const wrong = await mina.refused('saveUpload', 'category-unknown', {
      ...{ params, json: { ...WORDS, category: 'nothing' } },
    });
    assert.equal(wrong.errors[0]?.field, 'category');
    const { json: saved } = await mina.do('saveUpload', { params, json: WORDS });
    const hash = saved.torrent.infoHash;
    assert.equal(saved.torrent.infoHash, upload.infoHash);
    await mina.refused('saveUpload', 'not-found', { params, json: WORDS });

    const { json: found } = await mina.do('listTorrents', { query: { q: 'rain', tags: 'csv' } });
    assert.deepEqual(
      found.items.map((one: { infoHash: string }) => one.infoHash),
      [hash],
    );
    const edited = await mina.do('editTorrent', { params: { hash }, json: { title: 'Rain' } });
    assert.equal(edited.json.title, 'Rain');
    assert.deepEqual(edited.json.tags, ['csv']);
    const file = await mina.do('getTorrentFile', { params: { hash } });
    assert.match(file.page.text, /announce/);
    const { json: files } = await mina.do('listTorrentFiles', { params: { hash } });
    assert.equal(files.items.length > 0, true);
    await mina.do('getTorrentSwarm', { params: { hash } });
    await mina.do('getMyTransfer', { params: { hash } });
    const { json: past } = await mina.do('getTorrentHistory', { params: { hash } });
    assert.match(past.items[0].words, /^Renamed from “.+” to “Rain”\.$/);
    await mina.do('listTorrentPreviews', { params: { hash } });

    const piet = await TestApi.of(site, 'piet');
    await piet.refused('editTorrent', 'forbidden', { params: { hash }, json: { title: 'Mine' } });
    const query = { reason: 'replaced by the corrected set' };
    await piet.refused('removeTorrent', 'forbidden', { params: { hash }, query });
    await mina.refused('removeTorrent', 'request-invalid', { params: { hash } });
    await mina.do('removeTorrent', { params: { hash }, query });
    const { json: gone } = await mina.do('getTorrent', { params: { hash } });
    assert.equal(gone.removed.reason, query.reason);
    await mina.refused('getTorrentFile', 'not-found', { params: { hash } });
  });

  test('one request adds a torrent, and the same one again is a conflict', async () => {
    const bytes = await makeTorrent({ name: 'maps.zip', seed: 12 });
    const query = { title: 'Maps', tags: 'gis,norway' };
    const { json } = await mina.do('addTorrent', { bytes, query });
    assert.deepEqual(json.torrent.tags, ['gis', 'norway']);
    await mina.refused('addTorrent', 'conflict', { bytes, query });
    const { json: upload } = await mina.do('beginUpload', { bytes });
    assert.equal(upload.duplicate.infoHash, json.torrent.infoHash);
    await mina.do('discardUpload', { params: { draft: upload.draft } });
    await mina.refused('addTorrent', 'torrent-invalid', { bytes: Buffer.from('nonsense') });
  });

  test('pages by key have every torrent once', async () => {
    for (let at = 0; at < 5; at++) await site.addTorrent(1, `Series ${at}`, 100 + at);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const query = { limit: 2, sort: 'title', ...(cursor === undefined ? {} : { cursor }) };
      const { json } = await mina.do('listTorrents', { query });
      seen.push(...json.items.map((one: { title: string }) => one.title));
      cursor = json.nextCursor ?? undefined;
    } while (cursor !== undefined);
    assert.equal(new Set(seen).size, seen.length);
    assert.equal(seen.filter((title) => title.startsWith('Series')).length, 5);
    assert.deepEqual(seen, seen.toSorted());
  });

  test('the archive is told what to keep by admins', async () => {
    const { infoHash: hash } = await site.addTorrent(1, 'Kept', 300);
    const params = { hash };
    assert.equal((await mina.do('getKeeping', { params })).json.keeping, 'no');
    await mina.refused('keepTorrent', 'forbidden', { params });
    assert.equal((await olga.do('keepTorrent', { params })).json.keeping, 'wanted');
    await olga.do('keepTorrent', { params });
    await olga.do('releaseTorrent', { params });
    assert.equal((await mina.do('getKeeping', { params })).json.keeping, 'no');
    await olga.do('getArchiveHealth');
    await mina.refused('getTorrentContent', 'not-found', { params: { hash, entry: 'all' } });
    await mina.refused('getTorrentPreview', 'not-found', { params: { hash, entry: 0 } });
    const share = { items: [{ infoHash: hash }], days: 7 };
    await mina.refused('makeShare', 'forbidden', { json: share });
  });
});
