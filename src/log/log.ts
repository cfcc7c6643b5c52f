// The event log: named topics of ordered records. One interface, several engines: LocalLog over a
// disk, the same through a MessagePort from another thread, later over sockets and on JetStream.
// log.conformance.ts is the suite that each must pass.

import type { PackedRecords } from '#log/segment/packed-records.ts';

/** One record. Both parts are opaque bytes; a key is what compaction keeps the newest value of. */
export interface LogRecord {
  readonly key?: Uint8Array;
  readonly value: Uint8Array;
  /** The key is gone: compaction forgets what was stored under it. `value` is empty. */
  readonly tombstone?: true;
}

/** A record as it was read: its place and the time its batch was appended. */
export interface ReadRecord extends LogRecord {
  readonly offset: number;
  readonly timeMs: number;
}

/** When an append is answered: in the page cache, at the next timed fsync, or after its own. */
export type Consistency = 'memory' | 'interval' | 'durable';

export interface TopicOptions {
  /** Default for appends that do not say. `interval` unless given. */
  readonly consistency?: Consistency;
  /** Bytes of its batches that the topic may have, at least 4096. No limit unless given. */
  readonly bytesMax?: number;
  /**
   * At `bytesMax`: appends are refused with LOG_TOPIC_FULL (default), or the oldest segments are
   * removed. Only with `bytesMax`.
   */
  readonly whenFull?: 'refuse' | 'removeOldest';
  /**
   * Retention by age: segments whose newest record is older are removed, oldest first. A record goes
   * at most an eighth of the time later, when its segment does. Milliseconds, at least 1.
   */
  readonly ageMsMax?: number;
  /** Retention by count: oldest segments go while the others have as many records. At least 1. */
  readonly recordsMax?: number;
  /**
   * What retention does with records that a consumer with a committed position has not read: it
   * keeps them, and a topic at its `bytesMax` then refuses (default), or removes them all the same.
   */
  readonly whenUnread?: 'keep' | 'remove';
  /**
   * Of records with the same key only the newest stays, and of a tombstone nothing after a while
   * (`log.tombstoneMsMin`); offsets stay as they are, with holes. Records without a key all stay.
   */
  readonly compact?: boolean;
  /** How batches are stored and sent, where that is smaller. 'none' unless given. */
  readonly codec?: 'none' | 'zstd' | 'gzip';
}

/** What takes an append back: an AbortSignal, or whatever does as much of one. */
export interface CancelSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(
    type: 'abort',
    listener: () => void,
    options?: { readonly once?: boolean },
  ): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

export interface AppendOptions {
  readonly consistency?: Consistency;
  readonly signal?: CancelSignal;
  /** Names the append: one that was written already is answered again and written no more. */
  readonly producer?: ProducerStamp;
}

/**
 * Who appends, and which of its appends in this topic it is. Sequences ascend, holes are fine. A
 * repetition is known while it is its producer's newest in the topic, so one that may have to repeat
 * keeps one append on its way at a time. It is then alone in its batch.
 */
export interface ProducerStamp {
  /** 1 to 2^53-1, drawn at random once; 0 is nobody. */
  readonly id: number;
  /** 1 to 2^32-1. */
  readonly sequence: number;
}

export interface Appended {
  /** Offset of the first record; the others follow without a gap. */
  readonly firstOffset: number;
  readonly count: number;
}

export type ReadFrom = number | 'beginning' | 'end' | { readonly timeMs: number };

export interface ReadOptions {
  readonly from: ReadFrom;
  /** At most this many records, 1 to the server's `readRecordsMax` (its default). */
  readonly recordsMax?: number;
  /** Stops after the batch that reaches this many bytes; at least one batch is always given. */
  readonly bytesMax?: number;
  /** Waits up to this long for a first record; 0 (default) answers at once, empty at the end. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

export interface ReadResult {
  readonly records: readonly ReadRecord[];
  /** Where the next read goes on; past every gap and every record above. */
  readonly nextOffset: number;
  /** Ranges that damage took away, in order; their good neighbours are in `records`. */
  readonly gaps: readonly LogGap[];
}

/** Offsets `first` up to but not including `next` are unreadable; the bytes were set aside. */
export interface LogGap {
  readonly first: number;
  readonly next: number;
  readonly reason: string;
}

