// The row `ingest` of archive.ts, in a network namespace: one client seeds a file; the archive takes it in
// from the swarm, then transmission-daemon downloads it from the same client. PAIRS and BYTES as there.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeededRandom } from '#base/random.ts';
import { makeTorrent } from '#tools/e2e/content.ts';
import { Libtorrent } from '#tools/e2e/libtorrent.ts';
import { address4 } from '#tools/e2e/namespace.ts';
import { pause, TestServer } from '#tools/e2e/server.ts';
import { Transmission } from '#tools/e2e/transmission.ts';
import { cpuMicrosOf } from './server-use.ts';

const BYTES = Number(process.env['BYTES'] ?? 1_000_000_000);
const PAIRS = Math.min(3, Number(process.env['PAIRS'] ?? 3));
const MIB = 1024 * 1024;
const LOOK_MS = 50;
const LOOKS_MAX = 6000;

interface Taken {
  /** From the first byte to the last. */
  readonly megabytesPerSecond: number;
  readonly cpuSecondsPerGigabyte: number;
}

async function run(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-bench-ingest-'));
  const server = await TestServer.prepare({
    addresses: [address4(1)],
    settings: { 'swarm.announceIntervalMsMin': 1000, 'tracker.announceIntervalMs': 10_000 },
  });
  try {
    await server.start();
    await server.json(['member', 'add', 'seeder']);
    await server.json(['member', 'add', 'taker']);
    const ours: Taken[] = [];
    const theirs: Taken[] = [];
    for (let pair = 0; pair < PAIRS; pair++) {
      const { archive, transmission } = await contest(server, join(folder, String(pair)), pair);
      ours.push(archive);
      theirs.push(transmission);
    }
    const of = (all: Taken[], what: keyof Taken): number => median(all.map((one) => one[what]));
    const share = of(ours, 'megabytesPerSecond') / of(theirs, 'megabytesPerSecond');
    const shareOfCpu = of(theirs, 'cpuSecondsPerGigabyte') / of(ours, 'cpuSecondsPerGigabyte');
    process.stdout.write(
      `archive: ingest of ${(BYTES / 1e9).toFixed(1)} GB from a local client, v1: ` +
        `${of(ours, 'megabytesPerSecond').toFixed(0)} MB/s, ` +
        `${of(ours, 'cpuSecondsPerGigabyte').toFixed(1)} s of CPU a GB; transmission-daemon ` +
        `${of(theirs, 'megabytesPerSecond').toFixed(0)} MB/s, ` +
        `${of(theirs, 'cpuSecondsPerGigabyte').toFixed(1)} s; ${share.toFixed(2)} of its MB/s ` +
        `(aim 1.0, floor 0.6), ${shareOfCpu.toFixed(2)} of its MB a second of CPU\n`,
    );
  } finally {
    await server.remove();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** New content each time: what the store has it does not take again. */
async function contest(server: TestServer, folder: string, pair: number) {
  const source = join(folder, 'source');
  const own = { seeder: join(folder, 'seeder'), taker: join(folder, 'taker') };
  for (const each of [source, own.seeder, own.taker]) mkdirSync(each, { recursive: true });
  const content = { folder: source, name: 'c.bin', files: [['c.bin', BYTES]] as const, seed: 1 };
  writeFileSync(join(source, 'c.bin'), bytesOf(pair + 1));
  const path = join(folder, 'c.torrent');
  writeFileSync(path, (await makeTorrent(content, { version: 'v1' })).bytes);
  const [added] = await server.json<{ infoHash: string }>(['torrent', 'add', path]);
  const infoHash = added?.infoHash ?? '';
  const copyFor = async (member: string): Promise<string> => {
    const file = join(folder, `${member}.torrent`);
    await server.json(['torrent', 'download', infoHash, '--member', member, '-o', file]);
    return file;
  };
  const seeder = await Libtorrent.start({ address: address4(2), folder: own.seeder });
  try {
    await seeder.add(await copyFor('seeder'), source);
    await until(async () => (await seeder.status(infoHash)).progress === 1);
    await seeder.announce(infoHash);
    const archive = await take(server.pid, {
      begin: async () => void (await server.json(['torrent', 'keep', infoHash])),
      progress: async () => Math.min(1, (await seeder.status(infoHash)).uploaded / BYTES),
      isDone: async () => {
        const [shown] = await server.json<{ keeping: string }>(['torrent', 'show', infoHash]);
        return shown?.keeping === 'kept';
      },
    });
    const taker = await Transmission.start({ address: address4(3), folder: own.taker });
    try {
      const file = await copyFor('taker');
      const done = async (): Promise<number> => (await taker.status(infoHash)).progress;
      const transmission = await take(taker.pid, {
        begin: () => taker.add(file, own.taker),
        progress: done,
        isDone: async () => (await done()) === 1,
      });
      return { archive, transmission };
    } finally {
      await taker.stop();
    }
  } finally {
    await seeder.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function take(
  pid: number,
  taker: {
    begin(): Promise<void>;
    /** 0 to 1. */
    progress(): Promise<number>;
    isDone(): Promise<boolean>;
  },
): Promise<Taken> {
  await taker.begin();
  await until(async () => (await taker.progress()) > 0);
  const cpu = cpuMicrosOf(pid);
  const sinceMs = performance.now();
  await until(async () => (await taker.progress()) >= 1);
  await until(() => taker.isDone());
  const seconds = (performance.now() - sinceMs) / 1000;
  return {
    megabytesPerSecond: BYTES / 1e6 / seconds,
    cpuSecondsPerGigabyte: (((cpuMicrosOf(pid) - cpu) / 1e6) * 1e9) / BYTES,
  };
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let look = 0; look < LOOKS_MAX; look++) {
    if (await isSo()) return;
    await pause(LOOK_MS);
  }
  throw new Error('it did not come to its end in time');
}

function bytesOf(seed: number): Uint8Array {
  const random = new SeededRandom(seed, 77);
  const chunk = Buffer.concat(Array.from({ length: 16 }, () => random.bytes(65_536)));
  const bytes = Buffer.allocUnsafe(BYTES);
  for (let at = 0; at < BYTES; at += MIB) {
    chunk.writeUInt32LE(at / MIB, 0);
    bytes.set(chunk.subarray(0, Math.min(MIB, BYTES - at)), at);
  }
  return bytes;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

await run();
