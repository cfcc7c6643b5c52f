// Passwords hashed in threads of our own, which give way to all others: neither an announce nor a sync of
// the log waits for a storm of sign-ins, as they would for a core or for a thread of libuv's pool. As many
// as may hash at once; they start with the first password and end after a while without one.

import { Worker } from 'node:worker_threads';
import { assert } from '#base/assert.ts';
import type { Clock, Timer } from '#base/clock.ts';
import { threadUrl } from '#cli/thread-url.ts';
import type { KeyAsked } from '#site/accounts/passwords.ts';

const IDLE_MS_MAX = 60_000;

interface Thread {
  readonly worker: Worker;
  current: PromiseWithResolvers<Uint8Array> | undefined;
}

export class PasswordThreads {
  readonly #clock: Clock;
  readonly #threads = new Set<Thread>();
  #idle: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Of threads that are there. */
  get count(): number {
    return this.#threads.size;
  }

  /** In a thread that is free, or a new one: whoever asks bounds how many ask at once. */
  derive(asked: KeyAsked): Promise<Uint8Array> {
    this.#idle?.cancel();
    const free = [...this.#threads].find((thread) => thread.current === undefined);
    const thread = free ?? this.#start();
    thread.current = Promise.withResolvers();
    // Copied: a Buffer's memory holds what others have in it, which would go along.
    const [message, nonce] = [new Uint8Array(asked.message), new Uint8Array(asked.nonce)];
    const own: KeyAsked = { ...asked, message, nonce };
    thread.worker.postMessage(own);
    return thread.current.promise;
  }

  /** Ends the threads; what they were at is answered by an error. */
  async close(): Promise<void> {
    this.#idle?.cancel();
    await Promise.all([...this.#threads].map(({ worker }) => worker.terminate()));
  }

  #start(): Thread {
    const worker = new Worker(threadUrl(import.meta.url, 'password-thread'), { name: 'passwords' });
    // The server ends when its parts have ended; who waits for an answer then gets none.
    worker.unref();
    const thread: Thread = { worker, current: undefined };
    this.#threads.add(thread);
    worker.on('message', (key: Uint8Array) => this.#answered(thread, key));
    const fail = (error: Error): void => {
      this.#threads.delete(thread);
      thread.current?.reject(error);
    };
    worker.once('error', fail);
    worker.once('exit', () => fail(new Error('The thread that hashes passwords ended')));
    return thread;
  }

  #answered(thread: Thread, key: Uint8Array): void {
    const { current } = thread;
    assert(current !== undefined, 'an answer was asked for');
    thread.current = undefined;
    current.resolve(key);
    if ([...this.#threads].some((each) => each.current !== undefined)) return;
    this.#idle?.cancel();
    this.#idle = this.#clock.after(IDLE_MS_MAX, () => {
      for (const { worker } of this.#threads) void worker.terminate();
    });
  }
}
