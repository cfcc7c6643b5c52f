// Lays appends out as the batches they become, one behind the other as they will stand in the segment.

import type { PlacedBatch } from './active-segment.ts';
import { BATCH_HEADER_BYTES, sealBatch } from './batch.ts';
import { PackedRecords, type WriteTarget, writePacked, writeRecords } from './packed-records.ts';
import type { Group, Pending } from './pending-append.ts';
import { aligned } from './segment.ts';

/** What all of them have in common. */
export interface LaidAt {
  readonly firstOffset: number;
  readonly durableOffset: number;
  readonly epoch: number;
  readonly timeMs: number;
}

/** Tells each append its first offset, and where the batches are. The target must have the room. */
export function layBatches(
  groups: readonly Group[],
  target: WriteTarget,
  common: LaidAt,
): PlacedBatch[] {
  const { epoch, timeMs, durableOffset } = common;
  const placed: PlacedBatch[] = [];
  let { firstOffset } = common;
  for (const { pendings, count } of groups) {
    const start = target.at;
    target.at += BATCH_HEADER_BYTES;
    let delta = 0;
    for (const pending of pendings) {
      const { records } = pending;
      if (records instanceof PackedRecords) writePacked(target, records, delta);
      else writeRecords(target, records, delta);
      pending.firstOffset = firstOffset + delta;
      delta += pending.count;
    }
    sealBatch(target.bytes, start, target.at, {
      firstOffset,
      records: count,
      span: count,
      epoch,
      timeMs,
      durableOffset,
      ...soleFields(pendings),
    });
    const end = aligned(target.at);
    target.bytes.fill(0, target.at, end);
    target.at = end;
    placed.push({ firstOffset, nextOffset: firstOffset + count, timeMs, start, end });
    firstOffset += count;
  }
  return placed;
}

/** What the batch of a single append takes over from it. */
function soleFields(pendings: readonly Pending[]): {
  readonly producerId?: number;
  readonly producerSequence?: number;
  readonly bodySum?: number | undefined;
} {
  const [only] = pendings;
  if (only === undefined || pendings.length > 1) return {};
  const bodySum = only.records instanceof PackedRecords ? only.records.sum : undefined;
  if (only.stamp === undefined) return { bodySum };
  return { bodySum, producerId: only.stamp.id, producerSequence: only.stamp.sequence };
}
