// What every store does around a call: it refuses when it was closed, and gives up when it is cancelled.

import { StoreError } from './errors.ts';

/** The door of a store: open until it was closed once. */
export class Gate {
  #closed: Promise<void> | undefined;

  /** Throws STORE_CLOSED or STORE_CANCELLED. */
  enter(signal?: AbortSignal | undefined): void {
    if (this.#closed !== undefined) throw new StoreError('STORE_CLOSED', 'The store was closed');
    throwIfCancelled(signal);
  }

  /** Runs `end` the first time and gives its promise every time. */
  close(end: () => Promise<void>): Promise<void> {
    this.#closed ??= end();
    return this.#closed;
  }
}

export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw cancelled();
}

export function cancelled(): StoreError {
  return new StoreError('STORE_CANCELLED', 'The request was taken back');
}

/** Waits for `work` until the signal aborts; the work itself goes on. */
export async function unlessCancelled<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return work;
  work.catch(() => {});
  throwIfCancelled(signal);
  let abort = (): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(cancelled());
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** A source that stands still must not keep a cancelled call. */
export async function* abortable(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  let abort = (): void => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(cancelled());
    signal?.addEventListener('abort', abort, { once: true });
  });
  aborted.catch(() => {});
  let ended = false;
  try {
    for (;;) {
      throwIfCancelled(signal);
      const next = await Promise.race([iterator.next(), aborted]);
      ended = next.done === true;
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    // Not awaited: a source that stands still ends when it can.
    if (!ended) iterator.return?.()?.then(undefined, () => {});
  }
}
