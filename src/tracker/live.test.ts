// Changes from the site take hold while clients announce, and nobody speaks for another's peer.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#sim/clock.ts';
import { announceTarget, HttpClient, scrapeTarget } from '#sim/http-client.ts';
import { memberMessage, TestTracker, torrentMessage, until } from '#sim/test-tracker.ts';
import { type ClientAnnounce, UdpClient } from '#sim/udp-client.ts';
import type { SettingsMessage } from '#wire/control-message.ts';

const HASH = '00112233445566778899aabbccddeeff01234567';
const OTHER_HASH = '99112233445566778899aabbccddeeff01234567';

function announceOf(peer: string, more: Partial<ClientAnnounce> = {}): ClientAnnounce {
  return { infoHash: HASH, peerId: `-SK0001-${peer.padEnd(12, '.')}`, left: 9, ...more };
}

function settings(more: Partial<SettingsMessage>): SettingsMessage {
  return { kind: 'settings', mode: 'private', clientsAllowed: [], clientsDenied: [], ...more };
}

interface Place {
  readonly world: TestTracker;
  readonly udp: UdpClient;
  readonly http: HttpClient;
}

async function withTracker(
  run: (place: Place) => Promise<void>,
  options: Parameters<typeof TestTracker.start>[0] = {},
): Promise<void> {
  const world = await TestTracker.start(options);
  const udp = await UdpClient.open(world.port);
  const http = await HttpClient.open(world.port);
  try {
    await udp.connect();
    await world.tell(memberMessage(1, 'alice'), memberMessage(2, 'bob'), torrentMessage(1, HASH));
    await run({ world, udp, http });
  } finally {
    http.close();
    await udp.close();
    await world.close();
  }
}

test('a ban, an unban and a reset passkey are in force within a second', async () => {
  // By this clock no second passes: nothing waits for a timer.
  const clock = new SimClock();
  await withTracker(
    async ({ world, udp }) => {
      const peer = announceOf('live', { event: 'started' });
      assert.equal((await udp.announce(peer, '/alice/announce'))?.action, 'announce');
      await world.tell(memberMessage(1, 'alice', { state: 'banned', reason: 'trading' }));
      const banned = await udp.announce(peer, '/alice/announce');
      assert.equal(banned?.error, 'your account is banned: trading');
      await world.tell(memberMessage(1, 'alice'));
      assert.equal((await udp.announce(peer, '/alice/announce'))?.action, 'announce');
      await world.tell(memberMessage(1, 'alice-2'));
      assert.match((await udp.announce(peer, '/alice/announce'))?.error ?? '', /unknown passkey/);
      assert.equal((await udp.announce(peer, '/alice-2/announce'))?.action, 'announce');
      await world.tell(memberMessage(1, 'alice-2', { state: 'removed', reason: 'asked for it' }));
      const removed = await udp.announce(peer, '/alice-2/announce');
      assert.equal(removed?.error, 'your account was removed: asked for it');
    },
    { clock },
  );
});

test('T16: the peers of a banned, a removed and a reset member leave at once', async () => {
  const clock = new SimClock();
  await withTracker(
    async ({ world, udp }) => {
      const peer = announceOf('leaves', { event: 'started' });
      const banned = memberMessage(1, 'alice', { state: 'banned', reason: 'trading' });
      const removed = memberMessage(1, 'alice', { state: 'removed' });
      for (const change of [banned, memberMessage(1, 'alice-2'), removed]) {
        await world.tell(memberMessage(1, 'alice'));
        // It may have replaced a key, whose peers leave in the next moments.
        await clock.run(1000);
        assert.equal((await udp.announce(peer, '/alice/announce'))?.action, 'announce');
        assert.equal(world.swarm.totals().peers, 1);
        await world.tell(change);
        await clock.run(1000);
        assert.equal(world.swarm.totals().peers, 0);
      }
    },
    { clock },
  );
});

