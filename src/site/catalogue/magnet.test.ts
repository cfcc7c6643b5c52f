import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTestSqlite } from '#sql/test-databases.ts';
import type { Torrent } from './find-torrent.ts';
import { magnetLink } from './magnet.ts';
import { makeTorrent } from './test-catalogue.ts';
import { openPages } from './test-pages.ts';

test('S13: a magnet link names both hashes, and the trackers in the order of their tiers', () => {
  const torrent = {
    ...{ infoHashV1: 'a'.repeat(40), infoHashV2: 'b'.repeat(64) },
    ...{ name: 'Rain & snow', sizeBytes: 5 },
  };
  const urls = { http: 'http://t.example/key/announce', udp: 'udp://t.example:1/key/announce' };
  assert.equal(
    magnetLink(torrent as unknown as Torrent, urls),
    `magnet:?xt=urn:btih:${'a'.repeat(40)}&xt=urn:btmh:1220${'b'.repeat(64)}&dn=Rain%20%26%20snow&xl=5` +
      '&tr=http%3A%2F%2Ft.example%2Fkey%2Fannounce&tr=udp%3A%2F%2Ft.example%3A1%2Fkey%2Fannounce',
  );
});

test('S13: where magnet links are not allowed there is none, on the page and by its address', async () => {
  const pages = await openPages(openTestSqlite);
  const anna = await pages.signIn('anna');
  const sent = await anna.post('/upload', { file: await makeTorrent() });
  const words = { title: 'Letters', category: 'other', tags: '', description: '' };
  const saved = await anna.post(sent.headers.get('location') ?? '', words);
  const path = saved.headers.get('location') ?? '';
  assert.doesNotMatch(await (await anna.get(path)).text(), /Magnet/);
  assert.equal((await anna.get(`${path}/magnet`)).status, 404);
  assert.equal((await anna.get(`${path}/download`)).status, 200);
  await pages.sql.close();
});

test('S13: where they are allowed the link has the member’s own key, and the page has none', async () => {
  const pages = await openPages(openTestSqlite, { magnets: true });
  const anna = await pages.signIn('anna');
  const sent = await anna.post('/upload', { file: await makeTorrent() });
  const words = { title: 'Letters', category: 'other', tags: '', description: '' };
  const saved = await anna.post(sent.headers.get('location') ?? '', words);
  const path = saved.headers.get('location') ?? '';
  const page = await (await anna.get(path)).text();
  assert.ok(page.includes(`href="${path}/magnet"`) && !page.includes(anna.passkey));
  const given = await anna.get(`${path}/magnet`);
  assert.equal(given.status, 302);
  const link = given.headers.get('location') ?? '';
  assert.match(link, /^magnet:\?xt=urn:btih:[0-9a-f]{40}&dn=letters&xl=\d+&tr=http/);
  assert.ok(link.includes(encodeURIComponent(`/${anna.passkey}/announce`)));
  await pages.sql.close();
});
