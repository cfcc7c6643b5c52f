// A process that appends to a log and reads it until it is killed or its disk is gone, and says on
// standard output what it was told; log-told.ts hears it and compares. Arguments: the log's folder,
// the first number, where its writers and readers are (`local`: in the log itself, `loopback`: clients
// of a server), and a bug to plant, if any.

import { writeSync } from 'node:fs';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { RemoteLog } from '#log/client/remote-log.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import type { Consistency, Log } from '#log/log.ts';
import { LogServer } from '#log/server/server.ts';
import { Registry } from '#metrics/registry.ts';
import { loopbackPair } from '#net/stream-loopback.ts';
import { recordOf, TOLD_CONSUMER, TOLD_TOPIC, textOf } from './log-told.ts';
import { type PlantedBug, PlantedDisk } from './planted-disk.ts';

const WRITERS: readonly Consistency[] = ['durable', 'durable', 'durable', 'interval'];
const READERS = 2;

const [folder = '', first = '0', kind = 'local', planted] = process.argv.slice(2);
const disk = new SystemDisk();
const world = {
  clock: new SystemClock(),
  random: new SystemRandom(),
  logger: silentLogger,
  metrics: new Registry(),
  config: logConfig.parse({ segmentBytesMax: 65_536, intervalMs: 5 }),
};
const local = await LocalLog.open({
  ...world,
  disk: planted === undefined ? disk : new PlantedDisk(disk, planted as PlantedBug, folder),
  folder,
  onFatal: () => process.exit(1),
});
await local.createTopic(TOLD_TOPIC, { consistency: 'durable' });
const server = new LogServer({ ...world, log: local });

/** With the time: what was said after the power had gone was said to nobody. */
function say(words: string): void {
  writeSync(1, `${world.clock.nowMs()} ${words}\n`);
}

async function connect(): Promise<Log> {
  if (kind === 'local') return local;
  const dial = async () => {
    const [near, far] = loopbackPair();
    server.accept(far);
    return near;
  };
  return RemoteLog.connect({ ...world, dial });
}

async function write(writer: number, consistency: Consistency): Promise<never> {
  const log = await connect();
  for (let number = Number(first); ; number++) {
    const record = recordOf(writer, number);
    const { firstOffset } = await log.append(TOLD_TOPIC, [record], { consistency });
    say(`told ${firstOffset} ${textOf(record)}`);
  }
}

async function read(): Promise<never> {
  const log = await connect();
  for (let from = (await log.stats(TOLD_TOPIC)).nextOffset; ; ) {
    const { records, nextOffset } = await log.read(TOLD_TOPIC, { from, waitMs: 1000 });
    for (const record of records) say(`read ${record.offset} ${textOf(record)}`);
    from = nextOffset;
  }
}

/** The position is said before it is committed as well: it may be there after an end between. */
async function consume(): Promise<never> {
  const log = await connect();
  for (;;) {
    const { nextOffset } = await log.stats(TOLD_TOPIC);
    say(`committing ${nextOffset}`);
    await log.commit(TOLD_TOPIC, TOLD_CONSUMER, nextOffset);
    say(`committed ${nextOffset}`);
    await new Promise((resolve) => world.clock.after(3, () => resolve(undefined)));
  }
}

try {
  const readers = Array.from({ length: READERS }, read);
  await Promise.all([
    ...WRITERS.map((consistency, nth) => write(nth, consistency)),
    ...readers,
    consume(),
  ]);
} catch {
  // The disk is gone, or the parent: nobody can be told any more.
  process.exit(1);
}
