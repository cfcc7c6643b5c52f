// The tracker as clients see it: real sockets, a real log, members and torrents through `control`.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { RECORD_FLAG } from '#accounting/transfers/transfer-record.ts';
import { announceTarget, HttpClient, scrapeTarget } from '#sim/http-client.ts';
import { memberMessage, TestTracker, torrentMessage, until } from '#sim/test-tracker.ts';
import { type ClientAnnounce, UdpClient } from '#sim/udp-client.ts';

const HASH = '00112233445566778899aabbccddeeff01234567';
const HASH_2 = 'ff112233445566778899aabbccddeeff01234567';
const HYBRID_V1 = 'aa112233445566778899aabbccddeeff01234567';
const HYBRID_V2 = 'bb112233445566778899aabbccddeeff01234567';

function announceOf(peer: string, more: Partial<ClientAnnounce> = {}): ClientAnnounce {
  return { infoHash: HASH, peerId: `-SK0001-${peer.padEnd(12, '.')}`, ...more };
}

describe('a private tracker', () => {
  let world: TestTracker;
  let udp: UdpClient;

  before(async () => {
    world = await TestTracker.start();
    await world.tell(
      memberMessage(1, 'alice'),
      memberMessage(2, 'bob'),
      memberMessage(3, 'carol', { state: 'banned', reason: 'sold  invites\n' }),
      memberMessage(4, 'dora', { mayLeech: false }),
      memberMessage(5, 'protected', { isProtected: true }),
      torrentMessage(1, HASH),
      torrentMessage(2, HASH_2, { state: 'removed', reason: 'wrong quality' }),
      torrentMessage(3, HYBRID_V1, { infoHashV2: HYBRID_V2 }),
      { kind: 'download-key', key: 'leak', memberId: 2, torrentId: 3, state: 'active' },
    );
    udp = await UdpClient.open(world.port);
    await udp.connect();
  });
  after(async () => {
    await udp.close();
    await world.close();
  });

  test('a peer that came by UDP is handed to one that asks by HTTP, and the other way round', async () => {
    const seeder = announceOf('seeder', { event: 'started', left: 0, port: 7001 });
    const first = await udp.announce(seeder, '/alice/announce');
    assert.equal(first?.action, 'announce');
    assert.deepEqual([first.seeders, first.leechers, first.peers.length], [1, 0, 0]);
    const http = await HttpClient.open(world.port);
    const leecher = announceOf('leecher', { event: 'started', left: 500, port: 7002 });
    const second = await http.get(announceTarget('/bob/announce', leecher));
    assert.equal(second.status, 200);
    assert.equal(second.headers.get('content-type'), 'text/plain');
    assert.deepEqual(second.peers, ['127.0.0.1:7001']);
    assert.equal(second.fields.get('complete'), 1);
    assert.equal(second.fields.get('incomplete'), 1);
    assert.deepEqual(second.fields.get('external ip'), Buffer.from([127, 0, 0, 1]));
    const again = await udp.announce({ ...seeder, uploaded: 9 }, '/alice/announce');
    assert.deepEqual(again?.peers, ['127.0.0.1:7002']);
    await http.get(announceTarget('/bob/announce', { ...leecher, event: 'stopped' }));
    await udp.announce({ ...seeder, event: 'stopped', uploaded: 9 }, '/alice/announce');
    http.close();
  });

  test('every announce is one record, and what was moved between two is its delta', async () => {
    const before = (await world.transfers()).length;
    const peer = announceOf('delta', { left: 100 });
    await udp.announce(
      { ...peer, event: 'started', uploaded: 5, downloaded: 7 },
      '/alice/announce',
    );
    await udp.announce({ ...peer, uploaded: 25, downloaded: 57, left: 50 }, '/alice/announce');
    await udp.announce(
      { ...peer, event: 'completed', uploaded: 30, downloaded: 107, left: 0 },
      '/alice/announce',
    );
    await udp.announce(
      { ...peer, event: 'stopped', uploaded: 31, downloaded: 107, left: 0 },
      '/alice/announce',
    );
    const records = (await world.transfers()).slice(before);
    const seen = records.map((record) => [
      record.sequence,
      record.uploadedDelta,
      record.downloadedDelta,
      record.flags,
    ]);
    assert.deepEqual(seen, [
      [1, 0, 0, RECORD_FLAG.first],
      [2, 20, 50, 0],
      [3, 5, 50, RECORD_FLAG.completes],
      [4, 1, 0, RECORD_FLAG.seededBefore],
    ]);
    assert.ok(records.every((record) => record.memberId === 1 && record.torrentId === 1));
    assert.ok(records.every((record) => record.family === 4 && record.port === 6881));
  });

  test('the address of a protected member is not in the record', async () => {
    await udp.announce(announceOf('hidden', { event: 'started' }), '/protected/announce');
    const record = (await world.transfers()).at(-1);
    assert.equal(record?.memberId, 5);
    assert.deepEqual([record.family, record.port], [0, 0]);
    assert.deepEqual([...record.address], new Array(16).fill(0));
    assert.notEqual(record.flags & RECORD_FLAG.addressRemoved, 0);
    await udp.announce(announceOf('hidden', { event: 'stopped' }), '/protected/announce');
  });

  const refusals: readonly (readonly [string, string, Partial<ClientAnnounce>, RegExp])[] = [
    ['an unknown passkey', '/nobody/announce', {}, /unknown passkey/],
    ['a banned member, with the reason', '/carol/announce', {}, /banned: sold invites$/],
    ['a member who may not leech', '/dora/announce', { left: 5 }, /may not download/],
    ['an unregistered torrent', '/alice/announce', { infoHash: '12'.repeat(20) }, /^unregistered/],
    [
      'a removed torrent, with the reason',
      '/alice/announce',
      { infoHash: HASH_2 },
      /^unregistered torrent: wrong quality$/,
    ],
    ['a download key of another torrent', '/leak/announce', {}, /made for another torrent/],
    ['port 0', '/alice/announce', { port: 0 }, /port 0/],
  ];
  for (const [what, path, more, words] of refusals) {
    test(`${what} is refused in words on both doors`, async () => {
      const announce = announceOf('refused', { event: 'started', left: 0, ...more });
      const byUdp = await udp.announce(announce, path);
      assert.equal(byUdp?.action, 'error');
      assert.match(byUdp.error, words);
      const http = await HttpClient.open(world.port);
      const byHttp = await http.get(announceTarget(path, announce));
      assert.equal(byHttp.status, 200);
      assert.match(byHttp.failure, words);
      // A refusal keeps the connection.
      assert.match((await http.get(announceTarget(path, announce))).failure, words);
      http.close();
    });
  }

  test('no passkey is refused: over UDP with the advice to use the HTTP URL', async () => {
    assert.match(
      (await udp.announce(announceOf('none')))?.error ?? '',
      /use the HTTP announce URL/,
    );
    const plain = await udp.announce(announceOf('none'), '/announce');
    assert.match(plain?.error ?? '', /use the HTTP announce URL/);
    const http = await HttpClient.open(world.port);
    const answer = await http.get(announceTarget('/announce', announceOf('none')));
    assert.match(answer.failure, /no passkey/);
    http.close();
  });

  test('a passkey that cannot be one is unknown, not missing', async () => {
    const path = `/${'x'.repeat(65)}/announce`;
    assert.match((await udp.announce(announceOf('long'), path))?.error ?? '', /unknown passkey/);
  });

  test('the passkey may stand behind the word announce, on both doors', async () => {
    const peer = announceOf('spelled', { event: 'started' });
    assert.equal((await udp.announce(peer, '/announce/alice'))?.action, 'announce');
    const http = await HttpClient.open(world.port);
    assert.equal((await http.get(announceTarget('/announce/alice', peer))).failure, '');
    await http.get(announceTarget('/announce/alice', { ...peer, event: 'stopped' }));
    http.close();
  });

  test('a download key is good for its torrent', async () => {
    const peer = announceOf('key', { infoHash: HYBRID_V1, event: 'started' });
    assert.equal((await udp.announce(peer, '/leak/announce'))?.action, 'announce');
    assert.equal((await world.transfers()).at(-1)?.memberId, 2);
    await udp.announce({ ...peer, event: 'stopped' }, '/leak/announce');
  });

  test('who may not leech may still seed, and is heard when it stops', async () => {
    const seeder = announceOf('dora', { event: 'started', left: 0 });
    assert.equal((await udp.announce(seeder, '/dora/announce'))?.action, 'announce');
    const stop = { ...seeder, event: 'stopped', left: 9 } as const;
    assert.equal((await udp.announce(stop, '/dora/announce'))?.action, 'announce');
  });

  test('numwant: absent means the default, zero none, more than there are all', async () => {
    const peers: ClientAnnounce[] = [];
    for (let index = 0; index < 6; index++) {
      const peer = announceOf(`want${index}`, { event: 'started', left: 9, port: 8000 + index });
      peers.push(peer);
      await udp.announce(peer, index < 3 ? '/alice/announce' : '/bob/announce');
    }
    const asker = { ...peers[0]!, event: 'started', key: 5 } as const;
    const countWith = async (numwant: number | undefined): Promise<number | undefined> => {
      const more = numwant === undefined ? {} : { numwant };
      return (await udp.announce({ ...asker, ...more }, '/alice/announce'))?.peers.length;
    };
    assert.equal(await countWith(undefined), 5);
    assert.equal(await countWith(0), 0);
    assert.equal(await countWith(3), 3);
    assert.equal(await countWith(1000), 5);
    for (const [index, peer] of peers.entries()) {
      const path = index < 3 ? '/alice/announce' : '/bob/announce';
      await udp.announce({ ...peer, event: 'stopped' }, path);
    }
  });

  test('more clients of one member in one torrent than allowed are refused in words', async () => {
    for (let index = 0; index < 3; index++) {
      const peer = announceOf(`many${index}`, { event: 'started', port: 9000 + index });
      assert.equal((await udp.announce(peer, '/alice/announce'))?.action, 'announce');
    }
    const fourth = announceOf('many3', { event: 'started', port: 9003 });
    assert.match((await udp.announce(fourth, '/alice/announce'))?.error ?? '', /too many peers/);
    for (let index = 0; index < 3; index++) {
      const peer = announceOf(`many${index}`, { event: 'stopped', port: 9000 + index });
      await udp.announce(peer, '/alice/announce');
    }
  });

  test('an early announce is credited and gets counts, but no peers and over HTTP a warning', async () => {
    const http = await HttpClient.open(world.port);
    const other = announceOf('other', { event: 'started', left: 9, port: 8100 });
    await http.get(announceTarget('/bob/announce', other));
    const peer = announceOf('early', { left: 50, port: 8101 });
    await http.get(announceTarget('/alice/announce', { ...peer, event: 'started' }));
    const first = await http.get(announceTarget('/alice/announce', { ...peer, downloaded: 10 }));
    const answer = await http.get(announceTarget('/alice/announce', { ...peer, downloaded: 20 }));
    assert.deepEqual(answer.peers, []);
    assert.match(answer.warning, /too early/);
    assert.equal(answer.fields.get('incomplete'), 2);
    assert.equal((await world.transfers()).at(-1)?.downloadedDelta, 10);
    assert.equal(first.failure, '');
    await http.get(
      announceTarget('/alice/announce', { ...peer, event: 'stopped', downloaded: 20 }),
    );
    await http.get(announceTarget('/bob/announce', { ...other, event: 'stopped' }));
    http.close();
  });

  test('a retransmitted announce makes no second record and gets its answer', async () => {
    const peer = announceOf('again', { left: 50, port: 8102 });
    await udp.announce({ ...peer, event: 'started' }, '/alice/announce');
    const moved = { ...peer, event: 'completed', uploaded: 1000, left: 0 } as const;
    await udp.announce(moved, '/alice/announce');
    const records = (await world.transfers()).length;
    assert.equal((await udp.announce(moved, '/alice/announce'))?.action, 'announce');
    assert.equal((await world.transfers()).length, records);
    await udp.announce({ ...moved, event: 'stopped' }, '/alice/announce');
  });

  test('an unknown stopped is answered and leaves no trace', async () => {
    const records = (await world.transfers()).length;
    const peer = announceOf('ghost', { event: 'stopped', uploaded: 1_000_000 });
    const answer = await udp.announce(peer, '/alice/announce');
    assert.equal(answer?.action, 'announce');
    assert.deepEqual(answer.peers, []);
    assert.equal((await world.transfers()).length, records);
  });

  test('a member on IPv4 and IPv6 is one peer with two addresses, credited once', async () => {
    const six = await UdpClient.open(world.port, '::1');
    await six.connect();
    const peer = announceOf('dual', { left: 50, port: 8200 });
    await udp.announce({ ...peer, event: 'started' }, '/alice/announce');
    const both = await six.announce({ ...peer, event: 'started' }, '/alice/announce');
    assert.equal(both?.leechers, 1);
    const moved = { ...peer, uploaded: 500, downloaded: 100 };
    const before = (await world.transfers()).length;
    await udp.announce(moved, '/alice/announce');
    await six.announce(moved, '/alice/announce');
    const records = (await world.transfers()).slice(before);
    assert.equal(
      records.reduce((sum, record) => sum + record.uploadedDelta, 0),
      500,
    );
    const http = await HttpClient.open(world.port);
    const asker = announceOf('asker', { event: 'started', left: 9, port: 8201 });
    const answer = await http.get(announceTarget('/bob/announce', asker));
    assert.deepEqual(answer.peers, ['127.0.0.1:8200']);
    assert.deepEqual(answer.peers6, ['00000000000000000000000000000001:8200']);
    // One family stops: the other stays.
    await six.announce({ ...moved, event: 'stopped' }, '/alice/announce');
    const next = { ...asker, event: 'started', key: 7 } as const;
    const rest = await http.get(announceTarget('/bob/announce', next));
    assert.deepEqual([rest.peers, rest.peers6], [['127.0.0.1:8200'], []]);
    await udp.announce({ ...moved, event: 'stopped' }, '/alice/announce');
    await http.get(announceTarget('/bob/announce', { ...asker, event: 'stopped' }));
    http.close();
    await six.close();
  });

  test('a hybrid torrent is one torrent: counted and credited once, peers by the asked hash', async () => {
    const peer = announceOf('hybrid', { left: 10, port: 8300 });
    const v1 = { ...peer, infoHash: HYBRID_V1 };
    const v2 = { ...peer, infoHash: HYBRID_V2 };
    await udp.announce({ ...v1, event: 'started' }, '/alice/announce');
    const both = await udp.announce({ ...v2, event: 'started' }, '/alice/announce');
    assert.equal(both?.leechers, 1);
    const before = (await world.transfers()).length;
    await udp.announce({ ...v1, uploaded: 77 }, '/alice/announce');
    await udp.announce({ ...v2, uploaded: 77 }, '/alice/announce');
    const records = (await world.transfers()).slice(before);
    assert.deepEqual(
      records.map((record) => record.uploadedDelta),
      [77, 0],
    );
    assert.deepEqual(
      records.map((record) => record.hashVersion),
      [1, 2],
    );
    const only1 = announceOf('only1', { infoHash: HYBRID_V1, left: 10, port: 8301 });
    await udp.announce({ ...only1, event: 'started' }, '/bob/announce');
    const asker = announceOf('asker2', { infoHash: HYBRID_V2, left: 10, port: 8302 });
    const answer = await udp.announce({ ...asker, event: 'started' }, '/bob/announce');
    assert.deepEqual(answer?.peers, ['127.0.0.1:8300']);
    for (const each of [v1, v2])
      await udp.announce({ ...each, event: 'stopped' }, '/alice/announce');
    for (const each of [only1, asker]) {
      await udp.announce({ ...each, event: 'stopped' }, '/bob/announce');
    }
  });

  test('HTTP scrape needs the passkey, answers many hashes and counts partial seeds apart', async () => {
    const http = await HttpClient.open(world.port);
    const denied = await http.get(scrapeTarget('/scrape', [HASH]));
    assert.match(denied.failure, /no passkey/);
    const partial = announceOf('partial', { event: 'paused', left: 9, port: 8400 });
    const leecher = announceOf('leech', { event: 'started', left: 9, port: 8401 });
    await http.get(announceTarget('/alice/announce', partial));
    await http.get(announceTarget('/alice/announce', leecher));
    const answer = await http.get(
      scrapeTarget('/alice/scrape', [HASH, HYBRID_V1, '12'.repeat(20)]),
    );
    const files = answer.fields.get('files') as ReadonlyMap<string, ReadonlyMap<string, number>>;
    assert.equal(files.size, 2);
    const file = files.get(Buffer.from(HASH, 'hex').toString('latin1'));
    assert.deepEqual([file?.get('incomplete'), file?.get('downloaders')], [2, 1]);
    for (const peer of [partial, leecher]) {
      await http.get(announceTarget('/alice/announce', { ...peer, event: 'stopped' }));
    }
    http.close();
  });

  test('UDP scrape is answered to an address from which a member announced, to no other', async () => {
    const answer = await udp.scrape([HASH, '12'.repeat(20)]);
    assert.equal(answer?.action, 'scrape');
    assert.equal(answer.bytes.byteLength, 8 + 24);
    const other = await UdpClient.open(world.port, '127.0.0.2', '127.0.0.1');
    await other.connect();
    assert.match((await other.scrape([HASH]))?.error ?? '', /announce first/);
    await other.close();
  });

  test('`downloaded` of a scrape is what the ledger counted', async () => {
    world.swarm.setCompleted(1, 42);
    const http = await HttpClient.open(world.port);
    const answer = await http.get(scrapeTarget('/alice/scrape', [HASH]));
    const files = answer.fields.get('files') as ReadonlyMap<string, ReadonlyMap<string, number>>;
    assert.equal([...files.values()][0]?.get('downloaded'), 42);
    assert.equal((await udp.scrape([HASH]))?.bytes.readUInt32BE(12), 42);
    http.close();
  });

  test('pipelined requests are answered in order, also when one waits for the disk', async () => {
    const http = await HttpClient.open(world.port);
    const peer = announceOf('pipe', { left: 9, port: 8500 });
    const requests = [
      announceTarget('/alice/announce', { ...peer, event: 'started' }),
      scrapeTarget('/alice/scrape', [HASH]),
      announceTarget('/nobody/announce', peer),
      announceTarget('/alice/announce', { ...peer, event: 'stopped' }),
    ];
    http.send(requests.map((target) => `GET ${target} HTTP/1.1\r\nHost: t\r\n\r\n`).join(''));
    assert.ok((await http.answer()).fields.has('interval'));
    assert.ok((await http.answer()).fields.has('files'));
    assert.match((await http.answer()).failure, /unknown passkey/);
    assert.ok((await http.answer()).fields.has('interval'));
    http.close();
  });

  test('compact=0 is refused in words in a private mode', async () => {
    const http = await HttpClient.open(world.port);
    const target = announceTarget('/alice/announce', announceOf('dict')).replace(
      'compact=1',
      'compact=0',
    );
    assert.match((await http.get(target)).failure, /compact/);
    http.close();
  });

  test('what is no tracker request gets a short text and the right status', async () => {
    for (const [request, status] of [
      ['GET / HTTP/1.1\r\nHost: t\r\n\r\n', 404],
      ['GET /favicon.ico HTTP/1.1\r\nHost: t\r\n\r\n', 404],
      ['POST /alice/announce HTTP/1.1\r\nHost: t\r\n\r\n', 405],
      ['GET /alice/announce HTTP/2.0\r\nHost: t\r\n\r\n', 505],
      ['\x16\x03\x01\x02\x00', 400],
      [`GET /${'a'.repeat(9000)} HTTP/1.1\r\n`, 414],
    ] as const) {
      const http = await HttpClient.open(world.port);
      http.send(Buffer.from(request, 'latin1'));
      const answer = await http.answer();
      assert.equal(answer.status, status, request.slice(0, 30));
      assert.ok(answer.body.byteLength > 0);
      http.close();
    }
  });

  test('HTTP/1.0 is answered and closed, HEAD gets no body', async () => {
    const http = await HttpClient.open(world.port);
    http.send('GET /alice/announce HTTP/1.0\r\n\r\n');
    assert.match((await http.answer()).failure, /info_hash is missing/);
    await until(() => http.isEnded);
    http.close();
    const head = await HttpClient.open(world.port);
    head.send('HEAD /x/announce HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n');
    await assert.rejects(head.answer(), /ended/);
    head.close();
  });

  test('HEAD of an announce moves nothing and is told to use GET', async () => {
    const before = world.tracker.stats();
    const target = announceTarget('/alice/announce', announceOf('looker', { event: 'started' }));
    const http = await HttpClient.open(world.port);
    http.send(`HEAD ${target} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n`);
    await assert.rejects(http.answer(), /ended/);
    assert.equal(world.tracker.stats().swarm.peers, before.swarm.peers);
    assert.equal(world.tracker.stats().requests.announces, before.requests.announces);
    http.close();
  });

  test('the interval differs from client to client within its jitter and is stable', async () => {
    const intervals = new Set<number>();
    for (let index = 0; index < 12; index++) {
      const peer = announceOf(`jitter${index}`, { event: 'stopped' });
      const one = await udp.announce(peer, '/alice/announce');
      const two = await udp.announce({ ...peer, uploaded: 3 }, '/alice/announce');
      assert.equal(one?.intervalSeconds, two?.intervalSeconds);
      assert.ok(one !== undefined && Math.abs(one.intervalSeconds - 1800) <= 180);
      intervals.add(one.intervalSeconds);
    }
    assert.ok(intervals.size > 6);
  });

  test('status and metrics tell what happened', () => {
    const stats = world.tracker.stats();
    assert.equal(stats.mode, 'private');
    assert.equal(stats.waiting, 0);
    assert.ok(stats.requests.announces > 50 && stats.requests.refused > 10);
    assert.equal(stats.addresses.length, 4);
  });
});
