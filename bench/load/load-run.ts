// What the load generators have in common: whose turn it is, what was answered, and the report.

import { parentPort } from 'node:worker_threads';
import { SeededRandom } from '#base/random.ts';
import type { LoadMessage, LoadOrder, LoadReport } from './load.ts';
import { torrentsOfPeers } from './popularity.ts';

/** Enough for percentiles; after that times are no longer kept. */
const TIMES_MAX = 1_000_000;

export interface Turn {
  readonly peer: number;
  /** Which source it announces from; always the same for a peer. */
  readonly source: number;
  readonly port: number;
  readonly torrent: number;
  readonly isSeeder: boolean;
}

export class LoadRun {
  readonly order: LoadOrder;
  readonly hashes: readonly Uint8Array[];
  isMeasuring = false;
  isOver = false;
  readonly #torrents: Uint32Array;
  readonly #random = new SeededRandom(1);
  readonly #next: number[];
  readonly #times = new Float32Array(TIMES_MAX);
  #filled = 0;
  #answers = 0;
  #errors = 0;
  #firstError = '';
  #lost = 0;
  #peers = 0;
  #startedMs = 0;
  #cpu = process.threadCpuUsage();

  constructor(order: LoadOrder) {
    this.order = order;
    this.hashes = order.infoHashes.map((hex) => new Uint8Array(Buffer.from(hex, 'hex')));
    this.#torrents = torrentsOfPeers(order.infoHashes.length, order.peers);
    this.#next = Array.from({ length: order.sources }, (_, source) => source);
    parentPort?.once('message', () => this.#measure());
  }

  /** The next peer of this source; all of them in turn. */
  turn(source: number): Turn {
    const { order } = this;
    const peer = this.#next[source] ?? 0;
    const after = peer + order.sources;
    this.#next[source] = after < order.peers ? after : source;
    return {
      peer,
      source,
      port: 1024 + (Math.floor(peer / order.sources) % 60_000),
      torrent: this.#torrents[peer] ?? 0,
      isSeeder: this.#random.u32() / 2 ** 32 < order.seederChance,
    };
  }

  answered(sentMs: number, peers: number): void {
    if (!this.isMeasuring) {
      this.#fill();
      return;
    }
    if (this.#answers < TIMES_MAX) this.#times[this.#answers] = performance.now() - sentMs;
    this.#answers++;
    this.#peers += peers;
  }

  failed(text: string): void {
    this.#errors++;
    if (this.#firstError === '') this.#firstError = text;
    if (!this.isMeasuring) this.#fill();
  }

  lost(): void {
    if (this.isMeasuring) this.#lost++;
  }

  #fill(): void {
    this.#filled++;
    if (this.#filled === this.order.peers) post({ kind: 'filled' });
  }

  #measure(): void {
    this.isMeasuring = true;
    this.#errors = 0;
    this.#firstError = '';
    this.#startedMs = performance.now();
    this.#cpu = process.threadCpuUsage();
    setTimeout(() => this.#report(), this.order.seconds * 1000);
  }

  #report(): void {
    this.isOver = true;
    const cpu = process.threadCpuUsage(this.#cpu);
    const times = this.#times.subarray(0, Math.min(this.#answers, TIMES_MAX)).toSorted();
    const report: LoadReport = {
      answers: this.#answers,
      errors: this.#errors,
      firstError: this.#firstError,
      lost: this.#lost,
      peersInAnswers: this.#peers,
      seconds: (performance.now() - this.#startedMs) / 1000,
      ownCpuMicros: cpu.user + cpu.system,
      p50Ms: times[Math.floor(times.length * 0.5)] ?? 0,
      p99Ms: times[Math.floor(times.length * 0.99)] ?? 0,
    };
    post({ kind: 'report', report });
  }
}

function post(message: LoadMessage): void {
  parentPort?.postMessage(message);
}

/** 20 bytes, a Transmission's, that differ for each peer. */
export function peerIdText(peer: number): string {
  return `-TR4060-${String(peer).padStart(12, '0')}`;
}
