// Segments hashed in threads of our own, where the addon does not do it (native-hasher.ts): as many as
// asked for, each with one segment at a time. A segment is copied into memory that is shared with its
// thread: a copy is a hundredth of hashing it, and the caller keeps its bytes, which go to the store at the
// same time. Threads start with the first segment and end after a while without one.

import { Worker } from 'node:worker_threads';
import { SegmentRooms } from '#archive/content/segment-rooms.ts';
import type { SegmentHashes, SegmentTreeTask } from '#archive/content/segment-tree.ts';
import { SEGMENT_BYTES_MAX } from '#archive/content/segments.ts';
import { assert } from '#base/assert.ts';
import type { Clock, Timer } from '#base/clock.ts';
import type { HashAnswer, HashTask, HashThreadData } from './hash-thread.ts';
import type { SegmentHasher } from './segment-hasher.ts';

const IDLE_MS_MAX = 10_000;

interface Waiting {
  readonly bytes: Uint8Array;
  readonly task: SegmentTreeTask;
  readonly isTreeAlone: boolean;
  readonly answer: PromiseWithResolvers<SegmentHashes>;
}

interface Thread {
  readonly worker: Worker;
  readonly memory: Uint8Array;
  current: Waiting | undefined;
}

export class HashPool implements SegmentHasher {
  readonly rooms: SegmentRooms = new SegmentRooms();
  readonly #threadsMax: number;
  readonly #clock: Clock;
  readonly #threads = new Set<Thread>();
  readonly #waiting: Waiting[] = [];
  #idle: Timer | undefined;
  #isClosed = false;

  /** `threads`: at least one. Every segment is hashed twice. */
  constructor(options: { readonly threads: number; readonly clock: Clock }) {
    assert(options.threads >= 1, 'a pool has a thread');
    this.#threadsMax = options.threads;
    this.#clock = options.clock;
  }

  tree(bytes: Uint8Array, task: SegmentTreeTask): Promise<SegmentHashes> {
    return this.#hash(bytes, task, false);
  }

  async root(bytes: Uint8Array, height: number | undefined): Promise<Uint8Array> {
    return (await this.#hash(bytes, { height, layerHeight: undefined }, true)).root;
  }

  #hash(bytes: Uint8Array, task: SegmentTreeTask, isTreeAlone: boolean): Promise<SegmentHashes> {
    assert(!this.#isClosed, 'nothing is hashed after the end');
    assert(bytes.length <= SEGMENT_BYTES_MAX, 'a segment is at most 16 MiB');
    const answer = Promise.withResolvers<SegmentHashes>();
    this.#waiting.push({ bytes, task, isTreeAlone, answer });
    this.#handOut();
    return answer.promise;
  }

  /** Ends the threads; what waits is answered by an error. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#idle?.cancel();
    for (const { answer } of this.#waiting.splice(0))
      answer.reject(new Error('The pool was closed'));
    await Promise.all([...this.#threads].map((thread) => thread.worker.terminate()));
  }

  #handOut(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#freeThread();
      if (thread === undefined) return;
      const next = this.#waiting.shift();
      assert(next !== undefined, 'one was waiting');
      this.#idle?.cancel();
      thread.current = next;
      thread.worker.ref();
      thread.memory.set(next.bytes);
      const { task, isTreeAlone } = next;
      const message: HashTask = { ...task, isTreeAlone, bytes: next.bytes.length };
      thread.worker.postMessage(message);
    }
  }

  #freeThread(): Thread | undefined {
    for (const thread of this.#threads) if (thread.current === undefined) return thread;
    return this.#threads.size < this.#threadsMax ? this.#startThread() : undefined;
  }

  #startThread(): Thread {
    const shared = new SharedArrayBuffer(SEGMENT_BYTES_MAX);
    const data: HashThreadData = { memory: shared };
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    const worker = new Worker(new URL(`./hash-thread.${extension}`, import.meta.url), {
      name: 'hash',
      workerData: data,
    });
    // An idle pool keeps no program from ending.
    worker.unref();
    const thread: Thread = { worker, memory: new Uint8Array(shared), current: undefined };
    this.#threads.add(thread);
    worker.on('message', (answer: HashAnswer) => this.#answered(thread, answer));
    worker.once('error', (error) => thread.current?.answer.reject(error));
    worker.once('exit', () => {
      this.#threads.delete(thread);
      thread.current?.answer.reject(new Error('The thread that hashes ended'));
      if (!this.#isClosed) this.#handOut();
    });
    return thread;
  }

  #answered(thread: Thread, answer: HashAnswer): void {
    thread.current?.answer.resolve(answer);
    thread.current = undefined;
    thread.worker.unref();
    this.#handOut();
    if ([...this.#threads].some((each) => each.current !== undefined)) return;
    this.#idle?.cancel();
    this.#idle = this.#clock.after(IDLE_MS_MAX, () => {
      for (const each of this.#threads) void each.worker.terminate();
    });
  }
}
