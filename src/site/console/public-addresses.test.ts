// The public addresses in the console: all that the first run asks for, with a word where one is of no use.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { firstRunPath } from '#site/accounts/first-run.ts';
import { TEST_PASSWORD, TestSite } from '#site/test-site.ts';

const WS = 'ws://127.0.0.1:6969';
const PUBLIC = {
  publicUrl: 'https://rain.example.org',
  trackerHttpUrl: 'https://tracker.example.org',
  trackerUdpUrl: 'udp://tracker.example.org:6969',
};
const SETTINGS = { siteName: 'Rain', signUpMode: 'invite', trackerMode: '' };

test('S25: every address that the first run asks for is changed in the console, WebSocket too', async () => {
  const site = await TestSite.open({ webSocketUrl: WS });
  const olga = site.browser();
  const path = (await firstRunPath(site.world)) ?? '';
  assert.match((await olga.get(path)).text, /name="trackerWsUrl"/);
  const first = { siteName: 'Rain', name: 'olga', password: TEST_PASSWORD, ...PUBLIC };
  const old = 'ws://192.168.1.5:6969';
  assert.equal((await olga.post(path, { ...first, trackerWsUrl: old })).status, 303);
  assert.match((await olga.get('/console')).text, /ws:\/\/192\.168\.1\.5:6969/);

  const form = (await olga.get('/console/settings')).text;
  assert.match(form, /name="trackerWsUrl"[^>]*value="ws:\/\/192\.168\.1\.5:6969"/);
  const wrong = { ...SETTINGS, ...PUBLIC, trackerWsUrl: 'https://web.example.org' };
  const refused = await olga.post('/console/settings', wrong);
  assert.equal(refused.status, 422);
  assert.match(refused.text, /id="trackerWsUrl-error"/);
  await olga.get('/console/settings');
  const local = { ...SETTINGS, ...PUBLIC, trackerWsUrl: 'ws://localhost:7000' };
  assert.equal((await olga.post('/console/settings', local)).status, 303);
  assert.match((await olga.get('/console')).text, /Only this machine can use these addresses/);
  await olga.get('/console/settings');
  const empty = { ...SETTINGS, ...PUBLIC, trackerWsUrl: '' };
  assert.equal((await olga.post('/console/settings', empty)).status, 303);
  const { text } = await olga.get('/console');
  assert.match(text, /wss:\/\/tracker\.example\.org/, 'the door is beside that for HTTP');
  assert.doesNotMatch(text, /Only this machine/);
  await site.close();
});

test('the address of a door that is closed is not in the form, and on no page', async () => {
  const site = await TestSite.open();
  await site.addMember('olga', 'admin');
  const olga = await site.signedIn('olga');
  assert.doesNotMatch((await olga.get('/console/settings')).text, /trackerWsUrl/);
  assert.doesNotMatch((await olga.get('/console')).text, /Tracker, WebSocket/);
  await site.close();
});
