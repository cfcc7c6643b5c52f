import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toHex, utf8 } from '#base/bytes.ts';
import { SeededRandom } from '#base/random.ts';
import { mutate } from '#sim/mutations.ts';
import { testSeed } from '#sim/seed.ts';
import type { AnnounceAnswer, AnnounceTarget } from './announce-target.ts';
import {
  UDP_URL_BYTES_MAX,
  UdpRequest,
  writeUdpAnnounce,
  writeUdpConnect,
  writeUdpError,
  writeUdpScrape,
} from './udp-packets.ts';

const TRANSACTION = 'deadbeef';
const CONNECTION = '0102030405060708';
const HASH = '00112233445566778899aabbccddeeff01234567';
const PEER = '2d7142343532302d6162636465666768696a6b6c';

const GOLDEN_CONNECT = `0000041727101980 00000000 ${TRANSACTION}`;
const GOLDEN_ANNOUNCE = `${CONNECTION} 00000001 ${TRANSACTION} ${HASH} ${PEER}
  0000000100000002 0000000000000003 001fffffffffffff 00000002 00000000 cafebabe ffffffff 1ae1`;
const GOLDEN_SCRAPE = `${CONNECTION} 00000002 ${TRANSACTION} ${HASH} ${PEER}`;

function bytesOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex.replace(/\s/g, ''), 'hex'));
}

function target(): AnnounceTarget {
  return {
    event: 0,
    port: 0,
    infoHash: new Uint8Array(20),
    peerId: new Uint8Array(20),
    key: 0,
    uploaded: 0,
    downloaded: 0,
    left: 0,
    numwant: 0,
  };
}

function decode(bytes: Uint8Array): { request: UdpRequest; refusal: string } {
  const request = new UdpRequest(target());
  // Not at the start of the buffer, as in a slot of many.
  const buffer = new Uint8Array(bytes.length + 7).fill(0xee);
  buffer.set(bytes, 5);
  return { request, refusal: request.decode(buffer, 5, bytes.length) };
}

function withOptions(...parts: readonly (string | Uint8Array)[]): Uint8Array {
  const tail = parts.map((part) => (typeof part === 'string' ? bytesOf(part) : part));
  return new Uint8Array(Buffer.concat([bytesOf(GOLDEN_ANNOUNCE), ...tail]));
}

function urlOf(request: UdpRequest): string {
  return Buffer.from(request.url.subarray(0, request.urlBytes)).toString();
}

test('a connect request is read, and its answer written, as BEP 15 shows them', () => {
  const { request, refusal } = decode(bytesOf(GOLDEN_CONNECT));
  assert.deepEqual([refusal, request.kind], ['none', 'connect']);
  const into = new Uint8Array(20).fill(0xee);
  assert.equal(writeUdpConnect(into, 2, request, bytesOf(CONNECTION)), 16);
  assert.equal(toHex(into), `eeee00000000${TRANSACTION}${CONNECTION}eeee`);
});

test('a connect request with another magic is refused', () => {
  assert.equal(decode(bytesOf(`0000041727101981 00000000 ${TRANSACTION}`)).refusal, 'magic');
});

test('every field of an announce is read from its place', () => {
  const { request, refusal } = decode(bytesOf(GOLDEN_ANNOUNCE));
  assert.deepEqual([refusal, request.kind, request.urlBytes], ['none', 'announce', 0]);
  const { infoHash, peerId, ...numbers } = request.announce;
  assert.equal(toHex(request.connectionId), CONNECTION);
  assert.equal(toHex(request.transactionId), TRANSACTION);
  assert.equal(toHex(infoHash), HASH);
  assert.equal(toHex(peerId), PEER);
  assert.deepEqual(numbers, {
    event: 2,
    port: 6881,
    key: 0xcafebabe,
    downloaded: 0x1_0000_0002,
    left: 3,
    uploaded: Number.MAX_SAFE_INTEGER,
    numwant: -1,
  });
});

test('counters of 2^53 and more are refused as counters, and such a left means unknown', () => {
  for (const at of [56, 72]) {
    const bytes = bytesOf(GOLDEN_ANNOUNCE);
    bytes.set(bytesOf('0020000000000000'), at);
    assert.equal(decode(bytes).refusal, 'counter');
    bytes.fill(0xff, at, at + 8);
    assert.equal(decode(bytes).refusal, 'counter');
  }
  const bytes = bytesOf(GOLDEN_ANNOUNCE);
  bytes.fill(0xff, 64, 72);
  const { request, refusal } = decode(bytes);
  assert.deepEqual([refusal, request.announce.left], ['none', Number.MAX_SAFE_INTEGER]);
});

test('events of BEP 15 and libtorrent’s 4 are kept, others mean none', () => {
  for (const [event, expected] of [
    [0, 0],
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 4],
    [5, 0],
    [0xff, 0],
  ]) {
    const bytes = bytesOf(GOLDEN_ANNOUNCE);
    bytes[83] = event ?? 0;
    assert.equal(decode(bytes).request.announce.event, expected);
  }
});

test('URL data of BEP 41 is joined from its parts; fillers and unknown options are skipped', () => {
  const url = '/0123456789abcdef/announce';
  const parts = withOptions(
    '01 02 06',
    utf8(url.slice(0, 6)),
    '01 09 03 616263 02 14',
    utf8(url.slice(6)),
    '00 02 01 58',
  );
  assert.equal(urlOf(decode(parts).request), url);
  assert.equal(urlOf(decode(withOptions('02 1a', utf8(url))).request), url);
});

