// The WebSocket door as web clients see it: real sockets, a real log, members and torrents through
// `control`.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { announceTarget, HttpClient } from '#sim/http-client.ts';
import { memberMessage, TestTracker, torrentMessage, until } from '#sim/test-tracker.ts';
import { UdpClient } from '#sim/udp-client.ts';
import {
  binary,
  clientFrame,
  WsClient,
  type WsJson,
  wsAnnounce,
  wsOffers,
} from '#sim/ws-client.ts';
import { testSockets } from '#tracker/test-sockets.ts';

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

for (const { kind, openTcp, skip } of testSockets()) {
  describe(`WebSocket on a private tracker with ${kind} sockets`, { skip }, () => {
    let world: TestTracker;
    const clients: WsClient[] = [];

    before(async () => {
      world = await TestTracker.start({ openTcp });
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

    test('refusals say why, in words, and leave the connection open', async () => {
      const words = async (path: string, more: WsJson = {}, hash = HASH): Promise<unknown> => {
        const client = await open(path);
        const answer = await client.ask(wsAnnounce(hash, peerIdOf('refused'), more));
        assert.equal(client.closeCode, 0);
        client.close();
        return answer?.['failure reason'];
      };
      assert.match(String(await words('/announce')), /has no passkey/);
      assert.match(String(await words('/')), /has no passkey/);
      assert.match(String(await words('/nobody/announce')), /unknown passkey/);
      assert.match(String(await words(`/${'x'.repeat(100)}/announce`)), /unknown passkey/);
      assert.equal(await words('/carol/announce'), 'your account is banned: sold invites');
      assert.equal(
        await words('/alice/announce', {}, HASH_2),
        'unregistered torrent: wrong quality',
      );
      assert.equal(await words('/alice/announce', { uploaded: undefined }), 'uploaded is missing');
      assert.match(
        String(await words('/alice/announce', { offers: wsOffers(11) })),
        /too many offers/,
      );
      assert.match(String(await words('/alice/announce', { info_hash: 'x' })), /info_hash must be/);
      const client = await open();
      assert.match(String((await client.ask('{'))?.['failure reason']), /not JSON/);
      const nobody = await open('/announce');
      const scrape = await nobody.ask({ action: 'scrape', info_hash: binary(HASH) });
      assert.match(String(scrape?.['failure reason']), /has no passkey/);
      assert.equal(scrape?.['action'], 'scrape');
      const empty = await client.ask({ action: 'scrape' });
      assert.match(String(empty?.['failure reason']), /must name an info_hash/);
      const many = await client.ask({ action: 'scrape', info_hash: Array(101).fill(binary(HASH)) });
      assert.match(String(many?.['failure reason']), /too many hashes/);
      assert.equal(world.tracker.stats().swarm.peers, 0);
    });

    test('an early announce is credited and warned of, and gets nobody', async () => {
      const alice = await open();
      await alice.ask(wsAnnounce(HASH, peerIdOf('alice'), { event: 'started' }));
      const bob = await open('/bob/announce');
      const peer = peerIdOf('early');
      await bob.ask(wsAnnounce(HASH, peer, { event: 'started' }));
      const early = await bob.ask(wsAnnounce(HASH, peer, { uploaded: 9, offers: wsOffers(5) }));
      assert.match(String(early?.['warning message']), /announced too early/);
      assert.equal(early?.['incomplete'], 2);
      assert.equal(await alice.next(50), undefined);
      assert.equal((await world.transfers()).at(-1)?.uploadedDelta, 9);
      alice.close();
      bob.close();
      await until(() => world.tracker.stats().swarm.peers === 0);
    });

    test('T7: at most one set of offers of a peer is under way', async () => {
      const alice = await open();
      await alice.ask(wsAnnounce(HASH, peerIdOf('alice'), { event: 'started' }));
      const bob = await open('/bob/announce');
      const say = (more: WsJson): Promise<WsJson | undefined> =>
        bob.ask(
          wsAnnounce(HASH, peerIdOf('bob'), { event: 'started', offers: wsOffers(5), ...more }),
        );
      await say({});
      const offer = await alice.next();
      const second = await say({ uploaded: 1 });
      assert.match(String(second?.['warning message']), /still under way/);
      assert.equal(await alice.next(50), undefined);
      alice.send(answerTo(offer, 'alice'));
      assert.deepEqual((await bob.next())?.['answer'], ANSWER);
      assert.equal((await say({ uploaded: 2 }))?.['warning message'], undefined);
      assert.notEqual((await alice.next())?.['offer_id'], undefined);
      // Who was to answer is gone, and with it the offer.
      alice.close();
      await until(() => world.tracker.stats().swarm.peers === 1);
      assert.equal((await say({ uploaded: 3 }))?.['warning message'], undefined);
      bob.close();
      await until(() => world.tracker.stats().swarm.peers === 0);
    });

    test('T14: answers in another’s name, to offers never made, or made once before, go nowhere', async () => {
      const alice = await open();
      const bob = await open('/bob/announce');
      const eve = await open('/bob/announce');
      await alice.ask(wsAnnounce(HASH, peerIdOf('alice'), { event: 'started' }));
      await eve.ask(wsAnnounce(HASH, peerIdOf('eve'), { event: 'started', left: 0 }));
      const offers = wsOffers(1);
      const strayBefore = world.tracker.stats().webSocket.stray;
      await bob.ask(wsAnnounce(HASH, peerIdOf('bob'), { event: 'started', left: 0, offers }));
      const offer = await alice.next();
      assert.equal(offer?.['offer_id'], offers[0]?.offer_id);
      // Eve knows everything about the offer but was not given it.
      eve.send(answerTo(offer, 'eve'));
      eve.send(answerTo(offer, 'alice'));
      alice.send(answerTo({ ...offer, offer_id: 'x'.repeat(20) }, 'alice'));
      alice.send(answerTo({ ...offer, peer_id: peerIdOf('eve') }, 'alice'));
      alice.send(answerTo(offer, 'alice', { info_hash: binary(HASH_2) }));
      await until(() => world.tracker.stats().webSocket.stray === strayBefore + 5);
      alice.send(answerTo(offer, 'alice'));
      assert.equal((await bob.next())?.['peer_id'], peerIdOf('alice'));
      alice.send(answerTo(offer, 'alice'));
      await until(() => world.tracker.stats().webSocket.stray === strayBefore + 6);
      assert.equal(await bob.next(50), undefined);
      for (const client of [alice, bob, eve]) client.close();
      await until(() => world.tracker.stats().swarm.peers === 0);
    });

    test('T14: a connection speaks only for the peers it announced', async () => {
      const alice = await open();
      const peer = peerIdOf('alice');
      await alice.ask(wsAnnounce(HASH, peer, { event: 'started' }));
      const second = await alice.ask(wsAnnounce(HASH, peerIdOf('other'), { event: 'started' }));
      assert.match(String(second?.['failure reason']), /another peer_id/);
      // Another member with the same id is another peer, and stops nobody but itself.
      const bob = await open('/bob/announce');
      await bob.ask(wsAnnounce(HASH, peer, { event: 'started' }));
      assert.equal(world.tracker.stats().swarm.peers, 2);
      await bob.ask(wsAnnounce(HASH, peer, { event: 'stopped' }));
      await bob.ask(wsAnnounce(HASH, peer, { event: 'stopped', uploaded: 1 }));
      assert.equal(world.tracker.stats().swarm.peers, 1);
      const eve = await open('/bob/announce');
      await eve.ask(wsAnnounce(HASH, peerIdOf('eve'), { event: 'started', offers: wsOffers(1) }));
      assert.equal((await alice.next())?.['peer_id'], peerIdOf('eve'));
      for (const client of [alice, bob, eve]) client.close();
      await until(() => world.tracker.stats().swarm.peers === 0);
    });

    test('a member who is banned gets no offers and gives no answers', async () => {
      const alice = await open();
      await alice.ask(wsAnnounce(HASH, peerIdOf('alice'), { event: 'started' }));
      const bob = await open('/bob/announce');
      const say = (more: WsJson): Promise<WsJson | undefined> =>
        bob.ask(
          wsAnnounce(HASH, peerIdOf('bob'), { event: 'started', offers: wsOffers(1), ...more }),
        );
      await say({});
      const offer = await alice.next();
      await world.tell(memberMessage(1, 'alice', { state: 'banned', reason: 'x' }));
      alice.send(answerTo(offer, 'alice'));
      assert.equal(await bob.next(50), undefined);
      await alice.closed();
      assert.equal(alice.isClosed, true, 'the connection ends with the ban');
      // What it had just sent may have made a reset of the end, which takes the words along.
      for (const told of alice.received) assert.match(String(told['failure reason']), /banned/);
      await until(() => world.tracker.stats().swarm.peers === 1);
      const answer = await say({ uploaded: 1 });
      assert.deepEqual([answer?.['complete'], answer?.['incomplete']], [0, 1]);
      await world.tell(memberMessage(1, 'alice'));
      for (const client of [alice, bob]) client.close();
      await until(() => world.tracker.stats().swarm.peers === 0);
    });

    test('S15: who is in a network that was banned is told so and let go at once, others stay', async () => {
      const near = await WsClient.open(world.port, '/alice/announce', {
        localAddress: '127.0.0.9',
      });
      clients.push(near);
      const far = await open('/bob/announce');
      await near.ask(wsAnnounce(HASH, peerIdOf('near'), { event: 'started' }));
      await far.ask(wsAnnounce(HASH, peerIdOf('far'), { event: 'started' }));
      const ban = { kind: 'address-ban', banId: 7, network: '127.0.0.9', reason: 'spam' } as const;
      await world.tell({ ...ban, state: 'active' });
      const told = await near.next();
      assert.match(String(told?.['failure reason']), /network is banned.*spam/);
      assert.equal(told?.['info_hash'], binary(HASH));
      await near.closed();
      assert.equal(near.isClosed, true);
      const answer = await far.ask(wsAnnounce(HASH, peerIdOf('far')));
      assert.deepEqual([answer?.['complete'], answer?.['incomplete']], [0, 1]);
      await world.tell({ ...ban, state: 'removed' });
      far.close();
      await until(() => world.tracker.stats().swarm.peers === 0);
    });

    test('handshakes that are none are refused, other upgrades ignored', async () => {
      const base = [
        'Connection: Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ];
      const status = async (path: string, headers: readonly string[]): Promise<WsClient> => {
        const client = await WsClient.open(world.port, path, { headers });
        client.close();
        return client;
      };
      const old = await status('/alice/announce', [...base, 'Sec-WebSocket-Version: 8']);
      assert.equal(old.status, 426);
      assert.match(old.head, /Sec-WebSocket-Version: 13/);
      const version = 'Sec-WebSocket-Version: 13';
      assert.equal((await status('/alice/announce', [...base.slice(0, 2), version])).status, 400);
      assert.equal((await status('/alice/other', [...base, version])).status, 404);
      assert.equal((await status('/alice/scrape', [...base, version])).status, 404);
      assert.equal((await status('/announce/alice?x=1', [...base, version])).status, 101);
      const h2c = ['Connection: Upgrade', 'Upgrade: h2c'];
      assert.equal((await status('/alice/announce', h2c)).status, 200);
    });

    test('a broken frame ends its connection and takes its peers along', async () => {
      const alice = await open();
      await alice.ask(wsAnnounce(HASH, peerIdOf('alice'), { event: 'started' }));
      alice.socket.write(Buffer.from('8105', 'hex'));
      await alice.closed();
      assert.equal(alice.closeCode, 1002);
      assert.equal(world.tracker.stats().swarm.peers, 0);
      const large = await open();
      large.socket.write(clientFrame(1, Buffer.alloc(131_073, 0x20)));
      await large.closed();
      assert.equal(large.closeCode, 1009);
      const polite = await open();
      polite.socket.write(clientFrame(9, Buffer.from('hi')));
      assert.deepEqual(await polite.next(), { pong: 'hi' });
      polite.socket.write(clientFrame(8, Buffer.from([0x03, 0xe8])));
      await polite.closed();
      assert.equal(polite.closeCode, 1000);
    });
  });
}
