// Messages of the WebTorrent tracker protocol, both ways: golden bytes as the npm client writes them,
// every limit, agreement with JSON.parse over random and damaged input.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { below, SeededRandom } from '#base/random.ts';
import { mutate } from '#sim/mutations.ts';
import { testSeed } from '#sim/seed.ts';
import { ANNOUNCE_EVENT, type AnnounceTarget, LEFT_UNKNOWN } from './announce-target.ts';
import { WsAnswerWriter, wsRelayBytesMax, wsScrapeBytesMax, wsTextBytesMax } from './ws-answer.ts';
import { WsMessage, type WsMessageRefusal } from './ws-message.ts';

const HASH = Uint8Array.from({ length: 20 }, (_, at) => at * 13);
const PEER_ID = '-WW0104-abcdefghijkl';
const LIMITS = { offersMax: 3, hashesMax: 4, offerBytesMax: 200 };
const BINARY = Buffer.from(HASH).toString('latin1');

function newMessage(): WsMessage {
  const announce: AnnounceTarget = {
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
  return new WsMessage(announce, LIMITS);
}

const message = newMessage();

function parse(value: unknown): WsMessageRefusal {
  const bytes = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
  return message.parse(bytes, bytes.length);
}

function announceOf(more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return { action: 'announce', info_hash: BINARY, peer_id: PEER_ID, ...more };
}

function offersOf(count: number): unknown[] {
  return Array.from({ length: count }, (_, at) => ({
    offer: { type: 'offer', sdp: `v=0\r\n${at}` },
    offer_id: BINARY,
  }));
}

test('an announce with offers, byte for byte as the npm client writes it', () => {
  const text =
    '{"numwant":2,"uploaded":5,"downloaded":7,"left":9007199254740990,"event":"started",' +
    '"action":"announce","info_hash":"\\u0000\\r\\u001a\'4AN[hu\u0082\u008f\u009c©¶ÃÐÝê÷",' +
    '"peer_id":"-WW0104-abcdefghijkl","offers":[{"offer":{"type":"offer","sdp":"v=0\\r\\n"},' +
    '"offer_id":"\\u0000\\r\\u001a\'4AN[hu\u0082\u008f\u009c©¶ÃÐÝê÷"}]}';
  const bytes = Buffer.from(text);
  assert.equal(message.parse(bytes, bytes.length), 'none');
  const { announce } = message;
  assert.deepEqual(announce.infoHash, HASH);
  assert.equal(Buffer.from(announce.peerId).toString('latin1'), PEER_ID);
  assert.deepEqual(
    [announce.uploaded, announce.downloaded, announce.left, announce.event, announce.numwant],
    [5, 7, 9_007_199_254_740_990, ANNOUNCE_EVENT.started, 2],
  );
  assert.deepEqual([message.action, message.offerCount, message.answer.length], ['announce', 1, 0]);
  const { at, length } = message.offers[0]!;
  assert.equal(bytes.toString('utf8', at, at + length), '{"type":"offer","sdp":"v=0\\r\\n"}');
  assert.deepEqual(message.offerIds.slice(0, 20), HASH);
});

test('an answer, and a scrape of one hash and of several', () => {
  const answer = { type: 'answer', sdp: 'v=0' };
  const given = { to_peer_id: 'x'.repeat(20), offer_id: BINARY, answer };
  assert.equal(parse(announceOf(given)), 'none');
  assert.equal(message.answer.length, JSON.stringify(answer).length);
  assert.deepEqual(message.offerId, HASH);
  assert.equal(parse({ action: 'scrape', info_hash: BINARY }), 'none');
  assert.deepEqual([message.action, message.scrapeCount], ['scrape', 1]);
  assert.deepEqual(message.scrapeHashes.slice(0, 20), HASH);
  assert.equal(parse({ action: 'scrape', info_hash: [BINARY, 'y'.repeat(20)] }), 'none');
  assert.equal(message.scrapeCount, 2);
  assert.equal(parse({ action: 'scrape' }), 'none');
  assert.equal(message.scrapeCount, 0);
});

test('what a message lacks or has too much of is told apart', () => {
  const cases: readonly (readonly [unknown, WsMessageRefusal])[] = [
    ['', 'json'],
    ['[]', 'json'],
    ['{"action":"announce"', 'json'],
    ['{"action":"announce"} x', 'json'],
    ['{"a":01}', 'json'],
    ['{"a":"\\x"}', 'json'],
    ['{"a":"\n"}', 'json'],
    ['{"a":[1,]}', 'json'],
    [`{"a":${'['.repeat(20)}${']'.repeat(20)}}`, 'json'],
    [{}, 'action'],
    [{ action: 'connect' }, 'action'],
    [{ action: 1 }, 'action'],
    [announceOf({ info_hash: BINARY.slice(1) }), 'info-hash'],
    [announceOf({ info_hash: `${BINARY.slice(1)}\u0100` }), 'info-hash'],
    [announceOf({ info_hash: [BINARY] }), 'info-hash'],
    [announceOf({ peer_id: `${PEER_ID}x` }), 'peer-id'],
    [announceOf({ uploaded: -1 }), 'counter'],
    [announceOf({ downloaded: '5' }), 'counter'],
    [announceOf({ uploaded: 2 ** 53 }), 'counter'],
    [announceOf({ left: 'all' }), 'counter'],
    [announceOf({ offers: [{ offer: {} }] }), 'offers'],
    [announceOf({ offers: [{ offer_id: BINARY }] }), 'offers'],
    [announceOf({ offers: [{ offer: 'sdp', offer_id: BINARY }] }), 'offers'],
    [announceOf({ offers: [7] }), 'offers'],
    [announceOf({ offers: offersOf(4) }), 'offers-many'],
    [announceOf({ answer: 'sdp' }), 'answer'],
    [announceOf({ answer: {}, offer_id: BINARY }), 'answer'],
    [announceOf({ answer: { sdp: 'x'.repeat(200) } }), 'offer-large'],
    [{ action: 'scrape', info_hash: Array(5).fill(BINARY) }, 'hashes-many'],
    [{ action: 'scrape', info_hash: ['short'] }, 'info-hash'],
    [announceOf({ offers: offersOf(3) }), 'none'],
    [announceOf({ offers: null, answer: null, left: null, event: 7, key: {} }), 'none'],
  ];
  for (const [value, expected] of cases)
    assert.equal(parse(value), expected, JSON.stringify(value));
  assert.equal(message.announce.left, LEFT_UNKNOWN);
});

test('numbers are read as JavaScript writes them', () => {
  assert.equal(parse(announceOf({ left: 1e21 })), 'none');
  assert.equal(message.announce.left, LEFT_UNKNOWN);
  assert.equal(parse(announceOf({ uploaded: 1.5, left: 0.5, numwant: -1 })), 'none');
  const { uploaded, left, numwant } = message.announce;
  assert.deepEqual([uploaded, left, numwant], [1, 1, -1]);
});

test('a field that comes twice counts as it came last', () => {
  const twice = JSON.stringify(announceOf({ event: 'started', uploaded: 1 })).replace(
    /}$/,
    ',"event":"stopped","uploaded":2,"offers":[],"info_hash":5}',
  );
  assert.equal(parse(twice), 'info-hash');
  assert.deepEqual(
    [message.announce.uploaded, message.announce.event],
    [2, ANNOUNCE_EVENT.stopped],
  );
});

