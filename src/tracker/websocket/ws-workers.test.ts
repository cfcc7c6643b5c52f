// Web peers of two tracker threads, each with its own connections, over one swarm.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memberMessage, TestTracker, torrentMessage, until } from '#sim/test-tracker.ts';
import { binary, WsClient, wsAnnounce, wsOffers } from '#sim/ws-client.ts';
import { swarmConfig } from '#swarm/config.ts';
import { Swarm } from '#swarm/swarm.ts';
import type { WebRtcMessage, WebRtcRelay } from './webrtc-relay.ts';

const HASH = '00112233445566778899aabbccddeeff01234567';
const ALICE = '-WW0104-alice.......';
const BOB = '-WW0104-bob.........';
const ANSWER = { type: 'answer', sdp: 'v=0' };

test('offers and answers find peers whose connection another worker holds', async () => {
  const sizes = { peersMax: 1000, torrentsMax: 100, membersMax: 100 };
  const swarmMemory = Swarm.reserve(swarmConfig.parse(sizes));
  const relays = relaysOf(2);
  const worlds: TestTracker[] = [];
  try {
    for (const relay of relays) {
      const world = await TestTracker.start({ swarm: sizes, swarmMemory, relay });
      worlds.push(world);
      await world.tell(memberMessage(1, 'alice'), memberMessage(2, 'bob'), torrentMessage(1, HASH));
    }
    const [first, second] = worlds;
    assert.ok(first !== undefined && second !== undefined);
    const alice = await WsClient.open(first.port, '/alice/announce');
    await alice.ask(wsAnnounce(HASH, ALICE, { event: 'started', left: 0 }));
    const bob = await WsClient.open(second.port, '/bob/announce');
    const offers = wsOffers(5, 2000);
    await bob.ask(wsAnnounce(HASH, BOB, { event: 'started', offers }));
    const offer = await alice.next();
    assert.deepEqual(
      [offer?.['offer_id'], offer?.['peer_id'], offer?.['offer']],
      [offers[0]?.offer_id, BOB, offers[0]?.offer],
    );
    const answer = {
      action: 'announce',
      info_hash: binary(HASH),
      peer_id: ALICE,
      to_peer_id: BOB,
      offer_id: offer?.['offer_id'],
      answer: ANSWER,
    };
    alice.send(answer);
    assert.deepEqual((await bob.next())?.['answer'], ANSWER);
    alice.send(answer);
    await until(() => first.tracker.stats().webSocket.stray === 1);
    // An offer whose receiver goes away comes back, so that the next set may go out.
    await bob.ask(wsAnnounce(HASH, BOB, { event: 'started', uploaded: 1, offers: wsOffers(1) }));
    assert.notEqual(await alice.next(), undefined);
    alice.close();
    await until(() => second.tracker.stats().swarm.peers === 1);
    await until(() => first.tracker.stats().webSocket.connections === 0);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const again = { event: 'started', uploaded: 2, offers: wsOffers(1) };
    assert.equal((await bob.ask(wsAnnounce(HASH, BOB, again)))?.['warning message'], undefined);
    bob.close();
  } finally {
    for (const world of worlds) await world.close();
  }
});

/** Workers whose messages are copied and late, as those of threads are. */
function relaysOf(count: number): readonly WebRtcRelay[] {
  const receivers: ((connection: number, message: WebRtcMessage) => void)[] = [];
  return Array.from({ length: count }, (_, worker) => ({
    worker,
    sendTo: (to, message) => {
      const { byteLength } = message.description.buffer;
      assert.equal(byteLength, message.description.byteLength, 'no more is posted than is meant');
      const copy = structuredClone(message);
      setTimeout(() => receivers[to.worker]?.(to.connection, copy), 1);
    },
    onMessage: (receive) => {
      receivers[worker] = receive;
    },
  }));
}
