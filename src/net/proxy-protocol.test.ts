import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '#base/random.ts';
import { testSeed } from '#sim/seed.ts';
import { formatIp } from './ip-address.ts';
import { PROXY_HEADER_BYTES_MAX, readProxyHeader } from './proxy-protocol.ts';

const SIGNATURE = '0d0a0d0a000d0a515549540a';
const IPV4 = 'c0000201' + 'c6336401' + 'dc04' + '01bb';
const IPV6 = '20010db8000000000000000000000001' + '20010db8000000000000000000000002' + 'dc0401bb';
const MAPPED = '00000000000000000000ffffc0000201' + '00000000000000000000ffffc6336401' + 'dc0401bb';

/** `192.0.2.1:56324 +28`: who, and how many bytes the header has; `own` for the connection's. */
function read(bytes: Buffer): string {
  const header = readProxyHeader(bytes, bytes.byteLength);
  if (typeof header === 'string') return header;
  const { client, consumed } = header;
  if (client === undefined) return `own +${consumed}`;
  return `${formatIp(client.address, client.family)}:${client.port} +${consumed}`;
}

const line = (text: string): string => read(Buffer.from(text, 'latin1'));
const hex = (text: string): string => read(Buffer.from(text, 'hex'));
/** Version 2 with these bytes behind its length. */
const version2 = (head: string, rest: string): string =>
  SIGNATURE + head + (rest.length / 2).toString(16).padStart(4, '0') + rest;

test('version 1 is read for both families; UNKNOWN says nothing of a client', () => {
  const line4 = 'PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n';
  assert.equal(line(`${line4}GET / HTTP/1.1\r\n`), '192.0.2.1:56324 +45');
  assert.equal(line('PROXY TCP6 2001:DB8::1 ::1 1 2\r\n'), '2001:db8::1:1 +32');
  assert.equal(line('PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n'), '192.0.2.1:1 +37');
  assert.equal(line('PROXY UNKNOWN\r\n'), 'own +15');
  assert.equal(line('PROXY UNKNOWN 1.2.3.4 whatever\r\n'), 'own +32');
});

test('version 2 is read for both families, with extensions behind the addresses', () => {
  assert.equal(hex(`${version2('2111', IPV4)}474554`), '192.0.2.1:56324 +28');
  assert.equal(hex(version2('2121', IPV6)), '2001:db8::1:56324 +52');
  assert.equal(hex(version2('2121', MAPPED)), '192.0.2.1:56324 +52');
  assert.equal(hex(version2('2111', `${IPV4}040003aabbcc`)), '192.0.2.1:56324 +34');
});

test('LOCAL, UNSPEC, UNIX and datagrams say nothing of a client, whatever they carry', () => {
  assert.equal(hex(version2('2000', '')), 'own +16');
  assert.equal(hex(version2('2011', IPV4)), 'own +28');
  assert.equal(hex(version2('2100', '040001ff')), 'own +20');
  assert.equal(hex(version2('2131', '00'.repeat(216))), 'own +232');
  assert.equal(hex(version2('2112', IPV4)), 'own +28');
});

test('every beginning of a header is incomplete, and no byte more is taken than it has', () => {
  const whole = [
    Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n', 'latin1'),
    Buffer.from(version2('2121', `${IPV6}040003aabbcc`), 'hex'),
  ];
  for (const bytes of whole) {
    for (let length = 0; length < bytes.byteLength; length++) {
      assert.equal(read(bytes.subarray(0, length)), 'incomplete', `${length}`);
    }
    const header = readProxyHeader(Buffer.concat([bytes, bytes]), bytes.byteLength * 2);
    assert(typeof header === 'object');
    assert.equal(header.consumed, bytes.byteLength);
  }
});

test('what is no PROXY header is broken at its first wrong byte', () => {
  const lines = [
    'GET /announce HTTP/1.1\r\n',
    'PROXY\r\n',
    'proxy TCP4 1.2.3.4 1.2.3.4 1 1\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 1 1\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n',
    'PROXY TCP4 1.2.3.4  1.2.3.4 1 1\r\n',
    'PROXY TCP4 ::1 ::1 1 1\r\n',
    'PROXY TCP6 1.2.3.4 1.2.3.4 1 1\r\n',
    'PROXY TCP4 1.2.3.256 1.2.3.4 1 1\r\n',
    'PROXY TCP4 1.2.3.4 1.2.3.4 -1 1\r\n',
    'PROXY UNKNOWNS\r\n',
    `PROXY UNKNOWN ${'x'.repeat(200)}\r\n`,
    `PROXY TCP4 ${' '.repeat(96)}`,
  ];
  for (const text of lines) assert.equal(line(text), 'broken', text);
  const heads = ['1111', '3111', '2211', '2141', '2113'];
  for (const head of heads) assert.equal(hex(version2(head, IPV4)), 'broken', head);
  assert.equal(hex(version2('2111', IPV4.slice(2))), 'broken');
  assert.equal(hex(version2('2121', IPV4)), 'broken');
  assert.equal(hex(`${SIGNATURE}2111ffff`), 'broken', `above ${PROXY_HEADER_BYTES_MAX} bytes`);
  assert.equal(hex('0d0a0d0a000d0a515549540b'), 'broken');
});

test('random bytes behind a good beginning are read or refused, never beyond their end', (t) => {
  const random = new SeededRandom(testSeed(t, 5));
  for (let round = 0; round < 20_000; round++) {
    const start = Buffer.from(round % 2 === 0 ? `${SIGNATURE}21` : '50524f585920', 'hex');
    const bytes = Buffer.concat([start, random.bytes(round % 64)]);
    const header = readProxyHeader(bytes, bytes.byteLength);
    if (typeof header === 'object') assert(header.consumed <= bytes.byteLength);
  }
});
