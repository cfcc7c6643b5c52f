// What topics let go by age and count, for whom they wait, and what a crash leaves of it.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import { type LogLine, memoryLogger } from '#base/logger.ts';
import { SeededRandom } from '#base/random.ts';
import { type LogConfig, logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import type { TopicOptions, TopicStats } from '#log/log.ts';
import { verifyLog } from '#log/repair/verify.ts';
import { Registry } from '#metrics/registry.ts';
import { SimClock } from '#sim/clock.ts';
import { SimDisk } from '#sim/disk.ts';
import type { DeletedSegment, DeleteHook } from './delete-hook.ts';
import type { RetentionGuard } from './retention-guard.ts';

const HOUR_MS = 3_600_000;
const LOOK_MS = HOUR_MS / 4;

class World {
  readonly clock = new SimClock();
  readonly lines: LogLine[] = [];
  readonly guards: RetentionGuard[] = [];
  hook: DeleteHook | undefined;
  config: Partial<LogConfig> = {};
  disk = new SimDisk({ random: new SeededRandom(1), clock: this.clock });
  log!: LocalLog;

  static async open(
    options: TopicOptions = {},
    more: { readonly config?: Partial<LogConfig>; readonly hook?: DeleteHook } = {},
  ): Promise<World> {
    const world = new World();
    world.config = more.config ?? {};
    world.hook = more.hook;
    await world.reopen();
    await world.until(world.log.createTopic('events', { consistency: 'durable', ...options }));
    return world;
  }

  async reopen(disk = this.disk): Promise<void> {
    this.disk = disk;
    this.log = await this.until(
      LocalLog.open({
        disk,
        clock: this.clock,
        random: new SeededRandom(2),
        logger: memoryLogger(this.lines),
        metrics: new Registry(),
        config: logConfig.parse({
          segmentBytesMax: 4096,
          preallocateBytes: 0,
          retentionEveryMs: LOOK_MS,
          scrubBytesPerSecond: 0,
          ...this.config,
        }),
        folder: '/log',
        guards: this.guards,
        hook: this.hook,
      }),
    );
  }

  until<T>(promise: Promise<T>): Promise<T> {
    return this.clock.until(promise);
  }

  /** Seven records an hour. */
  async fill(count: number, topic = 'events'): Promise<void> {
    for (let nth = 0; nth < count; nth++) {
      await this.until(this.log.append(topic, [{ value: utf8(`${nth}`) }]));
      await this.clock.run(HOUR_MS / 7);
    }
  }

  stats(topic = 'events'): Promise<TopicStats> {
    return this.until(this.log.stats(topic));
  }

  /** Long enough for a look, however it is timed. */
  look(): Promise<void> {
    return this.clock.run(3 * LOOK_MS);
  }
}

it('records older than a topic keeps go with their segment, and the newest stay', async () => {
  const world = await World.open({ ageMsMax: 8 * HOUR_MS });
  await world.fill(7 * 24);
  await world.look();
  const { firstOffset, nextOffset } = await world.stats();
  assert.equal(nextOffset, 7 * 24);
  assert.ok(firstOffset > 7 * 14 && firstOffset <= 7 * 16, `it begins at ${firstOffset}`);
  const { records, gaps } = await world.until(world.log.read('events', { from: firstOffset }));
  assert.deepEqual([records.length, gaps.length], [nextOffset - firstOffset, 0]);
  const removed = world.until(world.log.read('events', { from: 0 }));
  await assert.rejects(removed, (error) => codeOf(error) === 'LOG_OFFSET_REMOVED');
});

it('a topic that nobody writes to any more is empty in the end and goes on at its offset', async () => {
  const world = await World.open({ ageMsMax: HOUR_MS });
  await world.fill(20);
  await world.clock.run(3 * HOUR_MS);
  assert.deepEqual(
    [(await world.stats()).firstOffset, (await world.stats()).bytes],
    [20, 0],
    'all of it is gone',
  );
  await world.reopen(world.disk.crash());
  const appended = await world.until(world.log.append('events', [{ value: utf8('more') }]));
  assert.equal(appended.firstOffset, 20);
});

it('a topic keeps as many records as it is told, and an eighth more at most', async () => {
  const world = await World.open({ recordsMax: 40 });
  await world.fill(200);
  await world.look();
  const { firstOffset, nextOffset } = await world.stats();
  assert.ok(nextOffset - firstOffset >= 40 && nextOffset - firstOffset <= 45, `${firstOffset}`);
});

it('a topic without rules keeps everything, transfers too, whatever its age', async () => {
  const world = await World.open();
  await world.until(world.log.createTopic('transfers', { consistency: 'durable' }));
  await world.fill(30);
  await world.fill(30, 'transfers');
  await world.clock.run(100 * HOUR_MS);
  assert.equal((await world.stats()).firstOffset, 0);
  assert.equal((await world.stats('transfers')).firstOffset, 0);
});

it('of transfers nothing goes before a snapshot of the ledger covers it', async () => {
  const world = await World.open({}, { config: { transfersAgeMsMax: HOUR_MS } });
  await world.until(world.log.createTopic('transfers', { consistency: 'durable' }));
  await world.fill(30, 'transfers');
  await world.clock.run(10 * HOUR_MS);
  assert.equal((await world.stats('transfers')).firstOffset, 0);
  assert.equal((await world.stats('transfers')).retention?.heldBy, 'ledger-snapshot');
  await world.until(world.log.commit('transfers', 'ledger-snapshot', 12));
  await world.look();
  const { firstOffset } = await world.stats('transfers');
  assert.ok(firstOffset > 0 && firstOffset <= 12, `it begins at ${firstOffset}`);
});

it('what a consumer has not read stays, stats say who holds it, and forced it goes', async () => {
  for (const whenUnread of ['keep', 'remove'] as const) {
    const world = await World.open({ recordsMax: 8, whenUnread });
    await world.until(world.log.append('events', [{ value: utf8('first') }]));
    await world.until(world.log.commit('events', 'slow', 1));
    await world.fill(40);
    await world.look();
    const { firstOffset, retention } = await world.stats();
    if (whenUnread === 'remove') {
      assert.ok(firstOffset > 30);
      continue;
    }
    assert.ok(firstOffset <= 1, `it begins at ${firstOffset}`);
    assert.deepEqual([retention?.heldBy, retention?.heldFrom], ['slow', 1]);
    await world.reopen(world.disk.crash());
    await world.look();
    assert.ok((await world.stats()).firstOffset <= 1, 'also after a restart');
    await world.until(world.log.commit('events', 'slow', 41));
    await world.look();
    assert.ok((await world.stats()).firstOffset > 30);
    assert.equal((await world.stats()).retention, undefined);
  }
});

it('a topic at its size refuses rather than remove what a consumer has not read', async () => {
  const world = await World.open({ bytesMax: 8192, whenFull: 'removeOldest' });
  await world.until(world.log.append('events', [{ value: new Uint8Array(400) }]));
  await world.until(world.log.commit('events', 'slow', 0));
  const refused = async (): Promise<unknown> => {
    for (let nth = 0; nth < 30; nth++) {
      try {
        await world.until(world.log.append('events', [{ value: new Uint8Array(400) }]));
      } catch (error) {
        return error;
      }
    }
    return undefined;
  };
  const error = await refused();
  assert.equal(codeOf(error), 'LOG_TOPIC_FULL');
  assert.match(messageOf(error), /"slow" still needs what follows offset 0/);
  const { nextOffset } = await world.stats();
  await world.until(world.log.commit('events', 'slow', nextOffset));
  await world.until(world.log.append('events', [{ value: new Uint8Array(400) }]));
  assert.ok((await world.stats()).firstOffset > 0);
});

it('a guard holds what it needs, and one that cannot be asked holds everything', async () => {
  const world = await World.open({ recordsMax: 8 });
  let needed: number | undefined = 5;
  world.guards.push({
    name: 'mirror',
    neededFrom: () => {
      if (needed === -1) return Promise.reject(Object.assign(new Error('away'), { code: 'EIO' }));
      return Promise.resolve(needed);
    },
  });
  await world.reopen();
  await world.fill(40);
  await world.look();
  assert.ok((await world.stats()).firstOffset <= 5);
  needed = -1;
  await world.look();
  assert.ok((await world.stats()).firstOffset <= 5);
  assert.ok(world.lines.some(({ message }) => /Cannot look at what may be removed/.test(message)));
  needed = undefined;
  await world.look();
  assert.ok((await world.stats()).firstOffset > 30);
});

it('a crash at any point of retention leaves no hole and no offset twice', async () => {
  for (let point = 1; ; point++) {
    const world = await World.open(
      { recordsMax: 8 },
      { config: { retentionEveryMs: 7 * 86_400_000 } },
    );
    await world.until(world.log.append('events', [{ value: utf8('first') }]));
    world.config = {};
    for (let nth = 0; nth < 11; nth++) {
      await world.until(world.log.append('events', [{ value: utf8(`${nth}`) }]));
    }
    await world.reopen();
    let left = point;
    world.disk.onOperation = () => (--left < 0 ? 'EIO' : undefined);
    await world.clock.run(15_000);
    const isDone = left >= 0;
    world.disk.onOperation = undefined;
    await world.reopen(world.disk.crash());
    const { firstOffset, nextOffset } = await world.stats();
    assert.equal(nextOffset, 12, `point ${point}`);
    const { records, gaps } = await world.until(world.log.read('events', { from: firstOffset }));
    assert.deepEqual([records.length, gaps.length], [12 - firstOffset, 0], `point ${point}`);
    const found = await world.until(verifyLog({ disk: world.disk, folder: '/log' }));
    assert.equal(found.isDamaged, false, `point ${point}`);
    if (!isDone) continue;
    assert.equal(firstOffset, 4, 'undisturbed, it removed what it should');
    return;
  }
});

/** Remembers for what it was run, and fails as often as it is told. */
class NotingHook implements DeleteHook {
  readonly ran: DeletedSegment[] = [];
  failures = 0;

  run(segment: DeletedSegment): Promise<void> {
    if (this.failures > 0) {
      this.failures--;
      return Promise.reject(new Error('the other disk is full'));
    }
    this.ran.push(segment);
    return Promise.resolve();
  }
}

it('the hook runs once for each segment before it goes, oldest first', async () => {
  const hook = new NotingHook();
  const world = await World.open({ recordsMax: 8 }, { hook });
  const present: boolean[] = [];
  const run = hook.run.bind(hook);
  hook.run = async (segment) => {
    present.push((await world.disk.stat(segment.path)) !== undefined);
    await run(segment);
  };
  await world.fill(40);
  await world.look();
  const { firstOffset } = await world.stats();
  assert.ok(firstOffset > 20 && present.every((isThere) => isThere));
  let next = 0;
  for (const segment of hook.ran) {
    assert.equal(segment.firstOffset, next);
    next = segment.nextOffset;
  }
  assert.equal(next, firstOffset);
});

it('a hook that fails is run again and its segment stays; given up, it goes and is counted', async () => {
  const hook = new NotingHook();
  const world = await World.open({ recordsMax: 8 }, { hook });
  hook.failures = 3;
  await world.fill(40);
  assert.ok((await world.stats()).firstOffset > 20, 'three failures, and then it went on');
  assert.equal((await world.stats()).retention?.hookFailures, 3);

  const hopeless = new NotingHook();
  hopeless.failures = Number.POSITIVE_INFINITY;
  const other = await World.open({ recordsMax: 8 }, { hook: hopeless });
  await other.fill(40);
  await other.look();
  assert.equal((await other.stats()).firstOffset, 0, 'it is never given up by itself');
  assert.ok((await other.stats()).retention!.hooksWaiting > 10);
  other.config = { deleteHookTriesMax: 2 };
  await other.reopen();
  await other.clock.run(100 * LOOK_MS);
  const { firstOffset, retention } = await other.stats();
  assert.ok(firstOffset > 20);
  assert.ok(retention!.hooksDropped > 0);
});

it('what was to go after its hook goes on after a crash, whatever the rules say by then', async () => {
  const hook = new NotingHook();
  hook.failures = Number.POSITIVE_INFINITY;
  const world = await World.open({ recordsMax: 8 }, { hook });
  await world.fill(40);
  await world.look();
  const path = '/log/events/topic.json';
  world.disk.damage(path, utf8('{"version":1,"consistency":"durable","recordsMax":1000000}\n'));
  hook.failures = 0;
  await world.reopen(world.disk.crash());
  await world.look();
  assert.ok((await world.stats()).firstOffset > 20);
  assert.equal(hook.ran[0]?.firstOffset, 0);
});

it('a topic at its size has its hooks run ahead, and appends go on', async () => {
  const hook = new NotingHook();
  const options = { bytesMax: 32_768, whenFull: 'removeOldest' } as const;
  const world = await World.open(options, { hook });
  for (let nth = 0; nth < 300; nth++) {
    await world.until(world.log.append('events', [{ value: new Uint8Array(400) }]));
    await world.clock.run(10);
    assert.ok((await world.stats()).bytes <= 32_768);
  }
  const { firstOffset } = await world.stats();
  assert.equal(hook.ran.at(-1)?.nextOffset, firstOffset);
  assert.ok(firstOffset > 200);
});

it('rules that make no sense are refused when the topic is made', async () => {
  const world = await World.open();
  const bad = [
    { ageMsMax: 0 },
    { recordsMax: 1.5 },
    { whenUnread: 'maybe' },
    { codec: 'lzma' },
  ] as unknown as TopicOptions[];
  for (const options of bad) {
    const made = world.until(world.log.createTopic('x', options));
    await assert.rejects(made, (error) => codeOf(error) === 'LOG_TOPIC_OPTIONS_INVALID');
  }
});
