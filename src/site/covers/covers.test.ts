// Covers: what is taken, what is kept of it, who may choose it, and that it goes again.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlobRef } from '#base/ids.ts';
import { below, SeededRandom } from '#base/random.ts';
import { testSeed } from '#sim/seed.ts';
import { STAFF_SCOPES, TestApi } from '#site/api/test-api.ts';
import { makeTorrent } from '#site/catalogue/test-catalogue.ts';
import { removeTorrent } from '#site/catalogue/torrents.ts';
import type { PreviewMaker } from '#site/previews/previews-job.ts';
import { TestSite } from '#site/test-site.ts';
import type { SiteContent } from '#site/world.ts';
import { forEachDatabase, type OpenTestSql } from '#sql/test-databases.ts';
import { MemoryStore } from '#store/memory.ts';
import { coverHead } from './cover-head.ts';
import { CoverRoots } from './covers.ts';
import { strippedPicture } from './strip-metadata.ts';
import { avif, jpeg, png, SECRET, webp } from './test-pictures.ts';

/** Every kind that is taken, of one size. */
function pictures(width: number, height: number): readonly Buffer[] {
  const kinds = ['VP8 ', 'VP8L', 'VP8X'] as const;
  const webps = kinds.map((kind) => webp(width, height, kind));
  return [jpeg(width, height), png(width, height), ...webps, avif(width, height)];
}

test('S9: a picture is known by its first bytes, with its size, before anything decodes it', () => {
  for (const bytes of pictures(300, 200)) {
    const head = coverHead(bytes);
    assert.deepEqual([head?.width, head?.height], [300, 200], head?.type);
  }
  const types = pictures(2, 1).map((bytes) => coverHead(bytes)?.type);
  const webps = Array.from({ length: 3 }, () => 'image/webp');
  assert.deepEqual(types, ['image/jpeg', 'image/png', ...webps, 'image/avif']);
  for (const text of [
    '',
    '<svg xmlns="http://www.w3.org/2000/svg"/>',
    '<script>',
    'GIF89a\x01\0\x01\0',
  ]) {
    assert.equal(coverHead(Buffer.from(text, 'latin1')), undefined, text);
  }
  assert.equal(coverHead(png(0, 5)), undefined, 'of no size');
});

test('S9: metadata and whatever lies behind a picture are taken out of it', () => {
  for (const bytes of pictures(300, 200)) {
    const type = coverHead(bytes)!.type;
    const own = strippedPicture(bytes, type);
    if (type === 'image/avif') {
      assert.equal(own, undefined);
      continue;
    }
    assert.ok(own !== undefined, type);
    assert.ok(!Buffer.from(own).includes(SECRET), type);
    assert.deepEqual(coverHead(own), coverHead(bytes));
    assert.deepEqual(strippedPicture(own, type), own, `${type}: there is nothing left to take out`);
  }
  const own = Buffer.from(strippedPicture(jpeg(30, 20), 'image/jpeg')!);
  assert.ok(own.includes(Buffer.from([1, 2, 0xff, 0, 3, 0xff, 0xd0, 4])), 'the scan is whole');
  assert.ok(own.subarray(-4).equals(Buffer.from([5, 6, 0xff, 0xd9])));
});

test('S9: broken pictures throw nothing', (context) => {
  const random = new SeededRandom(testSeed(context, 62));
  const wholes = pictures(300, 200);
  for (let round = 0; round < 2000; round++) {
    const whole = wholes[round % wholes.length]!;
    const bytes = Buffer.from(whole.subarray(0, below(random, whole.length + 1)));
    for (let at = 0; at < 3 && bytes.length > 0; at++) {
      bytes[below(random, bytes.length)] = below(random, 256);
    }
    const head = coverHead(bytes);
    if (head !== undefined) strippedPicture(bytes, head.type);
  }
});

interface Site {
  readonly site: TestSite;
  readonly store: MemoryStore;
  /** Sizes that were asked for; undefined where there is nothing that makes pictures. */
  readonly asked: number[];
}

