// The WebSocket load generator as a benchmark sees it: a process of its own, because each connection
// takes a file descriptor and one process has few more than it needs for one side.

import { type ChildProcess, fork } from 'node:child_process';
import {
  type LoadCommand,
  type LoadMessage,
  type LoadOrder,
  type LoadReport,
  withinFillTime,
} from './load.ts';

export interface WsLoadOrder extends LoadOrder {
  readonly door: 'ws';
  /** Offers in each announce; every torrent needs more peers than that. */
  readonly offersEach: number;
}

/** What the process is told first: shared memory stays where it is. */
export type WsLoadStart = { readonly kind: 'start'; readonly order: WsLoadOrder };

/** As long as the description that a browser makes for a data channel with its candidates. */
export const DESCRIPTION_BYTES = 1800;

export function isWsOrder(order: LoadOrder): order is WsLoadOrder {
  return order.door === 'ws';
}

export class WsLoad {
  readonly order: WsLoadOrder;
  readonly #child: ChildProcess;
  #hear: ((message: LoadMessage) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  constructor(order: WsLoadOrder) {
    this.order = order;
    const program = new URL('./ws-load-process.ts', import.meta.url);
    this.#child = fork(program, {
      serialization: 'advanced',
      // Not ours: a test's own would make a test of it.
      execArgv: ['-C', 'swarmkeep-src'],
    });
    this.#child.on('message', (message: LoadMessage) => this.#hear?.(message));
    this.#child.on('error', (error) => this.#fail?.(error));
    this.#child.on('exit', () => this.#fail?.(new Error('the load generator ended, see above')));
    this.#tell({ kind: 'start', order: { ...order, hashes: Uint8Array.from(order.hashes) } });
  }

  /** Every peer connects and announces once, without offers. */
  async fill(): Promise<void> {
    await withinFillTime(this.order, this.#ask({ kind: 'fill' }));
  }

  async measure(seconds = this.order.seconds): Promise<LoadReport> {
    const message = await this.#ask({ kind: 'measure', seconds, ratePerSecond: 0 });
    if (message.kind !== 'report') throw new Error('the web peers have not joined');
    return message.report;
  }

  async end(): Promise<void> {
    this.#fail = undefined;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill();
    await exited;
  }

  #ask(command: LoadCommand): Promise<LoadMessage> {
    return new Promise((resolve, reject) => {
      this.#hear = resolve;
      this.#fail = reject;
      this.#tell(command);
    });
  }

  #tell(message: LoadCommand | WsLoadStart): void {
    this.#child.send(message);
  }
}
