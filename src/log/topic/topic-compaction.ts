// Compaction by key of one topic: of the records in its sealed segments only the newest of each key
// stays. Offsets stay as they are, so what goes leaves holes that readers pass without a word; records
// without a key all stay. A tombstone hides the older records of its key, and goes itself once it is
// `tombstoneMsMin` old and every consumer is past it, after the records that it hid: segments are
// written anew oldest first, each durably before the next (replace-segment.ts), so that a crash never
// shows a value again that a tombstone had hidden.
//
// It runs when what was sealed since the last time is at least `compactionDirtyPercent` of what that
// time left; `<topic>/compacted` (checkpoint.ts) says how far it went.

import { codeOf, messageOf } from '#base/errors.ts';
import type { ReadRecord } from '#log/log.ts';
import { type BatchHeader, editedBatch, readRecords } from '#log/segment/batch.ts';
import { Checkpoint } from '#log/segment/checkpoint.ts';
import { SEGMENT_HEADER_BYTES, type Segment } from '#log/segment/segment.ts';
import type { Edit } from '#log/segment/segment-copy.ts';
import { SegmentScanner } from '#log/segment/segment-scanner.ts';
import type { TopicConsumers } from './topic-consumers.ts';
import { COMPACTED_NAME } from './topic-files.ts';
import type { TopicRewriter } from './topic-rewriter.ts';
import type { TopicState } from './topic-state.ts';
import type { TopicWorld } from './topic-world.ts';

export class TopicCompaction {
  readonly #world: TopicWorld;
  readonly #state: TopicState;
  readonly #consumers: TopicConsumers;
  readonly #rewriter: TopicRewriter;
  #done: Checkpoint | undefined;

  constructor(
    world: TopicWorld,
    state: TopicState,
    parts: { readonly consumers: TopicConsumers; readonly rewriter: TopicRewriter },
  ) {
    this.#world = world;
    this.#state = state;
    this.#consumers = parts.consumers;
    this.#rewriter = parts.rewriter;
  }

  /** Compacts if it is due. A failure leaves what was there. @throws the signal's reason */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#state.rules.compact !== true) return;
    const { logger } = this.#world;
    const topic = this.#state.name;
    try {
      await this.#pass(signal);
    } catch (error) {
      if (signal.aborted || codeOf(error) === undefined) throw error;
      logger.warn('Cannot compact a topic; it is tried again', { topic, error: messageOf(error) });
    }
  }

  async #pass(signal: AbortSignal): Promise<void> {
    const { disk, folder, epoch, config, logger, metrics } = this.#world;
    const place = { folder, name: COMPACTED_NAME, epoch };
    this.#done ??= await Checkpoint.open(disk, place);
    await this.#done.settle();
    const sealed = this.#state.segments.slice(0, -1);
    const last = this.#state.segments[sealed.length];
    if (last === undefined || !this.#isDue(sealed, this.#done.value ?? 0)) return;
    // A replacement of before whose name could not be synced is made to stay before it is built on.
    await disk.syncFolder(folder);
    const newest = new Map<string, number>();
    for (const segment of sealed) {
      await this.#eachRecord(segment, signal, ({ key, offset }) => {
        if (key === undefined) return;
        const name = nameOf(key);
        // A key for which there is no room keeps all its records.
        if (newest.has(name) || newest.size < config.compactionKeysMax) newest.set(name, offset);
      });
    }
    const forgets = await this.#forgetting();
    let removed = 0;
    const stays = (record: ReadRecord): boolean => {
      const { key, offset } = record;
      if (key === undefined) return true;
      const isOlder = (newest.get(nameOf(key)) ?? offset) > offset;
      const goes = isOlder || (record.tombstone === true && forgets(record));
      if (goes) removed++;
      return !goes;
    };
    for (const segment of sealed) {
      const edit = (bytes: Uint8Array, header: BatchHeader): Edit => edited(bytes, header, stays);
      await this.#rewriter.replace({ segment, edit, signal });
    }
    await this.#done.write(last.firstOffset);
    metrics.compactedRecords.add(removed);
    logger.info('A topic was compacted', { topic: this.#state.name, removed, keys: newest.size });
  }

  #isDue(sealed: readonly Segment[], doneOffset: number): boolean {
    let [clean, dirty] = [0, 0];
    for (const { firstOffset, endPosition } of sealed) {
      const bytes = endPosition - SEGMENT_HEADER_BYTES;
      if (firstOffset < doneOffset) clean += bytes;
      else dirty += bytes;
    }
    return dirty > 0 && dirty >= (clean * this.#world.config.compactionDirtyPercent) / 100;
  }

  /** Which tombstones may go. */
  async #forgetting(): Promise<(record: ReadRecord) => boolean> {
    const beforeMs = this.#world.clock.nowMs() - this.#world.config.tombstoneMsMin;
    const offsets = (await this.#consumers.stats()).map(({ offset }) => offset);
    const passed = Math.min(...offsets, Number.POSITIVE_INFINITY);
    return ({ timeMs, offset }) => timeMs < beforeMs && offset < passed;
  }

  async #eachRecord(
    segment: Segment,
    signal: AbortSignal,
    see: (record: ReadRecord) => void,
  ): Promise<void> {
    const lease = await this.#world.files.lease(segment.path, { write: false });
    try {
      const scanner = new SegmentScanner({
        file: lease.file,
        position: SEGMENT_HEADER_BYTES,
        end: segment.endPosition,
        offset: segment.firstOffset,
      });
      for (let item = await scanner.next(); item !== undefined; item = await scanner.next()) {
        signal.throwIfAborted();
        if (item.kind === 'bad' || item.header.isGap) continue;
        for (const record of recordsOf(item.bytes, item.header) ?? []) see(record);
      }
    } finally {
      lease.release();
    }
  }
}

function edited(
  view: Uint8Array,
  header: BatchHeader,
  stays: (record: ReadRecord) => boolean,
): Edit {
  if (header.records === 0) return 'none';
  const bytes = view.slice();
  const all = recordsOf(bytes, header);
  if (all === undefined) return 'same';
  const kept = all.filter(stays);
  if (kept.length === all.length) return 'same';
  return kept.length === 0 ? 'none' : editedBatch(bytes, header, kept);
}

/** Undefined when they do not fill their batch. */
function recordsOf(bytes: Uint8Array, header: BatchHeader): ReadRecord[] | undefined {
  const all: ReadRecord[] = [];
  const limits = { from: header.firstOffset, recordsMax: header.records };
  return readRecords(bytes, header, limits, all) ? all : undefined;
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}
