import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { SeededRandom } from '#base/random.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { verifyLog } from '#log/repair/verify.ts';
import { Registry } from '#metrics/registry.ts';
import { finishRestoredLog, restoredEpoch } from './restored-log.ts';
import { copyTopic, type TopicCopy } from './topic-copy.ts';

const disk = new SystemDisk();
let root: string;
const opened: LocalLog[] = [];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'swarmkeep-topic-copy-'));
});

afterEach(async () => {
  for (const log of opened.splice(0)) await log.close();
  rmSync(root, { recursive: true, force: true });
});

async function open(name: string): Promise<LocalLog> {
  const log = await LocalLog.open({
    ...{ disk, folder: join(root, name), clock: new SystemClock(), random: new SeededRandom(1) },
    ...{ logger: silentLogger, metrics: new Registry() },
    config: logConfig.parse({ segmentBytesMax: 8192 }),
    onFatal: (error) => {
      throw error;
    },
  });
  opened.push(log);
  return log;
}

/** What a backup does with the files, without the store between. */
async function restore(log: LocalLog, copies: readonly TopicCopy[], epoch: number) {
  const folder = join(root, 'restored');
  for (const { files } of copies) {
    for (const { path, bytes, open: openFile } of files) {
      const from = await openFile();
      const content = new Uint8Array(bytes);
      assert.equal(await from.read(content, 0), bytes);
      await from.close();
      await disk.makeFolder(dirname(join(folder, path)));
      const to = await disk.create(join(folder, path));
      await to.write(content, 0);
      await to.close();
    }
  }
  await finishRestoredLog({ disk, folder, id: log.id, epoch, topics: copies });
  // Before it is opened, which would mend it.
  assert.deepEqual((await verifyLog({ disk, folder })).findings, []);
  return await open('restored');
}

async function texts(log: LocalLog, topic: string): Promise<string[]> {
  const found: string[] = [];
  for (let from = 0; ; ) {
    const { records, nextOffset } = await log.read(topic, { from });
    found.push(...records.map(({ value }) => Buffer.from(value).toString()));
    if (nextOffset === from) return found;
    from = nextOffset;
  }
}

const record = (number: number) => ({ value: utf8(`record ${number} ${'x'.repeat(300)}`) });

test('a topic that is appended to is copied to a point, and goes on from there in a new epoch', async () => {
  const log = await open('log');
  await log.createTopic('events', { consistency: 'durable' });
  let appended = 0;
  const append = async (count: number): Promise<void> => {
    for (let at = 0; at < count; at++) await log.append('events', [record(appended++)]);
  };
  await append(60);
  await log.commit('events', 'reader', 41);
  const more = append(60);
  const copy = await copyTopic({ disk, folder: join(root, 'log'), log }, 'events');
  const again = await restore(log, [copy], restoredEpoch(log.epoch, 1_800_000_000_000));
  await more;
  assert.ok(copy.nextOffset >= 60, 'what was on disk before is in the copy');
  assert.ok(copy.files.length > 3, 'several segments were copied');
  assert.deepEqual(
    await texts(again, 'events'),
    (await texts(log, 'events')).slice(0, copy.nextOffset),
  );
  assert.deepEqual([again.id, again.epoch], [log.id, 1_800_000_000]);
  assert.equal(await again.position('events', 'reader'), 41);
  const { firstOffset } = await again.append('events', [record(1000)]);
  assert.equal(firstOffset, copy.nextOffset);
});

test('a topic is cut at an earlier offset, wherever that is, and no position is beyond it', async () => {
  const log = await open('log');
  await log.createTopic('events', { consistency: 'durable' });
  for (let at = 0; at < 60; at++) await log.append('events', [record(at)]);
  await log.commit('events', 'reader', 60);
  const all = await texts(log, 'events');
  for (let end = 0; end <= 60; end += 5) {
    const copy = await copyTopic({ disk, folder: join(root, 'log'), log }, 'events', end);
    assert.equal(copy.nextOffset, end);
    const again = await restore(log, [copy], 2 + end);
    assert.deepEqual(await texts(again, 'events'), all.slice(0, end), `cut at ${end}`);
    assert.equal(await again.position('events', 'reader'), end);
    assert.equal((await again.append('events', [record(0)])).firstOffset, end);
    await again.close();
    opened.pop();
    rmSync(join(root, 'restored'), { recursive: true });
  }
});

test('a sealed segment has a mark that another one of its name has not', async () => {
  const log = await open('log');
  await log.createTopic('events', { consistency: 'durable' });
  for (let at = 0; at < 60; at++) await log.append('events', [record(at)]);
  const marks = async () => {
    const { files } = await copyTopic({ disk, folder: join(root, 'log'), log }, 'events');
    return new Map(files.map(({ path, mark }) => [path, mark]));
  };
  const before = await marks();
  assert.deepEqual([...(await marks())], [...before], 'nothing changed');
  const sealed = [...before].flatMap(([path, mark]) => (mark === undefined ? [] : [path]));
  assert.equal(
    sealed.length,
    [...before.keys()].filter((path) => path.endsWith('.log')).length - 1,
  );
});

test('a restored epoch is later than the one before, and than that of an earlier restore', () => {
  assert.equal(restoredEpoch(1, 1_800_000_000_999), 1_800_000_000);
  assert.equal(restoredEpoch(1_800_000_000, 1_700_000_000_000), 1_800_000_001);
  assert.equal(restoredEpoch(0xffff_ffff, 1_800_000_000_000), 0xffff_ffff);
});
