import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { TEST_PASSWORD, TestBrowser, TestSite } from './test-site.ts';

const GZIP = { 'accept-encoding': 'gzip' };

test('a page is packed for whom asks for it here, and for nobody whom another site sent', async () => {
  const site = await TestSite.open({ publicUrl: 'https://swarm.example.org' });
  try {
    const { id } = await site.addMember('olga');
    await site.addTorrent(id, 'Coastal survey');
    const open = await site.signedIn('olga');
    const secure = new TestBrowser(site.site, '10.0.0.2', 'swarm.example.org');
    await secure.get('/sign-in');
    await secure.post('/sign-in', { name: 'olga', password: TEST_PASSWORD });
    const asked = async (browser: TestBrowser, headers: Record<string, string>) => {
      const { bytes, headers: told } = await browser.get('/torrents', headers);
      assert.match(told.get('content-type') ?? '', /^text\/html; charset=utf-8$/i);
      assert.match(told.get('vary') ?? '', /accept-encoding, sec-fetch-site/);
      const isPacked = told.get('content-encoding') === 'gzip';
      assert.match(String(isPacked ? gunzipSync(bytes) : Buffer.from(bytes)), /Coastal survey/);
      return isPacked;
    };
    for (const browser of [open, secure]) {
      for (const [from, isPacked] of [
        ['same-origin', true],
        ['none', true],
        ['cross-site', false],
        ['same-site', false],
      ] as const) {
        assert.equal(await asked(browser, { ...GZIP, 'sec-fetch-site': from }), isPacked, from);
      }
      assert.equal(await asked(browser, { 'sec-fetch-site': 'none' }), false);
    }
    // A browser that does not say who made it ask: over https it is an old one, which may be made to.
    assert.equal(await asked(open, GZIP), true);
    assert.equal(await asked(secure, GZIP), false);
  } finally {
    await site.close();
  }
});

test('a page with an address that opens something is never packed', async () => {
  const site = await TestSite.open();
  try {
    const { passkey } = await site.addMember('olga');
    const browser = await site.signedIn('olga');
    const page = await browser.get('/members/olga', GZIP);
    assert.equal(page.headers.get('content-encoding'), null);
    assert.ok(page.text.includes(passkey));
  } finally {
    await site.close();
  }
});
