// What the archive costs, beside programs that do the same:
//
//   seed   1 GB by aria2 with 8 connections, from the web seed and from nginx (Debian) giving the same file:
//          MB for each second of the server's CPU time, in turn
//   first  a MiB from a random place, warm, from both: time to its first byte, p50
//   ingest the same from one client in a swarm, by the archive and by transmission-daemon (archive-ingest.ts)
//   put    `swarmkeep put` of a folder of 1 GB, against hashing alone: one pass of SHA-256 on each core;
//          and what the disk does by itself: as many bytes appended and synced, 4 MiB at a time
//   again  a second folder with the same files and one more
//   scrub  `archive verify` of all of it, against reading the packs and one pass of SHA-256 by one thread;
//          and the scrub's job at a rate
//
// By itself: node -C swarmkeep-src bench/archive.ts [ROW…]; BYTES sets how much, PAIRS how often. The folder
// of the issue has 10 GB: BYTES=10e9. CPU time is of the whole server, with what it does anyway, and holds on
// a busy machine; times by the clock do not.

import { spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import {
  closeSync,
  cpSync,
  fdatasyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeededRandom } from '#base/random.ts';
import { namespaceEntry } from '#tools/e2e/namespace.ts';
import { pause, TestServer } from '#tools/e2e/server.ts';
import { parseMetainfo } from '#wire/metainfo.ts';
import type { Child } from './peers/child.ts';
import { startNginxFiles } from './peers/opponents.ts';
import { cpuMicrosOf } from './server-use.ts';

const BYTES = Number(process.env['BYTES'] ?? 1_000_000_000);
const PAIRS = Number(process.env['PAIRS'] ?? 5);
const CONNECTIONS = 8;
const MIB = 1024 * 1024;
const FIRST_BYTES_ASKED = 300;
const FILES = 100;
const CHUNK_BYTES = 4 * MIB;
const SCRUB_BYTES_PER_SECOND = 40 * MIB;
/** The least that there is. */
const SCRUB_PERIOD_MS = 60_000;
const IDLE_MS = 3000;

interface Contest {
  readonly server: TestServer;
  readonly nginx: Child;
  /** The same file at both. */
  readonly ours: string;
  readonly theirs: string;
  readonly folder: string;
}

/** Prints a line for each row. */
async function run(rows: readonly string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-bench-'));
  const wants = (...row: string[]): boolean =>
    rows.length === 0 || rows.some((wanted) => row.includes(wanted));
  try {
    // With its settings as they are: a scrub each minute would read all of it while it is given.
    if (wants('seed', 'first')) {
      await withServer({}, (server) => seedRows(server, folder, wants));
    }
    if (wants('put', 'again', 'scrub')) {
      const settings = {
        'archive.scrubPeriodMs': SCRUB_PERIOD_MS,
        'archive.scrubBytesPerSecond': SCRUB_BYTES_PER_SECOND,
      };
      await withServer(wants('scrub') ? settings : {}, async (server) => {
        await put(server, folder);
        if (wants('scrub')) await scrub(server);
      });
    }
    if (wants('ingest')) await ingest();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function withServer(
  settings: Readonly<Record<string, number>>,
  run: (server: TestServer) => Promise<void>,
): Promise<void> {
  const server = await TestServer.prepare({ settings });
  try {
    await server.start();
    await run(server);
  } finally {
    await server.remove();
  }
}

async function seedRows(
  server: TestServer,
  folder: string,
  wants: (...row: string[]) => boolean,
): Promise<void> {
  const contest = await prepare(server, folder);
  try {
    if (wants('seed')) await seed(contest);
    if (wants('first')) await firstByte(contest);
  } finally {
    await contest.nginx.end();
  }
}

/** In a network of its own: Transmission takes no peers of 127.0.0.0/8. */
async function ingest(): Promise<void> {
  const entry = namespaceEntry();
  if ('why' in entry) {
    say(`ingest: not measured, ${entry.why}`);
    return;
  }
  const script = new URL('./archive-ingest.ts', import.meta.url).pathname;
  const [program = '', ...words] = entry.command;
  const own = [process.execPath, '-C', 'swarmkeep-src', script];
  await runToEnd(program, [...words, ...own], 'inherit');
}

async function prepare(server: TestServer, folder: string): Promise<Contest> {
  const root = join(folder, 'files');
  mkdirSync(root);
  writeContent(join(root, 'content.bin'), BYTES, 1);
  const [made] = await server.json<{ infoHash: string }>(['put', join(root, 'content.bin')]);
  await server.json(['member', 'add', 'reader']);
  const torrent = join(folder, 'reader.torrent');
  const infoHash = made?.infoHash ?? '';
  await server.json(['torrent', 'download', infoHash, '--member', 'reader', '-o', torrent]);
  const parsed = parseMetainfo(readFileSync(torrent));
  if (!parsed.ok) throw new Error(parsed.reason);
  const nginx = await startNginxFiles(root);
  return {
    ...{ server, nginx, folder },
    ours: `${parsed.metainfo.webSeeds[0]}content.bin`,
    theirs: `http://127.0.0.1:${nginx.port}/content.bin`,
  };
}

interface Drawn {
  readonly megabytesPerSecond: number;
  readonly megabytesPerCpuSecond: number;
}

async function seed(contest: Contest): Promise<void> {
  const ours: Drawn[] = [];
  const theirs: Drawn[] = [];
  // Nobody has read it before: every segment is hashed.
  const first = await draw(contest.ours, contest.server.pid, contest.folder);
  const idleSince = cpuMicrosOf(contest.server.pid);
  await pause(IDLE_MS);
  const idle = (cpuMicrosOf(contest.server.pid) - idleSince) / 1000 / IDLE_MS;
  for (let pair = 0; pair < PAIRS; pair++) {
    ours.push(await draw(contest.ours, contest.server.pid, contest.folder));
    theirs.push(await draw(contest.theirs, contest.nginx.pid, contest.folder));
  }
  const of = (drawn: Drawn[], what: keyof Drawn): number => median(drawn.map((one) => one[what]));
  const share = of(ours, 'megabytesPerCpuSecond') / of(theirs, 'megabytesPerCpuSecond');
  say(
    `web seed, ${size(BYTES)} by aria2 with ${CONNECTIONS} connections: ` +
      `${of(ours, 'megabytesPerCpuSecond').toFixed(0)} MB a second of CPU, ` +
      `${of(ours, 'megabytesPerSecond').toFixed(0)} MB/s; nginx ` +
      `${of(theirs, 'megabytesPerCpuSecond').toFixed(0)} and ` +
      `${of(theirs, 'megabytesPerSecond').toFixed(0)}; ` +
      `${share.toFixed(2)} of its MB a second of CPU (aim 0.7, floor 0.4)`,
  );
  say(
    `  the first time, every segment hashed: ${first.megabytesPerCpuSecond.toFixed(0)} MB a second of CPU; ` +
      `a server that is asked nothing takes ${(idle * 1000).toFixed(0)} ms of CPU a second, which are in it`,
  );
}

async function draw(url: string, pid: number, folder: string): Promise<Drawn> {
  const before = cpuMicrosOf(pid);
  const sinceMs = performance.now();
  await runToEnd('aria2c', [
    ...['-q', '-x', String(CONNECTIONS), '-s', String(CONNECTIONS), '--min-split-size=1M'],
    ...['--file-allocation=none', '--allow-overwrite=true', '-d', folder, '-o', 'drawn', url],
  ]);
  const seconds = (performance.now() - sinceMs) / 1000;
  const cpuSeconds = (cpuMicrosOf(pid) - before) / 1e6;
  const megabytes = BYTES / 1e6;
  return {
    megabytesPerSecond: megabytes / seconds,
    megabytesPerCpuSecond: megabytes / cpuSeconds,
  };
}

async function firstByte(contest: Contest): Promise<void> {
  const random = new SeededRandom(7);
  const times: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] };
  for (let asked = 0; asked < FIRST_BYTES_ASKED; asked++) {
    // Of the last 32 MiB, which both have in memory after a moment.
    const start = BYTES - 32 * MIB + (random.u32() % (31 * MIB));
    times.ours.push(await firstByteMs(contest.ours, start));
    times.theirs.push(await firstByteMs(contest.theirs, start));
  }
  const [ours, theirs] = [median(times.ours), median(times.theirs)];
  say(
    `first byte of a MiB, warm: p50 ${ours.toFixed(2)} ms, nginx ${theirs.toFixed(2)} ms; ` +
      `${(ours / theirs).toFixed(1)} times (aim 1.5, floor 3)`,
  );
}

async function firstByteMs(url: string, start: number): Promise<number> {
  const sinceMs = performance.now();
  const headers = { range: `bytes=${start}-${start + MIB - 1}` };
  const response = await fetch(url, { headers });
  const reader = response.body?.getReader();
  await reader?.read();
  const ms = performance.now() - sinceMs;
  while ((await reader?.read())?.done === false);
  return ms;
}

async function put(server: TestServer, folder: string): Promise<void> {
  const tree = join(folder, 'tree');
  mkdirSync(tree);
  const each = Math.floor(BYTES / FILES);
  for (let file = 0; file < FILES; file++) writeContent(join(tree, `${file}.bin`), each, file + 2);
  // What a server does once, to be able to put at all, is not counted.
  const first = join(folder, 'first.bin');
  writeContent(first, 2 * CHUNK_BYTES, 1000);
  await server.json(['put', first, '--torrent-version', 'v2']);
  const disk = appendAndSync(folder, each * FILES);
  const hashing = await hashSeconds(each * FILES);
  const hashingCpu = hashCpuSeconds(each * FILES);
  const before = cpuMicrosOf(server.pid);
  const sinceMs = performance.now();
  await server.json(['put', tree, '--torrent-version', 'v2']);
  const seconds = (performance.now() - sinceMs) / 1000;
  const cpuSeconds = (cpuMicrosOf(server.pid) - before) / 1e6;
  const perSecond = BYTES / 1e6 / seconds;
  say(
    `put of ${size(BYTES)} in ${FILES} files, v2: ${perSecond.toFixed(0)} MB/s, ` +
      `${((cpuSeconds * 1e9) / BYTES).toFixed(2)} s of CPU a GB; SHA-256 on every core ` +
      `${(BYTES / 1e6 / hashing).toFixed(0)} MB/s, ${((hashingCpu * 1e9) / BYTES).toFixed(2)} s of CPU a GB; ` +
      `${(hashing / seconds).toFixed(2)} of it by the clock, ${(hashingCpu / cpuSeconds).toFixed(2)} by CPU ` +
      '(aim 0.8, floor 0.5)',
  );
  say(
    `  the disk by itself, as many bytes appended and synced: ${(BYTES / 1e6 / disk.seconds).toFixed(0)} MB/s, ` +
      `${((disk.cpuSeconds * 1e9) / BYTES).toFixed(2)} s of CPU a GB; put is ` +
      `${(disk.seconds / seconds).toFixed(2)} of its MB/s`,
  );
  const more = join(folder, 'more');
  cpSync(tree, more, { recursive: true });
  writeContent(join(more, 'one-more.bin'), 1_000_000, 999);
  const [again] = await server.json<{ newBytes: number }>(['put', more]);
  say(
    `second torrent with 99 % equal files: ${size(again?.newBytes ?? -1)} stored of ${size(BYTES)}`,
  );
}

/** What the scrub does, all at once and at its rate. */
async function scrub(server: TestServer): Promise<void> {
  await pause(SCRUB_PERIOD_MS);
  const rateSince = performance.now();
  await server.command(['jobs', 'run', 'archive-scrub', '--json']);
  const rateSeconds = (performance.now() - rateSince) / 1000;
  const kept = keptBytes(server);
  const packs = join(server.dataFolder, 'store', 'packed');
  const reading = readAndHash(packs);
  const before = cpuMicrosOf(server.pid);
  const sinceMs = performance.now();
  const [proven] = await server.json<{ bytes: number }>(['archive', 'verify']);
  const seconds = (performance.now() - sinceMs) / 1000;
  const cpuSeconds = (cpuMicrosOf(server.pid) - before) / 1e6;
  const bytes = proven?.bytes ?? 0;
  const perSecond = bytes / 1e6 / seconds;
  const bare = reading.bytes / 1e6 / reading.seconds;
  const perCpu = bytes / 1e6 / cpuSeconds;
  const bareCpu = reading.bytes / 1e6 / reading.cpuSeconds;
  say(
    `scrub of ${size(bytes)}, at full rate: ${perSecond.toFixed(0)} MB/s, ${perCpu.toFixed(0)} MB a second of ` +
      `CPU; reading and one SHA-256 ${bare.toFixed(0)} and ${bareCpu.toFixed(0)}; ` +
      `${(perSecond / bare).toFixed(2)} of it by the clock, ${(perCpu / bareCpu).toFixed(2)} by CPU ` +
      '(aim 0.9, floor 0.6)',
  );
  const wanted = bytes / SCRUB_BYTES_PER_SECOND;
  say(
    `scrub at ${size(SCRUB_BYTES_PER_SECOND)} a second: ${rateSeconds.toFixed(1)} s for ${size(bytes)}, ` +
      `${(wanted / rateSeconds).toFixed(2)} of its rate (within 0.1), of ${size(kept)} stored`,
  );
}

function keptBytes(server: TestServer): number {
  const packs = join(server.dataFolder, 'store', 'packed');
  const sizes = packNames(packs).map((name) => statSync(join(packs, name)).size);
  return sizes.reduce((sum, one) => sum + one, 0);
}

function packNames(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith('.pack'));
}

