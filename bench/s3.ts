// The S3 store against the AWS SDK alone: 1,000 blobs of 4 MiB are put and got, 16 at once, against the
// same cheap service in a third process (peers/s3-sink-process.ts). Ours asks before each put whether the
// blob is there, names it by its hash and verifies what it reads; the SDK does not. They take turns of 200
// blobs; each figure is the median of five turns, and each ratio that of the turns' own ratios. The SDK
// is fetched into a temporary folder, because nothing else here needs it.
// By itself: node -C swarmkeep-src bench/s3.ts

import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROOT, runProgram } from '#tools/child-process.ts';
import { S3_BLOB_BYTES } from './peers/s3-blobs.ts';
import type { S3Taken } from './peers/s3-contender-process.ts';

/** Short turns, so that both meet the same moods of the machine. */
const TURNS = 5;
const BLOBS = 200;
const SDK = '@aws-sdk/client-s3';
const SDK_VERSION = '3.1169.0';
const SDK_FOLDER = join(tmpdir(), `swarmkeep-aws-sdk-${SDK_VERSION}`);
/** Understood by main.ts: some rows are missing, and it is said which. */
const ROWS_MISSING = 3;

/** Prints two lines, put and get. */
async function run(): Promise<void> {
  const why = await bringSdk();
  if (why !== undefined) {
    process.stdout.write(`s3: the AWS SDK is left out: ${why}\n`);
    process.exitCode = ROWS_MISSING;
  }
  const ours: S3Taken[] = [];
  const theirs: S3Taken[] = [];
  const sink = spawn(process.execPath, ['-C', 'swarmkeep-src', 'bench/peers/s3-sink-process.ts'], {
    cwd: ROOT,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  process.stdout.write(`s3: load average ${loadavg()[0]?.toFixed(1)}\n`);
  try {
    const port = await new Promise<string>((resolve) =>
      sink.stdout.once('data', (line) => resolve(String(line).trim())),
    );
    for (let turn = 0; turn < TURNS; turn++) {
      const words = [`http://127.0.0.1:${port}`, String(BLOBS), String(turn * BLOBS)];
      ours.push(await contend(words));
      if (why === undefined) theirs.push(await contend([...words, SDK_FOLDER]));
    }
  } finally {
    sink.stdin.end();
  }
  print('put', ours, theirs);
  print('get', ours, theirs);
}

async function contend(words: readonly string[]): Promise<S3Taken> {
  const script = 'bench/peers/s3-contender-process.ts';
  const ran = await runProgram(process.execPath, ['-C', 'swarmkeep-src', script, ...words]);
  const [line] = /^\{.*\}$/m.exec(ran.output) ?? [];
  if (line === undefined) throw new Error(`A contender failed:\n${ran.output}`);
  return JSON.parse(line) as S3Taken;
}

/** Why it cannot be had; undefined when it is there. */
async function bringSdk(): Promise<string | undefined> {
  if (existsSync(join(SDK_FOLDER, 'node_modules', SDK))) return undefined;
  mkdirSync(SDK_FOLDER, { recursive: true });
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
  const words = ['install', '--prefix', SDK_FOLDER, ...options, `${SDK}@${SDK_VERSION}`];
  const ran = await runProgram('npm', words);
  return ran.exitCode === 0 ? undefined : ran.output.trim().split('\n').at(-1);
}

function print(what: 'put' | 'get', ours: readonly S3Taken[], theirs: readonly S3Taken[]): void {
  const rateOf = (taken: S3Taken): number => (BLOBS * S3_BLOB_BYTES) / 1000 / taken[`${what}Ms`];
  const cpuOf = (taken: S3Taken): number => taken[`${what}CpuMs`] / BLOBS;
  const figures = (taken: readonly S3Taken[]): string =>
    `${median(taken.map(rateOf)).toFixed(0)} MB/s, ` +
    `${median(taken.map(cpuOf)).toFixed(2)} ms of CPU a blob`;
  const ratio = (of: (taken: S3Taken) => number): string =>
    median(theirs.map((one, turn) => of(ours[turn]!) / of(one))).toFixed(2);
  const versus =
    theirs.length === 0
      ? ''
      : `; the SDK ${figures(theirs)}: ${ratio(rateOf)} of its MB/s, ${ratio(cpuOf)} of its CPU`;
  const total = TURNS * BLOBS;
  process.stdout.write(`s3: ${what} ${total} × 4 MiB, 16 at once: ${figures(ours)}${versus}\n`);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

await run();
