// The client behind a proxy: who may say so, and what of it is believed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '#net/ip-address.ts';
import { announceTarget, type HttpAnswer, HttpClient } from '#sim/http-client.ts';
import { memberMessage, TestTracker, torrentMessage, until } from '#sim/test-tracker.ts';

const HASH = '00112233445566778899aabbccddeeff01234567';
const PEER = '-TR4050-alice.......';
const ANNOUNCE = { infoHash: HASH, peerId: PEER, port: 6881, left: 100 } as const;
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

async function open(tracker: Readonly<Record<string, unknown>>): Promise<TestTracker> {
  const world = await TestTracker.start({ tracker });
  await world.tell(memberMessage(1, 'alice'), torrentMessage(1, HASH));
  return world;
}

function request(headers: readonly string[] = [], more = ''): string {
  const lines = [`GET ${announceTarget('/alice/announce', ANNOUNCE, more)} HTTP/1.1`, 'Host: t'];
  return `${[...lines, ...headers].join('\r\n')}\r\n\r\n`;
}

function externalIp(answer: HttpAnswer): string {
  const bytes = answer.fields.get('external ip');
  return Buffer.isBuffer(bytes) ? bytes.toString('hex') : answer.failure;
}

function hexOf(ip: string): string {
  const bytes = new Uint8Array(16);
  const family = parseIp(ip, bytes);
  return Buffer.from(bytes.subarray(0, family === 4 ? 4 : 16)).toString('hex');
}

/** Sends each and compares the address that the tracker took the announce to be from. */
async function expect(
  world: TestTracker,
  from: string,
  cases: readonly (readonly [ip: string, ...headers: readonly string[]])[],
): Promise<void> {
  const target = from.includes(':') ? '::1' : '127.0.0.1';
  const client = await HttpClient.open(world.port, target, from);
  for (const [ip, ...headers] of cases) {
    client.send(request(headers));
    assert.equal(externalIp(await client.answer()), hexOf(ip), headers.join(' | ').slice(0, 200));
  }
  client.close();
}

test('T19: X-Forwarded-For counts from trusted networks, up to the last hop that is not trusted', async () => {
  const world = await open({ trustedProxies: ['127.0.0.2', '10.0.0.0/8', '2001:db8:1::/48'] });
  try {
    await expect(world, '127.0.0.2', [
      ['203.0.113.7', 'X-Forwarded-For: 203.0.113.7'],
      ['203.0.113.7', 'X-Forwarded-For: 203.0.113.7, 10.0.0.3'],
      ['2001:db8:2::1', 'X-Forwarded-For: 2001:db8:2::1, 2001:db8:1::9,10.0.0.3'],
      ['203.0.113.7', 'x-forwarded-for: ::ffff:203.0.113.7'],
      // What the client wrote itself stands in front, also on a line of its own.
      ['203.0.113.7', 'X-Forwarded-For: 198.51.100.9, 203.0.113.7'],
      ['203.0.113.7', 'X-Forwarded-For: 198.51.100.9', 'X-Forwarded-For: 203.0.113.7'],
      ['203.0.113.7', 'X-Forwarded-For: 203.0.113.7', 'X-Forwarded-For: 10.0.0.3'],
      ['203.0.113.7', 'X-Forwarded-For: "\u00ff, unknown, 203.0.113.7:1234'],
      ['203.0.113.7', `X-Forwarded-For: ${'1.2.3.4,'.repeat(900)}203.0.113.7`],
      // A client beside the proxies.
      ['10.0.0.9', 'X-Forwarded-For: 10.0.0.9, 10.0.0.3'],
      ['127.0.0.2'],
      ['127.0.0.2', 'X-Forwarded-For:'],
      // A proxy that sets one header passes on what clients write into the other.
      ['203.0.113.7', 'Forwarded: for=198.51.100.9', 'X-Forwarded-For: 203.0.113.7'],
      ['127.0.0.2', 'Forwarded: for=198.51.100.9'],
    ]);
    const [record] = await world.transfers();
    assert.equal(Buffer.from(record!.address).toString('hex').slice(0, 8), hexOf('203.0.113.7'));
  } finally {
    await world.close();
  }
});

