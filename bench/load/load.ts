// The load generators as a benchmark sees them: a worker thread each, told what to announce, which
// walks through all peers once ("filled") and then runs for the measured time. Closed loop: so many
// requests are under way, and a new one goes when an answer came. So the tracker sets the pace, and a
// slow one cannot look fast by leaving requests unanswered: those are counted as lost.

import { Worker } from 'node:worker_threads';

export interface LoadOrder {
  readonly port: number;
  /** Announces come from 127.0.0.1, 127.0.0.2, …: one for each socket of UDP, in turn for HTTP. */
  readonly sources: number;
  /** Requests under way on each source. */
  readonly underWay: number;
  /** Hex, 40 digits. Peers share them by popularity, first ones most. */
  readonly infoHashes: readonly string[];
  readonly peers: number;
  readonly wanted: number;
  /** A peer says that it has everything with this chance, drawn for each announce. */
  readonly seederChance: number;
  /** One of them for each peer in turn; empty: the plain `/announce`. */
  readonly passkeys: readonly string[];
  readonly seconds: number;
  /** HTTP: a connection for each request. */
  readonly isClosedEach: boolean;
}

export interface LoadReport {
  readonly answers: number;
  /** Of which were errors or failure reasons, the first of them in words. */
  readonly errors: number;
  readonly firstError: string;
  readonly lost: number;
  readonly peersInAnswers: number;
  readonly seconds: number;
  /** CPU time of the loader's thread, µs. */
  readonly ownCpuMicros: number;
  /** Times from request to answer, ms. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export type LoadMessage =
  | { readonly kind: 'filled' }
  | { readonly kind: 'report'; readonly report: LoadReport };

/** Fills the swarms, calls `onFilled`, then measures. */
export async function runLoad(
  door: 'udp' | 'http',
  order: LoadOrder,
  onFilled: () => void,
): Promise<LoadReport> {
  const url = new URL(`./${door}-load-thread.ts`, import.meta.url);
  const worker = new Worker(url, { workerData: order, execArgv: process.execArgv });
  try {
    return await new Promise((resolve, reject) => {
      worker.on('error', reject);
      worker.on('message', (message: LoadMessage) => {
        if (message.kind === 'report') {
          resolve(message.report);
          return;
        }
        onFilled();
        worker.postMessage('measure');
      });
    });
  } finally {
    await worker.terminate();
  }
}
