// WebSocket through a reverse proxy: nginx in front of a tracker, set up as the guide says.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memberMessage, TestTracker, torrentMessage, until } from '#sim/test-tracker.ts';
import { binary, WsClient, wsAnnounce, wsOffers } from '#sim/ws-client.ts';
import { Nginx, nginxMissing } from './nginx.ts';

const HASH = '00112233445566778899aabbccddeeff01234567';
const ALICE = '-WW0104-alice.......';
const BOB = '-WW0104-bob.........';
const skip = nginxMissing() ?? false;

test('web clients meet through nginx, offers of real size pass, and who hangs up is gone', {
  skip,
}, async () => {
  const world = await TestTracker.start({ tracker: { webSocketPingIntervalMs: 200 } });
  const nginx = await Nginx.start(world.port);
  try {
    await world.tell(memberMessage(1, 'alice'), memberMessage(2, 'bob'), torrentMessage(1, HASH));
    const alice = await WsClient.open(nginx.port, '/alice/announce');
    assert.equal(alice.status, 101);
    await alice.ask(wsAnnounce(HASH, ALICE, { event: 'started', left: 0 }));
    const bob = await WsClient.open(nginx.port, '/bob/announce');
    const offers = wsOffers(10, 4000);
    const answer = await bob.ask(wsAnnounce(HASH, BOB, { event: 'started', offers }));
    assert.deepEqual([answer?.['complete'], answer?.['incomplete']], [1, 1]);
    const offer = await alice.next();
    assert.deepEqual(offer?.['offer'], offers[0]?.offer);
    alice.send({
      action: 'announce',
      info_hash: binary(HASH),
      peer_id: ALICE,
      to_peer_id: BOB,
      offer_id: offer?.['offer_id'],
      answer: { type: 'answer', sdp: 'a'.repeat(4000) },
    });
    assert.equal((await bob.next())?.['peer_id'], ALICE);
    await until(() => bob.pings > 1);
    const wrong = await WsClient.open(nginx.port, '/nobody/announce');
    const refused = await wrong.ask(wsAnnounce(HASH, BOB));
    assert.match(String(refused?.['failure reason']), /unknown passkey/);
    alice.close();
    await until(() => world.tracker.stats().swarm.peers === 1);
    bob.close();
    wrong.close();
    await until(() => world.tracker.stats().webSocket.connections === 0);
  } finally {
    await nginx.stop();
    await world.close();
  }
});
