// A thread that takes one .torrent file apart, gives its entries as they are asked for, and ends: see
// prepare-apart.ts.

import { parentPort, workerData } from 'node:worker_threads';
import { assert } from '#base/assert.ts';
import { Refusal } from '#site/refusal.ts';
import type { CatalogueConfig } from './catalogue-config.ts';
import { type PreparedTorrent, prepareTorrent } from './prepared-torrent.ts';

export interface PrepareTask {
  readonly config: Pick<CatalogueConfig, 'torrentBytesMax' | 'torrentSource'>;
  readonly bytes: Uint8Array;
  /** Taking in a message keeps the thread that asked. */
  readonly entriesAtOnce: number;
}

/** A refusal's class does not cross between threads. */
export type PrepareAnswer =
  | { readonly prepared: Omit<PreparedTorrent, 'entries'> }
  | { readonly refused: { readonly code: string; readonly message: string } };

const port = parentPort;
assert(port !== null, 'the thread has a parent');
const { config, bytes, entriesAtOnce } = workerData as PrepareTask;
const result = prepareTorrent(config, bytes);
if (result instanceof Refusal) {
  const answer: PrepareAnswer = { refused: { code: result.code, message: result.message } };
  port.postMessage(answer);
} else {
  const { entries, ...prepared } = result;
  const answer: PrepareAnswer = { prepared };
  port.postMessage(answer);
  let at = 0;
  port.on('message', () => {
    port.postMessage(entries.slice(at, at + entriesAtOnce));
    at += entriesAtOnce;
    if (at > entries.length) port.close();
  });
}
