import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toHex } from '#base/bytes.ts';
import { SeededRandom } from '#base/random.ts';
import { mutate } from '#sim/mutations.ts';
import { testSeed } from '#sim/seed.ts';
import type { AnnounceTarget } from './announce-target.ts';
import { HTTP_TARGET_REFUSAL_WORDS, HttpTarget } from './http-announce.ts';

const HASH_TEXT = '%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A';
const HASH = '123456789abcdef123456789abcdef123456789a';
const PEER_TEXT = '-qB4520-abcdefghijkl';
const REST = `peer_id=${PEER_TEXT}&port=6881&uploaded=1&downloaded=2`;
const GOLDEN = `/k3y/announce?info_hash=${HASH_TEXT}&${REST}&left=3&event=started&numwant=80&key=CAFEBABE&compact=1&no_peer_id=1&ip=9.9.9.9&supportcrypto=1`;

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

function parse(text: string): { request: HttpTarget; announce: AnnounceTarget; refusal: string } {
  const bytes = Buffer.from(`GET ${text} HTTP/1.1`, 'latin1');
  const announce = target();
  const request = new HttpTarget(announce);
  return { request, announce, refusal: request.parse(bytes, 4, bytes.length - 13) };
}

function accepted(text: string): { request: HttpTarget; announce: AnnounceTarget } {
  const parsed = parse(text);
  assert.equal(parsed.refusal, 'none', text);
  return parsed;
}

/** An announce with these parameters instead of, or behind, the needed ones. */
function announced(parameters: string): { announce: AnnounceTarget; refusal: string } {
  return parse(`/k/announce?info_hash=${HASH_TEXT}&${REST}&${parameters}`);
}

function passkeyOf(request: HttpTarget): string {
  return Buffer.from(request.passkey.subarray(0, request.passkeyBytes)).toString();
}

test('every parameter of an announce is read', () => {
  const { request, announce } = accepted(GOLDEN);
  const { infoHash, peerId, ...numbers } = announce;
  assert.equal(request.kind, 'announce');
  assert.equal(passkeyOf(request), 'k3y');
  assert.equal(toHex(infoHash), HASH);
  assert.equal(Buffer.from(peerId).toString(), PEER_TEXT);
  assert.deepEqual(numbers, {
    event: 2,
    port: 6881,
    key: 0xcafebabe,
    uploaded: 1,
    downloaded: 2,
    left: 3,
    numwant: 80,
  });
  assert.deepEqual([request.wantsDictionary, request.noPeerId], [false, true]);
});

test('what is left out has its default, also after an announce that had it', () => {
  const bytes = Buffer.from(`${GOLDEN}/announce?${REST}&info_hash=${HASH_TEXT}`);
  const announce = target();
  const request = new HttpTarget(announce);
  assert.equal(request.parse(bytes, 0, GOLDEN.length), 'none');
  assert.equal(request.parse(bytes, GOLDEN.length, bytes.length - GOLDEN.length), 'none');
  assert.deepEqual(
    [announce.event, announce.key, announce.left, announce.numwant, request.noPeerId],
    [0, 0, Number.MAX_SAFE_INTEGER, -1, false],
  );
  assert.equal(request.passkeyBytes, 0);
});

test('the passkey stands before or behind the verb, or nowhere', () => {
  const key = '0123456789abcdef0123456789abcdef';
  for (const [path, kind, passkey] of [
    [`/${key}/announce`, 'announce', key],
    [`/announce/${key}`, 'announce', key],
    ['/announce', 'announce', ''],
    ['/announce/', 'announce', ''],
    [`/${key}/scrape`, 'scrape', key],
    [`/scrape/${key}`, 'scrape', key],
    ['/scrape', 'scrape', ''],
    ['/%61nnounce/%6b%2D', 'announce', 'k-'],
    ['/scrape/announce', 'scrape', 'announce'],
  ] as const) {
    const { request } = accepted(
      kind === 'scrape' ? path : `${path}?info_hash=${HASH_TEXT}&${REST}`,
    );
    assert.deepEqual([request.kind, passkeyOf(request)], [kind, passkey], path);
  }
});

test('other paths are no tracker paths', () => {
  for (const path of [
    '',
    '/',
    '/stats',
    '/a/b/announce',
    '/announces',
    'announce',
    '?a',
    '/Announce',
  ]) {
    assert.equal(parse(path).refusal, 'path', path);
  }
  assert.equal(parse(`/${'k'.repeat(65)}/announce?${REST}`).refusal, 'passkey-form');
  assert.equal(accepted(`/${'k'.repeat(64)}/scrape`).request.passkeyBytes, 64);
});

test('parsePath() reads the URL data of BEP 41', () => {
  const request = new HttpTarget(target());
  const bytes = Buffer.from('/k3y/announce?x=%zz');
  assert.equal(request.parsePath(bytes, 0, bytes.length), 'none');
  assert.equal(passkeyOf(request), 'k3y');
});

