import assert from 'node:assert/strict';
import { test } from 'node:test';
import { siteConfig } from '#site/config.ts';
import { Refusal } from '#site/refusal.ts';
import { TestSite } from '#site/test-site.ts';
import { encodeBencode } from '#wire/bencode-encoder.ts';
import { prepareApart } from './prepare-apart.ts';
import { prepareTorrent } from './prepared-torrent.ts';

/** Of so many files that it is taken apart in a thread. */
function largeTorrent(name: string, twice = false, count = 4000): Uint8Array<ArrayBuffer> {
  const files = Array.from({ length: count }, (_, at) => ({
    length: 1000,
    path: ['folder', `${'x'.repeat(30)}-${twice ? 0 : at}.csv`],
  }));
  const pieces = new Uint8Array(Math.ceil((files.length * 1000) / 16_384) * 20).fill(name.length);
  const info = { files, name, 'piece length': 16_384, pieces };
  return new Uint8Array(encodeBencode({ announce: 'http://other.example', info }));
}

test('a large torrent is taken apart in a thread as it would be here, and refused alike', async () => {
  const config = siteConfig.parse({});
  const bytes = largeTorrent('large');
  assert.ok(bytes.byteLength > 200_000);
  assert.deepEqual(await prepareApart(config, bytes), prepareTorrent(config, bytes));
  // More than one message brings.
  const larger = largeTorrent('larger', false, 5500);
  assert.deepEqual(await prepareApart(config, larger), prepareTorrent(config, larger));
  const refused = await prepareApart(config, largeTorrent('large', true));
  assert.ok(refused instanceof Refusal);
  assert.deepEqual(refused, prepareTorrent(config, largeTorrent('large', true)));
});

test('a torrent that takes more memory than its thread has is refused in words', async () => {
  const config = siteConfig.parse({});
  const bytes = largeTorrent('large', false, 100_000);
  const refused = await prepareApart(config, bytes, 32);
  assert.ok(refused instanceof Refusal);
  assert.equal(refused.code, 'torrent-invalid');
  assert.match(refused.message, /more memory/);
});

test('uploads wait in line for those before them, and beyond the line are told to try again', async () => {
  const site = await TestSite.open({ config: { uploadsMax: 1, uploadsWaitingMax: 2 } });
  try {
    await site.addMember('olga');
    const browsers = await Promise.all([1, 2, 3, 4].map(() => site.signedIn('olga')));
    for (const browser of browsers) await browser.get('/upload');
    const pages = await Promise.all(
      browsers.map((browser, at) =>
        browser.post('/upload', { file: new File([largeTorrent(`t${'x'.repeat(at)}`)], 'a') }),
      ),
    );
    const statuses = pages.map((page) => page.status);
    assert.deepEqual(statuses.toSorted(), [303, 303, 303, 503]);
    const refused = pages.find((page) => page.status === 503);
    assert.match(refused?.text ?? '', /send the file again/);
    assert.ok(Number(refused?.headers.get('retry-after')) > 0);
    // The line is empty again.
    const late = await browsers[0]?.post('/upload', {
      file: new File([largeTorrent('late')], 'a'),
    });
    assert.equal(late?.status, 303);
  } finally {
    await site.close();
  }
});
