// Takes large .torrent files apart in a thread of their own. One that lists fifty thousand files takes
// seconds and hundreds of megabytes for as long; here it keeps no page waiting, and what it took is
// given back when the thread ends. Small files are not worth a thread.

import { Worker } from 'node:worker_threads';
import { Refusal } from '#site/refusal.ts';
import type { PrepareAnswer, PrepareTask } from './prepare-thread.ts';
import { type PreparedTorrent, prepareTorrent } from './prepared-torrent.ts';

/** Up to this size it is done in a few milliseconds right here. */
const HERE_BYTES_MAX = 128 * 1024;
/** What the largest file that is accepted needs, twice. */
const HEAP_MIB_MAX = 768;
const YOUNG_MIB_MAX = 32;

/** As prepareTorrent, without keeping others waiting. */
export async function prepareApart(
  config: PrepareTask['config'],
  bytes: Uint8Array,
): Promise<PreparedTorrent | Refusal> {
  if (bytes.byteLength <= HERE_BYTES_MAX || bytes.byteLength > config.torrentBytesMax) {
    return prepareTorrent(config, bytes);
  }
  const { torrentBytesMax, torrentSource } = config;
  const task: PrepareTask = { config: { torrentBytesMax, torrentSource }, bytes };
  const answer = await runThread(task);
  if ('prepared' in answer) return answer.prepared;
  return new Refusal(answer.refused.code, answer.refused.message, 'file');
}

function runThread(task: PrepareTask): Promise<PrepareAnswer> {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`./prepare-thread.${extension}`, import.meta.url), {
    name: 'torrent-reader',
    workerData: task,
    resourceLimits: {
      maxOldGenerationSizeMb: HEAP_MIB_MAX,
      maxYoungGenerationSizeMb: YOUNG_MIB_MAX,
    },
  });
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('The thread that reads torrents gave no answer')));
  });
}
