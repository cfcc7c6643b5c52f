import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '#base/random.ts';
import { mutate } from '#sim/mutations.ts';
import { testSeed } from '#sim/seed.ts';
import { type ByteSpan, HTTP_HEAD_BYTES_MAX, HttpRequestHead } from './http-request.ts';

const GET = 'GET /a?b=c HTTP/1.1\r\nHost: tracker.example:6969\r\n';

function parse(text: string): { head: HttpRequestHead; result: unknown; bytes: Uint8Array } {
  // Not at the start of the buffer, and something of the next request behind it.
  const bytes = Buffer.from(`????${text}GET`, 'latin1');
  const head = new HttpRequestHead();
  return { head, result: head.parse(bytes, 4, bytes.length - 3), bytes };
}

function resultOf(text: string): unknown {
  return parse(text).result;
}

function textOf(bytes: Uint8Array, span: ByteSpan): string {
  return Buffer.from(bytes.subarray(span.at, span.at + span.length)).toString('latin1');
}

test('a request of libtorrent is read', () => {
  const text = `${GET}User-Agent: libtorrent/2.0.8.0\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n`;
  const { head, result, bytes } = parse(text);
  assert.equal(result, 'complete');
  assert.equal(textOf(bytes, head.target), '/a?b=c');
  assert.equal(textOf(bytes, head.host), 'tracker.example:6969');
  assert.deepEqual([head.keepAlive, head.isHead, head.isHttp10], [false, false, false]);
  assert.equal(head.consumed, text.length);
});

test('connections are kept by version and by word', () => {
  const keeps = (text: string): boolean => {
    const { head, result } = parse(text);
    assert.equal(result, 'complete');
    return head.keepAlive;
  };
  assert.equal(keeps(`${GET}\r\n`), true);
  assert.equal(keeps(`${GET}CONNECTION: foo , Close\r\n\r\n`), false);
  assert.equal(keeps('GET / HTTP/1.0\r\n\r\n'), false);
  assert.equal(keeps('GET / HTTP/1.0\r\nconnection:keep-alive\r\n\r\n'), true);
});

test('bare line feeds and empty lines before a request are accepted', () => {
  const { head, result } = parse('\r\n\r\nHEAD /x HTTP/1.1\nHost: a\n\n');
  assert.deepEqual([result, head.isHead, head.consumed], ['complete', true, 30]);
});

test('the path of an absolute target is found', () => {
  const { head, bytes } = parse(
    'GET http://tracker.example/announce?x HTTP/1.1\r\nHost: a\r\n\r\n',
  );
  assert.equal(textOf(bytes, head.target), '/announce?x');
  assert.equal(resultOf('GET http://tracker.example HTTP/1.1\r\nHost: a\r\n\r\n'), 400);
});

test('pipelined requests are read one after the other', () => {
  const one = 'GET /1 HTTP/1.1\r\nHost: a\r\n\r\n';
  const bytes = Buffer.from(one + one.replace('/1', '/2') + one.slice(0, 9));
  const head = new HttpRequestHead();
  assert.equal(head.parse(bytes, 0, bytes.length), 'complete');
  assert.equal(textOf(bytes, head.target), '/1');
  const second = head.consumed;
  assert.equal(head.parse(bytes, second, bytes.length), 'complete');
  assert.equal(textOf(bytes, head.target), '/2');
  assert.equal(head.parse(bytes, second + head.consumed, bytes.length), 'incomplete');
});

test('every part of a request is incomplete', () => {
  const text = `${GET}Connection: close\r\n\r\n`;
  for (let length = 0; length < text.length; length++) {
    assert.equal(resultOf(text.slice(0, length)), 'incomplete', `at ${length}`);
  }
});

test('an upgrade is seen when both headers say so', () => {
  const both = parse(`${GET}Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n\r\n`);
  assert.equal(both.head.wantsUpgrade, true);
  assert.equal(textOf(both.bytes, both.head.upgrade), 'websocket');
  assert.equal(parse(`${GET}Upgrade: websocket\r\n\r\n`).head.wantsUpgrade, false);
});

