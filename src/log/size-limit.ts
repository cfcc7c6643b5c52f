// How large a topic may become, and what happens at the bound. Bytes are those of its batches with
// the room up to the next sector, as `stats` tells them; each append counts as a batch of its own, so
// that the bound is never passed. At the bound either appends are refused and everything else goes
// on, or the oldest segments are removed, oldest first and each durably before the next, so that
// after any crash what is left has no hole. A new segment always stands on disk before the last old
// one goes: a topic without any could not tell its next offset.

import { codeOf, messageOf } from '#base/errors.ts';
import { BATCH_HEADER_BYTES } from './batch.ts';
import { LogError } from './errors.ts';
import type { TopicOptions } from './log.ts';
import { aligned, type Segment, segmentName } from './segment.ts';
import { indexPath } from './segment-indexes.ts';
import type { TopicState } from './topic-state.ts';
import type { TopicWorld } from './topic-world.ts';

/** Also the smallest segment; a smaller limit would hold nothing. */
export const TOPIC_BYTES_MIN = 4096;
/** A topic that removes its oldest segments has about so many of them, so that each is a fine step. */
const SEGMENTS_PER_LIMIT = 8;

export interface SizeLimit {
  readonly bytesMax: number;
  readonly whenFull: 'refuse' | 'removeOldest';
}

/** Undefined when the topic may grow without one. @throws LogError LOG_TOPIC_OPTIONS_INVALID */
export function sizeLimitOf(topic: string, options: TopicOptions): SizeLimit | undefined {
  const { bytesMax, whenFull = 'refuse' } = options;
  if (bytesMax === undefined && options.whenFull === undefined) return undefined;
  const isSize = Number.isSafeInteger(bytesMax) && (bytesMax ?? 0) >= TOPIC_BYTES_MIN;
  if (bytesMax !== undefined && isSize && (whenFull === 'refuse' || whenFull === 'removeOldest')) {
    return { bytesMax, whenFull };
  }
  throw new LogError(
    'LOG_TOPIC_OPTIONS_INVALID',
    `Cannot create topic "${topic}" with bytesMax ${bytesMax} and whenFull "${whenFull}": expected at least ${TOPIC_BYTES_MIN} bytes, and "refuse" or "removeOldest"`,
  );
}

/** What an append of so many bytes of records takes at most. */
export function roomOf(bytes: number): number {
  return aligned(BATCH_HEADER_BYTES + bytes);
}

/** Where a segment of the topic ends at the latest. */
export function segmentBytesMaxOf(limit: SizeLimit | undefined, configured: number): number {
  if (limit?.whenFull !== 'removeOldest') return configured;
  const step = Math.floor(limit.bytesMax / SEGMENTS_PER_LIMIT);
  return Math.min(configured, Math.max(TOPIC_BYTES_MIN, step));
}

export function topicFull(state: TopicState, limit: SizeLimit, bytes: number): LogError {
  const remedy =
    bytes > limit.bytesMax
      ? 'the append alone is larger than the limit; raise it or append less at once'
      : 'raise its size limit, or let it remove its oldest segments';
  return new LogError(
    'LOG_TOPIC_FULL',
    `Cannot append ${bytes} bytes to topic "${state.name}": it has ${state.bytes} of ${limit.bytesMax} bytes; nothing was written, reads go on; ${remedy}`,
  );
}

/**
 * Removes segments before `keep`, until `bytes` more fit. A removal that fails ends it with a
 * warning: the append is refused then, and the next one tries again.
 */
export async function removeOldest(
  world: TopicWorld,
  state: TopicState,
  goal: { readonly keep: Segment; readonly bytes: number; readonly bytesMax: number },
): Promise<void> {
  while (state.bytes + goal.bytes > goal.bytesMax) {
    const oldest = state.segments[0];
    if (oldest === undefined || oldest === goal.keep) return;
    const at = { topic: state.name, segment: segmentName(oldest.firstOffset) };
    // Readers look at the list first: an offset in it is refused as removed from here on.
    state.segments.shift();
    try {
      await world.disk.remove(oldest.path);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      state.segments.unshift(oldest);
      world.logger.warn('Cannot remove a segment', { ...at, error: messageOf(error) });
      return;
    }
    world.indexes.forget(oldest);
    await world.files.forget(oldest.path);
    try {
      await world.disk.syncFolder(world.folder);
      await world.disk.remove(indexPath(oldest));
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      if (codeOf(error) !== 'ENOENT') {
        world.logger.warn('Cannot finish the removal of a segment', {
          ...at,
          error: messageOf(error),
        });
        return;
      }
    }
    world.logger.info('A segment was removed: the topic has reached its size', at);
  }
}