export interface TopicStats {
  readonly name: string;
  /** The first offset that can be read, and the one the next record will get. */
  readonly firstOffset: number;
  readonly nextOffset: number;
  /** Everything below is on disk; what a reader of `durable` and `interval` topics may see. */
  readonly durableOffset: number;
  readonly segments: number;
  /** Bytes of batches, without preallocated room. */
  readonly bytes: number;
  /** Of the last whole scrub of the log's sealed segments; not before the first has ended. */
  readonly scrub?: ScrubStats;
  /** Who has committed a position, by name; only from `stats`, and only when there is any. */
  readonly consumers?: readonly ConsumerStats[];
  /** Of a topic that lets records go: what holds it, and its delete hooks; only from `stats`. */
  readonly retention?: RetentionStats;
}

export interface RetentionStats {
  /** Who still needs records that its rules would let go, and from where on. */
  readonly heldBy?: string;
  readonly heldFrom?: number;
  /** Segments that go once their hook has succeeded; those that failed are tried again. */
  readonly hooksWaiting: number;
  /** Since the start. */
  readonly hookFailures: number;
  /** Given up after `log.deleteHookTriesMax` tries, since the start. */
  readonly hooksDropped: number;
}

export interface ScrubStats {
  /** When it ended, Unix milliseconds. */
  readonly finishedMs: number;
  /** Of all topics. */
  readonly bytes: number;
  readonly segments: number;
  /** Damaged places that it found in this topic, also those that were known. */
  readonly damage: number;
}

export interface ConsumerStats {
  readonly name: string;
  /** The next record it wants. */
  readonly offset: number;
  /** Records from there to the end. */
  readonly lag: number;
}

export interface Log {
  /** Identity of this log's data, made once at creation; a consumer stores it with its position. */
  readonly id: string;
  /** Grows when a log is restored or promoted, so that offsets of different pasts are never mixed. */
  readonly epoch: number;

  /**
   * Makes the topic, or does nothing when it exists.
   * @throws LogError LOG_TOPIC_NAME_INVALID, LOG_TOPIC_OPTIONS_INVALID, LOG_TOPICS_FULL
   */
  createTopic(topic: string, options?: TopicOptions): Promise<void>;

  topics(): Promise<readonly TopicStats[]>;

  /** @throws LogError LOG_TOPIC_UNKNOWN */
  stats(topic: string): Promise<TopicStats>;

  /**
   * Appends the records in order as one batch, answered as `consistency` says. After an error none
   * of them will ever be read, and the topic goes on with the next append; when that cannot be
   * guaranteed (the cut failed) every later append fails with LOG_TOPIC_FAILED.
   * 1 to `batchRecordsMax` records, together at most `batchBytesMax`. The caller may reuse its
   * buffers as soon as the promise has settled. Packed records are copied once less. Appends that
   * wait together share a batch and a sync. The signal takes an append back while it still waits
   * for its turn (rejects with the signal's reason, nothing written); after that it has no effect.
   * @throws LogError LOG_TOPIC_UNKNOWN, LOG_BATCH_TOO_LARGE, LOG_APPEND_FAILED, LOG_TOPIC_FAILED,
   *   LOG_QUEUE_FULL (nothing was written; try again), LOG_TOPIC_FULL (nothing was written, the topic
   *   has its `bytesMax`), LOG_CLOSED
   */
  append(
    topic: string,
    records: readonly LogRecord[] | PackedRecords,
    options?: AppendOptions,
  ): Promise<Appended>;

  /**
   * Records from `from` on, in order, none twice. Empty at the end.
   * @throws LogError LOG_TOPIC_UNKNOWN, LOG_OFFSET_REMOVED (names the first that exists),
   *   LOG_OFFSET_BEYOND_END, LOG_READ_FAILED, LOG_READERS_FULL, LOG_CLOSED; the signal's reason
   */
  read(topic: string, options: ReadOptions): Promise<ReadResult>;

  /** The position a named consumer committed, or undefined. @throws as commit */
  position(topic: string, consumer: string): Promise<number | undefined>;

  /**
   * Durable when it resolves. `offset` is the next record the consumer wants; it may also go back.
   * @throws LogError LOG_TOPIC_UNKNOWN, LOG_TOPIC_NAME_INVALID (of the consumer),
   *   LOG_CONSUMERS_FULL, LOG_OFFSET_BEYOND_END, LOG_APPEND_FAILED, LOG_CLOSED
   */
  commit(topic: string, consumer: string, offset: number): Promise<void>;

  /** Answers what is in flight, syncs, closes files. Blocked readers get LOG_CLOSED. Idempotent. */
  close(): Promise<void>;
}
