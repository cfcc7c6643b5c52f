// What every Log must do, whatever is behind it. An engine's test calls `describeLog` with a way to
// make one; a case that an engine cannot meet is named there with its reason, never left out here.

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { codeOf } from '#base/errors.ts';
import { PackedRecords } from '#log/segment/packed-records.ts';
import type { LogConfig } from './config.ts';
import type { Consistency, Log, LogRecord, ReadOptions, ReadRecord, TopicOptions } from './log.ts';

export interface LogUnderTest {
  readonly log: Log;
  /** Lets time pass until the promise settles; for a simulated world the only way. */
  settle<T>(promise: Promise<T>): Promise<T>;
  /** Ends it in order and opens what is left again. */
  reopen(): Promise<LogUnderTest>;
  /** Removes what it left behind. */
  dispose(): Promise<void>;
}

export interface LogFactory {
  readonly name: string;
  /** The consistency that topics of the suite are made with. */
  readonly consistency?: Consistency;
  /** What else its topic is made with. */
  readonly topic?: TopicOptions;
  open(config: Partial<LogConfig>): Promise<LogUnderTest>;
}

const LONG_MS = 30_000;

export function describeLog(factory: LogFactory): void {
  describe(factory.name, () => {
    let current: LogUnderTest | undefined;
    afterEach(async () => {
      await current?.settle(current.log.close()).catch(() => {});
      await current?.dispose();
      current = undefined;
    });

    async function open(config: Partial<LogConfig> = {}): Promise<LogUnderTest> {
      current = await factory.open(config);
      const { consistency, topic } = factory;
      const options = { ...topic, ...(consistency === undefined ? {} : { consistency }) };
      await current.settle(current.log.createTopic('events', options));
      return current;
    }

    async function reopen(world: LogUnderTest): Promise<LogUnderTest> {
      current = await world.reopen();
      return current;
    }

    /** Appends and makes it visible: a durable append settles all that came before it. */
    async function append(world: LogUnderTest, ...values: string[]): Promise<void> {
      const options = { consistency: 'durable' } as const;
      await world.settle(world.log.append('events', values.map(record), options));
    }

    async function read(world: LogUnderTest, options: ReadOptions): Promise<string[]> {
      return texts((await world.settle(world.log.read('events', options))).records);
    }

    it('append() gives offsets without a gap, from 0', async () => {
      const { log, settle } = await open();
      const answers = await settle(
        Promise.all([
          log.append('events', [record('a')]),
          log.append('events', [record('b'), record('c')]),
          log.append('events', [record('d')]),
        ]),
      );
      assert.deepEqual(answers, [
        { firstOffset: 0, count: 1 },
        { firstOffset: 1, count: 2 },
        { firstOffset: 3, count: 1 },
      ]);
    });

    for (const consistency of ['memory', 'interval', 'durable'] as const) {
      it(`a record appended with "${consistency}" can be read, and after opening again`, async () => {
        let world = await open();
        const { log, settle } = world;
        await settle(log.append('events', [record('x')], { consistency }));
        assert.deepEqual(await read(world, { from: 0, waitMs: LONG_MS }), ['x']);
        world = await reopen(world);
        assert.deepEqual(await read(world, { from: 0 }), ['x']);
      });
    }

    it('keys, empty values and tombstones come back as they were', async () => {
      const world = await open();
      const records: LogRecord[] = [
        { key: utf8('k'), value: utf8('v') },
        { key: new Uint8Array(0), value: new Uint8Array(0) },
        { key: utf8('gone'), value: new Uint8Array(0), tombstone: true },
        { value: Uint8Array.of(0, 255, 10, 13) },
      ];
      await world.settle(world.log.append('events', records, { consistency: 'durable' }));
      const result = await world.settle(world.log.read('events', { from: 0 }));
      assert.deepEqual(result.records.map(plain), records.map(plain));
    });

    it('packed records are the same as records', async () => {
      const world = await open();
      const packed = PackedRecords.of(['p', 'q'].map(record));
      const options = { consistency: 'durable' } as const;
      const { log, settle } = world;
      const both = [log.append('events', [record('o')], options)];
      both.push(log.append('events', packed, options), log.append('events', packed, options));
      await settle(Promise.all(both));
      assert.deepEqual(await read(world, { from: 0 }), ['o', 'p', 'q', 'p', 'q']);
    });

    it('a stamped append is written once, also after opening again', async () => {
      let world = await open({ segmentBytesMax: 4096 });
      const stamp = (sequence: number) => ({ producer: { id: 7, sequence } });
      const { log, settle } = world;
      const twice = await settle(
        Promise.all([
          log.append('events', [record('a'), record('b')], stamp(1)),
          log.append('events', [record('a'), record('b')], stamp(1)),
          log.append('events', [record('other')], { producer: { id: 8, sequence: 1 } }),
        ]),
      );
      assert.deepEqual(twice[0], twice[1]);
      const again = await settle(log.append('events', [record('a'), record('b')], stamp(1)));
      assert.deepEqual(again, { firstOffset: 0, count: 2 });
      await settle(log.append('events', [record('c')], stamp(5)));
      const old = await rejection(settle(log.append('events', [record('x')], stamp(3))));
      assert.equal(codeOf(old), 'LOG_SEQUENCE_OLD');
      world = await reopen(world);
      const known = world.log.append('events', [record('c')], stamp(5));
      assert.deepEqual(await world.settle(known), { firstOffset: 3, count: 1 });
      // The segment that holds it is not the last any more.
      for (let nth = 0; nth < 20; nth++) await append(world, String(nth));
      world = await reopen(world);
      const still = world.log.append('events', [record('c')], stamp(5));
      assert.deepEqual(await world.settle(still), { firstOffset: 3, count: 1 });
      const values = await read(world, { from: 0, recordsMax: 4, waitMs: LONG_MS });
      assert.deepEqual(values, ['a', 'b', 'other', 'c']);
    });

    it('the caller may reuse its buffers once an append has settled', async () => {
      const world = await open();
      const buffer = utf8('one');
      await world.settle(world.log.append('events', [{ value: buffer }]));
      buffer.fill(0);
      await append(world, 'two');
      assert.deepEqual(await read(world, { from: 0 }), ['one', 'two']);
    });

    it('read() starts in the middle of a batch and stops in the middle of one', async () => {
      const world = await open();
      await append(world, 'a', 'b', 'c', 'd');
      await append(world, 'e', 'f');
      assert.deepEqual(await read(world, { from: 1, recordsMax: 2 }), ['b', 'c']);
      assert.deepEqual(await read(world, { from: 3, recordsMax: 2 }), ['d', 'e']);
      const result = await world.settle(world.log.read('events', { from: 2, recordsMax: 1 }));
      assert.equal(result.nextOffset, 3);
    });

    it('read() stops after the batch that reaches bytesMax, and gives one at least', async () => {
      const world = await open();
      for (const value of ['a', 'b', 'c']) await append(world, value);
      assert.deepEqual(await read(world, { from: 0, bytesMax: 1 }), ['a']);
    });

    it('read() never answers more than readRecordsMax', async () => {
      const world = await open({ readRecordsMax: 2 });
      await append(world, 'a', 'b', 'c');
      assert.deepEqual(await read(world, { from: 0, recordsMax: 1_000_000 }), ['a', 'b']);
    });

    it('reads over many segments lose and repeat nothing', async () => {
      const world = await open({ segmentBytesMax: 4096 });
      const expected: string[] = [];
      for (let round = 0; round < 40; round++) {
        const values = Array.from({ length: 1 + (round % 5) }, (_, nth) => `${round}.${nth}`);
        expected.push(...values);
        await append(world, ...values);
      }
      const found: string[] = [];
      for (let from = 0; ; ) {
        const options = { from, recordsMax: 7 };
        const result = await world.settle(world.log.read('events', options));
        assert.deepEqual(result.gaps, []);
        if (result.records.length === 0) break;
        assert.equal(result.records[0]?.offset, from);
        found.push(...texts(result.records));
        from = result.nextOffset;
      }
      assert.deepEqual(found, expected);
      for (const from of [0, 1, 50, expected.length - 1]) {
        assert.deepEqual(await read(world, { from, recordsMax: 1 }), [expected[from]]);
      }
    });

    it('read() from the beginning, from the end and from a time', async () => {
      const world = await open();
      await append(world, 'a');
      const [first] = (await world.settle(world.log.read('events', { from: 0 }))).records;
      await append(world, 'b');
      assert.ok(first);
      assert.deepEqual(await read(world, { from: 'beginning' }), ['a', 'b']);
      assert.deepEqual(await read(world, { from: 'end' }), []);
      assert.equal((await read(world, { from: { timeMs: first.timeMs } }))[0], 'a');
      assert.deepEqual(await read(world, { from: { timeMs: first.timeMs + 1e9 } }), []);
    });

    it('read() at the end is empty and keeps its place', async () => {
      const world = await open();
      await append(world, 'a');
      const result = await world.settle(world.log.read('events', { from: 1 }));
      assert.deepEqual(result, { records: [], gaps: [], nextOffset: 1 });
    });

    it('read() beyond the end or before the beginning says which offsets exist', async () => {
      const world = await open();
      await append(world, 'a');
      const beyond = await rejection(world.settle(world.log.read('events', { from: 2 })));
      assert.equal(codeOf(beyond), 'LOG_OFFSET_BEYOND_END');
      assert.match(String(beyond), /the end is 1/);
      const before = await rejection(world.settle(world.log.read('events', { from: -1 })));
      assert.equal(codeOf(before), 'LOG_OFFSET_REMOVED');
      assert.match(String(before), /the first that exists is 0/);
    });

    it('a waiting read() is answered by the next append', async () => {
      const world = await open();
      const { log, settle } = world;
      const waiting = log.read('events', { from: 'end', waitMs: LONG_MS });
      await settle(log.stats('events'));
      await append(world, 'a');
      assert.deepEqual(texts((await settle(waiting)).records), ['a']);
    });

    it('a waiting read() ends empty at its deadline', async () => {
      const { log, settle } = await open();
      const result = await settle(log.read('events', { from: 0, waitMs: 20 }));
      assert.deepEqual(result, { records: [], gaps: [], nextOffset: 0 });
    });

    it('a waiting read() ends with the reason of its signal', async () => {
      const { log, settle } = await open();
      const abort = new AbortController();
      const waiting = log.read('events', { from: 0, waitMs: LONG_MS, signal: abort.signal });
      await settle(log.stats('events'));
      abort.abort(new Error('enough'));
      await assert.rejects(settle(waiting), /enough/);
      const again = log.read('events', { from: 0, waitMs: LONG_MS, signal: abort.signal });
      await assert.rejects(settle(again), /enough/);
    });

    it('one reader more than readersMax is refused, and a place is free again after one ends', async () => {
      const { log, settle } = await open({ readersMax: 1 });
      const abort = new AbortController();
      const first = log.read('events', { from: 0, waitMs: LONG_MS, signal: abort.signal });
      await settle(log.stats('events'));
      const second = await rejection(settle(log.read('events', { from: 0, waitMs: 10 })));
      assert.equal(codeOf(second), 'LOG_READERS_FULL');
      abort.abort(new Error('enough'));
      await assert.rejects(settle(first), /enough/);
      assert.deepEqual((await settle(log.read('events', { from: 0, waitMs: 10 }))).records, []);
    });

    it('an append whose signal is aborted already writes nothing', async () => {
      const world = await open();
      const signal = AbortSignal.abort(new Error('no more'));
      const refused = world.log.append('events', [record('a')], { signal });
      await assert.rejects(world.settle(refused), /no more/);
      await append(world, 'b');
      assert.deepEqual(await read(world, { from: 0 }), ['b']);
    });

    it('append() refuses none, too many and too large records, and goes on', async () => {
      const world = await open({ batchRecordsMax: 2, batchBytesMax: 1024 });
      const { log, settle } = world;
      const wrong = [[], ['a', 'b', 'c'].map(record), [record('x'.repeat(1020))]];
      for (const records of wrong) {
        const refusal = await rejection(settle(log.append('events', records)));
        assert.equal(codeOf(refusal), 'LOG_BATCH_TOO_LARGE');
      }
      await append(world, 'x'.repeat(1024 - 12));
      assert.equal((await read(world, { from: 0 }))[0]?.length, 1012);
    });

    it('append() refuses packed records that are malformed', async () => {
      const { log, settle } = await open();
      for (const bytes of [new Uint8Array(5), new Uint8Array(24).fill(1), new Uint8Array(12)]) {
        const refused = settle(log.append('events', new PackedRecords(2, bytes)));
        assert.equal(codeOf(await rejection(refused)), 'LOG_BATCH_INVALID');
      }
    });

    it('append() refuses what queueBytesMax has no room for, and writes the rest', async () => {
      const world = await open({ queueBytesMax: 1024, portBytesMax: 1 << 20 });
      const { log, settle } = world;
      const value = 'x'.repeat(300);
      const asked = Array.from({ length: 8 }, () => log.append('events', [record(value)]));
      const answers = await settle(Promise.allSettled(asked));
      const done = answers.filter((answer) => answer.status === 'fulfilled');
      for (const answer of answers) {
        if (answer.status === 'rejected') assert.equal(codeOf(answer.reason), 'LOG_QUEUE_FULL');
      }
      assert.ok(done.length >= 3);
      const { records } = await settle(log.read('events', { from: 0, waitMs: LONG_MS }));
      assert.equal(records.length, done.length);
    });

    it('an unknown topic is refused by every call', async () => {
      const { log, settle } = await open();
      const calls: (() => Promise<unknown>)[] = [
        () => log.append('nobody', [record('a')]),
        () => log.read('nobody', { from: 0 }),
        () => log.stats('nobody'),
        () => log.commit('nobody', 'me', 0),
        () => log.position('nobody', 'me'),
      ];
      for (const call of calls) {
        assert.equal(codeOf(await rejection(settle(call()))), 'LOG_TOPIC_UNKNOWN');
      }
    });

    it('topic names that are not allowed are refused, above all paths', async () => {
      const { log, settle } = await open();
      const names = [
        '',
        '.',
        '..',
        '../x',
        'a/b',
        'A',
        'ä',
        '-a',
        'log.json',
        'a'.repeat(65),
        'a\0',
      ];
      for (const name of names) {
        const refusal = await rejection(settle(log.createTopic(name)));
        assert.equal(codeOf(refusal), 'LOG_TOPIC_NAME_INVALID', name);
      }
    });

    it('a topic at its size refuses appends or removes its oldest records, as it was made', async () => {
      const { log, settle } = await open();
      const filled = async (topic: string): Promise<unknown> => {
        let refusal: unknown;
        for (let nth = 0; nth < 12 && refusal === undefined; nth++) {
          refusal = await rejection(settle(log.append(topic, [{ value: new Uint8Array(1500) }])));
        }
        return codeOf(refusal);
      };
      await settle(log.createTopic('box', { consistency: 'durable', bytesMax: 8192 }));
      assert.equal(await filled('box'), 'LOG_TOPIC_FULL');
      const box = await settle(log.stats('box'));
      assert.equal(box.firstOffset, 0);
      const { records } = await settle(log.read('box', { from: 0 }));
      assert.equal(records.length, box.nextOffset);
      await settle(log.createTopic('ring', { bytesMax: 8192, whenFull: 'removeOldest' }));
      assert.equal(await filled('ring'), undefined);
      const ring = await settle(log.stats('ring'));
      assert.ok(ring.firstOffset > 0 && ring.bytes <= 8192 && ring.nextOffset === 12);
      await settle(log.createTopic('kept', { ageMsMax: 1000, recordsMax: 5, compact: true }));
      for (const options of [{ bytesMax: 1 }, { bytesMax: Number.NaN }, { whenFull: 'refuse' }]) {
        const refusal = await rejection(settle(log.createTopic('odd', options as TopicOptions)));
        assert.equal(codeOf(refusal), 'LOG_TOPIC_OPTIONS_INVALID');
      }
    });

    it('one topic more than topicsMax is refused; making one again does nothing', async () => {
      const { log, settle } = await open({ topicsMax: 2 });
      await settle(log.createTopic('second'));
      await settle(log.createTopic('second'));
      assert.equal(codeOf(await rejection(settle(log.createTopic('third')))), 'LOG_TOPICS_FULL');
      const topics = await settle(log.topics());
      assert.deepEqual(
        topics.map(({ name }) => name),
        ['events', 'second'],
      );
    });

    it('stats() tells how far each consumer is behind', async () => {
      const world = await open();
      const { log, settle } = world;
      await append(world, 'a', 'b', 'c');
      await settle(log.commit('events', 'slow', 1));
      await settle(log.commit('events', 'done', 3));
      const { consumers } = await settle(log.stats('events'));
      assert.deepEqual(consumers, [
        { name: 'done', offset: 3, lag: 0 },
        { name: 'slow', offset: 1, lag: 2 },
      ]);
    });

    it('stats() counts offsets, segments and bytes', async () => {
      const world = await open();
      assert.equal((await world.settle(world.log.stats('events'))).nextOffset, 0);
      await append(world, 'a', 'b');
      const stats = await world.settle(world.log.stats('events'));
      assert.deepEqual(stats, {
        name: 'events',
        firstOffset: 0,
        nextOffset: 2,
        durableOffset: 2,
        segments: 1,
        bytes: 512,
      });
    });

    it('a consumer goes on where it committed, also inside a batch and after opening again', async () => {
      let world = await open();
      await append(world, 'a');
      await append(world, 'b', 'c', 'd');
      assert.equal(await world.settle(world.log.position('events', 'me')), undefined);
      for (const offset of [1, 2, 3, 4, 0]) {
        await world.settle(world.log.commit('events', 'me', offset));
        assert.equal(await world.settle(world.log.position('events', 'me')), offset);
        world = await reopen(world);
        assert.equal(await world.settle(world.log.position('events', 'me')), offset);
        const expected = ['a', 'b', 'c', 'd'].slice(offset);
        assert.deepEqual(await read(world, { from: offset }), expected);
      }
    });

    it('commit() refuses offsets that do not exist, wrong names and one consumer too many', async () => {
      const { log, settle } = await open({ consumersMax: 1 });
      const beyond = await rejection(settle(log.commit('events', 'me', 1)));
      assert.equal(codeOf(beyond), 'LOG_OFFSET_BEYOND_END');
      const path = await rejection(settle(log.commit('events', '../me', 0)));
      assert.equal(codeOf(path), 'LOG_TOPIC_NAME_INVALID');
      await settle(log.commit('events', 'me', 0));
      const full = await rejection(settle(log.commit('events', 'you', 0)));
      assert.equal(codeOf(full), 'LOG_CONSUMERS_FULL');
      await settle(log.commit('events', 'me', 0));
    });

    it('id and epoch stay the same when it is opened again', async () => {
      const world = await open();
      assert.match(world.log.id, /^[0-9a-f]{32}$/);
      const again = await reopen(world);
      assert.equal(again.log.id, world.log.id);
      assert.equal(again.log.epoch, world.log.epoch);
    });

    it('close() answers what is in flight, ends waiting reads, and refuses what comes after', async () => {
      const world = await open();
      const { log, settle } = world;
      const waiting = rejection(log.read('events', { from: 'end', waitMs: LONG_MS }));
      await settle(log.stats('events'));
      const appends = [log.append('events', [record('a')]), log.append('events', [record('b')])];
      const closed = log.close();
      await settle(Promise.all([...appends, closed, log.close()]));
      const ended = await settle(waiting);
      // The append may reach the reader before the end does; then there was nothing to end.
      if (ended !== undefined) assert.equal(codeOf(ended), 'LOG_CLOSED');
      const calls: (() => Promise<unknown>)[] = [
        () => log.append('events', [record('c')]),
        () => log.read('events', { from: 0 }),
        () => log.topics(),
        () => log.createTopic('other'),
      ];
      for (const call of calls) {
        assert.equal(codeOf(await rejection(settle(call()))), 'LOG_CLOSED');
      }
      const again = await reopen(world);
      assert.deepEqual(await read(again, { from: 0 }), ['a', 'b']);
    });
  });
}

function record(text: string): LogRecord {
  return { value: utf8(text) };
}

function texts(records: readonly ReadRecord[]): string[] {
  return records.map(({ value }) => new TextDecoder().decode(value));
}

function plain(record: LogRecord): unknown {
  const { key, value, tombstone } = record;
  return { key: key && [...key], value: [...value], tombstone };
}

/** The error of a promise, or undefined when it has none. */
async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return undefined;
  } catch (error) {
    return error;
  }
}
