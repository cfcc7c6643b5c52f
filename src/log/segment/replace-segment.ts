// Puts an edited copy of a sealed segment in its place (segment-copy.ts). Readers never wait: who has
// the old file open reads it to its end; who opens one while the name changes hands looks again.

import type { Disk } from '#base/disk.ts';
import { codeOf } from '#base/errors.ts';
import type { OpenFiles } from '#base/open-files.ts';
import type { TopicState } from '#log/topic/topic-state.ts';
import type { BatchHeader } from './batch.ts';
import type { Segment } from './segment.ts';
import { type Edit, SegmentCopy } from './segment-copy.ts';
import { indexPath, type SegmentIndexes } from './segment-indexes.ts';

export interface ReplaceWorld {
  readonly disk: Disk;
  readonly files: OpenFiles;
  readonly indexes: SegmentIndexes;
  /** The topic's. */
  readonly folder: string;
  readonly state: TopicState;
}

export interface Replacement {
  readonly segment: Segment;
  /** Undefined ends it: nothing changes. */
  edit(bytes: Uint8Array, header: BatchHeader): Edit | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The segment that stands there afterwards, durably; undefined when nothing was to change, or the
 * segment has gone meanwhile.
 * @throws LogError LOG_REWRITE_FAILED, the disk's error, the signal's reason: the old one stands, or
 *   the new one, not yet durably
 */
export async function replaceSegment(
  world: ReplaceWorld,
  { segment, edit, signal }: Replacement,
): Promise<Segment | undefined> {
  const copy = await SegmentCopy.of({ disk: world.disk, segment, edit, signal });
  try {
    if (!copy.isChanged) return undefined;
    await copy.prove();
    return await world.state.exclusive(() => exchange(world, segment, copy));
  } finally {
    await copy.discard();
  }
}

async function exchange(
  { disk, files, indexes, folder, state }: ReplaceWorld,
  segment: Segment,
  copy: SegmentCopy,
): Promise<Segment | undefined> {
  const at = state.segments.indexOf(segment);
  // Retention may have taken it away meanwhile.
  if (at < 0 || state.isClosed) return undefined;
  segment.isStale = true;
  let fresh: Segment;
  try {
    await indexes.settled(segment);
    await forgetIndexFile(disk, folder, segment);
    fresh = await copy.takePlace();
  } catch (error) {
    segment.isStale = false;
    throw error;
  }
  state.segments[at] = fresh;
  indexes.forget(segment);
  await files.replaced(segment.path);
  await disk.syncFolder(folder);
  await indexes.seal(fresh, fresh.index!);
  return fresh;
}

/** An index that outlived its segment could fit the length of the next. */
async function forgetIndexFile(disk: Disk, folder: string, segment: Segment): Promise<void> {
  try {
    await disk.remove(indexPath(segment));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  await disk.syncFolder(folder);
}
