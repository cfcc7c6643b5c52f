// A thread that hashes segments: see hash-pool.ts.

import { parentPort, workerData } from 'node:worker_threads';
import {
  type SegmentHashes,
  type SegmentTreeTask,
  segmentHashes,
} from '#archive/content/segment-tree.ts';
import { assert } from '#base/assert.ts';
import type { AddonPlace } from '#net/addon.ts';
import { hashBlocksBy } from './native-hash.ts';

export interface HashThreadData {
  readonly memory: SharedArrayBuffer;
  readonly addon: AddonPlace;
}

export interface HashTask extends SegmentTreeTask {
  /** How many of the shared memory are the segment. */
  readonly bytes: number;
}

export type HashAnswer = SegmentHashes;

const port = parentPort;
assert(port !== null, 'the thread has a parent');
const data = workerData as HashThreadData;
const memory = new Uint8Array(data.memory);
const hashBlocks = hashBlocksBy(data.addon);
port.on('message', (task: HashTask) => {
  const answer: HashAnswer = segmentHashes(memory.subarray(0, task.bytes), task, hashBlocks);
  port.postMessage(answer);
});