test('every spelling of the same bytes is read alike', () => {
  const spell = fc.constantFrom('raw', 'lower', 'upper');
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 20, maxLength: 20 }),
      fc.array(spell, { minLength: 20, maxLength: 20 }),
      (hash, spelling) => {
        let text = '';
        for (const [index, byte] of hash.entries()) {
          const hex = byte.toString(16).padStart(2, '0');
          const mustEscape =
            byte <= 0x20 || byte >= 0x7f || '%&=#'.includes(String.fromCharCode(byte));
          if (spelling[index] === 'raw' && !mustEscape) text += String.fromCharCode(byte);
          else text += `%${spelling[index] === 'upper' ? hex.toUpperCase() : hex}`;
        }
        const { announce } = accepted(`/k/announce?info_h%61sh=${text}&${REST}`);
        assert.equal(toHex(announce.infoHash), toHex(hash));
      },
    ),
    { numRuns: 1000, seed: 3 },
  );
});

test('a plus sign is itself', () => {
  const { announce } = accepted(`/k/announce?info_hash=${'+'.repeat(20)}&${REST}`);
  assert.equal(toHex(announce.infoHash), '2b'.repeat(20));
});

test('hashes and ids that are not 20 bytes, or broken, are refused', () => {
  assert.equal(parse(`/k/announce?${REST}`).refusal, 'info-hash-missing');
  assert.equal(parse(`/k/announce?info_hash=abc&${REST}`).refusal, 'info-hash-form');
  assert.equal(parse(`/k/announce?info_hash=${HASH_TEXT}a&${REST}`).refusal, 'info-hash-form');
  assert.equal(parse(`/k/announce?info_hash=${HASH}&${REST}`).refusal, 'info-hash-form');
  assert.equal(parse(`/k/announce?info_hash=%1${HASH_TEXT}&${REST}`).refusal, 'info-hash-form');
  assert.equal(parse(`/k/announce?info_hash=%zz${HASH_TEXT}&${REST}`).refusal, 'info-hash-form');
  assert.equal(announced(`info_hash=${HASH_TEXT}`).refusal, 'info-hash-twice');
  const noPeer = `info_hash=${HASH_TEXT}&port=1&uploaded=0&downloaded=0`;
  assert.equal(parse(`/k/announce?${noPeer}`).refusal, 'peer-id-missing');
  assert.equal(parse(`/k/announce?${noPeer}&peer_id=short`).refusal, 'peer-id-form');
});

test('counters that are missing, negative or no numbers are refused', () => {
  for (const field of ['uploaded', 'downloaded', 'port'] as const) {
    for (const value of ['', '-1', 'NaN', '1e3', '0x10', '1.5', ' 1', '%zz']) {
      const { refusal } = announced(`${field}=${value}`);
      assert.equal(refusal, value === '%zz' ? 'encoding' : field, `${field}=${value}`);
    }
    const missing = REST.replace(new RegExp(`&${field}=\\d+`), '');
    assert.equal(parse(`/k/announce?info_hash=${HASH_TEXT}&${missing}`).refusal, field);
  }
  assert.equal(announced('port=65536').refusal, 'port');
  assert.equal(announced('port=65535').announce.port, 65535);
});

test('counters of 2^53 and more are refused as counters', () => {
  assert.equal(announced('uploaded=9007199254740991').announce.uploaded, 2 ** 53 - 1);
  assert.equal(announced('uploaded=9007199254740992').refusal, 'counter');
  assert.equal(announced(`downloaded=${'9'.repeat(50)}`).refusal, 'counter');
  assert.equal(announced('uploaded=0000000000000000007').announce.uploaded, 7);
});

test('left may be absent, negative or huge: then it is unknown', () => {
  for (const value of ['-1', '9007199254740991', '18446744073709551615', '9'.repeat(60)]) {
    const { announce, refusal } = announced(`left=${value}`);
    assert.deepEqual([refusal, announce.left], ['none', Number.MAX_SAFE_INTEGER], value);
  }
  assert.equal(announced('left=NaN').refusal, 'left');
  assert.equal(announced('left=0').announce.left, 0);
});

test('events, numwant and compact that mean nothing are as good as none', () => {
  const event = (value: string): number => announced(`event=${value}`).announce.event;
  assert.deepEqual(
    ['completed', 'started', 'stopped', 'paused', 'empty', '', 'Started', 'stopped1'].map(event),
    [1, 2, 3, 4, 0, 0, 0, 0],
  );
  const numwant = (value: string): number => announced(`numwant=${value}`).announce.numwant;
  assert.deepEqual(['0', '200', '-5', 'x', '', '9'.repeat(30)].map(numwant), [
    0,
    200,
    -1,
    -1,
    -1,
    2 ** 31 - 1,
  ]);
  const dictionary = (value: string): boolean =>
    parse(`/k/announce?info_hash=${HASH_TEXT}&${REST}&compact=${value}`).request.wantsDictionary;
  assert.deepEqual(['0', '1', '', 'x'].map(dictionary), [true, false, false, false]);
});

