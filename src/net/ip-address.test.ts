import assert from 'node:assert/strict';
import { SocketAddress } from 'node:net';
import { test } from 'node:test';
import { SeededRandom } from '#base/random.ts';
import { formatIp, parseIp } from './ip-address.ts';

const into = new Uint8Array(16);

test('parseIp() reads IPv4 and IPv6 in every spelling', () => {
  assert.equal(parseIp('10.77.0.255', into), 4);
  assert.deepEqual([...into.subarray(0, 4)], [10, 77, 0, 255]);
  assert.equal(parseIp('2001:db8::1:2.3.4.5', into), 6);
  assert.equal(Buffer.from(into).toString('hex'), '20010db8000000000000000102030405');
  assert.equal(parseIp('::', into), 6);
  assert.deepEqual([...into], new Array(16).fill(0));
  assert.equal(parseIp('1:2:3:4:5:6:7:8', into), 6);
  assert.equal(Buffer.from(into).toString('hex'), '00010002000300040005000600070008');
});

test('parseIp() takes an IPv4-mapped address for its IPv4 address', () => {
  assert.equal(parseIp('::ffff:192.0.2.7', into), 4);
  assert.deepEqual([...into.subarray(0, 4)], [192, 0, 2, 7]);
  assert.deepEqual([...into.subarray(4)], new Array(12).fill(0));
});

test('parseIp() refuses names, zones, ports and nonsense', () => {
  for (const text of ['localhost', 'fe80::1%lo', '127.0.0.1:80', '1.2.3', '256.1.1.1', '', ':::']) {
    assert.equal(parseIp(text, into), 0, text);
  }
});

test('formatIp() writes what the system writes, and parseIp() reads it back', () => {
  const random = new SeededRandom(7);
  for (let round = 0; round < 2000; round++) {
    const bytes = random.bytes(16);
    // Runs of zeros are what the short form is about.
    for (let at = 0; at < 16; at += 2) if (random.u32() % 2 === 0) bytes.fill(0, at, at + 2);
    bytes[0] = 0x20;
    const text = formatIp(bytes, 6);
    assert.equal(text, new SocketAddress({ address: text, family: 'ipv6' }).address);
    assert.equal(parseIp(text, into), 6);
    assert.deepEqual(into, bytes);
  }
  assert.equal(formatIp(new Uint8Array([127, 0, 0, 1]), 4), '127.0.0.1');
});
