// Connections of web clients, on trackers of their own: whose they are, how long they last, what they
// may cost.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { below, SeededRandom } from '#base/random.ts';
import { SimClock } from '#sim/clock.ts';
import { mutate } from '#sim/mutations.ts';
import { testSeed } from '#sim/seed.ts';
import { memberMessage, TestTracker, torrentMessage, until } from '#sim/test-tracker.ts';
import {
  binary,
  clientFrame,
  WsClient,
  type WsJson,
  wsAnnounce,
  wsOffers,
} from '#sim/ws-client.ts';
import { testSockets } from '#tracker/test-sockets.ts';

/** As configured unless told otherwise. */
const PING_INTERVAL_MS = 50_000;
const HASH = '00112233445566778899aabbccddeeff01234567';

function peerIdOf(name: string): string {
  return `-WW0104-${name.padEnd(12, '.')}`;
}

function answerTo(offer: WsJson | undefined, from: string, more: WsJson = {}): WsJson {
  return {
    action: 'announce',
    info_hash: binary(HASH),
    peer_id: peerIdOf(from),
    to_peer_id: offer?.['peer_id'],
    offer_id: offer?.['offer_id'],
    answer: { type: 'answer', sdp: 'v=0' },
    ...more,
  };
}
const HASH_2 = '99112233445566778899aabbccddeeff01234567';

/** The failure's words, or 'heard'. */
async function wordsOf(world: TestTracker, path: string, message: WsJson): Promise<string> {
  const client = await WsClient.open(world.port, path);
  const answer = await client.ask(message);
  client.close();
  return String(answer?.['failure reason'] ?? 'heard');
}