test('S15: whoever announces next is given no address of a member who was banned or erased', async () => {
  await withTracker(async ({ world, udp, http }) => {
    const alice = announceOf('alice', { event: 'started', left: 0, port: 7101 });
    const bob = announceOf('bob', { event: 'started', port: 7102 });
    const given = async (): Promise<readonly (readonly string[])[]> => {
      const byUdp = await udp.announce(bob, '/bob/announce');
      const byHttp = await http.get(announceTarget('/bob/announce', bob));
      return [byUdp?.peers ?? [], byHttp.peers];
    };
    for (const state of ['banned', 'removed'] as const) {
      await world.tell(memberMessage(1, 'alice'));
      assert.equal((await udp.announce(alice, '/alice/announce'))?.action, 'announce');
      assert.deepEqual(await given(), [['127.0.0.1:7101'], ['127.0.0.1:7101']]);
      await world.tell(memberMessage(1, 'alice', { state }));
      await until(() => world.swarm.totals().peers === 1);
      assert.deepEqual(await given(), [[], []]);
    }
  });
});

test('a torrent that is added, removed and added again is served accordingly', async () => {
  await withTracker(async ({ world, udp, http }) => {
    const peer = announceOf('torrent', { infoHash: OTHER_HASH, event: 'started' });
    assert.equal((await udp.announce(peer, '/alice/announce'))?.error, 'unregistered torrent');
    await world.tell(torrentMessage(7, OTHER_HASH));
    assert.equal((await udp.announce(peer, '/alice/announce'))?.leechers, 1);
    await world.tell(torrentMessage(7, OTHER_HASH, { state: 'removed', reason: 'dead link' }));
    const words = 'unregistered torrent: dead link';
    assert.equal((await udp.announce(peer, '/alice/announce'))?.error, words);
    assert.equal((await http.get(announceTarget('/alice/announce', peer))).failure, words);
    await world.tell(torrentMessage(8, OTHER_HASH));
    assert.equal((await udp.announce(peer, '/alice/announce'))?.leechers, 1);
    // A late repetition of the old removal must not take the new torrent down.
    await world.tell(torrentMessage(7, OTHER_HASH, { state: 'removed', reason: 'dead link' }));
    assert.equal((await udp.announce(peer, '/alice/announce'))?.action, 'announce');
  });
});

test('what a packet overtaken by its `stopped` says brings nobody back', async () => {
  await withTracker(async ({ world, udp }) => {
    const peers = ['v', 'w', 'x', 'y', 'z'].map((name, at) =>
      announceOf(name, { key: 7, port: 7000 + at }),
    );
    for (const peer of peers) {
      const says = (changes: Partial<ClientAnnounce>) =>
        udp.announce({ ...peer, ...changes }, '/alice/announce');
      await says({ event: 'started' });
      await says({ uploaded: 1000 });
      await says({ uploaded: 2000, event: 'stopped' });
      for (const uploaded of [1000, 2000]) {
        assert.equal((await says({ uploaded }))?.leechers, 0, `a late packet of ${uploaded}`);
      }
    }
    assert.equal(world.swarm.totals().peers, 0);
    // Nor does it keep its member from coming again, with the same key or with progress.
    const again = await udp.announce({ ...peers[0]!, event: 'started' }, '/alice/announce');
    assert.equal(again?.leechers, 1);
    const onward = await udp.announce({ ...peers[1]!, uploaded: 2001 }, '/alice/announce');
    assert.equal(onward?.leechers, 2);
    await udp.announce({ ...peers[2]!, uploaded: 1000 }, '/alice/announce');
    const records = await world.transfers();
    const credited = records.reduce((sum, record) => sum + record.uploadedDelta, 0);
    assert.equal(credited, 5 * 2000 + 1);
  });
});