test('what two readers could see differently is refused', () => {
  assert.equal(resultOf(`${GET} folded: x\r\n\r\n`), 400);
  assert.equal(resultOf(`${GET}Name : x\r\n\r\n`), 400);
  assert.equal(resultOf(`${GET}no colon\r\n\r\n`), 400);
  assert.equal(resultOf(`${GET}a: b\rc: d\r\n\r\n`), 400);
  assert.equal(resultOf(`${GET}a: \0\r\n\r\n`), 400);
  assert.equal(resultOf(`${GET}Host: other\r\n\r\n`), 400);
  assert.equal(resultOf('GET / HTTP/1.1\r\n\r\n'), 400);
  assert.equal(resultOf(`${GET}Content-Length: 5\r\n\r\n`), 413);
  assert.equal(resultOf(`${GET}Transfer-Encoding: chunked\r\n\r\n`), 413);
  assert.equal(resultOf(`${GET}Content-Length: 0\r\n\r\n`), 'complete');
});

test('what is no HTTP, another method or another version gets its status', () => {
  assert.equal(resultOf('\x16\x03\x01'), 400);
  assert.equal(resultOf('GET /\r\n'), 400);
  assert.equal(resultOf('GET  HTTP/1.1\r\n'), 400);
  assert.equal(resultOf('GET / x HTTP/1.1\r\n'), 400);
  assert.equal(resultOf('GET / HTTQ/1.1\r\n'), 400);
  assert.equal(resultOf('POST / HTTP/1.1\r\n'), 405);
  assert.equal(resultOf('get / HTTP/1.1\r\n'), 405);
  assert.equal(resultOf('PRI * HTTP/2.0\r\n'), 405);
  assert.equal(resultOf('GET / HTTP/2.0\r\n'), 505);
  assert.equal(resultOf('GET / HTTP/0.9\r\n'), 505);
});

test('heads are bounded in bytes and in lines', () => {
  const long = 'x'.repeat(HTTP_HEAD_BYTES_MAX);
  assert.equal(resultOf(`GET /${long}`), 414);
  assert.equal(resultOf(`${GET}a: ${long}`), 431);
  assert.equal(resultOf(`${GET}${'a: b\r\n'.repeat(100)}\r\n`), 431);
  const rest = HTTP_HEAD_BYTES_MAX - GET.length - 'a: \r\n\r\n'.length;
  assert.equal(resultOf(`${GET}a: ${'x'.repeat(rest)}\r\n\r\n`), 'complete');
  assert.equal(resultOf(`${GET}a: ${'x'.repeat(rest + 1)}\r\n\r\n`), 431);
});

test('any damaged request is read or refused, never outside of its bytes', (context) => {
  const random = new SeededRandom(testSeed(context, 31));
  const golden = Buffer.from(
    `${GET}Connection: keep-alive\r\nX-Forwarded-For: 1.2.3.4\r\nUpgrade: websocket\r\n\r\n`,
  );
  const used = new HttpRequestHead();
  for (let round = 0; round < 30_000; round++) {
    const damaged = mutate(golden, random);
    // What stands behind the end of the received bytes must not matter.
    const bytes = new Uint8Array(damaged.length + 20).fill(0x0a);
    bytes.set(damaged);
    const fresh = new HttpRequestHead();
    const result = fresh.parse(bytes, 0, damaged.length);
    assert.equal(used.parse(bytes, 0, damaged.length), result);
    if (result !== 'complete') continue;
    assert.deepEqual(
      [used.target, used.consumed, used.keepAlive, used.host.length],
      [fresh.target, fresh.consumed, fresh.keepAlive, fresh.host.length],
    );
    assert.ok(fresh.consumed <= damaged.length);
    assert.ok(fresh.target.at + fresh.target.length <= fresh.consumed);
  }
});

test('gzip is accepted when it is named, in any case and place, and not weighed 0', () => {
  const accepts = (value: string): boolean => {
    const head = new HttpRequestHead();
    const text = `GET /scrape HTTP/1.1\r\nHost: t\r\nAccept-Encoding: ${value}\r\n\r\n`;
    const bytes = Buffer.from(text);
    assert.equal(head.parse(bytes, 0, bytes.length), 'complete');
    return head.acceptsGzip;
  };
  for (const value of ['gzip', 'GZip', 'deflate, gzip', 'br;q=0, gzip ; q=0.001', 'gzip;q=1']) {
    assert.equal(accepts(value), true, value);
  }
  for (const value of ['', 'deflate', 'gzip;q=0', 'gzip; q=0.000', 'x-gzips', 'br;gzip', '*;q=0']) {
    assert.equal(accepts(value), false, value);
  }
});
