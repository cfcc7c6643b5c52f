// Who hashes segments, declared by those who need it: in place for tests and small files, in threads for
// a server (hash-pool.ts).

import { SegmentRooms } from '#archive/content/segment-rooms.ts';
import {
  type SegmentHashes,
  type SegmentTreeTask,
  segmentHashes,
  segmentTree,
} from '#archive/content/segment-tree.ts';

/** Segments of a file that follow each other, from where `position` is. */
export interface SegmentsToRead {
  /** Open until the answer. */
  readonly descriptor: number;
  readonly position: number;
  /** They are the last of the file. */
  readonly isEnd: boolean;
  /** Where each is read to; at most `READ_AT_ONCE_MAX`. */
  readonly rooms: readonly Uint8Array[];
}

export const READ_AT_ONCE_MAX = 8;

export interface SegmentHasher {
  /** What segments are put into to be hashed. */
  readonly rooms: SegmentRooms;
  /** The bytes must not change until this resolves. */
  tree(bytes: Uint8Array, task: SegmentTreeTask): Promise<SegmentHashes>;
  /** The root alone, `height` as in a task: where two blocks can be hashed at once, for 0.6 of the price. */
  root(bytes: Uint8Array, height: number | undefined): Promise<Uint8Array>;
  /**
   * Where it can: reads segments and hashes them on the way, and gives the hashes of each. @throws
   * ArchiveError ARCHIVE_FILE_CHANGED when the file ends before, or goes on behind its end; errors of reading
   */
  readonly read?:
    | ((wanted: SegmentsToRead, task: SegmentTreeTask) => Promise<readonly SegmentHashes[]>)
    | undefined;
  close(): Promise<void>;
}

/** Hashes where it is called; each segment keeps its thread for as long as it takes. */
export class InPlaceHasher implements SegmentHasher {
  readonly rooms: SegmentRooms = new SegmentRooms();

  async tree(bytes: Uint8Array, task: SegmentTreeTask): Promise<SegmentHashes> {
    return segmentHashes(bytes, task);
  }

  async root(bytes: Uint8Array, height: number | undefined): Promise<Uint8Array> {
    return segmentTree(bytes, { height, layerHeight: undefined }).root;
  }

  async close(): Promise<void> {}
}