/** Packs from their beginning to their end, each piece hashed when it was read. */
function readAndHash(folder: string): { bytes: number; seconds: number; cpuSeconds: number } {
  const room = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  const sinceMs = performance.now();
  const cpu = process.cpuUsage();
  let bytes = 0;
  for (const name of packNames(folder)) {
    const file = openSync(join(folder, name), 'r');
    for (;;) {
      const read = readSync(file, room);
      if (read === 0) break;
      bytes += read;
      hash('sha256', room.subarray(0, read), 'buffer');
    }
    closeSync(file);
  }
  const seconds = (performance.now() - sinceMs) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { bytes, seconds, cpuSeconds: (user + system) / 1e6 };
}

/** Into a file of its own, which is removed. */
function appendAndSync(folder: string, bytes: number): { seconds: number; cpuSeconds: number } {
  const path = join(folder, 'appended');
  const chunk = Buffer.alloc(CHUNK_BYTES, 7);
  const file = openSync(path, 'w');
  const sinceMs = performance.now();
  const cpu = process.cpuUsage();
  for (let left = bytes; left > 0; left -= chunk.length) {
    writeSync(file, chunk, 0, Math.min(chunk.length, left));
    fdatasyncSync(file);
  }
  const seconds = (performance.now() - sinceMs) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  closeSync(file);
  rmSync(path);
  return { seconds, cpuSeconds: (user + system) / 1e6 };
}