test('any object is read as JSON.parse reads it', () => {
  const texts = fc.string({ unit: 'binary', maxLength: 30 });
  const extra = fc.dictionary(texts, fc.jsonValue({ maxDepth: 4 }), { maxKeys: 5 });
  const blanks = fc.constantFrom(undefined, 1, '\t');
  fc.assert(
    fc.property(
      extra,
      fc.uint8Array({ minLength: 20, maxLength: 20 }),
      blanks,
      (more, id, blank) => {
        const binary = Buffer.from(id).toString('latin1');
        const value = { ...more, ...announceOf({ info_hash: binary, peer_id: binary }) };
        for (const name of ['uploaded', 'downloaded', 'left', 'offers', 'answer']) {
          delete (value as Record<string, unknown>)[name];
        }
        const bytes = Buffer.from(JSON.stringify(value, undefined, blank));
        assert.equal(message.parse(bytes, bytes.length), 'none');
        assert.deepEqual(message.announce.infoHash, id);
        assert.deepEqual(message.announce.peerId, id);
      },
    ),
    { numRuns: 300 },
  );
});

test('damaged messages are taken only when JSON.parse takes them', (context) => {
  const random = new SeededRandom(testSeed(context, 1988));
  const golden = [
    announceOf({ event: 'started', uploaded: 5, left: 1.5e3, offers: offersOf(2) }),
    announceOf({ to_peer_id: PEER_ID, offer_id: BINARY, answer: { sdp: '\u0000ä\\"' } }),
    { action: 'scrape', info_hash: [BINARY, BINARY] },
  ].map((value) => Buffer.from(JSON.stringify(value)));
  let taken = 0;
  for (let round = 0; round < 20_000; round++) {
    const bytes = Buffer.from(mutate(golden[below(random, golden.length)]!, random));
    // The frame's reader has checked this before.
    const text = bytes.toString('utf8');
    if (!Buffer.from(text).equals(bytes)) continue;
    if (message.parse(bytes, bytes.length) !== 'none') continue;
    taken++;
    const value = JSON.parse(text) as Record<string, unknown>;
    assert.equal(value['action'], message.action);
    if (message.answer.length > 0) {
      const { at, length } = message.answer;
      assert.deepEqual(JSON.parse(bytes.toString('utf8', at, at + length)), value['answer']);
    }
  }
  assert.ok(taken > 100, `${taken} were still messages`);
});

