import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announceTarget, HttpClient } from '#sim/http-client.ts';
import { memberMessage, TestTracker, torrentMessage } from '#sim/test-tracker.ts';
import { UdpClient } from '#sim/udp-client.ts';
import { WsClient, wsAnnounce } from '#sim/ws-client.ts';
import { trackerConfig } from '#tracker/config.ts';

const HASH = '00112233445566778899aabbccddeeff01234567';
const PEER = '-TR4050-alice.......';
const OLD = ['http://Old.example.org:6969', 'https://secure.example.org', 'ws://web.example.org/'];
const NEW = { publicUrls: { http: 'https://new.example.org' } };

async function open(tracker: Readonly<Record<string, unknown>>): Promise<TestTracker> {
  const world = await TestTracker.start({ tracker });
  await world.tell(memberMessage(1, 'alice'), torrentMessage(1, HASH));
  return world;
}

async function warningOf(client: HttpClient, host: string): Promise<string> {
  const target = announceTarget('/alice/announce', { infoHash: HASH, peerId: PEER, left: 9 });
  client.send(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  const answer = await client.answer();
  assert.equal(answer.failure, '');
  return answer.warning;
}

test('T28: who announces by a former name is served and told the new one', async () => {
  const world = await open({ ...NEW, formerUrls: OLD });
  try {
    const client = await HttpClient.open(world.port);
    const moved =
      'this announce URL is an old one: change it to https://new.example.org in your client, or download this torrent again';
    const former = ['old.example.org:6969', 'OLD.example.ORG.:6969', 'secure.example.org'];
    for (const host of [...former, 'secure.example.org:443', 'web.example.org']) {
      assert.equal(await warningOf(client, host), moved, host);
    }
    const others = [
      'new.example.org',
      'old.example.org',
      'old.example.org:80',
      `127.0.0.1:${world.port}`,
    ];
    for (const host of [...others, 'web.example.org:443', '']) {
      assert.equal(await warningOf(client, host), '', host);
    }
    client.close();
  } finally {
    await world.close();
  }
});

test('T28: a warning of its own kind stands in front, and without a new name the site is named', async () => {
  const world = await open({ formerUrls: OLD });
  try {
    const client = await HttpClient.open(world.port);
    const announce = { infoHash: HASH, peerId: PEER, left: 9 };
    await client.get(announceTarget('/alice/announce', announce));
    const early = announceTarget('/alice/announce', { ...announce, uploaded: 1 });
    client.send(`GET ${early} HTTP/1.1\r\nHost: web.example.org\r\n\r\n`);
    assert.match(
      (await client.answer()).warning,
      /^announced too early.* seconds; this announce URL is an old one: download this torrent again/,
    );
    assert.equal((await client.get(early)).warning.includes('old one'), false);
    client.close();
  } finally {
    await world.close();
  }
});

test('T28: web clients are told too, on every announce of their connection', async () => {
  const world = await open({ ...NEW, formerUrls: OLD });
  try {
    const old = await WsClient.open(world.port, '/alice/announce', { name: 'web.example.org' });
    for (const event of ['started', 'completed']) {
      const answer = await old.ask(wsAnnounce(HASH, PEER, { event }));
      assert.match(String(answer?.['warning message']), /new\.example\.org/);
    }
    const now = await WsClient.open(world.port, '/alice/announce');
    const answer = await now.ask(wsAnnounce(HASH, '-WW0104-bob.........'));
    assert.equal(answer?.['warning message'], undefined);
    old.close();
    now.close();
  } finally {
    await world.close();
  }
});

test('T28: a former port is served by UDP and HTTP, and named by no URL', async () => {
  const other = await TestTracker.start();
  const former = other.port;
  await other.close();
  const world = await open({ formerPorts: [former] });
  try {
    const http = await HttpClient.open(former);
    assert.equal(await warningOf(http, `127.0.0.1:${former}`), '');
    http.close();
    const udp = await UdpClient.open(former);
    await udp.connect();
    udp.close();
    assert(world.tracker.addresses.every((url) => !url.endsWith(`:${former}`)));
  } finally {
    await world.close();
  }
  await assert.rejects(HttpClient.open(former), /ECONNREFUSED/);
});

test('T28: a former URL is a bare address', () => {
  const parse = (url: string): boolean => trackerConfig.safeParse({ formerUrls: [url] }).success;
  for (const url of OLD) assert(parse(url), url);
  for (const url of [
    'old.example.org',
    'udp://a:1',
    'http://a/path',
    'http://u@a',
    'http://a:99999',
  ]) {
    assert(!parse(url), url);
  }
});