test('T19: nobody else names an address: not from another network, not without a setting', async () => {
  const world = await open({ trustedProxies: ['127.0.0.2'] });
  const plain = await open({});
  try {
    const lies = ['X-Forwarded-For: 203.0.113.7', 'Forwarded: for=203.0.113.7'];
    await expect(world, '127.0.0.3', [['127.0.0.3', ...lies]]);
    await expect(world, '::1', [['::1', ...lies]]);
    await expect(plain, '127.0.0.2', [['127.0.0.2', ...lies]]);
    const client = await HttpClient.open(plain.port);
    client.send(request([], '&ip=203.0.113.7'));
    assert.equal(externalIp(await client.answer()), hexOf('127.0.0.1'));
    client.send('PROXY TCP4 203.0.113.7 127.0.0.1 1 2\r\n');
    assert.equal((await client.answer()).status, 405);
    client.close();
  } finally {
    await world.close();
    await plain.close();
  }
});

test('T19: Forwarded is read where it is the header of the proxies', async () => {
  const world = await open({ trustedProxies: ['127.0.0.2/32'], forwardedHeader: 'forwarded' });
  try {
    await expect(world, '127.0.0.2', [
      ['203.0.113.7', 'Forwarded: for=203.0.113.7;proto=https;by=10.0.0.3'],
      ['2001:db8::1', 'Forwarded: for=198.51.100.9', 'forwarded: For="[2001:db8::1]:4711"'],
      ['203.0.113.7', 'Forwarded: for=203.0.113.7', 'X-Forwarded-For: 198.51.100.9'],
    ]);
  } finally {
    await world.close();
  }
});

test('T19: a proxy that does not know its client gets words, and nobody gets its address', async () => {
  const world = await open({ trustedProxies: ['127.0.0.2'] });
  try {
    const client = await HttpClient.open(world.port, '127.0.0.1', '127.0.0.2');
    for (const value of ['unknown', '203.0.113.7, garbage', '203.0.113.7, 0.0.0.0', '224.0.0.1']) {
      client.send(request([`X-Forwarded-For: ${value}`]));
      assert.match((await client.answer()).failure, /does not say your address/, value);
    }
    assert.equal(world.tracker.stats().swarm.peers, 0);
    // More than a head may have.
    client.send(request([`X-Forwarded-For: ${'203.0.113.7,'.repeat(800)}`]));
    assert.equal((await client.answer()).status, 431);
    client.close();
  } finally {
    await world.close();
  }
});

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const VERSION_2 = Buffer.from(`${SIGNATURE}2111000ccb0071070a0000010004000f`, 'hex');

test('T19: the PROXY protocol names the client of every request of its connection', async () => {
  const world = await open({ proxyProtocolFrom: ['127.0.0.2'], trustedProxies: ['10.0.0.0/8'] });
  try {
    const headers = [
      [Buffer.from('PROXY TCP4 203.0.113.7 10.0.0.1 4 15\r\n'), '203.0.113.7'],
      [Buffer.from('PROXY TCP6 2001:db8::1 ::1 4 15\r\n'), '2001:db8::1'],
      [VERSION_2, '203.0.113.7'],
      [Buffer.from('PROXY UNKNOWN\r\n'), '127.0.0.2'],
      [Buffer.from(`${SIGNATURE}20000000`, 'hex'), '127.0.0.2'],
    ] as const;
    for (const [header, ip] of headers) {
      const client = await HttpClient.open(world.port, '127.0.0.1', '127.0.0.2');
      // In pieces, the last of which has the first request in it.
      client.send(header.subarray(0, 7));
      await new Promise((resolve) => setTimeout(resolve, 5));
      client.send(Buffer.concat([header.subarray(7), Buffer.from(request())]));
      assert.equal(externalIp(await client.answer()), hexOf(ip));
      client.send(request(['X-Forwarded-For: 198.51.100.9']));
      assert.equal(externalIp(await client.answer()), hexOf(ip), 'it is not trusted for more');
      client.close();
    }
    // A proxy behind a proxy: what the connection came from is trusted in turn.
    const client = await HttpClient.open(world.port, '127.0.0.1', '127.0.0.2');
    client.send('PROXY TCP4 10.0.0.5 10.0.0.1 4 15\r\n');
    client.send(request(['X-Forwarded-For: 203.0.113.9']));
    assert.equal(externalIp(await client.answer()), hexOf('203.0.113.9'));
    client.close();
  } finally {
    await world.close();
  }
});

