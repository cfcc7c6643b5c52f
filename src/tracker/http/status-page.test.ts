import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announceTarget, HttpClient } from '#sim/http-client.ts';
import { memberMessage, TestTracker, torrentMessage } from '#sim/test-tracker.ts';
import { UdpClient } from '#sim/udp-client.ts';

const HASH = '00112233445566778899aabbccddeeff01234567';

async function busyTracker(tracker: Readonly<Record<string, unknown>> = {}): Promise<TestTracker> {
  const world = await TestTracker.start({ tracker });
  await world.tell(memberMessage(1, 'alice'), memberMessage(2, 'bob'), torrentMessage(1, HASH));
  const client = await HttpClient.open(world.port);
  for (const [passkey, left] of [
    ['alice', 0],
    ['bob', 9],
  ] as const) {
    const peer = { infoHash: HASH, peerId: `-TR4050-${passkey.padEnd(12, '.')}`, left };
    assert.equal((await client.get(announceTarget(`/${passkey}/announce`, peer))).failure, '');
  }
  client.close();
  return world;
}

async function ask(client: HttpClient, target: string, more = '', method = 'GET') {
  client.send(`${method} ${target} HTTP/1.1\r\nHost: t\r\n${more}\r\n`);
  return await client.answer();
}

test('T23: visitors are told sums as JSON, and as a page when they ask for one', async () => {
  const world = await busyTracker();
  try {
    const client = await HttpClient.open(world.port);
    const json = await ask(client, '/status');
    assert.equal(json.headers.get('content-type'), 'application/json');
    assert.deepEqual(JSON.parse(json.body.toString()), {
      torrents: 1,
      peers: 2,
      seeders: 1,
      leechers: 1,
      uptimeSeconds: 0,
    });
    for (const accept of ['*/*', 'application/json', 'application/json, text/html;q=0']) {
      const answer = await ask(client, '/status?x=1', `Accept: ${accept}\r\n`);
      assert.equal(answer.headers.get('content-type'), 'application/json', accept);
    }
    const accept = 'Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\n';
    const page = await ask(client, '/status', accept);
    assert.match(page.headers.get('content-type') ?? '', /text\/html/);
    assert.match(page.body.toString(), /Peers<\/th><td>2</);
    for (const secret of ['alice', HASH, '127.0.0.1', 'private']) {
      assert(!page.body.toString().includes(secret), secret);
    }
    // Pipelined between announces, on a connection that stays.
    client.send('GET /status HTTP/1.1\r\nHost: t\r\n\r\n'.repeat(2));
    assert.equal((await client.answer()).status, 200);
    assert.equal((await client.answer()).status, 200);
    for (const path of ['/statuses', '/status/x', '/Status']) {
      const other = await HttpClient.open(world.port);
      assert.equal((await ask(other, path)).status, 404, path);
      other.close();
    }
    client.close();
  } finally {
    await world.close();
  }
});

test('T23: the status page is switched off by `statusPage`', async () => {
  const world = await busyTracker({ statusPage: false });
  try {
    const client = await HttpClient.open(world.port);
    assert.equal((await ask(client, '/status')).status, 404);
    client.close();
  } finally {
    await world.close();
  }
});

test('T23: batches of datagrams and every 64th HTTP input are timed', async () => {
  const world = await busyTracker();
  try {
    const udp = await UdpClient.open(world.port);
    await udp.connect();
    udp.close();
    const text = world.metrics.render();
    assert.match(text, /swarmkeep_tracker_udp_batch_seconds_count 1\n/);
    assert.match(text, /swarmkeep_tracker_http_input_seconds_count 1\n/);
    const seconds = /swarmkeep_tracker_udp_batch_seconds_sum (\S+)/.exec(text)?.[1];
    assert(Number(seconds) > 0 && Number(seconds) < 1, seconds);
  } finally {
    await world.close();
  }
});
