// What the packed store costs, beside restic (Debian) on the same files, and beside the disk itself.
//
// - put: 10,000 files of mixed sizes, 4 GB in all, cut into segments of 4 MiB as the archive does, put
//   without hurry and flushed; `restic backup` of the same tree into a local repository, without
//   compression. Both hash and sync. In turn, each time into a new place; medians.
// - again: the same tree a second time, by what is remembered of files that have not changed, as restic
//   does; and once more without it, reading and hashing everything.
// - read: everything back, each blob hashed; `restic check --read-data`.
// - 64 KiB: durable puts one after the other, and 512 in flight without hurry, beside appending as much
//   to one file with an fdatasync after each, or after each 4 MiB. CPU time too: it holds on a busy
//   machine, rates do not.
// - open: a store of a million blobs, and what its index takes.
//
// By itself: node -C swarmkeep-src bench/store.ts. FILES and PAIRS make it smaller; ROWS names those
// that are wanted: "restic,small,open".

import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import {
  closeSync,
  fdatasyncSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { SystemRandom } from '#base/random.ts';
import { Slots } from '#base/slots.ts';
import { storeConfig } from '#store/config.ts';
import { putFiles, SEGMENT_BYTES } from '#store/files/put-files.ts';
import { SeenFiles } from '#store/files/seen-files.ts';
import { CHECKPOINT_NAME } from '#store/packed/checkpoint.ts';
import { PackedStore } from '#store/packed/packed.ts';
import { readStore } from '#store/store.ts';

const FILES = Number(process.env['FILES'] ?? 10_000);
const PAIRS = Number(process.env['PAIRS'] ?? 3);
const ROWS = (process.env['ROWS'] ?? 'restic,small,open').split(',');
const SMALL_BYTES = 64 * 1024;
const SMALL_PUTS = 2000;
const SMALL_IN_FLIGHT = 512;
const MILLION = 1_000_000;
const MB = 1e6;

const root = mkdtempSync(join(tmpdir(), 'swarmkeep-bench-store-'));

async function run(): Promise<void> {
  try {
    if (ROWS.includes('restic')) await beforeRestic();
    if (ROWS.includes('small')) await smallPuts();
    if (ROWS.includes('open')) await openMillion();
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

interface Timed {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

async function beforeRestic(): Promise<void> {
  const total = makeTree(join(root, 'tree'));
  const hasRestic = which('restic');
  const rows: Record<string, Timed[]> = {};
  const keep = (name: string, timed: Timed) => {
    rows[name] = [...(rows[name] ?? []), timed];
  };
  for (let pair = 0; pair < PAIRS; pair++) {
    const folder = join(root, `store-${pair}`);
    const store = await open(folder);
    const path = join(root, `seen-${pair}`);
    keep('put', await timed(() => putTree(store, path)));
    const stored = (await store.stats()).storedBytes;
    keep('again', await timed(() => putTree(store, path)));
    keep('again, all read', await timed(() => putTree(store)));
    if ((await store.stats()).storedBytes !== stored) throw new Error('the second put grew it');
    await store.close();
    const opened = await open(folder);
    keep('read', await timed(() => readAll(opened)));
    await opened.close();
    rmSync(folder, { recursive: true });
    if (!hasRestic) continue;
    const repository = join(root, `restic-${pair}`);
    restic(repository, ['init']);
    const backup = ['backup', '--compression', 'off', join(root, 'tree')];
    keep('restic put', resticTimed(repository, backup));
    keep('restic again', resticTimed(repository, backup));
    keep('restic read', resticTimed(repository, ['check', '--read-data']));
    rmSync(repository, { recursive: true });
  }
  const rate = (name: string) =>
    total / MB / median((rows[name] ?? []).map(({ seconds }) => seconds));
  const cpu = (name: string) =>
    median((rows[name] ?? []).map(({ cpuSeconds }) => cpuSeconds)) / (total / 1e9);
  for (const [name, aim, floor] of [
    ['put', 2, 1],
    ['read', 2, 1],
  ] as const) {
    const own = `${rate(name).toFixed(0)} MB/s, ${cpu(name).toFixed(2)} s of CPU a GB`;
    const theirs = `restic ${rate(`restic ${name}`).toFixed(0)} MB/s, ${cpu(`restic ${name}`).toFixed(2)} s`;
    const times = rate(name) / rate(`restic ${name}`);
    say(
      `${name} ${FILES} files, ${(total / 1e9).toFixed(1)} GB: ${own}; ` +
        (hasRestic
          ? `${theirs}; ${times.toFixed(2)} times its MB/s (aim ${aim}, floor ${floor})`
          : 'no restic here'),
    );
  }
  const part = (name: string, of: string) => (rate(of) / rate(name)).toFixed(2);
  say(
    `second put: ${part('again', 'put')} of the time of the first (aim 0.2, floor 0.4), 0 new bytes; ` +
      `${part('again, all read', 'put')} when every file is read again` +
      (hasRestic ? `; restic ${part('restic again', 'restic put')}` : ''),
  );
}

/** Sizes as archives have them: most files small, most bytes in few. Bytes are random: nothing repeats. */
function makeTree(folder: string): number {
  let total = 0;
  for (let n = 0; n < FILES; n++) {
    const inFolder = join(folder, String(Math.floor(n / 100)));
    mkdirSync(inFolder, { recursive: true });
    const kind = n % 100;
    const size =
      kind === 0
        ? 28e6
        : kind < 10
          ? 100_000 + ((n * 7919) % 1_900_000)
          : 1000 + ((n * 104_729) % 64_000);
    const bytes = randomFillSync(Buffer.allocUnsafe(size));
    writeFileSync(join(inFolder, `${n}.bin`), bytes);
    total += size;
  }
  execFileSync('sync');
  return total;
}

async function putTree(store: PackedStore, seenPath?: string): Promise<void> {
  const disk = new SystemDisk();
  const seen =
    seenPath === undefined
      ? undefined
      : await SeenFiles.open({ disk, path: seenPath, segmentBytes: SEGMENT_BYTES });
  const paths = readdirSync(join(root, 'tree'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  let files = 0;
  const parts = { store, disk, clock: new SystemClock(), seen };
  for await (const { bytes } of putFiles(parts, paths)) files += bytes > 0 ? 1 : 0;
  if (files !== FILES) throw new Error(`${files} of ${FILES} files were put`);
  await store.flush();
  await seen?.save();
}

async function readAll(store: PackedStore): Promise<void> {
  for await (const { body } of readStore(store)) if (body === undefined) throw new Error('corrupt');
}

async function smallPuts(): Promise<void> {
  const blobs = Array.from({ length: SMALL_PUTS }, () =>
    randomFillSync(Buffer.allocUnsafe(SMALL_BYTES)),
  );
  const rows: Record<string, number[]> = {};
  const micros: Record<string, number[]> = {};
  const keep = (name: string, { seconds, cpuSeconds }: Timed) => {
    rows[name] = [...(rows[name] ?? []), (SMALL_PUTS * SMALL_BYTES) / MB / seconds];
    micros[name] = [...(micros[name] ?? []), (cpuSeconds * MB) / SMALL_PUTS];
  };
  for (let pair = 0; pair < PAIRS; pair++) {
    for (const [name, every] of [
      ['raw each', 1],
      ['raw grouped', SEGMENT_BYTES / SMALL_BYTES],
    ] as const) {
      const file = openSync(join(root, name), 'w');
      keep(
        name,
        await timed(async () => {
          for (const [at, blob] of blobs.entries()) {
            writeSync(file, blob);
            if ((at + 1) % every === 0) fdatasyncSync(file);
          }
          fdatasyncSync(file);
        }),
      );
      closeSync(file);
      rmSync(join(root, name));
    }
    const one = await open(join(root, 'one'));
    keep(
      'each',
      await timed(async () => {
        for (const blob of blobs) await one.put(blob);
      }),
    );
    await one.close();
    const many = await open(join(root, 'many'));
    const slots = new Slots(SMALL_IN_FLIGHT);
    keep(
      'grouped',
      await timed(async () => {
        const puts = blobs.map((blob) => slots.use(() => many.put(blob, { noRush: true })));
        await Promise.all(puts);
      }),
    );
    await many.close();
    for (const name of ['one', 'many']) rmSync(join(root, name), { recursive: true });
  }
  for (const [name, words] of [
    ['each', 'one by one'],
    ['grouped', 'without hurry'],
  ] as const) {
    const own = median(rows[name] ?? []);
    const raw = median(rows[`raw ${name}`] ?? []);
    // Of one turn: what else the machine does slows both.
    const part = median((rows[name] ?? []).map((rate, at) => rate / rows[`raw ${name}`]![at]!));
    const cpu = (row: string) => `${median(micros[row] ?? []).toFixed(0)} µs of CPU a blob`;
    say(
      `puts of 64 KiB, durable, ${words}: ${own.toFixed(0)} MB/s, ${cpu(name)}; ` +
        `append and fdatasync ${raw.toFixed(0)} MB/s, ${cpu(`raw ${name}`)}; ` +
        `${part.toFixed(2)} of its MB/s (aim 0.7, floor 0.4)`,
    );
  }
}

async function openMillion(): Promise<void> {
  const folder = join(root, 'million');
  const store = await open(folder);
  for (let n = 0; n < MILLION; n += 10_000) {
    const puts = Array.from({ length: 10_000 }, (_, at) =>
      store.put(Buffer.from(`blob ${n + at}`), { noRush: true }),
    );
    await store.flush();
    await Promise.all(puts);
  }
  await store.close();
  let indexBytes = 0;
  const opens = async (before: () => void): Promise<string> => {
    const seconds: number[] = [];
    for (let pair = 0; pair < PAIRS; pair++) {
      let opened: PackedStore | undefined;
      before();
      const once = async (): Promise<void> => {
        opened = await open(folder);
      };
      seconds.push((await timed(once)).seconds);
      indexBytes = opened?.indexBytes ?? 0;
      await opened?.close();
    }
    return median(seconds).toFixed(2);
  };
  const inOrder = await opens(() => {});
  const afterKill = await opens(() => rmSync(join(folder, CHECKPOINT_NAME), { force: true }));
  const sizes = readdirSync(folder).flatMap((name) =>
    name.endsWith('.pack') ? [statSync(join(folder, name)).size] : [],
  );
  const size = sizes.reduce((sum, bytes) => sum + bytes, 0);
  say(
    `index of a million blobs: ${(indexBytes / MILLION).toFixed(1)} bytes a blob (aim 56, floor 100), ` +
      `open ${inOrder} s, after a kill ${afterKill} s from ${(size / MB).toFixed(0)} MB of packs`,
  );
}

function open(folder: string): Promise<PackedStore> {
  return PackedStore.open({
    ...{ folder, disk: new SystemDisk(), clock: new SystemClock(), random: new SystemRandom() },
    config: storeConfig.parse({}),
  });
}

async function timed(work: () => Promise<unknown>): Promise<Timed> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  await work();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { seconds, cpuSeconds: (user + system) / 1e6 };
}

function restic(repository: string, words: readonly string[]): void {
  const env = { ...process.env, RESTIC_PASSWORD: 'bench', RESTIC_CACHE_DIR: join(root, 'cache') };
  execFileSync('restic', ['-q', '-r', repository, ...words], {
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

/** CPU of the children that have ended, from this process's own accounting. */
function resticTimed(repository: string, words: readonly string[]): Timed {
  const before = childCpuSeconds();
  const start = performance.now();
  restic(repository, words);
  const seconds = (performance.now() - start) / 1000;
  return { seconds, cpuSeconds: childCpuSeconds() - before };
}

function childCpuSeconds(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

function which(program: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((folder) => {
    return statSync(join(folder, program), { throwIfNoEntry: false }) !== undefined;
  });
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

function say(line: string): void {
  process.stdout.write(`store: ${line}\n`);
}

await run();
