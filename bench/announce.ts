// Announces against a running server, from a load generator on the same machine: answers a second,
// and the server's CPU time for each, which holds also where both share two cores. `open` mode shows
// the tracker alone; `private` adds passkeys, limits and accounting to disk. Peers per answer stand
// beside each number, because an empty answer is a cheap one.
// By itself: node -C swarmkeep-src bench/announce.ts

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashOf } from '#sim/announces.ts';
import { TestServer } from '#tools/e2e/server.ts';
import { givenHashes, madeHashes } from './load/community.ts';
import { faultOf, Load, type LoadOrder, lostOf } from './load/load.ts';
import { cpuMicrosOf, residentBytesOf } from './server-use.ts';

const SECONDS = 5;
const MEMBERS = 12;
const TORRENTS = 12;
/** A member may have three clients in a torrent; the loader spreads them by popularity. */
const CLIENTS_MAX = 64;

/** Prints a line for each door and mode. */
export async function run(): Promise<void> {
  await measureOpen();
  await measurePrivate();
}

async function measureOpen(): Promise<void> {
  const server = await TestServer.prepare({ settings: { 'tracker.mode': 'open' } });
  try {
    await server.start();
    const hashes = madeHashes(20_000);
    const order = orderFor(server, { hashes, peers: 40_000, passkeys: [] });
    await measure('open, UDP', server, { ...order, door: 'udp', underWay: 32 });
    await measure('open, HTTP kept alive', server, order);
    await measure('open, HTTP closed each time', server, { ...order, isClosedEach: true });
  } finally {
    await server.remove();
  }
}

async function measurePrivate(): Promise<void> {
  // Every announce of the loop would be an early one, which is given no peers.
  const settings = {
    'swarm.announceIntervalMsMin': 0,
    'swarm.peersPerMemberTorrentMax': CLIENTS_MAX,
  };
  const server = await TestServer.prepare({ settings });
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-bench-announce-'));
  try {
    await server.start();
    const passkeys: string[] = [];
    for (let member = 0; member < MEMBERS; member++) {
      const [made] = await server.json<{ passkey: string }>(['member', 'add', `member${member}`]);
      passkeys.push(made?.passkey ?? '');
    }
    const infoHashes: string[] = [];
    for (let torrent = 0; torrent < TORRENTS; torrent++) {
      const file = join(folder, `${torrent}.torrent`);
      writeFileSync(file, torrentFile(torrent));
      const [made] = await server.json<{ infoHash: string }>(['torrent', 'add', file]);
      infoHashes.push(made?.infoHash ?? '');
    }
    const order = orderFor(server, { hashes: givenHashes(infoHashes), peers: 2000, passkeys });
    await measure('private, UDP', server, { ...order, door: 'udp', underWay: 32 });
    await measure('private, HTTP kept alive', server, order);
    await measure('private, HTTP closed each time', server, { ...order, isClosedEach: true });
  } finally {
    await server.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

function orderFor(
  server: TestServer,
  whose: Pick<LoadOrder, 'hashes' | 'peers' | 'passkeys'>,
): LoadOrder {
  return {
    door: 'http',
    host: '127.0.0.1',
    port: server.trackerPort,
    sources: 8,
    underWay: 8,
    wanted: 30,
    seederChance: 0.75,
    seconds: SECONDS,
    isClosedEach: false,
    scrapePercent: 0,
    ratePerSecond: 0,
    ...whose,
  };
}

async function measure(what: string, server: TestServer, order: LoadOrder): Promise<void> {
  const load = new Load(order);
  await load.fill();
  const before = cpuMicrosOf(server.pid);
  const report = await load.measure();
  const used = cpuMicrosOf(server.pid) - before;
  await load.end();
  const answers = Math.max(1, report.answers);
  print(what, {
    'answers/s': report.answers / report.seconds,
    'µs of CPU per answer': used / answers,
    'peers per answer': report.peersInAnswers / answers,
    'ms p50': report.p50Ms,
    'ms p99': report.p99Ms,
    lost: lostOf(report.losses),
    errors: report.errors,
    'µs of the loader': report.ownCpuMicros / answers,
    'MB resident': residentBytesOf(server.pid) / 1e6,
  });
  const fault = faultOf(order, report);
  if (fault !== undefined) process.stdout.write(`announce:   does not count: ${fault}\n`);
}

/** A torrent of one piece; the site refuses the same content under another name. */
function torrentFile(number: number): Buffer {
  const name = `bench-${number}`;
  const info = `d6:lengthi16384e4:name${name.length}:${name}12:piece lengthi16384e6:pieces20:`;
  return Buffer.concat([Buffer.from(`d4:info${info}`), hashOf(number), Buffer.from('ee')]);
}

function print(what: string, numbers: Record<string, number>): void {
  const shown = Object.entries(numbers).map(([name, value]) => {
    const isWhole = value >= 100 || Number.isInteger(value);
    return `${isWhole ? Math.round(value).toLocaleString('en') : value.toFixed(2)} ${name}`;
  });
  process.stdout.write(`announce: ${what}: ${shown.join(', ')}\n`);
}

if (import.meta.main) await run();