for (const { kind, openTcp, skip } of testSockets()) {
  describe(`web connections over ${kind} sockets`, { skip }, () => {
    async function withTracker(
      options: Parameters<typeof TestTracker.start>[0],
      run: (world: TestTracker) => Promise<void>,
    ): Promise<void> {
      const world = await TestTracker.start({ openTcp, ...options });
      try {
        await world.tell(
          memberMessage(1, 'alice'),
          memberMessage(2, 'bob'),
          torrentMessage(1, HASH),
        );
        await run(world);
      } finally {
        await world.close();
      }
    }

    test('T14: in open mode a claimed peer id neither takes over nor stops another’s peer', async () => {
      await withTracker({ tracker: { mode: 'open' } }, async (world) => {
        const owner = await WsClient.open(world.port, '/');
        const thief = await WsClient.open(world.port, '/announce');
        const asker = await WsClient.open(world.port, '/', { host: '::1' });
        const peer = peerIdOf('owner');
        assert.equal((await owner.ask(wsAnnounce(HASH, peer)))?.['incomplete'], 1);
        const theft = await thief.ask(wsAnnounce(HASH, peer));
        assert.match(String(theft?.['failure reason']), /by another connection/);
        await thief.ask(wsAnnounce(HASH, peer, { event: 'stopped' }));
        thief.close();
        await until(() => world.tracker.stats().webSocket.connections === 2);
        const { offers } = { offers: wsOffers(3) };
        await asker.ask(wsAnnounce(HASH, peerIdOf('asker'), { offers }));
        assert.equal((await owner.next())?.['offer_id'], offers[0]?.offer_id);
        // Answers of early ones are full where nobody is credited, but the offers of one set wait.
        const again = await asker.ask(wsAnnounce(HASH, peerIdOf('asker'), { offers: wsOffers(3) }));
        assert.match(String(again?.['warning message']), /under way/);
        owner.close();
        asker.close();
      });
    });

    test('an offer is answered in its time or not at all', async () => {
      await withTracker({ tracker: { webSocketOfferMsMax: 1000 } }, async (world) => {
        const alice = await WsClient.open(world.port, '/alice/announce');
        const bob = await WsClient.open(world.port, '/bob/announce');
        await alice.ask(wsAnnounce(HASH, peerIdOf('alice'), { event: 'started' }));
        const say = (more: WsJson): Promise<WsJson | undefined> =>
          bob.ask(
            wsAnnounce(HASH, peerIdOf('bob'), { event: 'started', offers: wsOffers(1), ...more }),
          );
        await say({});
        const offer = await alice.next();
        await new Promise((resolve) => setTimeout(resolve, 1100));
        alice.send(answerTo(offer, 'alice'));
        await until(() => world.tracker.stats().webSocket.stray === 1);
        assert.equal((await say({ uploaded: 1 }))?.['warning message'], undefined);
        assert.notEqual(await alice.next(), undefined, 'a new set goes out');
        alice.close();
        bob.close();
      });
    });

    test('pings are answered, and who answers none is dropped with its peers', async () => {
      const clock = new SimClock();
      await withTracker({ clock }, async (world) => {
        const alive = await WsClient.open(world.port, '/alice/announce');
        const silent = await WsClient.open(world.port, '/bob/announce');
        silent.answersPings = false;
        await alive.ask(wsAnnounce(HASH, peerIdOf('alive'), { event: 'started' }));
        await silent.ask(wsAnnounce(HASH, peerIdOf('silent'), { event: 'started' }));
        for (let ping = 1; !silent.isClosed; ping++) {
          await clock.run(PING_INTERVAL_MS);
          await until(() => alive.pings === ping && (silent.pings === ping || silent.isClosed));
          // The answer to a ping has arrived when what was sent after it is answered.
          await alive.ask({ action: 'scrape', info_hash: binary(HASH) });
        }
        assert.ok(silent.pings > 1);
        await until(() => world.tracker.stats().swarm.peers === 1);
        assert.equal(alive.isClosed, false);
        alive.close();
      });
    });

    test('a slow reader is dropped, and what waits for it is bounded', async () => {
      const tracker = { httpWriteMsMax: 300 };
      await withTracker({ tracker }, async (world) => {
        const slow = await WsClient.open(world.port, '/alice/announce');
        await slow.ask(wsAnnounce(HASH, peerIdOf('slow'), { event: 'started' }));
        slow.socket.pause();
        // Each answer is larger than what the system keeps for a socket divided by their number.
        const scrape = { action: 'scrape', info_hash: Array(100).fill(binary(HASH)) };
        const frame = clientFrame(1, Buffer.from(JSON.stringify(scrape)));
        const before = process.memoryUsage().arrayBuffers;
        for (let count = 0; count < 4000; count++) slow.socket.write(frame);
        await until(() => world.tracker.stats().webSocket.connections === 0);
        assert.equal(world.tracker.stats().swarm.peers, 0);
        assert.ok(process.memoryUsage().arrayBuffers - before < 64 * 1024 * 1024);
        slow.close();
      });
    });

    test('connections above the limit are refused, and none at all closes the door', async () => {
      await withTracker({ tracker: { webSocketConnectionsMax: 1 } }, async (world) => {
        const first = await WsClient.open(world.port, '/alice/announce');
        const second = await WsClient.open(world.port, '/alice/announce');
        assert.deepEqual([first.status, second.status], [101, 503]);
        first.close();
        await until(() => world.tracker.stats().webSocket.connections === 0);
        assert.equal((await WsClient.open(world.port, '/alice/announce')).status, 101);
      });
    });

    test('a connection that is gone when its answer is due is no peer', async () => {
      await withTracker({ accounting: { batchAgeMsMax: 200 } }, async (world) => {
        const alice = await WsClient.open(world.port, '/alice/announce');
        alice.send(wsAnnounce(HASH, peerIdOf('alice'), { event: 'started', offers: wsOffers(2) }));
        await until(() => world.tracker.stats().requests.announces === 1);
        alice.close();
        await until(() => world.tracker.stats().webSocket.connections === 0);
        await until(() => world.tracker.stats().waiting === 0);
        assert.equal(world.tracker.stats().swarm.peers, 0);
      });
    });

    test('web clients are told when the tracker goes away', async () => {
      let client: WsClient | undefined;
      await withTracker({}, async (world) => {
        client = await WsClient.open(world.port, '/alice/announce');
        await client.ask(wsAnnounce(HASH, peerIdOf('alice'), { event: 'started' }));
      });
      await client?.closed();
      assert.equal(client?.closeCode, 1001);
    });

    test('10,000 damaged frames end connections and nothing else', async (context) => {
      const random = new SeededRandom(testSeed(context, 7));
      // Who neither reads nor ends after a goodbye is dropped when it had time to.
      await withTracker({ tracker: { httpWriteMsMax: 1000 } }, async (world) => {
        const golden = [
          wsAnnounce(HASH, peerIdOf('fuzz'), { event: 'started', offers: wsOffers(2) }),
          answerTo({ offer_id: 'x'.repeat(20), peer_id: peerIdOf('fuzz') }, 'fuzz'),
          { action: 'scrape', info_hash: [binary(HASH)] },
        ].map((value) => Buffer.from(JSON.stringify(value)));
        let sent = 0;
        while (sent < 10_000) {
          const client = await WsClient.open(world.port, '/alice/announce');
          for (let count = 0; count < 250 && !client.isClosed; count++, sent++) {
            const payload = golden[below(random, golden.length)]!;
            const isInside = below(random, 4) > 0;
            const frame = clientFrame(1, isInside ? mutate(payload, random) : payload);
            client.socket.write(isInside ? frame : mutate(frame, random));
            if (count % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 1));
          }
          client.close();
        }
        await until(() => world.tracker.stats().webSocket.connections === 0);
        await until(() => world.tracker.stats().waiting === 0);
        assert.equal(world.tracker.stats().swarm.peers, 0);
        const after = await WsClient.open(world.port, '/bob/announce');
        const answer = await after.ask(wsAnnounce(HASH, peerIdOf('after'), { event: 'started' }));
        assert.equal(answer?.['incomplete'], 1);
        after.close();
      });
    });

    test('T16: every mode admits over WebSocket whom it admits elsewhere, and changes live', async () => {
      await withTracker({}, async (world) => {
        const known = wsAnnounce(HASH, peerIdOf('known'), { event: 'started' });
        const other = wsAnnounce(HASH_2, peerIdOf('other'), { event: 'started' });
        const scrape = { action: 'scrape', info_hash: binary(HASH) };
        const admitted = async (): Promise<string> => {
          const asked = [
            await wordsOf(world, '/', known),
            await wordsOf(world, '/', other),
            await wordsOf(world, '/announce', scrape),
            await wordsOf(world, '/alice/announce', known),
            await wordsOf(world, '/alice/announce', other),
          ];
          return asked.map((words) => (words === 'heard' ? 'x' : '-')).join('');
        };
        const lists = { clientsAllowed: [], clientsDenied: [] };
        assert.equal(await admitted(), '---x-', 'private');
        await world.tell({ kind: 'settings', mode: 'members', ...lists });
        assert.equal(await admitted(), '---xx', 'members');
        await world.tell({ kind: 'settings', mode: 'listed', ...lists });
        assert.equal(await admitted(), 'x-xx-', 'listed');
        await world.tell({ kind: 'settings', mode: 'open', ...lists });
        assert.equal(await admitted(), 'xxxxx', 'open');
        await world.tell({
          kind: 'settings',
          mode: 'open',
          clientsAllowed: [],
          clientsDenied: ['-WW'],
        });
        assert.match(await wordsOf(world, '/', known), /your client is not allowed/);
      });
    });
  });
}
