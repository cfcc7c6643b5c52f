import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { utf8 } from '#base/bytes.ts';
import type { AnnounceAnswer } from './announce-target.ts';
import { decodeBencode } from './bencode.ts';
import { encodeBencode } from './bencode-encoder.ts';
import {
  encodeHttpFailure,
  encodeHttpStatus,
  type HttpAnnounceForm,
  HttpAnswerWriter,
  httpAnnounceBytesMax,
  httpHeadBytes,
  httpScrapeBytesMax,
} from './http-response.ts';

const ANSWER: AnnounceAnswer = {
  intervalSeconds: 1800,
  minIntervalSeconds: 900,
  seeders: 1,
  leechers: 2,
  completed: 30,
  peers4: new Uint8Array(Buffer.from('0a4d00011ae10a4d00021ae2', 'hex')),
  peers4Count: 2,
  peers6: new Uint8Array(Buffer.from('fd7700000000000000000000000000011ae1', 'hex')),
  peers6Count: 1,
  externalBytes: 4,
  externalAddress: new Uint8Array([10, 77, 0, 9, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]),
  warning: utf8('too early'),
};
const FORM: HttpAnnounceForm = { close: false, dictionary: false, peerIds: new Uint8Array(0) };

function write(answer: AnnounceAnswer, form = FORM): { head: string; body: Uint8Array } {
  const into = new Uint8Array(httpAnnounceBytesMax(answer, form.dictionary) + 9);
  const length = new HttpAnswerWriter().writeAnnounce(into, 9, answer, form);
  return split(into.subarray(9, 9 + length));
}

function split(response: Uint8Array): { head: string; body: Uint8Array } {
  const at = Buffer.from(response).indexOf('\r\n\r\n') + 4;
  assert.equal(httpHeadBytes(response, 0, response.length), at);
  const head = Buffer.from(response.subarray(0, at)).toString();
  const body = response.subarray(at);
  assert.match(head, new RegExp(`\r\nContent-Length: ${body.length}\r\n`));
  assert.ok(decodeBencode(body).ok || !head.startsWith('HTTP/1.1 200'));
  return { head, body };
}

test('a full announce answer stands byte for byte', () => {
  const { head, body } = write(ANSWER);
  assert.equal(
    head,
    'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 184\r\nConnection: keep-alive\r\n\r\n',
  );
  assert.equal(
    Buffer.from(body).toString('latin1'),
    'd8:completei1e10:downloadedi30e11:external ip4:\x0aM\0\x0910:incompletei2e8:intervali1800e' +
      '12:min intervali900e5:peers12:\x0aM\0\x01\x1aá\x0aM\0\x02\x1aâ' +
      '6:peers618:ýw\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x1aá15:warning message9:too earlye',
  );
});

test('what has nothing to say is left out, and closing is said', () => {
  const bare = { ...ANSWER, peers4Count: 0, peers6Count: 0, minIntervalSeconds: 0 };
  const answer = { ...bare, externalBytes: 0 as const, warning: new Uint8Array(0) };
  const { head, body } = write(answer, { ...FORM, close: true });
  assert.match(head, /Connection: close/);
  assert.equal(
    Buffer.from(body).toString(),
    'd8:completei1e10:downloadedi30e10:incompletei2e8:intervali1800e5:peers0:e',
  );
});

test('a dictionary answer names each peer, with its id unless that is left out', () => {
  const peerIds = utf8('-qB4520-aaaaaaaaaaaa-TR3000-bbbbbbbbbbbb-LT2080-cccccccccccc');
  const form = { ...FORM, dictionary: true };
  const answer = { ...ANSWER, externalBytes: 0 as const, warning: new Uint8Array(0) };
  const text = Buffer.from(write(answer, { ...form, peerIds }).body).toString();
  assert.ok(
    text.endsWith(
      '5:peersld2:ip9:10.77.0.17:peer id20:-qB4520-aaaaaaaaaaaa4:porti6881ee' +
        'd2:ip9:10.77.0.27:peer id20:-TR3000-bbbbbbbbbbbb4:porti6882ee' +
        'd2:ip18:fd77:0:0:0:0:0:0:17:peer id20:-LT2080-cccccccccccc4:porti6881eeee',
    ),
    text,
  );
  const without = Buffer.from(write(answer, form).body).toString();
  assert.ok(without.includes('d2:ip9:10.77.0.14:porti6881ee'), without);
});

test('any numbers make canonical bencode', () => {
  const number = fc.maxSafeInteger().map(Math.abs);
  fc.assert(
    fc.property(number, number, number, fc.nat(60), (seeders, leechers, completed, peers4Count) => {
      const peers4 = new Uint8Array(400).fill(7);
      const answer = { ...ANSWER, seeders, leechers, completed, peers4, peers4Count };
      const decoded = decodeBencode(write(answer).body);
      assert.ok(decoded.ok && decoded.node.kind === 'dict' && decoded.node.sorted);
      const seen = (key: string): unknown => {
        const node = decoded.node.kind === 'dict' ? decoded.node.entries.get(key) : undefined;
        return node?.kind === 'integer' ? node.value : node?.kind === 'bytes' && node.value.length;
      };
      assert.deepEqual(
        [seen('complete'), seen('incomplete'), seen('downloaded'), seen('peers')],
        [seeders, leechers, completed, peers4Count * 6],
      );
    }),
    { numRuns: 500, seed: 9 },
  );
});

test('a scrape answers each hash once, in order', () => {
  const hashes = new Uint8Array(60).fill(0x62);
  hashes.fill(0x61, 20, 40);
  const answer = {
    count: 3,
    hashes,
    seeders: [1, 4, 1],
    leechers: [3, 6, 3],
    completed: [2, 5, 2],
    downloaders: [0, 6, 0],
  };
  const into = new Uint8Array(httpScrapeBytesMax(3));
  const length = new HttpAnswerWriter().writeScrape(into, 0, answer, true);
  const file = (complete: number, downloaded: number, downloaders: number, incomplete: number) => ({
    complete,
    downloaded,
    downloaders,
    incomplete,
  });
  const expected = {
    files: { [`${'a'.repeat(20)}`]: file(4, 5, 6, 6), [`${'b'.repeat(20)}`]: file(1, 2, 0, 3) },
  };
  assert.deepEqual(split(into.subarray(0, length)).body, encodeBencode(expected));
});

test('a writer asserts that its answer has room', () => {
  const writer = new HttpAnswerWriter();
  assert.throws(
    () => writer.writeAnnounce(new Uint8Array(700), 0, { ...ANSWER, peers4Count: 60 }, FORM),
    /has room/,
  );
});

test('a refusal is status 200 with a failure reason', () => {
  const { head, body } = split(encodeHttpFailure('unregistered torrent: ünwanted', false));
  assert.match(head, /^HTTP\/1.1 200 OK\r\nContent-Type: text\/plain\r\n.*keep-alive\r\n\r\n$/s);
  assert.equal(
    Buffer.from(body).toString(),
    'd14:failure reason31:unregistered torrent: ünwantede',
  );
});

test('statuses close the connection and say when to come back', () => {
  const { head, body } = split(encodeHttpStatus(503, 'busy', { retryAfterSeconds: 30 }));
  assert.match(head, /^HTTP\/1.1 503 Service Unavailable\r\n/);
  assert.match(head, /\r\nConnection: close\r\nRetry-After: 30\r\n/);
  assert.equal(Buffer.from(body).toString(), 'busy\n');
  assert.match(split(encodeHttpStatus(405, 'no')).head, /\r\nAllow: GET\r\n/);
});