async function openSite(isMaking: boolean, open?: OpenTestSql): Promise<Site> {
  const store = new MemoryStore();
  const asked: number[] = [];
  const maker: PreviewMaker = {
    name: 'test',
    async make(content, _signal, pixelsMax = 320) {
      asked.push(pixelsMax);
      const parts: Uint8Array[] = [];
      for await (const part of content) parts.push(part);
      const head = coverHead(Buffer.concat(parts));
      // Other pictures give other bytes.
      return head && jpeg(Math.min(pixelsMax, head.width), Math.min(pixelsMax, head.height));
    },
  };
  const content = {
    isKept: async () => false,
    blob: async (ref: BlobRef) => await store.get(ref).catch(() => undefined),
    pictures: {
      put: async (bytes: Uint8Array) => (await store.put(bytes)).ref,
      maker: async () => (isMaking ? maker : undefined),
    },
  } as unknown as SiteContent;
  const site = await TestSite.open({ content: () => content, ...(open && { open }) });
  return { site, store, asked };
}

async function namedBlobs(site: TestSite): Promise<readonly string[]> {
  const refs: string[] = [];
  const { signal } = new AbortController();
  for await (const ref of new CoverRoots(site).refs(signal)) refs.push(ref);
  return refs;
}

const WORDS = { title: 'Rain', category: 'datasets', tags: '', description: 'Since 1900.' };

forEachDatabase((database, open) => {
  test(`${database}: S9: an uploader chooses a cover with the upload, changes it, and takes it away`, async () => {
    const { site, asked } = await openSite(true, open);
    await site.addMember('mina');
    await site.addMember('piet');
    const mina = await site.signedIn('mina');
    await mina.get('/upload');
    const file = new Blob([new Uint8Array(await makeTorrent({ name: 'rain' }))]);
    const { location: draft } = await mina.post('/upload', { file });
    assert.match((await mina.get(draft)).text, /name="cover"[\s\S]*name="coverAlt"/);
    const cover = new Blob([new Uint8Array(webp(1000, 800, 'VP8X'))]);
    const alt = 'Clouds & <b>rain</b>';
    const saved = await mina.post(draft, { ...WORDS, replaces: '', cover, coverAlt: alt });
    assert.equal(saved.status, 303, saved.text.slice(0, 3000));
    assert.deepEqual(asked, [640, 160]);
    const path = saved.location;

    const page = (await mina.get(path)).text;
    const src = /<img class="cover" src="([^"]+)" alt="([^"]+)" width="640" height="640">/.exec(
      page,
    );
    assert.equal(src?.[2], 'Clouds &amp; &lt;b&gt;rain&lt;/b&gt;');
    const piet = await site.signedIn('piet');
    const shown = await piet.get(src?.[1] ?? '');
    assert.equal(shown.headers.get('content-type'), 'image/jpeg');
    assert.equal(shown.headers.get('x-content-type-options'), 'nosniff');
    assert.match(shown.headers.get('content-security-policy') ?? '', /default-src 'none'/);
    const etag = shown.headers.get('etag') ?? '';
    assert.equal((await piet.get(src?.[1] ?? '', { 'if-none-match': etag })).status, 304);
    const thumb = /<img class="thumb" src="([^"]+)" alt=""/.exec(
      (await piet.get('/torrents')).text,
    );
    const small = await piet.get((thumb?.[1] ?? '').replaceAll('&amp;', '&'));
    assert.equal(coverHead(small.bytes)?.width, 160);
    const first = await namedBlobs(site);
    assert.equal(first.length, 2);

    await mina.get(`${path}/edit`);
    const other = { cover: new Blob([new Uint8Array(png(30, 20))]), coverAlt: '' };
    assert.equal((await mina.post(`${path}/edit`, { ...WORDS, ...other })).status, 303);
    const second = await namedBlobs(site);
    assert.ok(second.length > 0 && second.every((ref) => !first.includes(ref)));
    assert.match((await mina.get(path)).text, /alt="Cover of “Rain”" width="30" height="20"/);
    // Words alone leave the picture as it is; another member changes nothing.
    await mina.get(`${path}/edit`);
    await mina.post(`${path}/edit`, { ...WORDS, coverAlt: 'A gauge' });
    assert.match((await mina.get(path)).text, /alt="A gauge" width="30"/);
    await piet.get(path);
    assert.equal((await piet.post(`${path}/edit`, { ...WORDS, ...other })).status, 403);
    await mina.get(`${path}/edit`);
    await mina.post(`${path}/edit`, { ...WORDS, coverAlt: '', coverRemove: 'yes' });
    const told = (await mina.get(`${path}/history`)).text;
    assert.match(told, /taken away[\s\S]*was changed[\s\S]*given a cover/);
    assert.doesNotMatch((await mina.get(path)).text, /class="cover"/);
    assert.deepEqual(await namedBlobs(site), []);
    await site.close();
  });
});