test('options that are cut off or behind the end are left out', () => {
  assert.equal(urlOf(decode(withOptions('02 05 61')).request), '');
  assert.equal(urlOf(decode(withOptions('02 01 61 02')).request), 'a');
  assert.equal(urlOf(decode(withOptions('02 01 61 07')).request), 'a');
  assert.equal(urlOf(decode(withOptions('02 00')).request), '');
});

test('URL data that is longer than its bound is refused', () => {
  const full = new Uint8Array(255).fill(0x61);
  assert.equal(decode(withOptions('02 ff', full, '02 ff', full)).refusal, 'none');
  const more = withOptions('02 ff', full, '02 ff', full, '02 03 616161');
  assert.ok(255 + 255 + 3 > UDP_URL_BYTES_MAX);
  assert.equal(decode(more).refusal, 'url');
});

test('packets shorter than their kind are refused', () => {
  assert.equal(decode(bytesOf(GOLDEN_CONNECT).subarray(0, 15)).refusal, 'short');
  assert.equal(decode(bytesOf(GOLDEN_ANNOUNCE).subarray(0, 97)).refusal, 'short');
  assert.equal(decode(bytesOf(GOLDEN_SCRAPE).subarray(0, 35)).refusal, 'short');
  assert.equal(decode(bytesOf(`${CONNECTION} 00000003 ${TRANSACTION}`)).refusal, 'action');
});

test('a scrape reads whole hashes, up to 74', () => {
  const { request } = decode(bytesOf(GOLDEN_SCRAPE));
  assert.equal(request.scrapeCount, 2);
  assert.equal(toHex(request.scrapeHashes.subarray(0, 40)), HASH + PEER);
  assert.equal(decode(bytesOf(`${GOLDEN_SCRAPE} 0011`)).request.scrapeCount, 2);
  const many = decode(bytesOf(`${CONNECTION} 00000002 ${TRANSACTION} ${HASH.repeat(80)}`));
  assert.deepEqual([many.refusal, many.request.scrapeCount], ['none', 74]);
});

test('announce, scrape and error answers stand byte for byte as in BEP 15', () => {
  const { request } = decode(bytesOf(GOLDEN_SCRAPE));
  const into = new Uint8Array(100);
  const written = (length: number): string => toHex(into.subarray(1, 1 + length));
  const answer: AnnounceAnswer & { family: 4 | 6 } = {
    family: 4,
    intervalSeconds: 1800,
    minIntervalSeconds: 900,
    leechers: 2,
    seeders: 1,
    completed: 7,
    peers4: bytesOf('0a4d0001 1ae1 0a4d0002 1ae2 ffffffff ffff'),
    peers4Count: 2,
    peers6: bytesOf('fd770000000000000000000000000001 1ae1'),
    peers6Count: 1,
    externalBytes: 0,
    externalAddress: new Uint8Array(16),
    warning: new Uint8Array(0),
  };
  assert.equal(
    written(writeUdpAnnounce(into, 1, request, answer)),
    `00000001${TRANSACTION}0000070800000002000000010a4d00011ae10a4d00021ae2`,
  );
  assert.equal(
    written(writeUdpAnnounce(into, 1, request, { ...answer, family: 6 })),
    `00000001${TRANSACTION}000007080000000200000001fd7700000000000000000000000000011ae1`,
  );
  assert.equal(
    written(writeUdpScrape(into, 1, request, [1, 2, 3, 0, 4_294_967_295, 6])),
    `00000002${TRANSACTION}00000001000000020000000300000000ffffffff00000006`,
  );
  assert.equal(written(writeUdpError(into, 1, request, utf8('no'))), `00000003${TRANSACTION}6e6f`);
});

test('an encoder without room is our own fault and says so', () => {
  const { request } = decode(bytesOf(GOLDEN_CONNECT));
  assert.throws(() => writeUdpError(new Uint8Array(9), 0, request, utf8('no')), /has room/);
});

test('any damaged packet is read or refused, and nothing is kept from the one before', (context) => {
  const random = new SeededRandom(testSeed(context, 21));
  const goldens = [
    bytesOf(GOLDEN_CONNECT),
    bytesOf(GOLDEN_SCRAPE),
    withOptions('02 1a', utf8('/0123456789abcdef/announce')),
  ];
  const used = new UdpRequest(target());
  for (let round = 0; round < 30_000; round++) {
    const bytes = mutate(goldens[round % goldens.length] as Uint8Array, random);
    const fresh = new UdpRequest(target());
    const refusal = fresh.decode(bytes, 0, bytes.length);
    assert.equal(used.decode(bytes, 0, bytes.length), refusal);
    if (refusal !== 'none') continue;
    assert.equal(used.kind, fresh.kind);
    if (fresh.kind === 'announce') {
      assert.deepEqual(used.announce, fresh.announce);
      assert.equal(urlOf(used), urlOf(fresh));
      assert.ok(fresh.announce.numwant >= -1 && Number.isSafeInteger(fresh.announce.uploaded));
    }
    if (fresh.kind === 'scrape') assert.equal(used.scrapeCount, fresh.scrapeCount);
  }
});
