// Who hashes segments, declared by those who need it: in place for tests and small files, in threads for
// a server (hash-pool.ts).

import { SegmentRooms } from '#archive/content/segment-rooms.ts';
import {
  type SegmentHashes,
  type SegmentTreeTask,
  segmentHashes,
} from '#archive/content/segment-tree.ts';

export interface SegmentHasher {
  /** What segments are put into to be hashed. */
  readonly rooms: SegmentRooms;
  /** The bytes must not change until this resolves. */
  tree(bytes: Uint8Array, task: SegmentTreeTask): Promise<SegmentHashes>;
  close(): Promise<void>;
}

/** Hashes where it is called; each segment keeps its thread for as long as it takes. */
export class InPlaceHasher implements SegmentHasher {
  readonly rooms: SegmentRooms = new SegmentRooms();

  async tree(bytes: Uint8Array, task: SegmentTreeTask): Promise<SegmentHashes> {
    return segmentHashes(bytes, task);
  }

  async close(): Promise<void> {}
}