test('S9: what is no picture, too large or too many pixels is refused before it is decoded', async () => {
  const { site, asked } = await openSite(true);
  const { id } = await site.addMember('mina');
  const { infoHash } = await site.addTorrent(id, 'Rain');
  const mina = await site.signedIn('mina');
  const path = `/torrents/${infoHash}/edit`;
  const large = Buffer.concat([png(30, 20), Buffer.alloc(4 * 1024 * 1024)]);
  for (const [bytes, words] of [
    [Buffer.from('<svg onload="alert(1)"/>'), /send JPEG, PNG, WebP or AVIF/],
    [large, /larger than 4[.0]* MiB/],
    [png(20_000, 1), /20000 × 1 pixels/],
    [png(10_000, 10_000), /10000 × 10000 pixels/],
  ] as const) {
    await mina.get(path);
    const cover = new Blob([new Uint8Array(bytes)]);
    const page = await mina.post(path, { ...WORDS, cover, coverAlt: 'kept' });
    assert.equal(page.status, 422);
    assert.match(page.text, words);
    assert.match(page.text, /value="kept"/);
  }
  await mina.get(path);
  const huge = new Blob([new Uint8Array(5 * 1024 * 1024)]);
  assert.equal((await mina.post(path, { ...WORDS, cover: huge })).status, 413);
  assert.deepEqual(asked, []);
  await site.close();
});

test('S9: without a program that makes pictures a small one is kept without its metadata, or it is said why not', async () => {
  const { site, store } = await openSite(false);
  const { id } = await site.addMember('mina');
  const torrent = await site.addTorrent(id, 'Rain');
  const { infoHash } = torrent;
  const mina = await TestApi.of(site, 'mina');
  const params = { hash: infoHash };
  const headers = { 'content-type': 'image/jpeg' };
  const set = { params, headers, bytes: new Uint8Array(jpeg(30, 20)), query: { alt: 'A gauge' } };
  assert.deepEqual((await mina.do('setTorrentCover', set)).json, { width: 30, height: 20 });
  const { page } = await mina.do('getTorrentCover', { params });
  assert.ok(!page.text.includes(SECRET));
  for (const bytes of [avif(30, 20), png(5000, 1), jpeg(30, 20).subarray(0, -30)]) {
    const sent = { ...set, bytes: new Uint8Array(bytes) };
    const { detail } = await mina.refused('setTorrentCover', 'cover-invalid', sent);
    assert.match(detail, /has no ffmpeg/);
  }
  await site.addMember('piet');
  await site.addMember('olga', 'admin');
  const piet = await TestApi.of(site, 'piet');
  await piet.refused('setTorrentCover', 'forbidden', set);
  await piet.refused('removeTorrentCover', 'forbidden', { params });
  const olga = await TestApi.of(site, 'olga', STAFF_SCOPES);
  await olga.do('removeTorrentCover', { params });
  await mina.refused('getTorrentCover', 'not-found', { params });
  // What was removed shows nothing more, and its blobs may go.
  await mina.do('setTorrentCover', set);
  await removeTorrent(site.world, { torrentId: torrent.id, removedBy: id, reason: 'broken' });
  await mina.refused('getTorrentCover', 'not-found', { params });
  assert.deepEqual(await namedBlobs(site), []);
  assert.ok(store !== undefined);
  await site.close();
});