test('T19: a connection from a PROXY network that begins otherwise is ended and counted', async () => {
  const world = await open({ proxyProtocolFrom: ['127.0.0.2'], httpReadMsMax: 200 });
  try {
    const beginnings = [request(), 'PROXY TCP4 1.2.3.4\r\n', `${SIGNATURE}2111ffff`, 'PROXY '];
    for (const text of beginnings) {
      const client = await HttpClient.open(world.port, '127.0.0.1', '127.0.0.2');
      client.send(text.startsWith('0d') ? Buffer.from(text, 'hex') : text);
      await assert.rejects(client.answer(), /ended before an answer/, text);
    }
    assert.equal(world.tracker.stats().swarm.peers, 0);
    await until(() => world.tracker.stats().httpConnections === 0);
    // From elsewhere the header is no HTTP.
    const client = await HttpClient.open(world.port);
    client.send(`PROXY TCP4 203.0.113.7 10.0.0.1 4 15\r\n${request()}`);
    assert.equal((await client.answer()).status, 405);
  } finally {
    await world.close();
  }
});

test('T19: `ip` is believed of clients in its networks only, and garbage in it of nobody', async () => {
  const world = await open({
    ipParameterFrom: ['127.0.0.2', '203.0.113.0/24'],
    trustedProxies: ['::1'],
  });
  try {
    const cases = [
      ['127.0.0.2', '&ip=198.51.100.9', '198.51.100.9'],
      ['127.0.0.2', '&ip=2001%3Adb8%3A%3A1', '2001:db8::1'],
      ['127.0.0.3', '&ip=198.51.100.9', '127.0.0.3'],
      ['127.0.0.2', '&ip=localhost', '127.0.0.2'],
      ['127.0.0.2', '&ip=0.0.0.0', '127.0.0.2'],
      ['127.0.0.2', '&ip=', '127.0.0.2'],
      ['127.0.0.2', `&ip=${'1'.repeat(100)}`, '127.0.0.2'],
      ['127.0.0.2', '&ip=%', '127.0.0.2'],
    ] as const;
    for (const [from, more, ip] of cases) {
      const client = await HttpClient.open(world.port, '127.0.0.1', from);
      client.send(request([], more));
      assert.equal(externalIp(await client.answer()), hexOf(ip), more);
      client.close();
    }
    // Who it is behind the proxy decides, not the proxy.
    const proxied = await HttpClient.open(world.port, '::1');
    proxied.send(request(['X-Forwarded-For: 203.0.113.7'], '&ip=198.51.100.9'));
    assert.equal(externalIp(await proxied.answer()), hexOf('198.51.100.9'));
    proxied.send(request(['X-Forwarded-For: 8.8.8.8'], '&ip=198.51.100.9'));
    assert.equal(externalIp(await proxied.answer()), hexOf('8.8.8.8'));
    proxied.close();
  } finally {
    await world.close();
  }
});

test('T19: a web client behind a proxy has the address that the handshake was forwarded for', async () => {
  const world = await open({ trustedProxies: ['127.0.0.2'] });
  try {
    const client = await HttpClient.open(world.port, '127.0.0.1', '127.0.0.2');
    const upgrade = [
      'GET /alice/announce HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket',
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}`,
      'X-Forwarded-For: 198.51.100.9, 203.0.113.7',
    ].join('\r\n');
    const text = JSON.stringify({
      action: 'announce',
      info_hash: Buffer.from(HASH, 'hex').toString('latin1'),
      peer_id: PEER,
      uploaded: 0,
      downloaded: 0,
      left: 100,
    });
    client.send(`${upgrade}\r\n\r\n`);
    client.send(maskedText(text));
    const records = await eventually(() => world.transfers());
    assert.equal(
      Buffer.from(records[0]!.address).toString('hex').slice(0, 8),
      hexOf('203.0.113.7'),
    );
    client.close();
    const unknown = await HttpClient.open(world.port, '127.0.0.1', '127.0.0.2');
    unknown.send(`${upgrade}, unknown\r\n\r\n`);
    assert.equal((await unknown.answer()).status, 400);
  } finally {
    await world.close();
  }
});

/** A text frame with the mask 0. */
function maskedText(text: string): Buffer {
  const payload = Buffer.from(text);
  const size = Buffer.from([0x81, 0xfe, payload.byteLength >> 8, payload.byteLength & 255]);
  return Buffer.concat([size, Buffer.alloc(4), payload]);
}

async function eventually<Item>(read: () => Promise<Item[]>): Promise<Item[]> {
  for (let tries = 0; tries < 6000; tries++) {
    const items = await read();
    if (items.length > 0) return items;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('nothing came within half a minute');
}
