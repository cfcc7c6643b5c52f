// What the load generators have in common: who announces next, what was answered, and the report.
// Nothing is allocated per request, so that the generator stays cheaper than what it measures.

import { parentPort } from 'node:worker_threads';
import { SeededRandom } from '#base/random.ts';
import { Community } from './community.ts';
import type { LoadCommand, LoadMessage, LoadOrder, LoadReport, Losses } from './load.ts';

/** Enough for percentiles; after that times are no longer kept. */
const TIMES_MAX = 1_000_000;
const U32 = 0x1_0000_0000;

type Mutable<T> = { -readonly [Field in keyof T]: T[Field] };

export class LoadRun {
  readonly order: LoadOrder;
  readonly community: Community;
  /** Peers announce `started` until every one has been heard. */
  isFilling = false;
  isMeasuring = false;
  ratePerSecond = 0;
  /** Set by next(): whose turn it is and what it says. */
  peer = 0;
  torrent = 0;
  isSeeder = false;
  isScrape = false;
  readonly losses: Mutable<Losses> = { timeouts: 0, refused: 0, resets: 0, ports: 0 };
  readonly #random = new SeededRandom(1);
  readonly #nextOf: Uint32Array;
  readonly #times = new Float32Array(TIMES_MAX);
  readonly #onStart: () => void;
  #filled = 0;
  #answers = 0;
  #scrapes = 0;
  #errors = 0;
  #firstError = '';
  #peers = 0;
  #startedMs = 0;
  /** By source: requests that were due and could not be sent yet. */
  readonly #unsent: Float64Array;
  #cpu = process.threadCpuUsage();

  /** `onStart` is called when requests may go, again after each pause. */
  constructor(order: LoadOrder, onStart: () => void) {
    this.order = order;
    this.community = new Community(order);
    this.#onStart = onStart;
    this.#unsent = new Float64Array(order.sources);
    this.#nextOf = Uint32Array.from({ length: order.sources }, (_, source) => source);
    parentPort?.on('message', (command: LoadCommand) => this.#obey(command));
  }

  /** Whether a request may go now. */
  get isOn(): boolean {
    return this.isFilling || this.isMeasuring;
  }

  /** The next peer of this source; all of them in turn. */
  next(source: number): void {
    const { order } = this;
    const drawn = this.#random.u32();
    this.isScrape = !this.isFilling && this.#random.u32() < (order.scrapePercent / 100) * U32;
    const peer = this.#nextOf[source]!;
    this.peer = peer;
    const chance = order.isSteady === true ? Math.imul(peer + 1, 0x9e37_79b1) >>> 0 : drawn;
    this.isSeeder = chance < order.seederChance * U32;
    this.torrent = this.community.torrentOf[peer]!;
    if (this.isScrape) return;
    const after = peer + order.sources;
    this.#nextOf[source] = after < order.peers ? after : source;
  }

  /** An announce was answered with so many peers, `tookMs` after it went. */
  answered(tookMs: number, peers: number): void {
    if (!this.isMeasuring) {
      this.#fill();
      return;
    }
    this.#time(tookMs);
    this.#peers += peers;
  }

  scraped(tookMs: number): void {
    if (!this.isMeasuring) return;
    this.#time(tookMs);
    this.#scrapes++;
  }

  failed(text: string): void {
    this.#errors++;
    if (this.#firstError === '') this.#firstError = text;
    if (this.isFilling) this.#fill();
  }

  lost(why: keyof Losses): void {
    if (this.isMeasuring) this.losses[why]++;
  }

  /** At a rate: so many requests of a source are due and not sent. */
  unsent(source: number, requests: number): void {
    if (this.isMeasuring) this.#unsent[source] = requests;
  }

  #time(tookMs: number): void {
    if (this.#answers < TIMES_MAX) this.#times[this.#answers] = tookMs;
    this.#answers++;
  }

  #obey(command: LoadCommand): void {
    if (command.kind === 'fill') this.isFilling = true;
    else if (command.kind === 'measure') this.#measure(command.seconds, command.ratePerSecond);
    this.#onStart();
  }

  #fill(): void {
    if (!this.isFilling) return;
    this.#filled++;
    if (this.#filled < this.order.peers) return;
    this.isFilling = false;
    post({ kind: 'filled' });
  }

  #measure(seconds: number, ratePerSecond: number): void {
    this.isMeasuring = true;
    this.ratePerSecond = ratePerSecond;
    this.#errors = 0;
    this.#firstError = '';
    this.#answers = 0;
    this.#scrapes = 0;
    this.#peers = 0;
    this.#unsent.fill(0);
    Object.assign(this.losses, { timeouts: 0, refused: 0, resets: 0, ports: 0 });
    this.#startedMs = performance.now();
    this.#cpu = process.threadCpuUsage();
    setTimeout(() => this.#report(), seconds * 1000);
  }

  #report(): void {
    this.isMeasuring = false;
    const cpu = process.threadCpuUsage(this.#cpu);
    const times = this.#times.subarray(0, Math.min(this.#answers, TIMES_MAX)).toSorted();
    const report: LoadReport = {
      answers: this.#answers,
      scrapes: this.#scrapes,
      errors: this.#errors,
      firstError: this.#firstError,
      losses: { ...this.losses },
      peersInAnswers: this.#peers,
      seconds: (performance.now() - this.#startedMs) / 1000,
      ownCpuMicros: cpu.user + cpu.system,
      p50Ms: times[Math.floor(times.length * 0.5)] ?? 0,
      unsent: this.#unsent.reduce((sum, requests) => sum + requests, 0),
      p99Ms: times[Math.floor(times.length * 0.99)] ?? 0,
    };
    post({ kind: 'report', report });
  }
}

function post(message: LoadMessage): void {
  parentPort?.postMessage(message);
}
