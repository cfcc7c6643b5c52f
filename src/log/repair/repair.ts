// `log repair`: what readers already skip is set aside and written over with a gap, so that it is
// said in the log itself and `log verify` is content again. Only while no one else has the log open.

import { utf8 } from '#base/bytes.ts';
import type { Disk, DiskFile } from '#base/disk.ts';
import type { Logger } from '#base/logger.ts';
import { aligned } from '#log/segment/alignment.ts';
import { BATCH_BYTES_LIMIT, BATCH_HEADER_BYTES, sealBatch } from '#log/segment/batch.ts';
import { Checkpoint } from '#log/segment/checkpoint.ts';
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, segmentName } from '#log/segment/segment.ts';
import { indexPath } from '#log/segment/segment-indexes.ts';
import { MARK_NAME } from '#log/topic/topic-files.ts';
import { inspectTopic, type Problem, placeOf } from './inspect-topic.ts';
import { listSegments, recoverTopic } from './recovery.ts';
import { setAside } from './set-aside.ts';
import { findTopics, isDamage } from './verify.ts';

const REASON = 'lost to damage; the bytes are in the folder "damaged"';

export interface RepairOptions {
  readonly disk: Disk;
  readonly folder: string;
  readonly topic?: string;
  readonly logger: Logger;
}

export interface Repaired {
  readonly topic: string;
  readonly place: string;
  readonly firstOffset: number;
  readonly nextOffset: number;
  /** The copy of what stood there, or undefined when there was nothing to keep. */
  readonly copy: string | undefined;
  /** False where there is no room for a gap: readers are given one, `log verify` goes on to tell. */
  readonly isMended: boolean;
}

interface RepairWorld {
  readonly disk: Disk;
  /** The topic's. */
  readonly folder: string;
  readonly logId: string;
  readonly epoch: number;
}

/** What was mended, in order. @throws as verifyLog */
export async function repairLog(options: RepairOptions): Promise<readonly Repaired[]> {
  const { disk, logger } = options;
  const { logId, epoch, names } = await findTopics(disk, options.folder, options.topic);
  const repaired: Repaired[] = [];
  for (const topic of names) {
    const folder = `${options.folder}/${topic}`;
    const mark = await Checkpoint.open(disk, { folder, name: MARK_NAME, epoch });
    const quiet = { onDamage: () => {}, onTornTail: () => {} };
    const world: RepairWorld = { disk, folder, logId, epoch };
    const segments = await listSegments(disk, folder);
    const isMarkLost = mark.value === undefined && segments.length > 0;
    const recovering = { disk, folder, topic, logger, mark: mark.value, ...quiet };
    const { nextOffset: end } = await recoverTopic(recovering);
    if (isMarkLost) {
      await mark.write(end);
      const at = { firstOffset: end, nextOffset: end };
      repaired.push({ topic, place: MARK_NAME, ...at, copy: undefined, isMended: true });
    }
    const { problems } = await inspectTopic(world);
    for (const problem of problems) {
      if (!isDamage(problem)) continue;
      const copy = await mend(world, problem);
      const { first: firstOffset, next: nextOffset } = problem;
      // Between two batches that touch there is no room to say what is missing.
      const isMended = problem.kind !== 'hole';
      repaired.push({ topic, place: placeOf(problem), firstOffset, nextOffset, copy, isMended });
    }
  }
  return repaired;
}

async function mend(world: RepairWorld, problem: Problem): Promise<string | undefined> {
  const { disk, folder, logId, epoch } = world;
  const { segment } = problem;
  if (problem.kind === 'hole') return undefined;
  if (segment === undefined) {
    await replaceLost(world, problem);
    return undefined;
  }
  const file = await disk.open(segment.path, { write: true });
  let copy: string | undefined;
  try {
    const { firstOffset } = segment;
    const { position, end } = problem;
    if (end > position && problem.kind !== 'missing') {
      copy = await setAside(world, 'damage', { file, segment: firstOffset, position, end });
    }
    if (problem.kind === 'header') {
      await file.write(encodeSegmentHeader({ logId, epoch, firstOffset, createdMs: 0 }), 0);
    } else if (problem.kind === 'padding') {
      // The one place where a sector with a good batch is written again, with the same batch bytes.
      await file.write(new Uint8Array(aligned(position) - position), position);
    } else {
      await writeGap(world, file, problem);
    }
    await file.datasync();
  } finally {
    await file.close();
  }
  if ((await disk.stat(indexPath(segment))) !== undefined) await disk.remove(indexPath(segment));
  await disk.syncFolder(folder);
  return copy;
}

/** A segment in the place of all that are gone, with nothing in it but the gap. */
async function replaceLost(world: RepairWorld, problem: Problem): Promise<void> {
  const { disk, folder, logId, epoch } = world;
  const firstOffset = problem.first;
  const file = await disk.create(`${folder}/${segmentName(firstOffset)}`);
  try {
    await file.write(encodeSegmentHeader({ logId, epoch, firstOffset, createdMs: 0 }), 0);
    await writeGap(world, file, problem);
    await file.datasync();
  } finally {
    await file.close();
  }
  await disk.syncFolder(folder);
}

/** Over the damaged range, or, where there is none, at the end of the segment. */
async function writeGap(world: RepairWorld, file: DiskFile, problem: Problem): Promise<void> {
  const { first, next } = problem;
  const isAtEnd = problem.end <= problem.position;
  // A segment that was cut off inside its header or a sector goes on at the next full one.
  const start = Math.max(SEGMENT_HEADER_BYTES, aligned(problem.position));
  const end = isAtEnd ? start + SEGMENT_HEADER_BYTES : Math.max(start, aligned(problem.end));
  let firstOffset = first;
  for (let at = start; at < end; ) {
    const length = Math.min(end - at, BATCH_BYTES_LIMIT);
    const bytes = new Uint8Array(length);
    bytes.set(utf8(REASON), BATCH_HEADER_BYTES);
    sealBatch(bytes, 0, length, {
      firstOffset,
      records: 0,
      span: next - firstOffset,
      epoch: world.epoch,
      timeMs: 0,
      durableOffset: firstOffset,
      isGap: true,
    });
    await file.write(bytes, at);
    firstOffset = next;
    at += length;
  }
}
