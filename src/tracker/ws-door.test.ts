// The WebSocket door as web clients see it: real sockets, a real log, members and torrents through
// `control`.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { announceTarget, HttpClient } from '#sim/http-client.ts';
import { memberMessage, TestTracker, torrentMessage, until } from '#sim/test-tracker.ts';
import { UdpClient } from '#sim/udp-client.ts';
import { binary, WsClient, type WsJson, wsAnnounce, wsOffers } from '#sim/ws-client.ts';

const HASH = '00112233445566778899aabbccddeeff01234567';
const HASH_2 = 'ff112233445566778899aabbccddeeff01234567';
const ANSWER = { type: 'answer', sdp: 'v=0\r\nanswer' };

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
    answer: ANSWER,
    ...more,
  };
}

describe('WebSocket on a private tracker', () => {
  let world: TestTracker;
  const clients: WsClient[] = [];

  before(async () => {
    world = await TestTracker.start();
    await world.tell(
      memberMessage(1, 'alice'),
      memberMessage(2, 'bob'),
      memberMessage(3, 'carol', { state: 'banned', reason: 'sold invites' }),
      torrentMessage(1, HASH),
      torrentMessage(2, HASH_2, { state: 'removed', reason: 'wrong quality' }),
    );
  });
  after(async () => {
    for (const client of clients) client.close();
    await world.close();
  });

  async function open(path = '/alice/announce'): Promise<WsClient> {
    const client = await WsClient.open(world.port, path);
    clients.push(client);
    return client;
  }

  test('an offer goes to a chosen peer, its answer back to the one that offered', async () => {
    const alice = await open();
    const first = await alice.ask(
      wsAnnounce(HASH, peerIdOf('alice'), { event: 'started', left: 0, offers: wsOffers(5) }),
    );
    assert.deepEqual(
      [first?.['action'], first?.['info_hash'], first?.['complete'], first?.['incomplete']],
      ['announce', binary(HASH), 1, 0],
    );
    assert.equal(first?.['min interval'], 300);
    const bob = await open('/announce/bob');
    const offers = wsOffers(5, 3000);
    const second = await bob.ask(wsAnnounce(HASH, peerIdOf('bob'), { event: 'started', offers }));
    assert.deepEqual([second?.['complete'], second?.['incomplete']], [1, 1]);
    const offer = await alice.next();
    assert.deepEqual(offer, {
      action: 'announce',
      info_hash: binary(HASH),
      peer_id: peerIdOf('bob'),
      offer_id: offers[0]?.offer_id,
      offer: offers[0]?.offer,
    });
    alice.send(answerTo(offer, 'alice'));
    assert.deepEqual(await bob.next(), {
      action: 'announce',
      info_hash: binary(HASH),
      peer_id: peerIdOf('alice'),
      offer_id: offers[0]?.offer_id,
      answer: ANSWER,
    });
    // Four of the offers had nobody to go to, and nobody is told of an answer.
    assert.equal(await alice.next(50), undefined);
    const { webSocket } = world.tracker.stats();
    assert.deepEqual([webSocket.offers, webSocket.answers, webSocket.stray], [1, 1, 0]);
    alice.close();
    bob.close();
    await until(() => world.tracker.stats().swarm.peers === 0);
  });

  test('web peers are counted with the others, and handed to none that cannot reach them', async () => {
    const alice = await open();
    await alice.ask(wsAnnounce(HASH, peerIdOf('alice'), { event: 'started' }));
    const udp = await UdpClient.open(world.port);
    await udp.connect();
    const peer = { infoHash: HASH, peerId: '-SK0001-udp.........', left: 9, port: 7001 };
    const answer = await udp.announce({ ...peer, event: 'started' }, '/bob/announce');
    assert.deepEqual([answer?.leechers, answer?.peers], [2, []]);
    const http = await HttpClient.open(world.port);
    const other = { ...peer, peerId: '-SK0001-http........', port: 7002 };
    const page = await http.get(announceTarget('/bob/announce', { ...other, event: 'started' }));
    assert.deepEqual(page.peers, ['127.0.0.1:7001']);
    const bob = await open('/bob/announce');
    const offers = wsOffers(5);
    const asked = await bob.ask(wsAnnounce(HASH, peerIdOf('bob'), { event: 'started', offers }));
    assert.equal(asked?.['incomplete'], 4);
    assert.equal((await alice.next())?.['offer_id'], offers[0]?.offer_id);
    assert.equal(await alice.next(50), undefined, 'one offer for the one web peer');
    const scrape = await bob.ask({ action: 'scrape', info_hash: [binary(HASH), binary(HASH_2)] });
    assert.deepEqual(scrape?.['files'], {
      [binary(HASH)]: { complete: 0, incomplete: 4, downloaded: 0, downloaders: 4 },
    });
    await udp.announce({ ...peer, event: 'stopped' }, '/bob/announce');
    await http.get(announceTarget('/bob/announce', { ...other, event: 'stopped' }));
    for (const client of [alice, bob]) client.close();
    http.close();
    await udp.close();
    await until(() => world.tracker.stats().swarm.peers === 0);
  });

  test('what a page moved is credited like any other client’s', async () => {
    const before = (await world.transfers()).length;
    const alice = await open();
    const peer = peerIdOf('credit');
    const say = (more: WsJson): Promise<WsJson | undefined> =>
      alice.ask(wsAnnounce(HASH, peer, more));
    await say({ event: 'started', uploaded: 5, downloaded: 7 });
    await say({ uploaded: 25, downloaded: 57, left: 50 });
    await say({ event: 'completed', uploaded: 30, downloaded: 107, left: 0 });
    await say({ event: 'stopped', uploaded: 40, downloaded: 107, left: 0 });
    const records = (await world.transfers()).slice(before);
    assert.deepEqual(
      records.map(({ door, uploadedDelta, downloadedDelta, family }) => [
        door,
        uploadedDelta,
        downloadedDelta,
        family,
      ]),
      [
        [2, 0, 0, 4],
        [2, 20, 50, 4],
        [2, 5, 50, 4],
        [2, 10, 0, 4],
      ],
    );
    assert.equal(world.tracker.stats().swarm.peers, 0);
    alice.close();
  });
});
