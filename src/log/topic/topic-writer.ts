// Writes one topic. Appends wait in a queue; a loop takes what waits, lays it out as batches in one
// buffer, writes that at once and, when anyone asked for it, syncs once for all of them (group
// commit). Bytes are copied once, from the caller's records into that buffer.
//
// After a failed write or sync nothing of it is answered as done: the segment is cut back durably,
// and the next append begins a new one. If the cut fails, the topic has failed: it takes no more
// appends and `onFatal` tells the owner, who ends the process; recovery starts from the disk.

import { AssertionFailure } from '#base/assert.ts';
import type { Timer } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import { LogError } from '#log/errors.ts';
import type { Appended, AppendOptions, LogRecord } from '#log/log.ts';
import { ActiveSegment } from '#log/segment/active-segment.ts';
import { aligned } from '#log/segment/alignment.ts';
import { BATCH_HEADER_BYTES } from '#log/segment/batch.ts';
import type { Checkpoint } from '#log/segment/checkpoint.ts';
import { CODECS } from '#log/segment/codec.ts';
import { layBatches } from '#log/segment/lay-batches.ts';
import { type PackedRecords, viewOf } from '#log/segment/packed-records.ts';
import { AppendQueue } from './append-queue.ts';
import { type Group, groupOf, type Pending, writtenBefore } from './pending-append.ts';
import type { Producers } from './producers.ts';
import type { Held } from './retention-guard.ts';
import {
  removeOldest,
  roomOf,
  SEGMENTS_PER_LIMIT,
  segmentBytesMaxOf,
  topicFull,
} from './size-limit.ts';
import type { TopicState } from './topic-state.ts';
import type { TopicWorld } from './topic-world.ts';

/** How long after the last sync the durable mark is written to its file. */
const CHECKPOINT_DELAY_MS = 200;
/** What a resting topic keeps of its write buffer. */
const RESTING_BUFFER_BYTES_MAX = 64 * 1024;

