// A thread that takes one .torrent file apart and ends: see prepare-apart.ts.

import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '#base/assert.ts';
import { Refusal } from '#site/refusal.ts';
import type { CatalogueConfig } from './catalogue-config.ts';
import { type PreparedTorrent, prepareTorrent } from './prepared-torrent.ts';

export interface PrepareTask {
  readonly config: Pick<CatalogueConfig, 'torrentBytesMax' | 'torrentSource'>;
  readonly bytes: Uint8Array;
}

/** A refusal's class does not cross between threads. */
export type PrepareAnswer =
  | { readonly prepared: PreparedTorrent }
  | { readonly refused: { readonly code: string; readonly message: string } };

const port = parentPort;
assert(port !== null, 'the thread has a parent');
const { config, bytes } = workerData as PrepareTask;
const result = prepareTorrent(config, bytes);
if (result instanceof Refusal) {
  const answer: PrepareAnswer = { refused: { code: result.code, message: result.message } };
  port.postMessage(answer);
} else {
  const answer: PrepareAnswer = { prepared: result };
  port.postMessage(answer);
}
