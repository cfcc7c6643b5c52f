// Takes large .torrent files apart in a thread of their own. One that lists many thousand files takes
// seconds and hundreds of megabytes for as long; here it keeps no page waiting, and what it took is
// given back when the thread ends. Small files are not worth a thread.

import { Worker } from 'node:worker_threads';
import { Refusal } from '#site/refusal.ts';
import type { FileEntry } from './file-entries.ts';
import type { PrepareAnswer, PrepareTask } from './prepare-thread.ts';
import { type PreparedTorrent, prepareTorrent } from './prepared-torrent.ts';

/** Up to this size it is done in a few milliseconds right here. */
const HERE_BYTES_MAX = 128 * 1024;
/** As the thread gives them; fewer are the last. */
const ENTRIES_AT_ONCE = 5000;
/** What a file of names and nothing else needs for each of its bytes, twice; and the least for any. */
const HEAP_SHARE_MAX = 64;
const HEAP_MIB_MIN = 768;
const YOUNG_MIB_MAX = 32;

/** As prepareTorrent, without keeping others waiting; refused when it takes more memory than `heapMib`. */
export async function prepareApart(
  config: PrepareTask['config'],
  bytes: Uint8Array,
  heapMib = Math.max(HEAP_MIB_MIN, Math.ceil((bytes.byteLength * HEAP_SHARE_MAX) / 2 ** 20)),
): Promise<PreparedTorrent | Refusal> {
  if (bytes.byteLength <= HERE_BYTES_MAX || bytes.byteLength > config.torrentBytesMax) {
    return prepareTorrent(config, bytes);
  }
  try {
    return await inThread(config, bytes, heapMib);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_WORKER_OUT_OF_MEMORY') throw error;
    const words = 'It takes more memory to read than a torrent of its size may.';
    return new Refusal('torrent-invalid', words, 'file');
  }
}

async function inThread(
  config: PrepareTask['config'],
  bytes: Uint8Array,
  heapMib: number,
): Promise<PreparedTorrent | Refusal> {
  const { torrentBytesMax, torrentSource } = config;
  const task: PrepareTask = {
    ...{ config: { torrentBytesMax, torrentSource }, bytes },
    entriesAtOnce: ENTRIES_AT_ONCE,
  };
  const worker = startThread(task, heapMib);
  const answer = await next<PrepareAnswer>(worker);
  if ('refused' in answer) return new Refusal(answer.refused.code, answer.refused.message, 'file');
  const entries: FileEntry[] = [];
  for (;;) {
    const asked = next<readonly FileEntry[]>(worker);
    worker.postMessage('more');
    const some = await asked;
    for (const entry of some) entries.push(entry);
    if (some.length < ENTRIES_AT_ONCE) return { ...answer.prepared, entries };
  }
}

function startThread(task: PrepareTask, heapMib: number): Worker {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new Worker(new URL(`./prepare-thread.${extension}`, import.meta.url), {
    name: 'torrent-reader',
    workerData: task,
    resourceLimits: {
      maxOldGenerationSizeMb: heapMib,
      maxYoungGenerationSizeMb: YOUNG_MIB_MAX,
    },
  });
}

async function next<Message>(worker: Worker): Promise<Message> {
  const { promise, resolve, reject } = Promise.withResolvers<Message>();
  const onExit = (): void => reject(new Error('The thread that reads torrents gave no answer'));
  worker.once('message', resolve).once('error', reject).once('exit', onExit);
  try {
    return await promise;
  } finally {
    worker.off('message', resolve).off('error', reject).off('exit', onExit);
  }
}
