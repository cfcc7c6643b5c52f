// By what the server takes an append back: as much of an AbortController and its signal as a log asks for,
// in one object. One listener at a time, which is the queue that the append waits in.

import type { CancelSignal } from '#log/log.ts';

export class AppendCancel implements CancelSignal {
  aborted = false;
  reason: unknown;
  #listener: (() => void) | undefined;

  get signal(): CancelSignal {
    return this;
  }

  /** Only the first counts. */
  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.();
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    this.#listener = listener;
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    if (this.#listener === listener) this.#listener = undefined;
  }
}
