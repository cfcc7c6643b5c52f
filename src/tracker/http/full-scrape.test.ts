// Full scrapes as clients get them, on both kinds of sockets.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { get } from 'node:http';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { TcpConnection } from '#net/tcp-server.ts';
import { SimClock } from '#sim/clock.ts';
import { announceTarget, HttpClient, readDictionary } from '#sim/http-client.ts';
import { memberMessage, TestTracker, torrentMessage, until } from '#sim/test-tracker.ts';
import { testSockets } from '#tracker/test-sockets.ts';
import { FullScrapes } from './full-scrape.ts';

const TORRENTS = 3000;
const HASHES = Array.from({ length: TORRENTS }, (_, id) =>
  createHash('sha1').update(`torrent ${id}`).digest('hex'),
);

interface Answer {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

function fetchAnswer(port: number, path: string, headers = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = get({ port, path, headers, host: '127.0.0.1', agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(chunks) }));
    });
    request.on('error', reject);
  });
}

/** All that comes until the tracker closes. */
function exchange(port: number, text: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', reject);
    socket.on('end', () => resolve(Buffer.concat(chunks)));
  });
}

/** The info hashes of a full scrape, as they stand in it. */
function hashesOf(body: Buffer): string[] {
  const files = readDictionary(body).get('files');
  assert.ok(files instanceof Map);
  return [...files.keys()].map((key) => Buffer.from(String(key), 'latin1').toString('hex'));
}

for (const sockets of testSockets()) {
  describe(`a full scrape by ${sockets.kind} sockets`, { skip: sockets.skip }, () => {
    let world: TestTracker;

    before(async () => {
      world = await TestTracker.start({
        tracker: { fullScrape: true },
        swarm: { torrentsMax: 10_000 },
        openTcp: sockets.openTcp,
      });
      await world.tell(
        memberMessage(1, 'alice'),
        ...HASHES.map((hash, id) => torrentMessage(id + 1, hash)),
        { kind: 'download-key', key: 'single', memberId: 1, torrentId: 5, state: 'active' },
      );
    });
    after(() => world.close());

    test('tells every registered torrent in the order of dictionaries, in chunks', async () => {
      const { headers, body } = await fetchAnswer(world.port, '/alice/scrape');
      assert.equal(headers['transfer-encoding'], 'chunked');
      assert.equal(headers['content-encoding'], undefined);
      assert.deepEqual(hashesOf(body), [...HASHES].sort());
    });

    test('is packed by gzip for a client that accepts it, and for no other', async () => {
      const packed = { 'Accept-Encoding': 'deflate, gzip;q=0.5' };
      const { headers, body } = await fetchAnswer(world.port, '/alice/scrape', packed);
      assert.equal(headers['content-encoding'], 'gzip');
      assert.deepEqual(hashesOf(gunzipSync(body)), [...HASHES].sort());
      const refused = { 'Accept-Encoding': 'gzip;q=0.0, deflate' };
      const plain = await fetchAnswer(world.port, '/alice/scrape', refused);
      assert.equal(plain.headers['content-encoding'], undefined);
      assert.equal(hashesOf(plain.body).length, TORRENTS);
    });

    test('needs the passkey, and tells the holder of a download key one torrent', async () => {
      const client = await HttpClient.open(world.port);
      assert.match((await client.get('/scrape')).failure, /no passkey/);
      assert.match((await client.get('/nobody/scrape')).failure, /unknown passkey/);
      client.close();
      const { body } = await fetchAnswer(world.port, '/single/scrape');
      assert.deepEqual(hashesOf(body), [HASHES[4]]);
    });

    test('a client of HTTP/1.0 gets it bare, up to the end of the connection', async () => {
      const head = 'GET /alice/scrape HTTP/1.0\r\nConnection: keep-alive\r\n\r\n';
      const bytes = await exchange(world.port, head);
      const bodyAt = bytes.indexOf('\r\n\r\n') + 4;
      const answerHead = bytes.subarray(0, bodyAt).toString();
      assert.doesNotMatch(answerHead, /chunked/i);
      assert.match(answerHead, /Connection: close/);
      assert.equal(hashesOf(bytes.subarray(bodyAt)).length, TORRENTS);
    });

    test('pipelined requests around it are answered in order; HEAD gets the head', async () => {
      const request = (method: string, path: string, more = ''): string =>
        `${method} ${path} HTTP/1.1\r\nHost: t\r\n${more}\r\n`;
      const text = (
        await exchange(
          world.port,
          request('HEAD', '/alice/scrape') +
            request('GET', '/alice/scrape') +
            request('GET', '/nobody/scrape', 'Connection: close\r\n'),
        )
      ).toString('latin1');
      const heads = text.split('HTTP/1.1 200 OK').slice(1);
      assert.equal(heads.length, 3);
      assert.match(heads[0]!, /chunked\r\nConnection: keep-alive\r\n\r\n$/);
      assert.ok(heads[1]!.endsWith('ee\r\n0\r\n\r\n'), 'the last chunk ends the second answer');
      assert.match(heads[2]!, /unknown passkey/);
    });

    test('a client that does not read holds up no announce', async () => {
      const idle = connect(world.port, '127.0.0.1');
      idle.pause();
      idle.write('GET /alice/scrape HTTP/1.1\r\nHost: t\r\n\r\n'.repeat(100));
      await until(() => world.tracker.stats().requests.scrapes > 8);
      const client = await HttpClient.open(world.port);
      const announce = { infoHash: HASHES[0]!, peerId: '-SK0001-reader......', port: 7001 };
      const answer = await client.get(announceTarget('/alice/announce', announce));
      assert.equal(answer.failure, '');
      idle.destroy();
      client.close();
      await until(() => world.tracker.stats().httpConnections === 0);
      const { body } = await fetchAnswer(world.port, '/alice/scrape');
      assert.equal(hashesOf(body).length, TORRENTS);
    });
  });
}

