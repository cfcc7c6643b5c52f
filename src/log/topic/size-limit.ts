// How large a topic may become, and what happens at the bound. Bytes are those of its batches with
// the room up to the next sector, as `stats` tells them; each append counts as a batch of its own, so
// that the bound is never passed. At the bound either appends are refused and everything else goes
// on, or the oldest segments are removed (oldest-segment.ts), but for those that a consumer still needs
// and those whose delete hook has not run: then appends are refused as well, and say for whom.

import { LogError } from '#log/errors.ts';
import type { TopicOptions } from '#log/log.ts';
import { aligned } from '#log/segment/alignment.ts';
import { BATCH_HEADER_BYTES } from '#log/segment/batch.ts';
import type { Segment } from '#log/segment/segment.ts';
import { removeOldestSegment } from './oldest-segment.ts';
import type { Held } from './retention-guard.ts';
import type { TopicState } from './topic-state.ts';
import type { TopicWorld } from './topic-world.ts';

/** Also the smallest segment; a smaller limit would hold nothing. */
export const TOPIC_BYTES_MIN = 4096;
/** A topic that removes its oldest segments has about so many of them, so that each is a fine step. */
export const SEGMENTS_PER_LIMIT = 8;

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
    `Cannot create topic "${topic}" with bytesMax ${bytesMax ?? 'not given'} and whenFull "${whenFull}": expected at least ${TOPIC_BYTES_MIN} bytes, and "refuse" or "removeOldest"`,
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

/** `held`: why its oldest segments stay. */
export function topicFull(
  state: TopicState,
  limit: SizeLimit,
  { bytes, held }: { readonly bytes: number; readonly held: string | undefined },
): LogError {
  const advice = held ?? 'raise its size limit, or let it remove its oldest segments';
  const isAlone = bytes > limit.bytesMax;
  const remedy = isAlone
    ? 'the append alone is larger than the limit; raise it or append less at once'
    : advice;
  return new LogError(
    'LOG_TOPIC_FULL',
    `Cannot append ${bytes} bytes to topic "${state.name}": it has ${state.bytes} of ${limit.bytesMax} bytes; nothing was written, reads go on; ${remedy}`,
  );
}

/**
 * Removes segments before `keep`, until `bytes` more fit; none that someone holds, or whose hook has
 * not run: what holds it is answered. A removal that fails ends it with a warning, and the next append
 * tries again.
 */
export async function removeOldest(
  world: TopicWorld,
  state: TopicState,
  goal: {
    readonly keep: Segment;
    readonly bytes: number;
    readonly bytesMax: number;
    readonly held: Held | undefined;
  },
): Promise<string | undefined> {
  while (state.bytes + goal.bytes > goal.bytesMax) {
    const [segment, next] = state.segments;
    if (segment === undefined || next === undefined || segment === goal.keep) return undefined;
    const { held } = goal;
    if (held !== undefined && next.firstOffset > held.offset) {
      return `"${held.by}" still needs what follows offset ${held.offset}`;
    }
    if (world.hook !== undefined && next.firstOffset > state.releasedOffset) {
      return 'the delete hook of its oldest segment has not run yet';
    }
    const why = 'the topic has reached its size';
    if (!(await removeOldestSegment(world, state, { segment, why }))) return undefined;
  }
  return undefined;
}
