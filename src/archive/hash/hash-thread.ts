// A thread that hashes segments: see hash-pool.ts.

import { parentPort, workerData } from 'node:worker_threads';
import {
  type SegmentTree,
  type SegmentTreeTask,
  segmentTree,
} from '#archive/content/segment-tree.ts';
import { assert } from '#base/assert.ts';

export interface HashTask extends SegmentTreeTask {
  /** How many of the shared memory are the segment. */
  readonly bytes: number;
}

export type HashAnswer = SegmentTree;

const port = parentPort;
assert(port !== null, 'the thread has a parent');
const memory = new Uint8Array(workerData as SharedArrayBuffer);
port.on('message', (task: HashTask) => {
  const answer: HashAnswer = segmentTree(memory.subarray(0, task.bytes), task);
  port.postMessage(answer);
});
