import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SETTINGS_DEFAULT } from './accounts/settings.ts';
import {
  checkBaseUrl,
  isLocalUrl,
  memberAnnounceUrls,
  publicAddresses,
  urlsInTorrents,
} from './announce-urls.ts';
import { Refusal } from './refusal.ts';

const NONE = { siteUrl: '', tracker: { http: '', udp: '', ws: '' } };
const LISTENING = {
  siteUrl: 'http://127.0.0.1:8080',
  tracker: {
    http: 'http://127.0.0.1:6969',
    udp: 'udp://127.0.0.1:6969',
    ws: 'ws://127.0.0.1:6969',
  },
};

test('the configuration decides, then the setting, then what is listened on', () => {
  const settings = { ...SETTINGS_DEFAULT, trackerHttpUrl: 'http://told.example:1/' };
  const told = publicAddresses(settings, { configured: NONE, listening: LISTENING });
  assert.equal(told.siteUrl, 'http://127.0.0.1:8080');
  assert.equal(told.tracker.http, 'http://told.example:1');
  assert.equal(told.tracker.udp, 'udp://127.0.0.1:6969');
  const configured = { ...NONE, tracker: { ...NONE.tracker, http: 'https://set.example' } };
  const set = publicAddresses(settings, { configured, listening: LISTENING });
  assert.equal(set.tracker.http, 'https://set.example');
});

test('the WebSocket address goes with the HTTP one unless it is said, or the door is closed', () => {
  const told = { ...SETTINGS_DEFAULT, trackerHttpUrl: 'https://told.example' };
  const wsOf = (ws: string, listening = LISTENING): string => {
    const configured = { ...NONE, tracker: { ...NONE.tracker, ws } };
    return publicAddresses(told, { configured, listening }).tracker.ws;
  };
  assert.equal(wsOf(''), 'wss://told.example');
  assert.equal(wsOf('wss://web.example/'), 'wss://web.example');
  assert.equal(wsOf('', { ...LISTENING, tracker: { ...LISTENING.tracker, ws: '' } }), '');
});

test('a .torrent carries the WebSocket address only where that is switched on', () => {
  const urls = memberAnnounceUrls(LISTENING.tracker, 'KEY');
  assert.deepEqual(urlsInTorrents(urls, { webSocketInTorrents: true }), urls);
  const { http, udp } = urls;
  assert.deepEqual(urlsInTorrents(urls, { webSocketInTorrents: false }), { http, udp });
});

test('an announce URL has the passkey before /announce, and absent doors stay absent', () => {
  const { tracker } = LISTENING;
  assert.equal(memberAnnounceUrls({ ...tracker, ws: '' }, 'KEY').ws, undefined);
  assert.deepEqual(memberAnnounceUrls(tracker, 'KEY'), {
    http: 'http://127.0.0.1:6969/KEY/announce',
    udp: 'udp://127.0.0.1:6969/KEY/announce',
    ws: 'ws://127.0.0.1:6969/KEY/announce',
  });
});

test('addresses that other machines cannot use are told apart', () => {
  const local = ['http://127.0.0.1:1', 'udp://localhost:6969', 'http://[::1]/', 'udp://0.0.0.0:1'];
  for (const url of local) assert.ok(isLocalUrl(url), url);
  for (const url of ['http://10.0.0.1', 'udp://tracker.example.org:6969', 'nonsense']) {
    assert.ok(!isLocalUrl(url), url);
  }
});

test('an address that is told is checked: scheme, host, nothing after it', () => {
  const check = (text: string): string | Refusal => checkBaseUrl(text, ['http', 'https'], 'url');
  assert.equal(check(' https://a.example/ '), 'https://a.example');
  assert.equal(check(''), '');
  const bad = [
    'javascript:alert(1)',
    'a.example',
    'http://u:p@a.example',
    'http://a/?q=1',
    'http://',
  ];
  for (const text of bad) assert.ok(check(text) instanceof Refusal, text);
});
