// The site over a generated community, as a process of its own that `taskset` keeps on one core with its
// threads and, where it is asked for, the PostgreSQL server that it starts. Says on one line of JSON
// where it listens and how to be signed in. By itself: node … server-process.ts '{"torrents":1000,…}'

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SystemClock } from '#base/clock.ts';
import { SystemRandom } from '#base/random.ts';
import { SiteListener } from '#cli/site-listener.ts';
import { openSession } from '#site/accounts/sessions.ts';
import { openPages } from '#site/catalogue/test-pages.ts';
import { siteConfig } from '#site/config.ts';
import type { SwarmPeer } from '#site/swarms.ts';
import { sqlConfig } from '#sql/config.ts';
import { openSql } from '#sql/open.ts';
import { postgresTestUrl } from '#sql/test-databases.ts';
import { fillCommunity } from './community.ts';

export interface ServerOptions {
  readonly torrents: number;
  readonly members: number;
  readonly torrentsPerMember: number;
  readonly seed: number;
  /** Where the database is made once and found again. */
  readonly folder: string;
  readonly database: 'SQLite' | 'PostgreSQL';
  /** For PostgreSQL's processes, by its number; that of this process unless given. */
  readonly databaseCore?: number;
}

export interface ServerAddress {
  readonly port: number;
  readonly pid: number;
  /** One for each of the first members. */
  readonly cookies: readonly string[];
  /** How long the community took to make; 0 when it was there. */
  readonly madeSeconds: number;
}

const VISITORS = 20;
const MY_PEERS = 20;
const SWARM_PEERS = 30;

// So that a database server that it started ends with it.
process.once('SIGTERM', () => process.exit(0));

const options = JSON.parse(process.argv[2] ?? '') as ServerOptions;
const { torrents, members, torrentsPerMember, seed } = options;
const kind = options.database.toLowerCase();
const name = `${kind}-${torrents}-${members}-${torrentsPerMember}-${seed}`;
const folder = join(options.folder, name);
const isPostgres = options.database === 'PostgreSQL';
mkdirSync(folder, { recursive: true });
const url = isPostgres ? await postgresTestUrl({ sharedBuffers: '512MB', keptFolder: folder }) : '';
if (isPostgres && options.databaseCore !== undefined) moveDatabase(options.databaseCore);
if (url === undefined) throw new Error('There is no PostgreSQL on this machine');
const sql = await openSql({
  url,
  folder,
  config: sqlConfig.parse({ transactionMsMax: 3_600_000 }),
});
const pages = await openPages(async () => sql);
const clock = pages.clock;

const marker = join(folder, 'made');
let madeSeconds = 0;
if (!existsSync(marker)) {
  const began = performance.now();
  const size = { torrents, members, torrentsPerMember, seed, nowMs: clock.nowMs() };
  await fillCommunity(sql, size, (words) => process.stderr.write(`made: ${words}\n`));
  madeSeconds = (performance.now() - began) / 1000;
  writeFileSync(marker, `${madeSeconds} s\n`);
}
/** The server's main process and what it has started; what it starts later comes with it. */
function moveDatabase(core: number): void {
  const [pid = ''] = readFileSync(join(folder, 'data', 'postmaster.pid'), 'latin1').split('\n');
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ');
  for (const one of [pid, ...children]) {
    try {
      execFileSync('taskset', ['-cp', String(core), one], { stdio: 'pipe' });
    } catch {
      // It answered one connection and has ended.
    }
  }
}

const peer = (memberId: number, torrentId: number, at: number): SwarmPeer => ({
  memberId,
  torrentId,
  peerId: Buffer.from(`-TR4060-${String(at).padStart(12, '0')}`),
  uploaded: at * 1_000_000,
  downloaded: at * 500_000,
  left: at % 3 === 0 ? 1_000_000 : 0,
  state: at % 3 === 0 ? 'leecher' : 'seeder',
  ipv4: new Uint8Array(6),
  ipv6: undefined,
  lastSeenSeconds: Math.floor(clock.nowMs() / 1000) - at,
});
const { swarms } = pages;
swarms.counts = (torrentId) => ({
  seeders: torrentId % 40,
  leechers: torrentId % 7,
  completed: torrentId % 99,
});
swarms.peersOfMember = (memberId) =>
  Array.from({ length: MY_PEERS }, (_, at) => peer(memberId, torrents - at * 3, at));
swarms.peersOfTorrent = (torrentId) =>
  Array.from({ length: SWARM_PEERS }, (_, at) => peer(1 + at, torrentId, at));

const config = siteConfig.parse({});
const cookies: string[] = [];
for (let member = 1; member <= Math.min(VISITORS, members); member++) {
  const world = { sql, clock, random: new SystemRandom(), config };
  const token = await openSession(world, member, { address: '127.0.0.1', device: 'bench' });
  cookies.push(`swarmkeep=${token}`);
}
const listener = await SiteListener.listen({
  clock: new SystemClock(),
  random: new SystemRandom(),
  address: '127.0.0.1',
  port: 0,
  fetch: (request) => pages.fetch(request),
  certificate: undefined,
  metrics: async () => '',
});
const address: ServerAddress = { port: listener.port, pid: process.pid, cookies, madeSeconds };
process.stdout.write(`${JSON.stringify(address)}\n`);