test('clients are allowed and denied by the start of their peer id, deny wins', async () => {
  await withTracker(async ({ world, udp, http }) => {
    const bad: ClientAnnounce = { ...announceOf('x'), peerId: '-BAD100-aaaaaaaaaaaa' };
    const good: ClientAnnounce = { ...announceOf('x'), peerId: '-TR3000-aaaaaaaaaaaa' };
    await world.tell(settings({ clientsDenied: ['-BAD'] }));
    const denied = await http.get(announceTarget('/alice/announce', bad));
    assert.match(denied.failure, /not allowed here/);
    assert.equal((await udp.announce(good, '/alice/announce'))?.action, 'announce');
    await world.tell(settings({ clientsAllowed: ['-BAD', '-qB'], clientsDenied: ['-BAD'] }));
    assert.match((await udp.announce(bad, '/alice/announce'))?.error ?? '', /not allowed here/);
    assert.match((await udp.announce(good, '/alice/announce'))?.error ?? '', /list of allowed/);
  });
});

test('nobody announces from a banned network, by whatever door and passkey, until the ban ends', async () => {
  await withTracker(async ({ world, udp, http }) => {
    const peer = announceOf('here');
    const ban = { kind: 'address-ban', banId: 1, network: '127.0.0.0/8', reason: 'spam' } as const;
    await world.tell({ ...ban, state: 'active' });
    const refused = await http.get(announceTarget('/alice/announce', peer));
    assert.equal(refused.failure, 'your network is banned here: spam');
    const words = (await udp.announce(peer, '/bob/announce'))?.error;
    assert.equal(words, 'your network is banned here: spam');
    await world.tell({ ...ban, state: 'removed' });
    assert.equal((await udp.announce(peer, '/bob/announce'))?.action, 'announce');
  });
});

test('credit percentages of the moment stand in the record', async () => {
  await withTracker(async ({ world, udp }) => {
    const peer = announceOf('free');
    await udp.announce({ ...peer, event: 'started' }, '/alice/announce');
    await world.tell(
      torrentMessage(1, HASH, { downloadCreditPercent: 0, uploadCreditPercent: 200 }),
    );
    await udp.announce({ ...peer, downloaded: 10, uploaded: 4 }, '/alice/announce');
    const [first, second] = await world.transfers();
    assert.deepEqual([first?.downloadCreditPercent, first?.uploadCreditPercent], [100, 100]);
    assert.deepEqual([second?.downloadCreditPercent, second?.uploadCreditPercent], [0, 200]);
    // The swarm was not emptied by the change.
    assert.equal(world.tracker.stats().swarm.peers, 1);
  });
});

test('listed mode: anyone announces registered torrents, a given passkey is still accounted', async () => {
  await withTracker(
    async ({ world, udp, http }) => {
      const seeder = announceOf('anyone', { event: 'started', left: 0, port: 7001 });
      assert.equal((await udp.announce(seeder))?.seeders, 1);
      const leecher = announceOf('leecher', { event: 'started', port: 7002 });
      const answer = await http.get(announceTarget('/announce', leecher));
      assert.deepEqual(answer.peers, ['127.0.0.1:7001']);
      assert.equal((await world.transfers()).length, 0);
      const member = announceOf('member', { event: 'started', port: 7003 });
      await udp.announce(member, '/alice/announce');
      assert.equal((await world.transfers())[0]?.memberId, 1);
      assert.match((await udp.announce(member, '/wrong/announce'))?.error ?? '', /unknown passkey/);
      const unknown = announceOf('u', { infoHash: OTHER_HASH });
      assert.equal((await udp.announce(unknown))?.error, 'unregistered torrent');
      // An early announce is answered in full, and everybody may scrape.
      assert.equal((await udp.announce({ ...leecher, event: 'none' }))?.peers.length, 2);
      const other = await UdpClient.open(world.port, '127.0.0.2', '127.0.0.1');
      await other.connect();
      assert.equal((await other.scrape([HASH]))?.action, 'scrape');
      await other.close();
      assert.ok((await http.get(scrapeTarget('/scrape', [HASH]))).fields.has('files'));
    },
    { tracker: { mode: 'listed' } },
  );
});