function sent(write: (into: Uint8Array) => number, bytesMax: number): string {
  const into = new Uint8Array(bytesMax);
  const length = write(into);
  assert.ok(length <= bytesMax);
  const header = into[1] === 126 ? 4 : 2;
  return Buffer.from(into.subarray(header, length)).toString('utf8');
}

const writer = new WsAnswerWriter();
const ANSWER = {
  intervalSeconds: 1800,
  minIntervalSeconds: 300,
  seeders: 1,
  leechers: 2,
  completed: 3,
  peers4: new Uint8Array(0),
  peers4Count: 0,
  peers6: new Uint8Array(0),
  peers6Count: 0,
  externalBytes: 0,
  externalAddress: new Uint8Array(16),
  warning: new Uint8Array(0),
} as const;

test('golden bytes of an answer, a warning, a failure and a relayed offer', () => {
  const hash = '"\\u0000\\u000d\\u001a\'4AN[hu\u0082\u008f\u009c©¶ÃÐÝê÷"';
  const counts = '"interval":1800,"min interval":300,"complete":1,"incomplete":2,"downloaded":3';
  assert.equal(
    sent((into) => writer.writeAnnounce(into, 0, HASH, ANSWER), wsTextBytesMax(0)),
    `{"action":"announce","info_hash":${hash},${counts}}`,
  );
  const warning = Buffer.from('too "early"\n');
  assert.equal(
    sent((into) => writer.writeAnnounce(into, 0, HASH, { ...ANSWER, warning }), wsTextBytesMax(12)),
    `{"action":"announce","info_hash":${hash},${counts},"warning message":"too \\"early\\"\\u000a"}`,
  );
  const text = Buffer.from('nö');
  assert.equal(
    sent((into) => writer.writeFailure(into, 0, text, { action: 'none' }), wsTextBytesMax(3)),
    '{"failure reason":"nö"}',
  );
  const to = { action: 'announce', infoHash: HASH } as const;
  assert.equal(
    sent((into) => writer.writeFailure(into, 0, text, to), wsTextBytesMax(3)),
    `{"failure reason":"nö","action":"announce","info_hash":${hash}}`,
  );
  const description = Buffer.from('{"type":"offer"}');
  const peerId = Buffer.from(PEER_ID);
  const relay = { infoHash: HASH, offerId: HASH, peerId, description };
  assert.equal(
    sent((into) => writer.writeRelay(into, 0, 'offer', relay), wsRelayBytesMax(16)),
    `{"action":"announce","info_hash":${hash},"peer_id":"${PEER_ID}","offer_id":${hash},"offer":{"type":"offer"}}`,
  );
});

test('a scrape of the most hashes fits its room, and reads back', () => {
  const count = 100;
  const most = Array(count).fill(Number.MAX_SAFE_INTEGER);
  const hashes = new Uint8Array(count * 20).map((_, at) => (at % 20 === 0 ? at / 20 : 0));
  const result = {
    count,
    hashes,
    seeders: most,
    leechers: most,
    completed: most,
    downloaders: most,
  };
  const text = sent((into) => writer.writeScrape(into, 0, result), wsScrapeBytesMax(count));
  const { files } = JSON.parse(text) as { files: Record<string, Record<string, number>> };
  assert.equal(Object.keys(files).length, count);
  const key = Buffer.from(hashes.subarray(20, 40)).toString('latin1');
  assert.deepEqual(files[key], {
    complete: Number.MAX_SAFE_INTEGER,
    incomplete: Number.MAX_SAFE_INTEGER,
    downloaded: Number.MAX_SAFE_INTEGER,
    downloaders: Number.MAX_SAFE_INTEGER,
  });
});
