// The load generator as a benchmark sees it: threads that are told what to announce, walk through all
// peers once ("filled") and then run for the measured time. Closed loop: so many requests are under
// way, and a new one goes when an answer came. So the tracker sets the pace, and a slow one cannot look
// fast by leaving requests unanswered: those are counted, with what is known of why.

import { Worker } from 'node:worker_threads';
import type { CommunityShape } from './community.ts';

export type LoadDoor = 'udp' | 'http' | 'ws';

export interface LoadOrder extends CommunityShape {
  readonly door: LoadDoor;
  /** "127.0.0.1" or "::1". IPv4 announces come from 127.0.0.1, .2, …: one for each source. */
  readonly host: string;
  readonly port: number;
  /** Requests under way on each source. HTTP: connections of each source. */
  readonly underWay: number;
  /** Of a hundred requests so many are scrapes, of 1 to 10 hashes each. */
  readonly scrapePercent: number;
  /** One of them for each peer in turn; empty: the plain `/announce`. */
  readonly passkeys: readonly string[];
  readonly seconds: number;
  /** UDP: each announce says that more was uploaded than the one before. */
  readonly isMoving?: boolean;
  /** A peer has everything or has not for the whole run; else each announce draws anew. */
  readonly isSteady?: boolean;
  /** HTTP: a connection for each request. */
  readonly isClosedEach: boolean;
  /** UDP: so many requests a second instead of as many as are answered; 0 is the closed loop. */
  readonly ratePerSecond: number;
}

/** Requests that nobody answered, by what is known of the reason. */
export interface Losses {
  /** UDP: no answer for a second. */
  readonly timeouts: number;
  /** HTTP: the connection was refused, because nobody listened or the backlog was full. */
  readonly refused: number;
  /** HTTP: the connection ended before its answer. */
  readonly resets: number;
  /** HTTP: no port of this source was free (closed connections keep theirs for a minute). */
  readonly ports: number;
}

export interface LoadReport {
  readonly answers: number;
  readonly scrapes: number;
  /** Of which were errors or failure reasons, the first of them in words. */
  readonly errors: number;
  readonly firstError: string;
  readonly losses: Losses;
  readonly peersInAnswers: number;
  readonly seconds: number;
  /** CPU time of the loader's threads, µs. */
  readonly ownCpuMicros: number;
  /** WebSocket: messages that were sent and neither arrived nor were refused, in words. */
  readonly unexplained?: string;
  /** At a rate: requests that were due when time was over, and had not been sent. */
  readonly unsent?: number;
  /** Times from request to answer, ms; at a rate from the moment at which the request was due. */
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export type LoadCommand =
  | { readonly kind: 'fill' }
  | { readonly kind: 'measure'; readonly seconds: number; readonly ratePerSecond: number }
  | { readonly kind: 'end' };

export type LoadMessage =
  | { readonly kind: 'filled' }
  | { readonly kind: 'report'; readonly report: LoadReport };

/** A load generator that was started: fills once, measures as often as it is asked. */
export class Load {
  readonly order: LoadOrder;
  readonly #worker: Worker;
  #hear: ((message: LoadMessage) => void) | undefined;
  #fail: ((error: Error) => void) | undefined;

  constructor(order: LoadOrder) {
    this.order = order;
    const url = new URL(`./${order.door}-load-thread.ts`, import.meta.url);
    this.#worker = new Worker(url, { workerData: order, execArgv: process.execArgv });
    this.#worker.on('message', (message: LoadMessage) => this.#hear?.(message));
    this.#worker.on('error', (error) => this.#fail?.(error));
  }

  /** Every peer announces once, as `started`. */
  async fill(): Promise<void> {
    await withinFillTime(this.order, this.#ask({ kind: 'fill' }));
  }

  async measure(seconds = this.order.seconds, ratePerSecond = this.order.ratePerSecond) {
    const message = await this.#ask({ kind: 'measure', seconds, ratePerSecond });
    if (message.kind !== 'report') throw new Error('the load generator has not filled the swarms');
    return message.report;
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #ask(command: LoadCommand): Promise<LoadMessage> {
    return new Promise((resolve, reject) => {
      this.#hear = resolve;
      this.#fail = reject;
      this.#worker.postMessage(command);
    });
  }
}

const FILL_MS_MIN = 5000;
const FILL_PEERS_PER_MS_MIN = { udp: 8, http: 1, ws: 0.2 } as const;

/** @throws when the tracker answers so slowly, or not at all, that nothing worth measuring comes */
export async function withinFillTime(order: LoadOrder, filled: Promise<unknown>): Promise<void> {
  const limitMs = Math.max(FILL_MS_MIN, order.peers / FILL_PEERS_PER_MS_MIN[order.door]);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((_, reject) => {
    const words = `port ${order.port} did not answer ${order.peers} announces in ${limitMs / 1000} s`;
    timer = setTimeout(() => reject(new Error(words)), limitMs);
  });
  await Promise.race([filled, late]).finally(() => clearTimeout(timer));
}

/**
 * What is wrong with a run, in words; undefined when it counts. `peersExpected` is Community's; a run
 * whose answers hold fewer did less work than it seems.
 */
export function faultOf(report: LoadReport, peersExpected: number): string | undefined {
  if (report.answers === 0) return 'nothing was answered';
  const { errors, firstError, unexplained } = report;
  if (errors > report.answers / 1000) return `${errors} errors, the first: ${firstError}`;
  if (unexplained !== undefined) return unexplained;
  const { unsent } = report;
  if (unsent !== undefined && unsent > report.answers * UNSENT_PART_MAX) {
    return `the generator fell behind its rate: ${unsent} requests were due and not sent`;
  }
  const announces = report.answers - report.scrapes;
  const got = report.peersInAnswers / announces;
  if (got >= peersExpected * PEERS_PART_MIN) return undefined;
  const [has, there] = [got.toFixed(2), peersExpected.toFixed(2)];
  return `too few peers: ${has} per answer where ${there} are there to give`;
}

/** More than this part of the requests may not be owed at the end. */
const UNSENT_PART_MAX = 0.02;
/** Less than this part of the peers that could be given is too few. */
const PEERS_PART_MIN = 0.9;

export function lostOf(losses: Losses): number {
  return losses.timeouts + losses.refused + losses.resets + losses.ports;
}
