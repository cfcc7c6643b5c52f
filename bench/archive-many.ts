// A folder of very many small files: what it costs to put it, how long pages wait meanwhile, and what its
// torrent costs to look at and to take.
//
// By itself: node -C swarmkeep-src bench/archive-many.ts; FILES sets how many, 200,000 unless given, VERSION
// the torrent's. CPU time holds on a busy machine, times by the clock do not; how long a page waits is told
// by both: the longest time by the clock, and the most CPU time that the event loop took during one.

import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROGRAM, pause, TestServer } from '#tools/e2e/server.ts';
import { SiteVisitor } from '#tools/e2e/site-visitor.ts';
import { cpuMicrosByThread, cpuMicrosOf, residentBytesOf } from './server-use.ts';

const FILES = Number(process.env['FILES'] ?? 200_000);
const VERSION = process.env['VERSION'] ?? 'v2';
const FILES_A_FOLDER = 1000;
const PASSWORD = 'tortoise lamp river';
const ASKED_EVERY_MS = 50;
const TAR_BYTES = 1_000_000;

async function run(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-bench-many-'));
  const server = await TestServer.prepare();
  try {
    await server.start();
    await server.json(['member', 'add', 'mina', '--password-stdin'], PASSWORD);
    const visitor = await SiteVisitor.signIn(server.siteUrl, 'mina', PASSWORD);
    // What a server does once is not counted.
    writeFiles(join(folder, 'first'), 10);
    await putFolder(server, join(folder, 'first'));
    const tree = join(folder, 'tree');
    writeFiles(tree, FILES);
    const hash = await measurePut(server, visitor, tree);
    await measureLooks(server, visitor, hash);
  } finally {
    await server.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

function writeFiles(tree: string, count: number): void {
  for (let at = 0; at < count; at++) {
    const folder = join(tree, `folder-${Math.floor(at / FILES_A_FOLDER)}`);
    if (at % FILES_A_FOLDER === 0) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `file-${at}.txt`), String(at).padStart(12, '0'));
  }
}

async function measurePut(server: TestServer, visitor: SiteVisitor, tree: string): Promise<string> {
  const asking = new Asking(server, visitor);
  const before = cpuMicrosOf(server.pid);
  const sinceMs = performance.now();
  const hash = await putFolder(server, tree);
  const seconds = (performance.now() - sinceMs) / 1000;
  await asking.end();
  const cpuSeconds = (cpuMicrosOf(server.pid) - before) / 1e6 - asking.cpuSeconds;
  say(
    `put of ${FILES} files of 12 bytes, ${VERSION}: ${seconds.toFixed(0)} s, ${cpuSeconds.toFixed(1)} s of CPU ` +
      `(${((cpuSeconds * 1000) / FILES).toFixed(2)} ms a file), ${(asking.residentMax / 1e6).toFixed(0)} MB of memory at the most`,
  );
  say(
    `  pages asked meanwhile, ${asking.count}, ${asking.failed} in vain: p50 ${asking.median.toFixed(0)} ms, the longest ` +
      `${asking.longestMs.toFixed(0)} ms; most CPU of the event loop during one ${asking.longestCpuMs.toFixed(0)} ms`,
  );
  return hash;
}

/** By itself: a command of the tests' server must end within a minute. */
async function putFolder(server: TestServer, tree: string): Promise<string> {
  const words = ['put', tree, '--torrent-version', VERSION, '--json', '--data', server.dataFolder];
  const child = spawn(PROGRAM, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (part: Buffer) => {
    said += part.toString();
  });
  await new Promise((resolve) => child.once('close', resolve));
  const last = said.trim().split('\n').at(-1) ?? '{}';
  return (JSON.parse(last) as { infoHash: string }).infoHash;
}

/** Asks for a page again and again, and measures how long it takes. */
class Asking {
  readonly #server: TestServer;
  readonly #visitor: SiteVisitor;
  readonly #times: number[] = [];
  readonly #running: Promise<void>;
  #isEnded = false;
  longestCpuMs = 0;
  cpuSeconds = 0;
  residentMax = 0;
  failed = 0;