/** Half of the bytes on each of two threads would share a core here; processes do as well. */
async function hashSeconds(bytes: number): Promise<number> {
  const script = `const { hash } = require('node:crypto'); const b = Buffer.alloc(${CHUNK_BYTES}, 7);
    for (let left = ${bytes / 2}; left > 0; left -= b.length) hash('sha256', b, 'buffer');`;
  // Warm: what the first pass compiles is not counted.
  hash('sha256', Buffer.alloc(1), 'buffer');
  const sinceMs = performance.now();
  await Promise.all([1, 2].map(() => runToEnd(process.execPath, ['-e', script])));
  return (performance.now() - sinceMs) / 1000;
}

/** Here, so that starting a process is not in it. */
function hashCpuSeconds(bytes: number): number {
  const chunk = Buffer.alloc(CHUNK_BYTES, 7);
  const cpu = process.cpuUsage();
  for (let left = bytes; left > 0; left -= chunk.length) hash('sha256', chunk, 'buffer');
  const { user, system } = process.cpuUsage(cpu);
  return (user + system) / 1e6;
}

function writeContent(path: string, bytes: number, seed: number): void {
  const random = new SeededRandom(seed);
  const chunk = Buffer.concat(Array.from({ length: 64 }, () => random.bytes(65_536)));
  const file = openSync(path, 'w');
  for (let left = bytes, at = 0; left > 0; left -= chunk.length, at++) {
    // No two chunks are the same blob.
    chunk.writeUInt32LE(at, 0);
    writeSync(file, chunk, 0, Math.min(chunk.length, left));
  }
  closeSync(file);
}

function runToEnd(
  program: string,
  words: readonly string[],
  stdio: 'ignore' | 'inherit' = 'ignore',
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, { stdio });
    child.once('error', reject);
    child.once('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`${program} ended with ${code}`));
    });
  });
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function size(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function say(line: string): void {
  process.stdout.write(`archive: ${line}\n`);
}

await run(process.argv.slice(2));
