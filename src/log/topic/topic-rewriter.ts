// The rewriting of one topic's sealed segments, one at a time: for a change that its owner names
// (rewriting-log.ts), and for compaction.

import { codeOf, messageOf } from '#base/errors.ts';
import { LogError } from '#log/errors.ts';
import type { ReadRecord } from '#log/log.ts';
import type { RecordChange, RewriteOptions, RewriteResult } from '#log/rewriting-log.ts';
import { type BatchHeader, editedBatch, readRecords } from '#log/segment/batch.ts';
import {
  type Replacement,
  type ReplaceWorld,
  replaceSegment,
} from '#log/segment/replace-segment.ts';
import type { Segment } from '#log/segment/segment.ts';
import { type Edit, removeLeftovers } from '#log/segment/segment-copy.ts';

export class TopicRewriter {
  readonly #world: ReplaceWorld;
  #isClean = false;
  #running: Promise<unknown> = Promise.resolve();

  constructor(world: ReplaceWorld) {
    this.#world = world;
  }

  /** After the one before has ended. @throws as RewritingLog.rewriteSegment */
  next(change: RecordChange, options: RewriteOptions): Promise<RewriteResult> {
    return this.#after(() => this.#next(change, options));
  }

  /** After the one before has ended. @throws as replaceSegment, LogError LOG_REWRITE_FAILED */
  replace(replacement: Replacement): Promise<Segment | undefined> {
    return this.#after(() => this.#replace(replacement));
  }

  /** Resolves when nothing runs any more. */
  async idle(): Promise<void> {
    await this.#running;
  }

  #after<T>(run: () => Promise<T>): Promise<T> {
    const next = this.#running.then(run);
    this.#running = next.catch(() => undefined);
    return next;
  }

  async #next(change: RecordChange, options: RewriteOptions): Promise<RewriteResult> {
    const { state } = this.#world;
    if (state.isClosed) throw new LogError('LOG_CLOSED', 'The log is closed');
    const at = state.segments.findIndex((segment) => segment.firstOffset >= options.from);
    const segment = state.segments[at];
    const following = state.segments[at + 1];
    // The last one is being written.
    if (segment === undefined || following === undefined) {
      return { nextOffset: undefined, records: 0, changed: 0 };
    }
    const nextOffset = following.firstOffset;
    try {
      const isOld = (await this.#newestMs(segment)) < (options.newestMsMin ?? 0);
      if (isOld) return { nextOffset, records: 0, changed: 0 };
    } catch (error) {
      throw this.#failure(error, { segment, signal: options.signal });
    }
    const { oldestMsMax = Number.POSITIVE_INFINITY, signal } = options;
    const changing = new Changing(change(options.input), oldestMsMax);
    const edit = changing.edit.bind(changing);
    await this.#replace({ segment, edit, signal });
    const { records, changed } = changing;
    return { nextOffset, records, changed };
  }

  async #replace(replacement: Replacement): Promise<Segment | undefined> {
    const { disk, folder } = this.#world;
    try {
      if (!this.#isClean) await removeLeftovers(disk, folder);
      this.#isClean = true;
      return await replaceSegment(this.#world, replacement);
    } catch (error) {
      throw this.#failure(error, replacement);
    }
  }

  async #newestMs(segment: Segment): Promise<number> {
    if (segment.timeMsMax !== undefined) return segment.timeMsMax;
    return (await this.#world.indexes.of(segment)).timeMsMax;
  }

  #failure(cause: unknown, { segment, signal }: Pick<Replacement, 'segment' | 'signal'>): unknown {
    if (signal?.aborted === true || cause instanceof LogError) return cause;
    if (codeOf(cause) === undefined) return cause;
    // What is left of it is in the way of the next attempt.
    this.#isClean = false;
    return new LogError(
      'LOG_REWRITE_FAILED',
      `Cannot rewrite segment "${segment.path}": ${messageOf(cause)}`,
      { cause },
    );
  }
}

/** Lets a change see every record of a segment, and counts. */
class Changing {
  records = 0;
  changed = 0;
  readonly #change: (value: Uint8Array) => boolean;
  readonly #oldestMsMax: number;
  #isFirst = true;

  constructor(change: (value: Uint8Array) => boolean, oldestMsMax: number) {
    this.#change = change;
    this.#oldestMsMax = oldestMsMax;
  }

  edit(view: Uint8Array, header: BatchHeader): Edit | undefined {
    // A segment whose first batch is newer is not looked at.
    if (this.#isFirst && header.timeMs > this.#oldestMsMax) return undefined;
    this.#isFirst = false;
    this.records += header.records;
    const all: ReadRecord[] = [];
    const bytes = view.slice();
    const limits = { from: header.firstOffset, recordsMax: header.records };
    if (!readRecords(bytes, header, limits, all)) return 'same';
    let here = 0;
    for (const { value } of all) if (this.#change(value)) here++;
    this.changed += here;
    return here === 0 ? 'same' : editedBatch(bytes, header, all);
  }
}
