// The archive's WebDAV as a disk that rclone mounts: what a folder and a file cost over a link of no length
// and over one of 100 ms there and back (a proxy that holds bytes back, tools/e2e/mounted-archive.ts).
//
// By itself: node -C swarmkeep-src bench/archive-mount.ts; BYTES sets how much is read.

import { execFile } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeededRandom } from '#base/random.ts';
import { LongLink, MountedArchive, whyNotMounted } from '#tools/e2e/mounted-archive.ts';
import { TestServer } from '#tools/e2e/server.ts';
import { SiteVisitor } from '#tools/e2e/site-visitor.ts';

const BYTES = Number(process.env['BYTES'] ?? 200_000_000);
const DELAYS_MS = [0, 100];
const SMALL_READS = 50;
const SMALL_BYTES = 64 * 1024;
const FILES = 100;
const PASSWORD = 'tortoise lamp river';

async function run(): Promise<void> {
  const why = whyNotMounted();
  if (why !== false) return say(`not measured: ${why}`);
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-bench-mount-'));
  const server = await TestServer.prepare();
  try {
    await server.start();
    await server.json(['member', 'add', 'mina', '--password-stdin'], PASSWORD);
    const visitor = await SiteVisitor.signIn(server.siteUrl, 'mina', PASSWORD);
    const page = await (await visitor.get('/me/webdav')).text();
    const key = /class="secret">([0-9a-f]{32})</.exec(page)?.[1] ?? '';
    const tree = join(folder, 'tree');
    writeTree(tree);
    await server.json(['put', tree, '--torrent-version', 'v2']);
    const { port } = new URL(server.siteUrl);
    for (const delayMs of DELAYS_MS) await measure({ folder, key, port: Number(port), delayMs });
  } finally {
    await server.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

function writeTree(tree: string): void {
  mkdirSync(join(tree, 'many'), { recursive: true });
  for (let file = 0; file < FILES; file++) writeFileSync(join(tree, 'many', `${file}`), `${file}`);
  const random = new SeededRandom(3);
  const parts = Array.from({ length: Math.ceil(BYTES / 65_536) }, () => random.bytes(65_536));
  writeFileSync(join(tree, 'large.bin'), Buffer.concat(parts).subarray(0, BYTES));
}

interface Measuring {
  readonly folder: string;
  readonly key: string;
  readonly port: number;
  readonly delayMs: number;
}

async function measure({ folder, key, port, delayMs }: Measuring): Promise<void> {
  const link = await LongLink.open(port, delayMs);
  const place = { url: `http://127.0.0.1:${link.port}/dav/`, name: 'mina', key };
  const mounted = await MountedArchive.open(place, folder);
  if ('why' in mounted) return say(`not measured: ${mounted.why}`);
  try {
    const told = await readApart(mounted.path);
    say(`${delayMs} ms: ${told}; ${link.requests} requests in all`);
  } finally {
    await mounted.close();
    link.close();
  }
}

/** In a process of its own: what waits for the disk must not keep the link waiting. */
async function readApart(path: string): Promise<string> {
  const words = ['-C', 'swarmkeep-src', new URL(import.meta.url).pathname, path];
  return await new Promise((resolve, reject) => {
    execFile(process.execPath, words, (error, told) => (error ? reject(error) : resolve(told)));
  });
}

function readAll(path: string): string {
  const [torrent = ''] = readdirSync(path);
  const many = join(path, torrent, 'many');
  let sinceMs = performance.now();
  const files = readdirSync(many).length;
  const listMs = performance.now() - sinceMs;
  const room = Buffer.alloc(1024 * 1024);
  const large = openSync(join(path, torrent, 'large.bin'), 'r');
  sinceMs = performance.now();
  let bytes = 0;
  for (let read = 1; read > 0; bytes += read) read = readSync(large, room);
  const seconds = (performance.now() - sinceMs) / 1000;
  closeSync(large);
  const times: number[] = [];
  const random = new SeededRandom(9);
  for (let at = 0; at < SMALL_READS; at++) {
    sinceMs = performance.now();
    const file = openSync(join(path, torrent, 'large.bin'), 'r');
    readSync(file, room, 0, SMALL_BYTES, random.u32() % (BYTES - SMALL_BYTES));
    closeSync(file);
    times.push(performance.now() - sinceMs);
  }
  times.sort((a, b) => a - b);
  const at = (share: number): string => (times[Math.floor(share * times.length)] ?? 0).toFixed(0);
  return (
    `a folder of ${files} in ${listMs.toFixed(0)} ms, ${(bytes / 1e6 / seconds).toFixed(0)} MB/s, ` +
    `opening a file and reading 64 KiB anywhere in it p50 ${at(0.5)} and p99 ${at(0.99)} ms`
  );
}

function say(line: string): void {
  process.stdout.write(`archive: mounted, ${line}\n`);
}

const [path] = process.argv.slice(2);
if (path === undefined) await run();
else process.stdout.write(readAll(path));
