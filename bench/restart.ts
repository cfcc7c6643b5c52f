// How long a server with two million baselines takes from its start until an announce is credited in
// the ledger. A data folder is made with 10,000 members in 50,000 torrents and a snapshot of baselines
// as the tracker writes it; then the real server is started on it, a client whose baseline is among
// them announces until it is answered, and the ledger is watched until it has counted the bytes. After
// a clean stop, and after kill -9. By itself: node -C swarmkeep-src bench/restart.ts

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { BaselineHeap, writeSnapshot } from '#accounting/baselines/baseline-snapshot.ts';
import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { Registry } from '#metrics/registry.ts';
import { hashOf } from '#sim/announces.ts';
import { memberMessage, torrentMessage } from '#sim/test-tracker.ts';
import { openSql } from '#sql/open.ts';
import { enqueue } from '#sql/outbox.ts';
import { pause, TestServer, waitFor } from '#tools/e2e/server.ts';
import { median } from './load/pairs.ts';
import { cpuMicrosOf, residentBytesOf } from './server-use.ts';

const MEMBERS = 10_000;
const TORRENTS = 50_000;
const PER_MEMBER = Number(process.env['PER_MEMBER'] ?? 200);
const STARTS = 3;
const AIM_SECONDS = 3;
const FLOOR_SECONDS = 8;
/** Ids that no command has given. */
const ID_FIRST = 1000;
const MESSAGES_AT_ONCE = 5000;
const RELAYED_MS_MAX = 120_000;
const CREDITED_MS_MAX = 60_000;
const MOVED_BYTES = 1_000_000;
const MINUTE_SECONDS = 60;
/** The client that announces: the first member in its first torrent. */
const SHOWN = { memberId: ID_FIRST, torrentId: ID_FIRST };

/** Prints the median of three starts after each kind of end. */
export async function run(): Promise<void> {
  const server = await TestServer.prepare({
    startMsMax: CREDITED_MS_MAX,
    settings: { 'swarm.peersMax': 3_000_000, 'swarm.torrentsMax': 100_000 },
  });
  try {
    await registerAll(server);
    const baselines = await writeBaselines(server.dataFolder);
    let uploaded = MOVED_BYTES;
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const starts: Start[] = [];
      for (let start = 0; start < STARTS; start++) {
        uploaded += MOVED_BYTES;
        starts.push(await measure(server, uploaded));
        await server.end(signal);
      }
      print(signal === 'SIGTERM' ? 'a clean stop' : 'kill -9', baselines, starts);
    }
  } finally {
    await server.remove();
  }
}

/** Through the outbox, as the site would; a first life of the server relays them. */
async function registerAll(server: TestServer): Promise<void> {
  await server.start();
  await server.end('SIGTERM');
  const sql = await openSql({ url: '', folder: join(server.dataFolder, 'sql') });
  try {
    const messages = [
      ...Array.from({ length: MEMBERS }, (_, at) => memberMessage(ID_FIRST + at, passkeyOf(at))),
      ...Array.from({ length: TORRENTS }, (_, at) => {
        const id = ID_FIRST + at;
        return torrentMessage(id, Buffer.from(hashOf(id)).toString('hex'));
      }),
    ];
    for (let from = 0; from < messages.length; from += MESSAGES_AT_ONCE) {
      const some = messages.slice(from, from + MESSAGES_AT_ONCE);
      await sql.transaction(async (transaction) => {
        await enqueue(transaction, some);
      });
    }
  } finally {
    await sql.close();
  }
  await server.start();
  await waitFor('the tracker to know all torrents', RELAYED_MS_MAX, async () =>
    (await metric(server, 'swarmkeep_tracker_torrents')) >= TORRENTS ? true : undefined,
  );
  await server.end('SIGTERM');
}

