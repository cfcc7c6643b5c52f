// A delete hook that is a real command, under a real server that is killed with kill -9 again and again,
// most often while the hook runs: every record that was acknowledged is in the log or in what the hook has
// copied away, whole. SWARMKEEP_HOOK_KILLS sets how many kills.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { utf8 } from '#base/bytes.ts';
import { SystemClock, sleep } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { below, SeededRandom, SystemRandom } from '#base/random.ts';
import { connectLog } from '#log/client/connect.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { segmentOffset } from '#log/segment/segment.ts';
import { Registry } from '#metrics/registry.ts';
import { testSeed } from '#sim/seed.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const KILLS = Number(process.env['SWARMKEEP_HOOK_KILLS'] ?? 4);
const KEPT = 200;
const BATCH = 50;
const REMOVED_MIN = 3;
/** Of a life: more than are kept, so that segments are copied away. */
const BATCHES_MIN = 12;
const clock = new SystemClock();
/** Slow enough to be met in the middle; what it leaves is whole or has another name. */
const HOOK = `
sleep 0.05
name="$(basename "$2")"
cp "$2" "$1/$$.part" && mv "$1/$$.part" "$1/$name" && echo "copied $name" >> "$1/said"
`;

interface Place {
  readonly folder: string;
  readonly archive: string;
  readonly url: string;
}

function placeIn(folder: string): Place {
  const archive = `${folder}/archive`;
  mkdirSync(archive);
  mkdirSync(`${folder}/data`);
  writeFileSync(`${folder}/hook.sh`, HOOK);
  const command = JSON.stringify(['sh', `${folder}/hook.sh`, archive]);
  const settings = `retentionEveryMs = 50\nsegmentBytesMax = 65536\ndeleteHook = ${command}\n`;
  writeFileSync(`${folder}/data/swarmkeep.toml`, `[log]\n${settings}`);
  return { folder, archive, url: `unix:${folder}/log.sock` };
}

async function serve({ folder, url }: Place): Promise<ChildProcess> {
  const words = ['log', 'serve', '--data', `${folder}/data`, '--listen', url];
  const child = spawn(process.execPath, ['-C', 'swarmkeep-src', MAIN, ...words], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let said = '';
  child.stdout.on('data', (part) => {
    said += String(part);
  });
  while (!said.includes('log: ')) {
    assert.equal(child.exitCode, null, said);
    await sleep(clock, 10);
  }
  return child;
}

async function ended(child: ChildProcess): Promise<void> {
  while (child.exitCode === null && child.signalCode === null) await sleep(clock, 10);
}

/** Appends until the server is gone; how many offsets are certain. */
async function appendUntil(
  url: string,
  over: AbortSignal,
  told: number,
  onAppended: () => void,
): Promise<number> {
  const client = await connectLog({ url, giveUpMs: 60_000, requestMs: 60_000 });
  over.addEventListener('abort', () => client.log.destroy());
  let certain = told;
  try {
    await client.log.createTopic('events', { consistency: 'durable', recordsMax: KEPT });
    while (!over.aborted) {
      const { nextOffset } = await client.log.stats('events');
      const records = Array.from({ length: BATCH }, (_, nth) => ({
        value: utf8(`${nextOffset + nth}`.padEnd(100)),
      }));
      const { firstOffset, count } = await client.log.append('events', records);
      certain = firstOffset + count;
      onAppended();
    }
  } catch (error) {
    assert.ok(over.aborted, String(error));
  }
  await client.close().catch(() => undefined);
  return certain;
}

/** The log and what was copied away, put together, from the first record on. */
async function readTogether({ folder, archive }: Place): Promise<number> {
  const [from, to] = [`${folder}/data/log/events`, `${folder}/whole/events`];
  mkdirSync(to, { recursive: true });
  copyFileSync(`${folder}/data/log/log.json`, `${folder}/whole/log.json`);
  for (const name of readdirSync(archive)) {
    if (segmentOffset(name) !== undefined) copyFileSync(`${archive}/${name}`, `${to}/${name}`);
  }
  for (const name of readdirSync(from, { withFileTypes: true })) {
    if (name.isFile() && name.name !== 'removing') {
      copyFileSync(`${from}/${name.name}`, `${to}/${name.name}`);
    }
  }
  const log = await LocalLog.open({
    disk: new SystemDisk(),
    clock,
    random: new SystemRandom(),
    logger: silentLogger,
    metrics: new Registry(),
    config: logConfig.parse({}),
    folder: `${folder}/whole`,
  });
  try {
    const { nextOffset } = await log.stats('events');
    for (let at = 0; at < nextOffset; ) {
      const { records, gaps } = await log.read('events', { from: at });
      assert.deepEqual(gaps, []);
      for (const { offset, value } of records) {
        assert.equal(offset, at++);
        assert.equal(Number(Buffer.from(value).toString()), offset);
      }
    }
    return nextOffset;
  } finally {
    await log.close();
  }
}

it('kill -9 while a hook runs: what was acknowledged is in the log or was copied away, whole', async (t) => {
  const folder = mkdtempSync(`${tmpdir()}/sk-hook-`);
  const random = new SeededRandom(testSeed(t, process.pid));
  let child: ChildProcess | undefined;
  try {
    const place = placeIn(folder);
    let certain = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      child = await serve(place);
      const server = child;
      const over = new AbortController();
      let batches = 0;
      const appending = appendUntil(place.url, over.signal, certain, () => batches++);
      // Who was refused while the server was there has failed the test.
      const refused = appending.then(() => over.abort());
      // Hooks run by then, however slow the machine is.
      while (batches < BATCHES_MIN && !over.signal.aborted)
        await Promise.race([refused, sleep(clock, 10)]);
      await sleep(clock, below(random, 400));
      server.kill('SIGKILL');
      over.abort();
      certain = await appending;
      await ended(server);
    }
    child = await serve(place);
    const client = await connectLog({ url: place.url });
    const left = async (): Promise<boolean> => {
      const { firstOffset, nextOffset, retention } = await client.log.stats('events');
      return nextOffset - firstOffset > 2 * KEPT || (retention?.hooksWaiting ?? 0) > 0;
    };
    // What the one before had begun, it goes on with.
    while (await left()) await sleep(clock, 20);
    const { firstOffset, retention } = await client.log.stats('events');
    await client.close();
    child.kill('SIGTERM');
    await ended(child);
    const said = readFileSync(`${place.archive}/said`, 'utf8').trim().split('\n');
    const copied = new Set(said);
    const nextOffset = await readTogether(place);
    assert.ok(nextOffset >= certain, `${nextOffset} of ${certain}`);
    assert.ok(copied.size >= REMOVED_MIN, `${copied.size} segments were copied away`);
    assert.equal(retention?.hooksDropped, 0);
    t.diagnostic(
      `${KILLS} kills, ${nextOffset} records, ${firstOffset} of them copied away in ${copied.size} segments; ${said.length} hooks ended well`,
    );
  } finally {
    child?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
});