test("listed mode: nobody's completion is one record for the counts, whoever says it twice", async () => {
  await withTracker(
    async ({ world, udp }) => {
      const peer = announceOf('done', { port: 7100 });
      await udp.announce({ ...peer, event: 'started' });
      const done = { ...peer, event: 'completed', left: 0, downloaded: 9 } as const;
      await udp.announce(done);
      await udp.announce(done);
      const records = await world.transfers();
      assert.deepEqual(
        records.map((record) => [record.memberId, record.torrentId, record.downloadedDelta]),
        [[0, 1, 0]],
      );
      // Nobody's address is written down.
      assert.equal(records[0]?.family, 0);
    },
    { tracker: { mode: 'listed' } },
  );
});

test('listed mode: dictionary answers are given to who asks for them', async () => {
  await withTracker(
    async ({ udp, http }) => {
      await udp.announce(announceOf('seen', { event: 'started', left: 0, port: 7001 }));
      const target = announceTarget('/announce', announceOf('dict', { event: 'started' }));
      const answer = await http.get(target.replace('compact=1', 'compact=0'));
      const [peer] = answer.fields.get('peers') as readonly ReadonlyMap<string, Buffer | number>[];
      assert.equal(String(peer?.get('ip')), '127.0.0.1');
      assert.equal(peer?.get('port'), 7001);
    },
    { tracker: { mode: 'listed' } },
  );
});

test('open mode serves any torrent and forgets it when its last peer left', async () => {
  await withTracker(
    async ({ world, udp }) => {
      const peer = announceOf('open', { infoHash: OTHER_HASH, event: 'started' });
      assert.equal((await udp.announce(peer))?.leechers, 1);
      assert.equal((await udp.announce(announceOf('two', { ...peer, port: 7002 })))?.leechers, 2);
      assert.equal((await udp.scrape([OTHER_HASH]))?.bytes.readUInt32BE(16), 2);
      await udp.announce({ ...peer, event: 'stopped' });
      await udp.announce({ ...peer, port: 7002, event: 'stopped' });
      await until(() => world.tracker.stats().swarm.torrents === 1);
    },
    { tracker: { mode: 'open', sweepIntervalMs: 20 } },
  );
});

test('members mode serves any torrent to members, accounted, and nobody else', async () => {
  await withTracker(
    async ({ world, udp }) => {
      const peer = announceOf('any', { infoHash: OTHER_HASH });
      assert.match((await udp.announce(peer))?.error ?? '', /no passkey/);
      await udp.announce({ ...peer, event: 'started' }, '/alice/announce');
      await udp.announce({ ...peer, event: 'stopped', uploaded: 11 }, '/alice/announce');
      const records = await world.transfers();
      assert.deepEqual(
        records.map((record) => record.uploadedDelta),
        [0, 11],
      );
      assert.ok(records.every((record) => record.torrentId >= 0x8000_0000));
    },
    { tracker: { mode: 'members' } },
  );
});

test('a start by a second family that was long on its way is no restart, one by the first is', async () => {
  await withTracker(async ({ world, udp }) => {
    const six = await UdpClient.open(world.port, '::1');
    await six.connect();
    const peer = announceOf('slow', { key: 5 });
    let moved = 0;
    for (const uploaded of [600, 700]) {
      await udp.announce({ ...peer, event: 'started' }, '/alice/announce');
      const done = { ...peer, event: 'completed', uploaded: 500, left: 0 } as const;
      await udp.announce(done, '/alice/announce');
      await six.announce({ ...peer, event: 'started' }, '/alice/announce');
      const stop = { ...peer, event: 'stopped', uploaded, left: 0 } as const;
      await udp.announce(stop, '/alice/announce');
      await six.announce(stop, '/alice/announce');
      const credited = (await world.transfers()).reduce((sum, each) => sum + each.uploadedDelta, 0);
      moved += uploaded;
      assert.equal(credited, moved);
    }
    await six.close();
  });
});

