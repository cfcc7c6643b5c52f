// The address of a client through a real proxy: nginx as docs/proxies.md sets it up.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announceTarget, HttpClient } from '#sim/http-client.ts';
import { memberMessage, TestTracker, torrentMessage } from '#sim/test-tracker.ts';
import { Nginx, nginxMissing } from './nginx.ts';

const HASH = '00112233445566778899aabbccddeeff01234567';
const skip = nginxMissing() ?? false;

/** Announces through the proxy from `from`, and returns the address that the tracker saw. */
async function seenBehind(nginx: Nginx, from: string, header: string): Promise<string> {
  const peerId = `-TR4050-${from.padEnd(12, '.')}`;
  const target = announceTarget('/alice/announce', { infoHash: HASH, peerId, left: 9 });
  const client = await HttpClient.open(nginx.port, '127.0.0.1', from);
  client.send(`GET ${target} HTTP/1.1\r\nHost: tracker\r\n${header}\r\n`);
  const answer = await client.answer();
  client.close();
  const ip = answer.fields.get('external ip');
  assert(Buffer.isBuffer(ip), answer.failure);
  return [...ip].join('.');
}

test('T19: through nginx each client has its own address, whatever it writes itself', {
  skip,
}, async () => {
  const world = await TestTracker.start({ tracker: { trustedProxies: ['127.0.0.1'] } });
  const nginx = await Nginx.start(world.port);
  try {
    await world.tell(memberMessage(1, 'alice'), torrentMessage(1, HASH));
    assert.equal(await seenBehind(nginx, '127.0.0.7', ''), '127.0.0.7');
    const lie = 'X-Forwarded-For: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\n';
    assert.equal(await seenBehind(nginx, '127.0.0.8', lie), '127.0.0.8');
    const twice = 'X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 203.0.113.8, 127.0.0.1\r\n';
    assert.equal(await seenBehind(nginx, '127.0.0.9', twice), '127.0.0.9');
  } finally {
    await nginx.stop();
    await world.close();
  }
});

test('T19: a proxy that nobody named is a client like any other', { skip }, async () => {
  const world = await TestTracker.start();
  const nginx = await Nginx.start(world.port);
  try {
    await world.tell(memberMessage(1, 'alice'), torrentMessage(1, HASH));
    assert.equal(await seenBehind(nginx, '127.0.0.7', ''), '127.0.0.1');
  } finally {
    await nginx.stop();
    await world.close();
  }
});
