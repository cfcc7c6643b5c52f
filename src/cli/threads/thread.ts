// A thread of the server as its owner sees it: started, asked for its metrics, closed in order. One
// that ends by itself takes the process down.

import { type MessagePort, type Transferable, Worker } from 'node:worker_threads';
import { assert } from '#base/assert.ts';
import type { LevelTable } from '#base/log-levels.ts';
import { CliError } from '#cli/errors.ts';
import type { Collected } from '#metrics/registry.ts';

/** What the main thread says to the others. */
export type ThreadMessage =
  | { readonly kind: 'port'; readonly port: MessagePort }
  | { readonly kind: 'metrics'; readonly id: number }
  | { readonly kind: 'status'; readonly id: number }
  | { readonly kind: 'said'; readonly id: number }
  | { readonly kind: 'levels'; readonly table: LevelTable }
  /** To a tracker thread: bind the doors, answer, take nothing new. */
  | { readonly kind: 'bind'; readonly id: number; readonly port: number }
  | { readonly kind: 'serve' }
  | { readonly kind: 'stop' }
  | { readonly kind: 'close' };

/** What they answer. */
export type ThreadReply =
  | { readonly kind: 'ready'; readonly value: unknown }
  | { readonly kind: 'metrics'; readonly id: number; readonly metrics: Collected }
  | { readonly kind: 'status'; readonly id: number; readonly status: unknown }
  | ThreadSaid
  | { readonly kind: 'bound'; readonly id: number; readonly bound: BoundDoors }
  | {
      readonly kind: 'unbound';
      readonly id: number;
      readonly code: string;
      readonly message: string;
    }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
  | { readonly kind: 'closed' };

export interface ThreadSaid {
  readonly kind: 'said';
  readonly id: number;
  /** The last ones, the oldest first. */
  readonly lines: readonly string[];
  /** That have a logger there. */
  readonly modules: readonly string[];
}

export interface BoundDoors {
  readonly port: number;
  readonly urls: readonly string[];
}

export class ServerThread {
  readonly name: string;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, (reply: ThreadReply) => void>();
  readonly #ready: Promise<unknown>;
  readonly #closed: Promise<void>;
  readonly #died: Promise<void>;
  #closing = false;
  #nextId = 1;

  constructor(
    name: string,
    start: {
      readonly url: URL;
      readonly data: unknown;
      readonly transfer?: readonly MessagePort[];
    },
  ) {
    this.name = name;
    // Without `execArgv` of its own a thread has the process's. Named, they are refused as soon as one is
    // for the whole process, as `--max-old-space-size` is.
    this.#worker = new Worker(start.url, {
      name,
      workerData: start.data,
      transferList: [...(start.transfer ?? [])] as Transferable[],
    });
    const ready = Promise.withResolvers<unknown>();
    const closed = Promise.withResolvers<void>();
    const died = Promise.withResolvers<void>();
    this.#died = died.promise;
    this.#ready = ready.promise;
    this.#closed = closed.promise;
    this.#worker.on('message', (reply: ThreadReply) => {
      if (reply.kind === 'ready') ready.resolve(reply.value);
      else if (reply.kind === 'closed') this.#closing = true;
      else if (reply.kind === 'failed') {
        this.#closing = true;
        ready.reject(Object.assign(new Error(reply.message), { code: reply.code }));
        // What it had opened is still open there; it has nothing more to say.
        void this.#worker.terminate();
      } else {
        this.#waiting.get(reply.id)?.(reply);
        this.#waiting.delete(reply.id);
      }
    });
    const die = (cause: unknown): void => {
      const error = new CliError('CLI_THREAD_DIED', `The ${name} thread ended by itself`, {
        cause,
      });
      ready.reject(error);
      if (!this.#closing) died.reject(error);
    };
    this.#worker.on('error', die);
    this.#worker.on('exit', (exitCode) => {
      closed.resolve();
      if (this.#closing) died.resolve();
      else die(new Error(`exit code ${exitCode}`));
    });
    // Whoever starts a thread awaits one of the two; the other must not count as unhandled.
    this.#ready.catch(() => undefined);
    this.#died.catch(() => undefined);
  }

  /** What the thread said when it was ready; rejects when it could not start. */
  ready(): Promise<unknown> {
    return this.#ready;
  }

  /** Rejects when the thread ends by itself; resolves when it was closed. */
  get died(): Promise<void> {
    return this.#died;
  }

  give(port: MessagePort): void {
    this.#post({ kind: 'port', port }, [port]);
  }

  async metrics(): Promise<Collected> {
    const reply = await this.#ask((id) => ({ kind: 'metrics', id }));
    assert(reply.kind === 'metrics', 'metrics are answered by metrics');
    return reply.metrics;
  }

  async status(): Promise<unknown> {
    const reply = await this.#ask((id) => ({ kind: 'status', id }));
    assert(reply.kind === 'status', 'status is answered by status');
    return reply.status;
  }

  async said(): Promise<ThreadSaid> {
    const reply = await this.#ask((id) => ({ kind: 'said', id }));
    assert(reply.kind === 'said', 'what was said is answered by it');
    return reply;
  }

  /** @throws what the thread failed with, by its code */
  async bind(port: number): Promise<BoundDoors> {
    const asked = this.#ask((id) => ({ kind: 'bind', id, port }));
    const reply = await Promise.race([asked, this.#died]);
    assert(reply !== undefined, 'a thread that binds is not closed');
    if (reply.kind === 'unbound') {
      throw Object.assign(new Error(reply.message), { code: reply.code });
    }
    assert(reply.kind === 'bound', 'a bind is answered by what is bound');
    return reply.bound;
  }

  tell(message: Extract<ThreadMessage, { readonly kind: 'serve' | 'stop' | 'levels' }>): void {
    this.#post(message);
  }

  /** Asks it to finish what is in flight; resolves when the thread is gone. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#post({ kind: 'close' });
    await this.#closed;
  }

  #ask(make: (id: number) => ThreadMessage): Promise<ThreadReply> {
    return new Promise((resolve) => {
      const id = this.#nextId++;
      this.#waiting.set(id, resolve);
      this.#post(make(id));
    });
  }

  #post(message: ThreadMessage, transfer: readonly MessagePort[] = []): void {
    this.#worker.postMessage(message, [...transfer] as Transferable[]);
  }
}