test('a goodbye of the session before ends nobody, whatever key it has, and is answered', async () => {
  await withTracker(async ({ world, udp }) => {
    for (const keys of [
      [5, 5],
      [5, 6],
    ] as const) {
      const peer = announceOf(`again${keys[1]}`, { left: 0, port: 7001 });
      const before = { ...peer, key: keys[0] };
      const now = { ...peer, key: keys[1] };
      const goodbye = { ...before, event: 'stopped', uploaded: 1000 } as const;
      await udp.announce({ ...before, event: 'started' }, '/alice/announce');
      await udp.announce({ ...before, uploaded: 1000 }, '/alice/announce');
      await udp.announce(goodbye, '/alice/announce');
      await udp.announce({ ...now, event: 'started' }, '/alice/announce');
      assert.equal((await udp.announce(goodbye, '/alice/announce'))?.action, 'announce');
      const watch = announceOf('watch', { event: 'started' });
      const seen = await udp.announce(watch, '/bob/announce');
      assert.ok(seen?.peers.includes('127.0.0.1:7001'), 'it is there');
      await udp.announce({ ...now, event: 'stopped', uploaded: 70 }, '/alice/announce');
      const gone = await udp.announce({ ...watch, event: 'none' }, '/bob/announce');
      assert.deepEqual(gone?.peers, [], 'its own goodbye ends it');
    }
    const credited = (await world.transfers()).reduce((sum, each) => sum + each.uploadedDelta, 0);
    assert.equal(credited, 2 * 1070);
  });
});

test("nobody stops, takes over or speaks for another member's peer", async () => {
  await withTracker(async ({ world, udp }) => {
    const owner = announceOf('owner', { event: 'started', left: 0, port: 7001 });
    await udp.announce(owner, '/alice/announce');
    // The same peer id, from another member: another peer altogether.
    const thief = await UdpClient.open(world.port, '127.0.0.3', '127.0.0.1');
    await thief.connect();
    await thief.announce({ ...owner, event: 'stopped', uploaded: 5000 }, '/bob/announce');
    await thief.announce({ ...owner, event: 'started', left: 9, port: 6666 }, '/bob/announce');
    const seen = await udp.announce(announceOf('watch', { event: 'started' }), '/bob/announce');
    assert.ok(seen?.peers.includes('127.0.0.1:7001'));
    await udp.announce({ ...owner, event: 'none', uploaded: 100 }, '/alice/announce');
    const credited = (await world.transfers()).filter((record) => record.uploadedDelta > 0);
    assert.deepEqual(
      credited.map((record) => [record.memberId, record.uploadedDelta]),
      [[1, 100]],
    );
    await thief.close();
  });
});

test('open mode: another address cannot stop a peer whose id it knows', async () => {
  await withTracker(
    async ({ world, udp }) => {
      const owner = announceOf('owner', { event: 'started', left: 0, port: 7001 });
      await udp.announce(owner);
      const thief = await UdpClient.open(world.port, '127.0.0.3', '127.0.0.1');
      await thief.connect();
      assert.equal((await thief.announce({ ...owner, event: 'stopped' }))?.seeders, 1);
      await thief.close();
    },
    { tracker: { mode: 'open' } },
  );
});

test('the address comes from the socket: `ip`, X-Forwarded-For and the IP field are ignored', async () => {
  await withTracker(async ({ udp, http }) => {
    const liar = announceOf('liar', { event: 'started', left: 0, port: 7001 });
    const target = announceTarget('/alice/announce', liar, '&ip=203.0.113.7');
    http.send(`GET ${target} HTTP/1.1\r\nHost: t\r\nX-Forwarded-For: 203.0.113.8\r\n\r\n`);
    assert.equal((await http.answer()).failure, '');
    const packet = udp.announcePacket({ ...liar, port: 7002 }, '/alice/announce');
    packet.writeUInt32BE(0xcb007109, 84);
    await udp.ask(packet);
    const seen = await udp.announce(announceOf('watch', { event: 'started' }), '/bob/announce');
    assert.deepEqual(seen?.peers, ['127.0.0.1:7002']);
  });
});