/** Returns how many. Every client was there a minute ago. */
async function writeBaselines(dataFolder: string): Promise<number> {
  const clock = new SystemClock();
  const disk = new SystemDisk();
  const log = await LocalLog.open({
    ...{ disk, clock, folder: join(dataFolder, 'log'), random: new SystemRandom() },
    ...{ logger: silentLogger, metrics: new Registry(), config: logConfig.parse({}) },
    onFatal: (error) => {
      throw error;
    },
  });
  try {
    const { nextOffset } = await log.stats(TRANSFERS_TOPIC);
    const seconds = Math.floor(clock.nowMs() / 1000) - MINUTE_SECONDS;
    const heap = new BaselineHeap();
    for (let member = 0; member < MEMBERS; member++) {
      for (let turn = 0; turn < PER_MEMBER; turn++) {
        heap.add({
          memberId: ID_FIRST + member,
          torrentId: ID_FIRST + ((member * 7 + turn * 251) % TORRENTS),
          peerId: peerIdOf(member),
          ...{ uploaded: MOVED_BYTES, downloaded: 0, key: 7, sequence: 3, left: 0 },
          ...{ completed: true, higherAtSeconds: seconds, lastSeenSeconds: seconds },
        });
      }
    }
    const folder = join(dataFolder, 'baselines');
    const next = 1 + Math.max(0, ...readdirSync(folder).map((name) => Number(/\d+/.exec(name))));
    const path = join(folder, `baselines-${String(next).padStart(8, '0')}.snapshot`);
    const header = { logId: log.id, epoch: log.epoch, nextOffset, madeAtMs: clock.nowMs() };
    const written = { header, heap, old: undefined, expiredBeforeSeconds: 0 };
    return (await writeSnapshot(disk, path, written)).entries;
  } finally {
    await log.close();
  }
}

interface Start {
  readonly answeredSeconds: number;
  readonly creditedSeconds: number;
  readonly cpuSeconds: number;
  readonly residentBytes: number;
}

async function measure(server: TestServer, uploaded: number): Promise<Start> {
  const sinceMs = performance.now();
  const seconds = (): number => (performance.now() - sinceMs) / 1000;
  const starting = server.start();
  starting.catch(() => undefined);
  await waitFor('an answer of the tracker', CREDITED_MS_MAX, () => announced(server, uploaded));
  const answeredSeconds = seconds();
  await starting;
  while ((await metric(server, 'swarmkeep_ledger_credited_bytes_total')) < MOVED_BYTES) {
    if (seconds() * 1000 > CREDITED_MS_MAX) throw new Error('nothing was credited');
    await pause(10);
  }
  return {
    answeredSeconds,
    creditedSeconds: seconds(),
    cpuSeconds: cpuMicrosOf(server.pid) / 1e6,
    residentBytes: residentBytesOf(server.pid),
  };
}

/** True when it was answered, undefined while nobody listens. @throws when it was refused */
async function announced(server: TestServer, uploaded: number): Promise<true | undefined> {
  const binary = (bytes: Uint8Array): string =>
    [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  const query = [
    `info_hash=${binary(hashOf(SHOWN.torrentId))}&peer_id=${binary(peerIdOf(0))}&port=6881`,
    `uploaded=${uploaded}&downloaded=0&left=0&key=7&compact=1`,
  ].join('&');
  const url = `http://127.0.0.1:${server.trackerPort}/${passkeyOf(0)}/announce?${query}`;
  const body = await fetch(url).then(
    (answer) => answer.text(),
    () => undefined,
  );
  if (body === undefined) return undefined;
  if (body.includes('failure reason')) throw new Error(`the announce was refused: ${body}`);
  return true;
}

async function metric(server: TestServer, name: string): Promise<number> {
  const metrics = await (await fetch(`${server.siteUrl}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(metrics)?.[1] ?? 0);
}

function passkeyOf(member: number): string {
  return member.toString(16).padStart(32, '0');
}

function peerIdOf(member: number): Uint8Array {
  return new Uint8Array(Buffer.from(`-TR4060-${String(member).padStart(12, '0')}`));
}

function print(after: string, baselines: number, starts: readonly Start[]): void {
  const of = (value: (start: Start) => number): number => median(starts.map(value));
  const credited = of((start) => start.creditedSeconds);
  const word =
    credited <= AIM_SECONDS
      ? 'aim reached'
      : credited <= FLOOR_SECONDS
        ? 'floor reached'
        : 'MISSED';
  process.stdout.write(
    `restart: ${baselines.toLocaleString('en')} baselines, after ${after}: first credited announce ` +
      `after ${credited.toFixed(1)} s (aim ${AIM_SECONDS}, floor ${FLOOR_SECONDS}: ${word}), answered ` +
      `after ${of((start) => start.answeredSeconds).toFixed(1)} s, ` +
      `${of((start) => start.cpuSeconds).toFixed(1)} s of CPU, ` +
      `${Math.round(of((start) => start.residentBytes) / 1e6)} MB resident\n`,
  );
}

if (import.meta.main) await run();
