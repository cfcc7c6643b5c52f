// Ten thousand damaged packets and requests against a running tracker: it stays up, answers right
// afterwards, gives an unproven address nothing longer than it sent, and its memory stays flat.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { test } from 'node:test';
import { below, type Random, SeededRandom } from '#base/random.ts';
import { announceTarget, HttpClient, scrapeTarget } from '#sim/http-client.ts';
import { mutate } from '#sim/mutations.ts';
import { testSeed } from '#sim/seed.ts';
import { memberMessage, TestTracker, torrentMessage } from '#sim/test-tracker.ts';
import { type ClientAnnounce, UdpClient } from '#sim/udp-client.ts';

const HASH = '00112233445566778899aabbccddeeff01234567';
const PEER: ClientAnnounce = {
  infoHash: HASH,
  peerId: '-SK0001-fuzzfuzzfuzz',
  event: 'started',
  left: 10,
};
const PACKETS = 10_000;
const REQUESTS = 10_000;
const GROWTH_BYTES_MAX = 48 * 1024 * 1024;

async function withTracker(run: (world: TestTracker) => Promise<void>): Promise<void> {
  const world = await TestTracker.start({ tracker: { staleAnswersPerAddressMax: 255 } });
  try {
    await world.tell(memberMessage(1, 'alice'), memberMessage(2, 'bob'), torrentMessage(1, HASH));
    await run(world);
  } finally {
    await world.close();
  }
}

async function answersRight(world: TestTracker): Promise<void> {
  const udp = await UdpClient.open(world.port, '127.0.0.9', '127.0.0.1');
  await udp.connect();
  const peer = { ...PEER, peerId: '-SK0001-afterwards..', left: 0, port: 7777 };
  const answer = await udp.announce(peer, '/bob/announce');
  assert.equal(answer?.action, 'announce');
  assert.ok(answer.seeders >= 1);
  const http = await HttpClient.open(world.port);
  const asker = { ...PEER, peerId: '-SK0001-asker.......' };
  const { peers } = await http.get(announceTarget('/bob/announce', { ...asker, numwant: 200 }));
  assert.ok(peers.includes('127.0.0.9:7777'));
  assert.match((await http.get(announceTarget('/no/announce', asker))).failure, /unknown passkey/);
  http.close();
  await udp.announce({ ...peer, event: 'stopped' }, '/bob/announce');
  await udp.close();
  const { waiting, recordsLost } = world.tracker.stats();
  assert.deepEqual([waiting, recordsLost], [0, 0]);
}

test('10,000 mutated UDP packets', async (context) => {
  const random = new SeededRandom(testSeed(context, 20_261));
  await withTracker(async (world) => {
    const client = await UdpClient.open(world.port);
    await client.connect();
    const golden = [
      client.announcePacket(PEER, '/alice/announce'),
      client.announcePacket({ ...PEER, event: 'stopped' }, '/alice/announce'),
      client.announcePacket(PEER),
      scrapePacket(client.connectionId),
      Buffer.from('00000417271019800000000000000001', 'hex'),
    ];
    await sendMutated(world, { golden, random, count: 2000 });
    const beforeBytes = memoryBytes();
    await sendMutated(world, { golden, random, count: PACKETS - 2000 });
    assert.ok(memoryBytes() - beforeBytes < GROWTH_BYTES_MAX, 'memory stays flat');
    await client.close();
    await answersRight(world);
  });
});

test('packets with damaged connection ids earn nothing longer than they are', async (context) => {
  const random = new SeededRandom(testSeed(context, 20_262));
  await withTracker(async (world) => {
    const client = await UdpClient.open(world.port);
    await client.connect();
    const longest = new Map<number, number>();
    client.onMessage((bytes) => {
      const transaction = bytes.readUInt32BE(4);
      longest.set(transaction, Math.max(longest.get(transaction) ?? 0, bytes.byteLength));
    });
    const sent = new Map<number, number>();
    for (let index = 0; index < 300; index++) {
      const golden = client.announcePacket(PEER, '/alice/announce');
      const cut = below(random, 4) === 0 ? golden.subarray(0, 16 + below(random, 90)) : golden;
      const packet = Buffer.from(cut);
      packet[below(random, 8)]! ^= 1 << below(random, 8);
      packet.writeUInt32BE(1_000_000 + index, 12);
      sent.set(1_000_000 + index, packet.byteLength);
      client.send(packet);
    }
    await client.connect();
    assert.ok(longest.size > 100);
    for (const [transaction, bytes] of longest) {
      const question = sent.get(transaction);
      if (question !== undefined) assert.ok(bytes <= question, `${bytes} for ${question}`);
    }
    assert.equal((await world.transfers()).length, 0);
    await client.close();
  });
});

