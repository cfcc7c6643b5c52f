// A thread that hashes segments: see hash-pool.ts.

import { parentPort, workerData } from 'node:worker_threads';
import {
  type SegmentHashes,
  type SegmentTreeTask,
  segmentHashes,
  segmentTree,
} from '#archive/content/segment-tree.ts';
import { assert } from '#base/assert.ts';

export interface HashThreadData {
  readonly memory: SharedArrayBuffer;
}

export interface HashTask extends SegmentTreeTask {
  /** How many of the shared memory are the segment. */
  readonly bytes: number;
  /** Then the answer's SHA-256 is empty. */
  readonly isTreeAlone: boolean;
}

export type HashAnswer = SegmentHashes;

const port = parentPort;
assert(port !== null, 'the thread has a parent');
const data = workerData as HashThreadData;
const memory = new Uint8Array(data.memory);
port.on('message', (task: HashTask) => {
  const bytes = memory.subarray(0, task.bytes);
  const answer: HashAnswer = task.isTreeAlone
    ? { ...segmentTree(bytes, task), sha256: new Uint8Array(0) }
    : segmentHashes(bytes, task);
  port.postMessage(answer);
});