test('a key is its number when it is hexadecimal, else a hash of it', () => {
  const key = (value: string): number => announced(`key=${value}`).announce.key;
  assert.equal(key('0000000a'), 10);
  assert.equal(key('CAFEBABE'), 0xcafebabe);
  assert.equal(key('cafebabe'), key('CAFEBABE'));
  assert.equal(key(''), 0);
  // FNV-1a of "foobar" and of a key that aria2 could make.
  assert.equal(key('foobar'), 0xbf9cf968);
  assert.notEqual(key('aBcDeFgH'), key('aBcDeFgI'));
  assert.notEqual(key('x'.repeat(100)), 0);
});

test('a scrape takes many hashes, up to 100, and none', () => {
  const many = (count: number): HttpTarget =>
    accepted(`/k/scrape?${Array(count).fill(`info_hash=${HASH_TEXT}`).join('&')}`).request;
  assert.equal(many(1).scrapeCount, 1);
  assert.equal(toHex(many(3).scrapeHashes.subarray(40, 60)), HASH);
  assert.equal(many(150).scrapeCount, 100);
  assert.equal(accepted('/k/scrape').request.scrapeCount, 0);
  assert.equal(parse('/k/scrape?info_hash=a').refusal, 'info-hash-form');
});

test('every refusal has words', () => {
  for (const words of Object.values(HTTP_TARGET_REFUSAL_WORDS)) assert.match(words, /^[ -~]{10,}$/);
});

test('any damaged target is read or refused, and nothing is kept from the one before', (context) => {
  const random = new SeededRandom(testSeed(context, 41));
  const used = new HttpTarget(target());
  const goldens = [GOLDEN, `/k/scrape?info_hash=${HASH_TEXT}&info_hash=${HASH_TEXT}`];
  for (let round = 0; round < 30_000; round++) {
    const bytes = mutate(Buffer.from(goldens[round % 2] as string, 'latin1'), random);
    const fresh = new HttpTarget(target());
    const refusal = fresh.parse(bytes, 0, bytes.length);
    assert.equal(used.parse(bytes, 0, bytes.length), refusal);
    if (refusal !== 'none') continue;
    assert.deepEqual([used.kind, used.scrapeCount], [fresh.kind, fresh.scrapeCount]);
    assert.equal(passkeyOf(used), passkeyOf(fresh));
    if (fresh.kind === 'announce') assert.deepEqual(used.announce, fresh.announce);
    const { uploaded, left, port, key } = fresh.announce;
    assert.ok(
      [uploaded, left, port, key].every((number) => Number.isSafeInteger(number) && number >= 0),
    );
  }
});

test('the usual spelling and one with needless percent signs are read alike, good or bad', (t) => {
  const words = ['1', '0', '65536', '', '-1', '00', '1x', '9'.repeat(15), '9'.repeat(17)];
  const ids = [HASH_TEXT, PEER_TEXT, `${PEER_TEXT}a`, 'short', '%zz', `${PEER_TEXT.slice(1)}%`];
  const number = fc.tuple(
    fc.constantFrom('port', 'uploaded', 'downloaded', 'left', 'numwant', 'compact', 'key', 'lefty'),
    fc.constantFrom(...words),
  );
  const id = fc.tuple(fc.constantFrom('info_hash', 'peer_id', 'peer_i'), fc.constantFrom(...ids));
  const path = fc.constantFrom(
    'k'.repeat(32),
    'k'.repeat(64),
    'k'.repeat(65),
    'k',
    'scrape',
    'ann',
  );
  const good = [
    ['info_hash', HASH_TEXT],
    ['peer_id', PEER_TEXT],
  ] as const;
  const pairs = fc.array(fc.oneof(number, id), { maxLength: 9 });
  fc.assert(
    fc.property(path, pairs, fc.boolean(), (passkey, some, isGood) => {
      const all = isGood ? [...good, ['port', '1'], ...some] : some;
      const spell = (head: string, wrap: (name: string) => string): string =>
        `/${passkey}/${head}?${all.map(([name, value]) => `${wrap(name!)}=${value}`).join('&')}`;
      const plain = parse(spell('announce', (name) => name));
      const percent = (name: string): string =>
        `%${name.charCodeAt(0).toString(16)}${name.slice(1)}`;
      const spelled = parse(spell('%61nnounce', percent));
      assert.equal(plain.refusal, spelled.refusal);
      if (plain.refusal !== 'none') return;
      assert.deepEqual(plain.announce, spelled.announce);
      assert.equal(plain.request.wantsDictionary, spelled.request.wantsDictionary);
      assert.equal(passkeyOf(plain.request), passkeyOf(spelled.request));
    }),
    { seed: testSeed(t, 11) | 0, numRuns: 3000 },
  );
});
