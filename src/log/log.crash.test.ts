// The log's promises across thousands of simulated ends, and some real ones. One seed again, alone:
//   SWARMKEEP_LOG_SEED=<seed> node -C swarmkeep-src --test src/log/log.crash.test.ts
// SWARMKEEP_LOG_SEEDS=<how many> runs more of them.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { type LogLine, memoryLogger } from '#base/logger.ts';
import { below, SeededRandom, SystemRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import type { CrashSeries, CrashSum } from '#sim/log-crashes-thread.ts';
import type { PlantedBug } from '#sim/planted-disk.ts';
import { logConfig } from './config.ts';
import { LocalLog } from './local-log.ts';
import { verifyLog } from './verify.ts';

const REPLAY = 'node -C swarmkeep-src --test src/log/log.crash.test.ts';
const LIVES = 6;
const only = process.env['SWARMKEEP_LOG_SEED'];
const SEEDS = Number(process.env['SWARMKEEP_LOG_SEEDS'] ?? 300);

async function runSeries(series: CrashSeries): Promise<CrashSum> {
  const url = new URL('../../sim/log-crashes-thread.ts', import.meta.url);
  const worker = new Worker(url, { workerData: series });
  const [sum] = await once(worker, 'message');
  return sum as CrashSum;
}

it('simulated crashes lose, double and invent nothing that anyone was told', async (t) => {
  const firstSeed = only === undefined ? 1 : Number(only);
  const seeds = only === undefined ? SEEDS : 1;
  const sum = await runSeries({ firstSeed, seeds, options: { lives: LIVES } });
  const replay = `SWARMKEEP_LOG_SEED=${sum.seed} ${REPLAY}`;
  assert.equal(sum.violation, undefined, `${sum.violation}\nreplay: ${replay}`);
  t.diagnostic(
    `${sum.crashes} crashes, ${sum.acknowledged} records acknowledged, ${seeds} seeds from ${firstSeed}`,
  );
});

const PLANTED: Readonly<Record<PlantedBug, string>> = {
  'answer-before-sync': 'an answer before the sync',
  'failed-sync-retried': 'a sync that failed is tried again',
  'no-checksums': 'recovery without checksums',
  'index-trusted': 'an index that is trusted after a crash',
  'torn-tail-kept': 'a torn tail that is kept',
  'folder-not-synced': 'a folder that is not synced',
};
const PLANTED_SEEDS_MAX = 1000;
for (const [planted, name] of Object.entries(PLANTED) as [PlantedBug, string][]) {
  it(`the simulator finds a planted bug: ${name}`, { skip: only !== undefined }, async (t) => {
    const options = { lives: LIVES, planted };
    const { seed, violation } = await runSeries({
      firstSeed: 1,
      seeds: PLANTED_SEEDS_MAX,
      options,
    });
    assert.notEqual(seed, undefined, `${PLANTED_SEEDS_MAX} seeds did not find it`);
    t.diagnostic(`seed ${seed}: ${violation?.split('\n')[0]}`);
  });
}

it('kill -9 of a real process loses nothing that it was told', {
  skip: only !== undefined,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'swarmkeep-kill-'));
  const random = new SeededRandom(process.pid);
  const told = new Map<number, string>();
  let kills = 0;
  try {
    const untilMs = performance.now() + 5000;
    while (performance.now() < untilMs) {
      await writeUntilKilled(`${folder}/log`, kills * 1_000_000, told, below(random, 150));
      kills++;
      if (kills % 3 === 0) await compare(`${folder}/log`, told);
    }
    await compare(`${folder}/log`, told);
    assert.ok(told.size > 0);
    t.diagnostic(`${kills} kills, ${told.size} records acknowledged`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

async function writeUntilKilled(
  folder: string,
  first: number,
  told: Map<number, string>,
  delayMs: number,
): Promise<void> {
  const script = fileURLToPath(new URL('../../sim/log-writer-process.ts', import.meta.url));
  const child = spawn(process.execPath, ['-C', 'swarmkeep-src', script, folder, `${first}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  let started = false;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    if (started) return;
    started = true;
    setTimeout(() => child.kill('SIGKILL'), delayMs);
  });
  await once(child, 'close');
  // A line that was cut off in the middle told nobody anything.
  for (const line of output.split('\n').slice(0, -1)) {
    const [writer, number, offset] = line.split(' ');
    assert.equal(told.has(Number(offset)), false, `offset ${offset} was given twice`);
    told.set(Number(offset), `${writer} ${number}`);
  }
}

async function compare(folder: string, told: ReadonlyMap<number, string>): Promise<void> {
  const disk = new SystemDisk();
  const before = await verifyLog({ disk, folder });
  assert.deepEqual(
    before.findings.filter(({ severity }) => severity === 'damage'),
    [],
  );
  const lines: LogLine[] = [];
  const log = await LocalLog.open({
    disk,
    clock: new SystemClock(),
    random: new SystemRandom(),
    logger: memoryLogger(lines),
    metrics: new Registry(),
    config: logConfig.parse({}),
    folder,
  });
  try {
    const found = new Map<number, string>();
    const seen = new Set<string>();
    for (let from = 0; ; ) {
      const { records, gaps, nextOffset } = await log.read('events', { from });
      if (records.length === 0) break;
      assert.deepEqual(gaps, []);
      for (const { offset, value } of records) {
        const text = new TextDecoder().decode(value);
        assert.equal(seen.has(text), false, `${text} is there twice`);
        seen.add(text);
        found.set(offset, text);
      }
      from = nextOffset;
    }
    for (const [offset, text] of told) assert.equal(found.get(offset), text, `offset ${offset}`);
    assert.deepEqual(
      lines.filter(({ level }) => level === 'error'),
      [],
    );
  } finally {
    await log.close();
  }
}