test('an open tracker tells every announced torrent, a listed one the registered alone', async () => {
  for (const mode of ['open', 'listed'] as const) {
    const world = await TestTracker.start({ tracker: { fullScrape: true, mode } });
    await world.tell(torrentMessage(1, HASHES[0]!));
    const client = await HttpClient.open(world.port);
    const announce = { infoHash: HASHES[1]!, peerId: '-SK0001-anyone......', port: 7001 };
    await client.get(announceTarget('/announce', announce));
    const { body } = await fetchAnswer(world.port, '/scrape');
    const told = mode === 'open' ? HASHES.slice(0, 2).sort() : HASHES.slice(0, 1);
    assert.deepEqual(hashesOf(body), told);
    client.close();
    await world.close();
  }
});

test('members mode keeps what nobody registered to those who have its info hash', async () => {
  const world = await TestTracker.start({ tracker: { fullScrape: true, mode: 'members' } });
  await world.tell(memberMessage(1, 'alice'), torrentMessage(1, HASHES[0]!));
  const client = await HttpClient.open(world.port);
  const announce = { infoHash: HASHES[1]!, peerId: '-SK0001-secret......', port: 7001 };
  assert.equal((await client.get(announceTarget('/alice/announce', announce))).failure, '');
  assert.deepEqual(hashesOf((await fetchAnswer(world.port, '/alice/scrape')).body), [HASHES[0]]);
  client.close();
  await world.close();
});

test('it is off unless switched on', async () => {
  const world = await TestTracker.start({ tracker: { mode: 'open' } });
  const client = await HttpClient.open(world.port);
  assert.match((await client.get('/scrape')).failure, /must name an info_hash/);
  client.close();
  await world.close();
});

describe('a client that reads nothing', () => {
  let world: TestTracker;
  const clock = new SimClock();

  before(async () => {
    world = await TestTracker.start();
    await world.tell(...HASHES.slice(0, 900).map((hash, id) => torrentMessage(id + 1, hash)));
  });
  after(() => world.close());

  for (const gzip of [false, true]) {
    test(`is dropped after its time and holds a bounded answer (gzip: ${gzip})`, async () => {
      const { swarm } = world;
      const scrapes = new FullScrapes({ clock, swarm, activeMax: 1, msMax: 60_000 });
      const connection = new DeafConnection(1);
      const form = { isHttp10: false, close: false, gzip };
      scrapes.start(connection, form, () => true);
      assert.equal(scrapes.hasRoom, false);
      for (let second = 0; second < 59; second++) {
        await clock.run(1000);
        assert.ok(connection.outputLength <= connection.output.length);
      }
      assert.ok(connection.outputLength > 0);
      assert.deepEqual([connection.isHeld, connection.isDestroyed], [true, false]);
      await clock.run(2000);
      assert.equal(connection.isDestroyed, true);
      assert.equal(scrapes.hasRoom, true);
    });
  }

  test('that goes gives its room to the next, and a stop of the tracker ends it', async () => {
    const { swarm } = world;
    const scrapes = new FullScrapes({ clock, swarm, activeMax: 1, msMax: 60_000 });
    const form = { isHttp10: false, close: false, gzip: true };
    const first = new DeafConnection(1);
    scrapes.start(first, form, () => true);
    scrapes.onClosed(first);
    assert.equal(scrapes.hasRoom, true);
    const second = new DeafConnection(2);
    scrapes.start(second, form, () => true);
    scrapes.close();
    assert.deepEqual([first.isDestroyed, second.isDestroyed], [false, true]);
    const length = first.outputLength;
    await clock.run(5000);
    assert.equal(first.outputLength, length);
  });
});

/** Takes output up to its end and never sends any. */
class DeafConnection implements TcpConnection {
  readonly id: number;
  readonly family = 4;
  readonly address = new Uint8Array(16);
  readonly port = 1;
  readonly isTls = false;
  context: object | undefined = undefined;
  readonly input = new Uint8Array(0);
  readonly inputLength = 0;
  readonly output = new Uint8Array(20_000);
  outputLength = 0;
  isHeld = false;
  isDestroyed = false;

  constructor(id: number) {
    this.id = id;
  }

  produce(bytes: number): void {
    this.outputLength += bytes;
  }

  hold(): void {
    this.isHeld = true;
  }

  release(): void {
    this.isHeld = false;
  }

  destroy(): void {
    this.isDestroyed = true;
  }

  consume(): void {}
  setIdle(): void {}
  flush(): void {}
  end(): void {}
}