  constructor(server: TestServer, visitor: SiteVisitor) {
    this.#server = server;
    this.#visitor = visitor;
    this.#running = this.#run();
  }

  get count(): number {
    return this.#times.length;
  }

  get median(): number {
    return this.#times.toSorted((a, b) => a - b)[Math.floor(this.#times.length / 2)] ?? Number.NaN;
  }

  get longestMs(): number {
    return Math.max(...this.#times);
  }

  async end(): Promise<void> {
    this.#isEnded = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const { pid } = this.#server;
    await this.#ask();
    const cpuBefore = cpuMicrosOf(pid);
    await this.#ask();
    const each = cpuMicrosOf(pid) - cpuBefore;
    while (!this.#isEnded) {
      const main = mainMicros(pid);
      const sinceMs = performance.now();
      await this.#ask();
      this.#times.push(performance.now() - sinceMs);
      this.longestCpuMs = Math.max(this.longestCpuMs, (mainMicros(pid) - main) / 1000);
      this.residentMax = Math.max(this.residentMax, residentBytesOf(pid));
      await pause(ASKED_EVERY_MS);
    }
    this.cpuSeconds = (this.#times.length * each) / 1e6;
  }

  /** A server may close a connection that was used long ago, in the moment when it is used again. */
  async #ask(): Promise<void> {
    try {
      await (await this.#visitor.get('/rules')).arrayBuffer();
    } catch {
      this.failed += 1;
    }
  }
}

async function measureLooks(server: TestServer, visitor: SiteVisitor, hash: string): Promise<void> {
  const page = await (await visitor.get(`/torrents/${hash}`)).text();
  const tar = /href="(\/torrents\/[0-9a-f]+\/content\/all)"/.exec(page)?.[1] ?? '';
  const files = `/torrents/${hash}/files`;
  const looks = {
    'its page': `/torrents/${hash}`,
    'its folders': files,
    'the biggest first': `${files}?sort=size`,
    'a name in it': `${files}?name=folder-77`,
    'its files by the API, 100': `/api/v1/torrents/${hash}/files`,
    'its .torrent': `/torrents/${hash}/download`,
  };
  for (const [what, path] of Object.entries(looks)) {
    for (const time of ['first', 'again']) await look(server, visitor, `${what}, ${time}`, path);
  }
  await look(server, visitor, `the first ${TAR_BYTES} bytes of its tar`, tar, TAR_BYTES);
}

async function look(
  server: TestServer,
  visitor: SiteVisitor,
  ...[what, path, bytesMax]: [what: string, path: string, bytesMax?: number]
): Promise<void> {
  const before = cpuMicrosOf(server.pid);
  const main = mainMicros(server.pid);
  const sinceMs = performance.now();
  const answer = await visitor.get(path);
  const headMs = performance.now() - sinceMs;
  let bytes = 0;
  for await (const part of answer.body ?? []) {
    bytes += part.length;
    if (bytesMax !== undefined && bytes >= bytesMax) break;
  }
  const ms = performance.now() - sinceMs;
  const cpuMs = (cpuMicrosOf(server.pid) - before) / 1000;
  const mainMs = (mainMicros(server.pid) - main) / 1000;
  say(
    `  ${what}: ${answer.status}, ${bytes} bytes, first ${headMs.toFixed(0)} ms, all ${ms.toFixed(0)} ms; ` +
      `${cpuMs.toFixed(0)} ms of CPU, ${mainMs.toFixed(0)} of it the event loop's`,
  );
}

/** CPU time of the server's event loop. */
function mainMicros(pid: number): number {
  const name = readFileSync(`/proc/${pid}/task/${pid}/comm`, 'latin1').trim();
  return cpuMicrosByThread(pid).get(name) ?? Number.NaN;
}

function say(line: string): void {
  process.stdout.write(`archive: ${line}\n`);
}

await run();
