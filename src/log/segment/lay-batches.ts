// Lays appends out as the batches they become, one behind the other as they will stand in the segment,
// compressed where the topic asks for it and it pays.

import type { Group, Pending } from '#log/topic/pending-append.ts';
import type { PlacedBatch } from './active-segment.ts';
import { aligned } from './alignment.ts';
import { BATCH_HEADER_BYTES, type BatchFields, sealBatch } from './batch.ts';
import { CODEC_NONE, compressBody } from './codec.ts';
import { crc32c } from './crc32c.ts';
import { PackedRecords, type WriteTarget, writePacked, writeRecords } from './packed-records.ts';

/** What all of them have in common. */
export interface LaidAt {
  readonly firstOffset: number;
  readonly durableOffset: number;
  readonly epoch: number;
  readonly timeMs: number;
  readonly codec: number;
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
    const fields = { firstOffset, records: count, span: count, epoch, timeMs, durableOffset };
    const sole = soleFields(pendings);
    const packed =
      common.codec === CODEC_NONE ? undefined : pack(target, start, common.codec, sole);
    sealBatch(target.bytes, start, target.at, { ...fields, ...(packed ?? sole) });
    const end = aligned(target.at);
    target.bytes.fill(0, target.at, end);
    target.at = end;
    placed.push({ firstOffset, nextOffset: firstOffset + count, timeMs, start, end });
    firstOffset += count;
  }
  return placed;
}

interface SoleFields {
  readonly producerId?: number;
  readonly producerSequence?: number;
  readonly bodySum?: number | undefined;
}

/**
 * Compresses the body in its place; undefined, and nothing changed, where that does not pay. A body
 * that was damaged on its way here stays as it is, so that its own sum tells every reader.
 */
function pack(
  target: WriteTarget,
  start: number,
  codec: number,
  sole: SoleFields,
): Partial<BatchFields> | undefined {
  const raw = target.bytes.subarray(start + BATCH_HEADER_BYTES, target.at);
  const { bodySum, ...stamp } = sole;
  if (bodySum !== undefined && crc32c(raw) !== bodySum) return undefined;
  const rawLength = raw.byteLength;
  const packed = compressBody(raw, codec);
  if (packed === undefined) return undefined;
  raw.set(packed);
  target.at = start + BATCH_HEADER_BYTES + packed.byteLength;
  return { ...stamp, codec, rawLength };
}

/** What the batch of a single append takes over from it. */
function soleFields(pendings: readonly Pending[]): SoleFields {
  const [only] = pendings;
  if (only === undefined || pendings.length > 1) return {};
  const bodySum = only.records instanceof PackedRecords ? only.records.sum : undefined;
  if (only.stamp === undefined) return { bodySum };
  return { bodySum, producerId: only.stamp.id, producerSequence: only.stamp.sequence };
}
