// Who is given to whom when some come by TLS and some do not, over real TLS.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect } from 'node:tls';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { Registry } from '#metrics/registry.ts';
import { TlsCertificate } from '#net/tls-certificate.ts';
import { nodeTls } from '#net/tls-node.ts';
import { announceTarget, HttpClient, scrapeTarget } from '#sim/http-client.ts';
import { memberMessage, TestTracker, torrentMessage, until } from '#sim/test-tracker.ts';
import { UdpClient } from '#sim/udp-client.ts';
import { binary, WsClient, type WsJson, wsAnnounce, wsOffers } from '#sim/ws-client.ts';

const HASH = '00112233445566778899aabbccddeeff01234567';
const clock = new SystemClock();
const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-tls-torrents-'));
let certificate: TlsCertificate;

before(async () => {
  const files = { certificateFile: join(folder, 'a.crt'), keyFile: join(folder, 'a.key') };
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const place = ['-keyout', files.keyFile, '-out', files.certificateFile];
  const words = ['req', '-x509', ...curve, ...place, '-days', '2', '-subj', '/CN=tracker'];
  execFileSync('openssl', words, { stdio: 'ignore' });
  const disk = new SystemDisk();
  certificate = await TlsCertificate.open({ ...files, clock, disk, logger: silentLogger });
});