test('a connection id is good at its own address only, and over a restart', async () => {
  await withTracker(async ({ world, udp }) => {
    const peer = announceOf('moved', { event: 'started' });
    const other = await UdpClient.open(world.port, '127.0.0.4', '127.0.0.1');
    other.connectionId = udp.connectionId;
    assert.equal((await other.announce(peer, '/alice/announce'))?.error, 'connection id expired');
    await other.close();
    await world.restart();
    const again = await UdpClient.open(world.port);
    again.connectionId = udp.connectionId;
    assert.equal((await again.announce(peer, '/alice/announce'))?.action, 'announce');
    await again.close();
  });
});

test('an unproven address gets no answer longer than its question, and not many', async () => {
  await withTracker(
    async ({ udp }) => {
      const answers: Buffer[] = [];
      udp.onMessage((bytes) => answers.push(bytes));
      udp.connectionId = Buffer.alloc(8);
      const packet = udp.announcePacket(
        announceOf('storm', { event: 'started' }),
        '/alice/announce',
      );
      const scrape = Buffer.alloc(36);
      scrape.writeUInt32BE(2, 8);
      for (let index = 0; index < 100; index++) udp.send(index % 2 === 0 ? packet : scrape);
      udp.connectionId = Buffer.alloc(8);
      await udp.connect();
      const errors = answers.filter((bytes) => bytes.readUInt32BE(0) === 3);
      assert.equal(errors.length, 20);
      assert.ok(errors.every((bytes) => bytes.byteLength <= 36));
    },
    { tracker: { staleAnswersPerAddressMax: 20 } },
  );
});

test('after a restart the same members, torrents, settings and baselines are there', async () => {
  await withTracker(async ({ world, udp }) => {
    await world.tell(settings({ clientsDenied: ['-BAD'] }));
    const peer = announceOf('kept', { port: 7001 });
    await udp.announce({ ...peer, event: 'started', uploaded: 100 }, '/alice/announce');
    await udp.announce({ ...peer, uploaded: 150 }, '/alice/announce');
    await world.restart();
    const again = await UdpClient.open(world.port);
    await again.connect();
    // A plain announce after the restart carries what was moved meanwhile.
    await again.announce({ ...peer, uploaded: 400 }, '/alice/announce');
    const records = await world.transfers();
    assert.deepEqual(
      records.map((record) => record.uploadedDelta),
      [0, 50, 250],
    );
    assert.deepEqual(
      records.map((record) => record.sequence),
      [1, 2, 3],
    );
    const bad = { ...peer, peerId: '-BAD100-aaaaaaaaaaaa' };
    assert.match((await again.announce(bad, '/alice/announce'))?.error ?? '', /not allowed here/);
    await again.close();
  });
});

test('settings that contradict each other are refused by name', async () => {
  await assert.rejects(
    TestTracker.start({ tracker: { announceIntervalMs: 60_000 } }),
    /announceIntervalMs 60000 .*swarm.announceIntervalMsMin 300000/,
  );
  await assert.rejects(
    TestTracker.start({ tracker: { announceIntervalMs: 3_600_000 } }),
    /announceIntervalMs 3600000 .*swarm.peerAgeMsMax/,
  );
});

test('a port that is taken ends the start with its name, and nothing stays open', async () => {
  const world = await TestTracker.start();
  await assert.rejects(
    TestTracker.start({ tracker: { port: world.port } }),
    new RegExp(`UDP 127\\.0\\.0\\.1:${world.port}`),
  );
  await world.close();
});