export class TopicWriter {
  readonly #world: TopicWorld;
  readonly #state: TopicState;
  readonly #mark: Checkpoint;
  readonly #producers: Producers;
  readonly #held: () => Promise<Held | undefined>;
  readonly #queue: AppendQueue;
  readonly #wake = (): void => this.#start();
  #active: ActiveSegment | undefined;
  /** Of a segment that was cut back to nothing: its file stands, whole and on disk. */
  #cutOffset: number | undefined;
  /** Written, and answered by the next sync. */
  #waiting: Pending[] = [];
  /** On disk, and answered in a moment. */
  #served: readonly Pending[] = [];
  #buffer = new Uint8Array(0);
  #pumping: Promise<void> | undefined;
  #isSyncWanted = false;
  /** Settled when the next segment stands. */
  #rolling: (() => void)[] = [];
  #intervalTimer: Timer | undefined;
  #checkpointTimer: Timer | undefined;
  #syncedMs = 0;
  #failure: LogError | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    world: TopicWorld,
    state: TopicState,
    start: {
      readonly active: ActiveSegment | undefined;
      readonly mark: Checkpoint;
      readonly producers: Producers;
      /** Asked at `bytesMax`. */
      readonly held: () => Promise<Held | undefined>;
    },
  ) {
    this.#world = world;
    this.#state = state;
    this.#mark = start.mark;
    this.#producers = start.producers;
    this.#held = start.held;
    this.#queue = new AppendQueue(world, state);
    this.#active = start.active;
  }

  append(
    records: readonly LogRecord[] | PackedRecords,
    options: AppendOptions = {},
  ): Promise<Appended> {
    const { producer } = options;
    if (producer === undefined) return this.#enqueue(records, options);
    const confirm = (before: Appended) => this.#confirm(before, options);
    return this.#producers.once(producer, () => this.#enqueue(records, options), confirm);
  }

  /** What was written before is answered as is asked for now; whoever closes syncs as well. */
  #confirm(before: Appended, options: AppendOptions): Appended | Promise<Appended> {
    const { consistency = this.#state.consistency } = options;
    const isDurable = before.firstOffset + before.count <= this.#state.durableOffset;
    if (consistency === 'memory' || isDurable) return before;
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push(writtenBefore(before, { resolve, reject }));
      if (this.#closing !== undefined) return;
      this.#isSyncWanted = true;
      this.#start();
    });
  }

  #enqueue(
    records: readonly LogRecord[] | PackedRecords,
    options: AppendOptions,
  ): Promise<Appended> {
    const refusal = this.#refuse();
    if (refusal !== undefined) return Promise.reject(refusal);
    return this.#queue.add(records, options, this.#wake);
  }

  /**
   * Goes on in a new segment, so that the one it was writing may be removed. Resolves also when that
   * failed or the topic is closing: whoever asked looks at the segments.
   */
  roll(): Promise<void> {
    if (this.#closing !== undefined || this.#failure !== undefined) return Promise.resolve();
    return new Promise((resolve) => {
      this.#rolling.push(resolve);
      this.#start();
    });
  }

  /** Writes and syncs everything that waits, trims the segment, writes the mark. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #refuse(): LogError | undefined {
    const { name } = this.#state;
    if (this.#failure !== undefined) return this.#failure;
    if (this.#closing === undefined) return undefined;
    return new LogError('LOG_CLOSED', `Cannot append to topic "${name}": the log is closed`);
  }

  #start(): void {
    if (this.#pumping !== undefined) return;
    this.#pumping = this.#pump().catch((error: unknown) => this.#fail(error, []));
  }

  async #pump(): Promise<void> {
    // Whoever else appends in this turn joins the first batch.
    await null;
    try {
      while (this.#failure === undefined && this.#hasWork) {
        const gathered = this.#gather();
        if (gathered !== undefined) {
          this.#tellServed();
          await gathered;
        }
        await this.#commit(this.#take());
      }
    } finally {
      // In the same step as the look at the queue: an append after it starts the loop again.
      this.#pumping = undefined;
      this.#tellServed();
    }
  }

  get #hasWork(): boolean {
    return this.#queue.length > 0 || this.#isSyncWanted || this.#rolling.length > 0;
  }

  #gather(): Promise<void> | undefined {
    if (this.#closing !== undefined || this.#isSyncWanted || this.#rolling.length > 0) {
      return undefined;
    }
    return this.#queue.gather();
  }

  #take(): Pending[] {
    return this.#queue.take(Math.min(this.#world.config.writeBytesMax, this.#segmentBytesMax));
  }

  async #commit(taken: Pending[]): Promise<void> {
    let flush = taken;
    const wantsSync =
      this.#isSyncWanted || flush.some((pending) => pending.consistency === 'durable');
    this.#isSyncWanted = false;
    const rolling = this.#rolling;
    this.#rolling = [];
    try {
      if (rolling.length > 0) await this.#rollNow();
      if (this.#state.limit !== undefined) flush = await this.#admit(flush);
      if (flush.length > 0) {
        const groups = groupOf(flush, this.#world.config);
        let size = 0;
        for (const group of groups) size += aligned(BATCH_HEADER_BYTES + group.bytes);
        await this.#sealIfFull(size);
        await this.#write(groups, size);
      }
      const syncing = wantsSync ? this.#active?.sync() : undefined;
      this.#tellServed();
      await syncing;
    } catch (error) {
      this.#tellServed();
      if (error instanceof AssertionFailure) this.#fail(error, flush);
      else await this.#rollBack(error, flush);
      return;
    } finally {
      for (const rolled of rolling) rolled();
    }
    this.#answer(flush, wantsSync);
  }

  async #rollNow(): Promise<void> {
    const active = this.#active;
    if (active?.isEmpty === true) return;
    if (active !== undefined) await this.#seal(active);
    await this.#open();
  }

  async #sealIfFull(size: number): Promise<void> {
    const active = this.#active;
    if (active === undefined || active.isEmpty) return;
    const { ageMsMax = Infinity, recordsMax = Infinity } = this.#state.rules;
    const { segmentAgeMsMax } = this.#world.config;
    const ageMs = this.#world.clock.nowMs() - active.createdMs;
    const records = this.#state.nextOffset - active.segment.firstOffset;
    // Retention takes whole segments: an eighth of what it keeps is a fine step.
    const isOld = ageMs >= Math.min(segmentAgeMsMax, ageMsMax / SEGMENTS_PER_LIMIT);
    const isLong = records >= Math.ceil(recordsMax / SEGMENTS_PER_LIMIT);
    const isFull = active.segment.endPosition + size > this.#segmentBytesMax;
    if (isOld || isLong || isFull) await this.#seal(active);
  }

  async #seal(active: ActiveSegment): Promise<void> {
    this.#tellServed();
    await active.seal();
    this.#active = undefined;
    this.#synced();
    if (this.#world.hook !== undefined) this.#world.onRoomWanted();
  }

  get #segmentBytesMax(): number {
    return segmentBytesMaxOf(this.#state.limit, this.#world.config.segmentBytesMax);
  }

  /** Those for which the topic has room, or gets it; the others are refused. */
  async #admit(flush: Pending[]): Promise<Pending[]> {
    const state = this.#state;
    const { limit } = state;
    if (limit === undefined) return flush;
    const { bytesMax, whenFull } = limit;
    let bytes = 0;
    for (const pending of flush) {
      const room = roomOf(pending.bytes);
      if (room <= bytesMax) bytes += room;
    }
    let holds: string | undefined;
    if (bytes > 0 && whenFull === 'removeOldest' && state.bytes + bytes > bytesMax) {
      const active = this.#active;
      const last = active === undefined ? 0 : active.segment.endPosition;
      if (active?.isEmpty === false && last + bytes > bytesMax) await this.#seal(active);
      const keep = (await this.#open()).segment;
      const held = await this.#held();
      holds = await removeOldest(this.#world, state, { keep, bytes, bytesMax, held });
      if (holds !== undefined) this.#world.onRoomWanted();
    }
    let total = state.bytes;
    return flush.filter((pending) => {
      const room = roomOf(pending.bytes);
      const fits = total + room <= bytesMax;
      if (fits) total += room;
      else pending.reject(topicFull(state, limit, { bytes: room, held: holds }));
      if (!fits) this.#world.metrics.refusals.add(1);
      return fits;
    });
  }

  async #open(): Promise<ActiveSegment> {
    if (this.#active !== undefined) return this.#active;
    // The last segment is not the last any more: what recovery would have read in it is kept.
    await this.#producers.save(this.#world.disk, this.#world.folder);
    const firstOffset = this.#state.nextOffset;
    const isCut = this.#cutOffset === firstOffset;
    this.#active = await ActiveSegment.create(this.#world, { firstOffset, isCut });
    this.#state.segments.push(this.#active.segment);
    return this.#active;
  }

  async #write(groups: readonly Group[], size: number): Promise<void> {
    const state = this.#state;
    const active = await this.#open();
    if (this.#buffer.byteLength < size) {
      this.#buffer = new Uint8Array(Math.max(size, this.#buffer.byteLength * 2));
    }
    const bytes = this.#buffer.subarray(0, size);
    const target = { bytes, view: viewOf(bytes), at: 0 };
    const placed = layBatches(groups, target, {
      firstOffset: state.nextOffset,
      durableOffset: state.durableOffset,
      epoch: this.#world.epoch,
      timeMs: this.#world.clock.nowMs(),
      codec: CODECS[state.rules.codec ?? 'none'],
    });
    await active.write(bytes.subarray(0, target.at), placed);
    for (const { count } of groups) {
      state.nextOffset += count;
      this.#world.metrics.records.add(count);
    }
    this.#world.metrics.bytes.add(target.at);
  }

  #answer(flush: readonly Pending[], isSynced: boolean): void {
    const state = this.#state;
    if (isSynced) {
      this.#queue.served(flush.length);
      this.#synced();
      for (const pending of flush) this.#note(pending);
      this.#served = flush;
      return;
    }
    for (const pending of flush) {
      if (pending.consistency === 'memory') {
        state.answeredOffset = pending.firstOffset + pending.count;
        this.#tell(pending);
      } else {
        this.#waiting.push(pending);
        state.waitingOffset = Math.min(state.waitingOffset, pending.firstOffset);
      }
    }
    state.wakeReaders();
    // A `memory` topic leaves its own appends to the kernel; anything else wants a timed sync.
    if (state.consistency !== 'memory' || this.#waiting.length > 0) this.#syncSoon();
  }

  #tell(pending: Pending): void {
    this.#note(pending);
    pending.resolve({ firstOffset: pending.firstOffset, count: pending.count });
  }

  #note({ firstOffset, count, stamp }: Pending): void {
    if (stamp !== undefined) this.#producers.note(stamp, { firstOffset, count });
  }

  /** Once the next sync runs: who is answered appends again meanwhile. */
  #tellServed(): void {
    const served = this.#served;
    if (served.length === 0) return;
    this.#served = [];
    for (const { firstOffset, count, resolve } of served) resolve({ firstOffset, count });
  }

  #syncSoon(): void {
    this.#intervalTimer ??= this.#world.clock.after(this.#world.config.intervalMs, () => {
      this.#intervalTimer = undefined;
      if (this.#failure !== undefined || this.#state.durableOffset === this.#state.nextOffset)
        return;
      this.#isSyncWanted = true;
      this.#start();
    });
  }

  /** Everything that is written is on disk. */
  #synced(): void {
    const state = this.#state;
    state.durableOffset = state.nextOffset;
    state.answeredOffset = state.nextOffset;
    state.waitingOffset = Number.POSITIVE_INFINITY;
    const waited = this.#waiting;
    this.#waiting = [];
    for (const pending of waited) this.#tell(pending);
    state.wakeReaders();
    this.#syncedMs = this.#world.clock.monotonicMs();
    this.#checkpointSoon(CHECKPOINT_DELAY_MS);
  }

  #checkpointSoon(delayMs: number): void {
    if (this.#closing !== undefined) return;
    this.#checkpointTimer ??= this.#world.clock.after(delayMs, () => {
      this.#checkpointTimer = undefined;
      const restMs = this.#syncedMs + CHECKPOINT_DELAY_MS - this.#world.clock.monotonicMs();
      if (restMs > 1) this.#checkpointSoon(restMs);
      else void this.#checkpoint();
    });
  }

  /** The batches carry the mark as well, so that a failure here costs nothing but certainty. */
  async #checkpoint(): Promise<void> {
    if (this.#pumping === undefined) {
      this.#active?.rest();
      if (this.#buffer.byteLength > RESTING_BUFFER_BYTES_MAX) this.#buffer = new Uint8Array(0);
    }
    const { durableOffset, name } = this.#state;
    if (durableOffset === this.#mark.value) return;
    try {
      await this.#mark.write(durableOffset);
    } catch (error) {
      this.#world.logger.warn('Cannot write the durable mark', {
        topic: name,
        error: messageOf(error),
      });
    }
  }

  async #rollBack(cause: unknown, flush: readonly Pending[]): Promise<void> {
    const state = this.#state;
    this.#world.metrics.failures.add(1);
    const active = this.#active;
    const syncFailed = active?.hasSyncFailed === true;
    const lostFrom = state.durableOffset;
    if (active !== undefined) {
      try {
        await active.cut(syncFailed ? state.durableOffset : state.nextOffset);
      } catch (error) {
        this.#fail(error, flush);
        return;
      }
      this.#active = undefined;
    }
    const error = new LogError(
      'LOG_APPEND_FAILED',
      `Cannot append to topic "${state.name}": the disk refused; nothing was kept`,
      { cause },
    );
    if (syncFailed) {
      for (const pending of this.#waiting) pending.reject(error);
      this.#waiting = [];
      this.#producers.forgetFrom(lostFrom);
      // What was answered from memory and is now lost keeps its offsets: they become a gap.
      state.nextOffset = Math.max(state.durableOffset, state.answeredOffset);
    }
    const isLost = syncFailed && state.nextOffset > lostFrom;
    // An empty segment makes room for the next one of its name.
    if (active?.segment.firstOffset === state.nextOffset) {
      state.segments.pop();
      this.#cutOffset = state.nextOffset;
    }
    this.#synced();
    this.#world.logger.error('An append failed and was taken back', {
      topic: state.name,
      error: messageOf(cause),
      ...(isLost ? { lostFirst: lostFrom, lostNext: state.nextOffset } : undefined),
    });
    for (const pending of flush) pending.reject(error);
  }

  #fail(cause: unknown, flush: readonly Pending[]): void {
    const { name } = this.#state;
    const failure = new LogError(
      'LOG_TOPIC_FAILED',
      `Cannot append to topic "${name}": it could not be cut back after a failed write`,
      { cause },
    );
    this.#failure = failure;
    this.#intervalTimer?.cancel();
    this.#checkpointTimer?.cancel();
    this.#world.logger.error('A topic has failed', { topic: name, error: messageOf(cause) });
    for (const pending of [...flush, ...this.#waiting, ...this.#queue.drain()]) {
      pending.reject(failure);
    }
    this.#waiting = [];
    for (const rolled of this.#rolling.splice(0)) rolled();
    // Outside of every promise here, so that an owner who throws ends the process.
    queueMicrotask(() => this.#world.onFatal(failure));
  }

  async #close(): Promise<void> {
    this.#intervalTimer?.cancel();
    this.#checkpointTimer?.cancel();
    while (this.#pumping !== undefined) await this.#pumping;
    if (this.#failure !== undefined) return;
    const active = this.#active;
    if (active !== undefined) {
      try {
        await active.trim();
      } catch (error) {
        await this.#rollBack(error, []);
        throw new LogError(
          'LOG_APPEND_FAILED',
          `Cannot close topic "${this.#state.name}": the disk refused the last sync`,
          { cause: error },
        );
      }
      this.#synced();
      active.rest();
    }
    await this.#checkpoint();
  }
}