test('10,000 mutated HTTP requests', async (context) => {
  const random = new SeededRandom(testSeed(context, 20_263));
  await withTracker(async (world) => {
    const golden = [
      announceTarget('/alice/announce', PEER),
      announceTarget('/alice/announce', { ...PEER, event: 'stopped' }),
      scrapeTarget('/alice/scrape', [HASH, HASH]),
    ].map((target) =>
      Buffer.from(
        `GET ${target} HTTP/1.1\r\nHost: t\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n`,
      ),
    );
    const statuses = new Map<string, number>();
    const load = { golden, random, statuses };
    await requestMutated(world, { ...load, count: 2000 });
    const beforeBytes = memoryBytes();
    await requestMutated(world, { ...load, count: REQUESTS - 2000 });
    assert.ok(memoryBytes() - beforeBytes < GROWTH_BYTES_MAX, 'memory stays flat');
    context.diagnostic(JSON.stringify(Object.fromEntries(statuses)));
    const known = new Set(['200', '400', '404', '405', '413', '414', '431', '505']);
    for (const status of statuses.keys()) assert.ok(known.has(status), `status ${status}`);
    assert.ok((statuses.get('200') ?? 0) > 1000 && (statuses.get('400') ?? 0) > 100);
    await answersRight(world);
  });
});

function scrapePacket(connectionId: Uint8Array): Buffer {
  const packet = Buffer.alloc(16);
  packet.set(connectionId);
  packet.writeUInt32BE(2, 8);
  return Buffer.concat([packet, Buffer.from(HASH, 'hex'), Buffer.from(HASH, 'hex')]);
}

function memoryBytes(): number {
  return process.memoryUsage().rss;
}

async function sendMutated(
  world: TestTracker,
  load: { readonly golden: readonly Uint8Array[]; readonly random: Random; readonly count: number },
): Promise<void> {
  const { golden, random, count } = load;
  const socket = createSocket('udp4');
  socket.unref();
  // In bursts that fit the kernel's buffer, so that the tracker sees nearly all of them.
  for (let sent = 0; sent < count; ) {
    const burst = Math.min(100, count - sent);
    await Promise.all(
      Array.from({ length: burst }, () => {
        const packet = mutate(golden[below(random, golden.length)]!, random);
        return new Promise((resolve) => socket.send(packet, world.port, '127.0.0.1', resolve));
      }),
    );
    sent += burst;
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.close();
}

/** Several damaged requests per connection, each read to its end. */
async function requestMutated(
  world: TestTracker,
  load: {
    readonly golden: readonly Uint8Array[];
    readonly random: Random;
    readonly count: number;
    readonly statuses: Map<string, number>;
  },
): Promise<void> {
  const { golden, random, count, statuses } = load;
  const PER_CONNECTION = 4;
  for (let sent = 0; sent < count; ) {
    const runs = Array.from({ length: 25 }, () => {
      const parts = Array.from({ length: PER_CONNECTION }, () =>
        mutate(golden[below(random, golden.length)]!, random),
      );
      return exchange(world.port, Buffer.concat(parts), statuses);
    });
    await Promise.all(runs);
    sent += 25 * PER_CONNECTION;
  }
}

function exchange(port: number, bytes: Buffer, statuses: Map<string, number>): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      for (const [, status] of text.matchAll(/HTTP\/1\.1 ([0-9]{3}) /g)) {
        statuses.set(status!, (statuses.get(status!) ?? 0) + 1);
      }
      resolve();
    });
    // Ends its side at once: what was asked is answered, what is unfinished is given up.
    socket.end(bytes);
  });
}