after(() => {
  certificate.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Place {
  readonly world: TestTracker;
  /** Clients that speak plainly to it reach the tracker by TLS. */
  readonly tlsPort: number;
}

async function withTracker(
  settings: Readonly<Record<string, unknown>>,
  run: (place: Place) => Promise<void>,
): Promise<void> {
  const secure = nodeTls({ clock, logger: silentLogger, metrics: new Registry(), certificate });
  const world = await TestTracker.start({
    // The port of the settings only switches it on.
    tracker: { mode: 'open', addresses: ['127.0.0.1'], tlsPort: 1, ...settings },
    openTls: (options) => secure({ ...options, port: 0 }),
  });
  const door = world.tracker.doors.find(({ door }) => door === 'https');
  const wrapper = await wrapperOf(door?.port ?? 0);
  try {
    await run({ world, tlsPort: (wrapper.address() as { port: number }).port });
  } finally {
    wrapper.close();
    await world.close();
  }
}

function wrapperOf(port: number): Promise<Server> {
  const wrapper = createServer((plain) => {
    const secure = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
    plain.pipe(secure).pipe(plain);
    for (const [one, other] of [
      [plain, secure],
      [secure, plain],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  return new Promise((resolve) => wrapper.listen(0, '127.0.0.1', () => resolve(wrapper)));
}

/** Announces a leecher and tells whom it was given, and how many leechers there are. */
async function announce(port: number, name: string, path = '/announce'): Promise<string> {
  const client = await HttpClient.open(port);
  const place = 7000 + name.charCodeAt(0);
  const peerId = `-SK0001-${name.padEnd(12, '.')}`;
  const target = announceTarget(path, { infoHash: HASH, peerId, left: 9, port: place });
  const { failure, peers, fields } = await client.get(target);
  client.close();
  if (failure !== '') return failure;
  const names = peers.map((peer) => String.fromCharCode(Number(peer.split(':')[1]) - 7000));
  return `${names.sort().join('')} of ${fields.get('incomplete')}`;
}

async function scraped(port: number): Promise<string> {
  const client = await HttpClient.open(port);
  const { body, failure } = await client.get(scrapeTarget('/scrape', [HASH]));
  client.close();
  return failure || (/incompletei(\d+)e/.exec(body.toString('latin1'))?.[1] ?? 'unknown');
}

test('T25: in open mode peers by TLS and plain ones are not given to each other', async () => {
  await withTracker({}, async ({ world, tlsPort }) => {
    assert.equal(await announce(world.port, 'a'), ' of 1');
    assert.equal(await announce(tlsPort, 'b'), ' of 1');
    assert.equal(await announce(tlsPort, 'c'), 'b of 2');
    assert.equal(await announce(tlsPort, 'd'), 'bc of 3');
    const udp = await UdpClient.open(world.port);
    await udp.connect();
    const heard = await udp.announce({ infoHash: HASH, peerId: '-SK0001-udpudpudp..e', left: 9 });
    await udp.close();
    assert.deepEqual([heard?.leechers, heard?.peers.length], [2, 1]);
    assert.equal(await scraped(world.port), '2');
    assert.equal(await scraped(tlsPort), '3');
    assert.equal(world.swarm.totals().torrents, 2);
  });
});

test('T25: a setting puts peers by TLS and plain ones together in open mode too', async () => {
  await withTracker({ openModeTlsTogether: true }, async ({ world, tlsPort }) => {
    assert.equal(await announce(world.port, 'a'), ' of 1');
    assert.equal(await announce(tlsPort, 'b'), 'a of 2');
    assert.equal(await scraped(tlsPort), '2');
  });
});

test('T25: in other modes, and with a passkey in open mode, they are together', async () => {
  for (const mode of ['private', 'members', 'listed']) {
    await withTracker({ mode }, async ({ world, tlsPort }) => {
      await world.tell(memberMessage(1, 'alice'), memberMessage(2, 'ben'), torrentMessage(1, HASH));
      await announce(world.port, 'a', '/alice/announce');
      assert.equal(await announce(tlsPort, 'b', '/ben/announce'), 'a of 2', mode);
    });
  }
  await withTracker({}, async ({ world, tlsPort }) => {
    await world.tell(memberMessage(1, 'alice'), torrentMessage(1, HASH));
    await announce(world.port, 'a');
    assert.equal(await announce(tlsPort, 'b', '/alice/announce'), 'a of 2');
    assert.equal(await announce(tlsPort, 'c'), ' of 1');
  });
});

test('T25: no scrape of all tells the hashes of torrents that are apart', async () => {
  await withTracker({ fullScrape: true }, async ({ world, tlsPort }) => {
    await announce(world.port, 'a');
    await announce(tlsPort, 'b');
    const answer = await fetch(`http://127.0.0.1:${world.port}/scrape`);
    const body = Buffer.from(await answer.arrayBuffer()).toString('latin1');
    assert.equal(body.split('20:').length - 1, 1);
    assert.ok(body.includes(Buffer.from(HASH, 'hex').toString('latin1')));
    const client = await HttpClient.open(tlsPort);
    assert.match((await client.get('/scrape')).failure, /info_hash/);
    client.close();
  });
});

test('T25: a torrent that is taken down is taken down for those by TLS too, at once', async () => {
  for (const earlier of [memberMessage(1, 'alice'), torrentMessage(1, HASH)]) {
    await withTracker({}, async ({ world, tlsPort }) => {
      await world.tell(earlier);
      await announce(world.port, 'a');
      await announce(tlsPort, 'b');
      await world.tell(torrentMessage(1, HASH, { state: 'removed', reason: 'not ours' }));
      await until(() => world.swarm.totals().peers === 0);
      assert.match(await announce(tlsPort, 'b'), /not ours/);
      assert.match(await announce(world.port, 'a'), /not ours/);
    });
  }
});

test('T25: offers of web peers stay on their side too', async () => {
  await withTracker({}, async ({ world, tlsPort }) => {
    const ask = async (port: number, name: string): Promise<WsClient> => {
      const client = await WsClient.open(port, '/announce');
      const offers = { offers: wsOffers(1), numwant: 1 };
      const peerId = `-WW0104-${name.padEnd(12, '.')}`;
      await client.ask(wsAnnounce(HASH, peerId, offers));
      return client;
    };
    const first = await ask(tlsPort, 'first');
    const plain = await ask(world.port, 'plain');
    const second = await ask(tlsPort, 'second');
    const offered: WsJson | undefined = await first.next();
    assert.equal(offered?.['info_hash'], binary(HASH));
    assert.equal(offered?.['peer_id'], '-WW0104-second......');
    assert.equal(plain.received.length, 0);
    for (const client of [first, plain, second]) client.close();
  });
});
