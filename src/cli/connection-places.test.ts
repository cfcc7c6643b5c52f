import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { SystemRandom } from '#base/random.ts';
import { ConnectionPlaces } from './connection-places.ts';
import { SiteListener } from './site-listener.ts';

class TestSocket extends EventEmitter {
  readonly remoteAddress: string;
  isEnded = false;

  constructor(address: string) {
    super();
    this.remoteAddress = address;
  }

  destroy(): void {
    this.isEnded = true;
    this.emit('close');
  }
}

test('one address has a part of all connections, a proxy and this machine what they need', () => {
  const places = new ConnectionPlaces({ connectionsPerAddressMax: 2, proxies: ['198.51.100.9'] });
  const open = (address: string): TestSocket => {
    const socket = new TestSocket(address);
    places.take(socket as unknown as Socket);
    return socket;
  };
  const first = open('203.0.113.7');
  assert.equal(open('::ffff:203.0.113.7').isEnded, false, 'the second, by a socket of IPv6');
  assert.equal(open('203.0.113.7').isEnded, true, 'a third is one too many');
  assert.equal(open('203.0.113.8').isEnded, false, 'another address');
  first.destroy();
  assert.equal(open('203.0.113.7').isEnded, false, 'a place that was given back');
  const prefix = ['2001:db8::1', '2001:db8::2', '2001:db8::3'].map((one) => open(one).isEnded);
  assert.deepEqual(prefix, [false, false, true], 'what one customer has counts as one');
  for (const address of ['127.0.0.1', '::1', '198.51.100.9']) {
    const ended = [1, 2, 3].map(() => open(address).isEnded);
    assert.deepEqual(ended, [false, false, false], address);
  }
});

test('connections that are over are forgotten', () => {
  const places = new ConnectionPlaces({ connectionsPerAddressMax: 2, proxies: [] });
  const sockets = Array.from({ length: 100 }, (_, at) => new TestSocket(`203.0.113.${at}`));
  for (const socket of sockets) places.take(socket as unknown as Socket);
  assert.equal(places.size, 100);
  for (const socket of sockets) socket.destroy();
  assert.equal(places.size, 0);
});

test('the site’s port ends a connection beyond the part of its address, and answers the others', async () => {
  const places = new ConnectionPlaces({ connectionsPerAddressMax: 1, proxies: [] }, () => true);
  const listener = await SiteListener.listen({
    ...{ clock: new SystemClock(), random: new SystemRandom(), address: '127.0.0.1', port: 0 },
    ...{ certificate: undefined, places, metrics: async () => '' },
    fetch: async () => new Response('here'),
  });
  const free = async (): Promise<void> => {
    while (places.size > 0) await new Promise((resolve) => setImmediate(resolve));
  };
  assert.equal(await statusOf(listener.port), 200);
  await free();
  const held = connect(listener.port, '127.0.0.1');
  while (places.size === 0) await new Promise((resolve) => setImmediate(resolve));
  await assert.rejects(statusOf(listener.port));
  held.destroy();
  await free();
  assert.equal(await statusOf(listener.port), 200);
  await listener.close();
});

/** By a connection of its own, which ends with the answer. */
async function statusOf(port: number): Promise<number | undefined> {
  const request = get({ host: '127.0.0.1', port, agent: false });
  const [answer] = (await once(request, 'response')) as [IncomingMessage];
  answer.resume();
  await once(answer, 'close');
  return answer.statusCode;
}
