// The rewriting of one topic's sealed segments, one at a time (rewriting-log.ts).

import type { Disk } from '#base/disk.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import { LogError } from './errors.ts';
import type { OpenFiles } from './open-files.ts';
import { removeLeftovers, rewriteSegment } from './rewrite-segment.ts';
import type { RecordChange, RewriteOptions, RewriteResult } from './rewriting-log.ts';
import type { Segment } from './segment.ts';
import type { SegmentIndexes } from './segment-indexes.ts';
import type { TopicState } from './topic-state.ts';

export interface RewriterWorld {
  readonly disk: Disk;
  readonly files: OpenFiles;
  readonly indexes: SegmentIndexes;
  /** The topic's. */
  readonly folder: string;
  readonly state: TopicState;
}

export class TopicRewriter {
  readonly #world: RewriterWorld;
  #isClean = false;
  #running: Promise<unknown> = Promise.resolve();

  constructor(world: RewriterWorld) {
    this.#world = world;
  }

  /** After the one before has ended. @throws as RewritingLog.rewriteSegment */
  next(change: RecordChange, options: RewriteOptions): Promise<RewriteResult> {
    const next = this.#running.then(() => this.#next(change, options));
    this.#running = next.catch(() => undefined);
    return next;
  }

  /** Resolves when nothing runs any more. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #next(change: RecordChange, options: RewriteOptions): Promise<RewriteResult> {
    const { disk, files, folder, state } = this.#world;
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
      if (!this.#isClean) await removeLeftovers(disk, folder);
      this.#isClean = true;
      const isOld = (await this.#newestMs(segment)) < (options.newestMsMin ?? 0);
      if (isOld) return { nextOffset, records: 0, changed: 0 };
      const counts = await rewriteSegment({
        disk,
        folder,
        segment,
        change: change(options.input),
        oldestMsMax: options.oldestMsMax ?? Number.POSITIVE_INFINITY,
        signal: options.signal,
        // Retention may have taken it away meanwhile.
        isWanted: () => state.segments.includes(segment) && !state.isClosed,
      });
      if (counts.changed > 0) await files.replaced(segment.path);
      return { nextOffset, ...counts };
    } catch (error) {
      throw this.#failure(error, segment, options);
    }
  }

  async #newestMs(segment: Segment): Promise<number> {
    if (segment.timeMsMax !== undefined) return segment.timeMsMax;
    return (await this.#world.indexes.of(segment)).timeMsMax;
  }

  #failure(cause: unknown, segment: Segment, { signal }: RewriteOptions): unknown {
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
