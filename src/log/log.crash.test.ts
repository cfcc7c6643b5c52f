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

// Where a bug is rare, the search begins near a seed that shows it.
const PLANTED: (Pick<CrashSeries, 'firstSeed' | 'options'> & { readonly name: string })[] = [
  { name: 'an answer before the sync', firstSeed: 1, options: { lives: LIVES, lying: 'datasync' } },
  { name: 'a name not synced', firstSeed: 1, options: { lives: LIVES, lying: 'syncFolder' } },
  {
    name: 'recovery without checksums',
    firstSeed: 1,
    options: { lives: LIVES, planted: 'recovery-without-checksums' },
  },
  {
    name: 'a torn tail that is kept',
    firstSeed: 225,
    options: { lives: LIVES, planted: 'torn-tail-kept' },
  },
];
for (const { name, firstSeed, options } of PLANTED) {
  it(`the simulator finds a planted bug: ${name}`, { skip: only !== undefined }, async (t) => {
    const { seed, violation } = await runSeries({ firstSeed, seeds: 1000, options });
    assert.notEqual(seed, undefined, '1000 seeds did not find it');
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
