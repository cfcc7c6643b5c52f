// A Log in memory, for tests of what is built on one: it fails, crashes and forgets on demand. It
// keeps the contract of log/log.ts as far as accounting and the outbox use it, without any disk.

import { assert } from '#base/assert.ts';
import { CodedError } from '#base/errors.ts';
import type {
  Appended,
  AppendOptions,
  Log,
  LogGap,
  LogRecord,
  ReadOptions,
  ReadRecord,
  ReadResult,
  TopicStats,
} from '#log/log.ts';
import { type PackedRecords, unpacked } from '#log/segment/packed-records.ts';

interface Topic {
  readonly records: ReadRecord[];
  readonly gaps: LogGap[];
  readonly positions: Map<string, number>;
  firstOffset: number;
  nextOffset: number;
  durableOffset: number;
}

export class MemoryLog implements Log {
  id: string;
  epoch = 1;
  /** Called before an append; what it throws fails the append, with nothing written. */
  beforeAppend: ((topic: string, records: readonly LogRecord[]) => void) | undefined;
  /** Called after an append; what it throws loses the answer, not the records. */
  afterAppend: (() => void) | undefined;
  /** Awaited before an append is answered. */
  delay: (() => Promise<void>) | undefined;
  readonly #topics = new Map<string, Topic>();

  constructor(id = 'log-1') {
    this.id = id;
  }

  async createTopic(topic: string): Promise<void> {
    if (this.#topics.has(topic)) return;
    this.#topics.set(topic, {
      records: [],
      gaps: [],
      positions: new Map(),
      firstOffset: 0,
      nextOffset: 0,
      durableOffset: 0,
    });
  }

  async topics(): Promise<readonly TopicStats[]> {
    return await Promise.all([...this.#topics.keys()].map((name) => this.stats(name)));
  }

  async stats(name: string): Promise<TopicStats> {
    const topic = this.#topic(name);
    const { firstOffset, nextOffset, durableOffset } = topic;
    return { name, firstOffset, nextOffset, durableOffset, segments: 1, bytes: 0 };
  }

  async append(
    name: string,
    records: readonly LogRecord[] | PackedRecords,
    options: AppendOptions = {},
  ): Promise<Appended> {
    const topic = this.#topic(name);
    // Copied before anything is awaited, as the caller's buffers are only lent.
    const copies = unpacked(records).map(copyOf);
    if (this.delay !== undefined) await this.delay();
    this.beforeAppend?.(name, copies);
    const firstOffset = topic.nextOffset;
    for (const copy of copies) {
      topic.records.push({ ...copy, offset: topic.nextOffset, timeMs: 0 });
      topic.nextOffset++;
    }
    if (options.consistency !== 'memory') topic.durableOffset = topic.nextOffset;
    this.afterAppend?.();
    return { firstOffset, count: copies.length };
  }

  async read(name: string, options: ReadOptions): Promise<ReadResult> {
    const topic = this.#topic(name);
    assert(typeof options.from !== 'object', 'reading by time is not needed here');
    const from =
      options.from === 'beginning'
        ? topic.firstOffset
        : options.from === 'end'
          ? topic.nextOffset
          : options.from;
    if (from < topic.firstOffset) {
      throw new CodedError('LOG_OFFSET_REMOVED', `The first offset is ${topic.firstOffset}`);
    }
    if (from > topic.nextOffset) {
      throw new CodedError('LOG_OFFSET_BEYOND_END', `The next offset is ${topic.nextOffset}`);
    }
    const recordsMax = options.recordsMax ?? 1000;
    const records: ReadRecord[] = [];
    for (let low = lowerBound(topic.records, from); low < topic.records.length; low++) {
      if (records.length >= recordsMax) break;
      records.push(topic.records[low]!);
    }
    const last = records.at(-1);
    const full = records.length >= recordsMax;
    const nextOffset = full && last !== undefined ? last.offset + 1 : topic.nextOffset;
    const gaps = topic.gaps.filter((gap) => gap.next > from && gap.first < nextOffset);
    return { records, nextOffset, gaps };
  }

  async position(name: string, consumer: string): Promise<number | undefined> {
    return this.#topic(name).positions.get(consumer);
  }

  async commit(name: string, consumer: string, offset: number): Promise<void> {
    this.#topic(name).positions.set(consumer, offset);
  }

  async close(): Promise<void> {}

  /** Forgets records from `nextOffset` on, as an older copy of the log would have. */
  cut(name: string, nextOffset: number): void {
    const topic = this.#topic(name);
    topic.records.splice(lowerBound(topic.records, nextOffset));
    topic.nextOffset = nextOffset;
    topic.durableOffset = Math.min(topic.durableOffset, nextOffset);
  }

  /** Removes records below `firstOffset`, as retention does. */
  retain(name: string, firstOffset: number): void {
    const topic = this.#topic(name);
    topic.records.splice(0, lowerBound(topic.records, firstOffset));
    topic.firstOffset = firstOffset;
  }

  /** The records themselves, for tests that plant damage. */
  recordsOf(name: string): ReadRecord[] {
    return this.#topic(name).records;
  }

  /** Damage takes these offsets away. */
  damage(name: string, gap: LogGap): void {
    const topic = this.#topic(name);
    const from = lowerBound(topic.records, gap.first);
    topic.records.splice(from, lowerBound(topic.records, gap.next) - from);
    topic.gaps.push(gap);
  }

  #topic(name: string): Topic {
    const topic = this.#topics.get(name);
    if (topic === undefined) throw new CodedError('LOG_TOPIC_UNKNOWN', `No topic "${name}"`);
    return topic;
  }
}

function copyOf(record: LogRecord): LogRecord {
  const value = record.value.slice();
  return record.key === undefined ? { value } : { key: record.key.slice(), value };
}

function lowerBound(records: readonly ReadRecord[], offset: number): number {
  let low = 0;
  let high = records.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (records[middle]!.offset < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
