import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { type Dial, dialTcp } from '#net/tcp-dial.ts';
import { SimClock } from '#sim/clock.ts';
import type { SwarmPeer } from '#site/swarms.ts';
import { TestSite } from '#site/test-site.ts';
import { PortTests } from './port-tests.ts';

function peer(ipv4: readonly number[], port = 6881): SwarmPeer {
  const wire = Uint8Array.of(...ipv4, port >> 8, port & 255);
  return {
    memberId: 1,
    torrentId: 1,
    peerId: new Uint8Array(20),
    uploaded: 0,
    downloaded: 0,
    left: 0,
    state: 'seeder',
    ipv4: wire,
    ipv6: undefined,
    lastSeenSeconds: 0,
  };
}

test('T27: each client of a member is tried once, and no private address ever', async () => {
  const tried: string[] = [];
  const dial: Dial = async ({ address, port }) => {
    tried.push(`${address}:${port}`);
    return 'open';
  };
  const tests = new PortTests({ clock: new SimClock(), dial, isPrivateTried: false });
  const mine = [
    [8, 8, 4, 4],
    [8, 8, 4, 4],
    [10, 0, 0, 1],
    [127, 0, 0, 1],
    [169, 254, 169, 254],
  ];
  const results = await tests.test(
    1,
    mine.map((address) => peer(address)),
  );
  assert(typeof results === 'object');
  assert.deepEqual(tried, ['8.8.4.4:6881']);
  assert.deepEqual(
    results.map(({ result }) => result),
    ['open', 'private', 'private', 'private'],
  );
});

test('T27: tests are few per member, and few at once for all', async () => {
  let release: () => void = () => undefined;
  const dial: Dial = () =>
    new Promise((resolve) => {
      const before = release;
      release = () => {
        before();
        resolve('silent');
      };
    });
  const clock = new SimClock();
  const tests = new PortTests({ clock, dial, isPrivateTried: true });
  const many = Array.from({ length: 50 }, (_, at) => peer([8, 8, 4, at]));
  const running = [1, 2, 3, 4, 5].map((member) => tests.test(member, many));
  assert.equal(typeof (await tests.test(6, many)), 'number', 'too many are under way');
  release();
  const sizes = (await Promise.all(running)).map((done) => (done as readonly unknown[]).length);
  assert.deepEqual(sizes, [6, 6, 6, 6, 6]);
  const none = async (): Promise<boolean> => typeof (await tests.test(1, [])) === 'object';
  assert.deepEqual([await none(), await none(), await none()], [true, true, false]);
});

test('T27: a member tests their port on their own page, and sees each client’s result', async () => {
  const site = await TestSite.open();
  const alice = await site.addMember('alice');
  site.peers.push({ ...peer([10, 1, 2, 3], 51413), memberId: alice.id });
  site.peers.push({ ...peer([10, 9, 9, 9]), memberId: alice.id + 1 });
  const browser = await site.signedIn('alice');
  assert.match((await browser.get('/members/alice')).text, /href="\/me\/port"/);
  assert.doesNotMatch((await browser.get('/me/port')).text, /51413/);
  const tested = await browser.post('/me/port');
  assert.match(tested.text, /10\.1\.2\.3 51413/);
  assert.match(tested.text, /Private address/);
  assert(!tested.text.includes('10.9.9.9'));
  await browser.post('/me/port');
  await browser.post('/me/port');
  assert.equal((await browser.post('/me/port')).status, 429);
  await site.close();
});

test('T27: an open port and a closed one are told apart', async () => {
  const server = createServer((socket) => socket.on('error', () => undefined));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const to = { address: '127.0.0.1', port, msMax: 1000 };
  assert.equal(await dialTcp(to), 'open');
  await new Promise((resolve) => server.close(resolve));
  assert.equal(await dialTcp(to), 'refused');
});
