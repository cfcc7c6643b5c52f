// Blobs of one request between the link, which gets them when they come, and a reader, who takes them
// when it will. What is not taken holds the server back, so the queue is as short as the window.

import { type BlobRef, blobRef } from '#base/ids.ts';
import { cancelled } from '#store/calls.ts';
import { parseNumber } from '#store/upload/store-messages.ts';
import type { LinkCall, LinkFailure, StoreLink } from './store-link.ts';

export interface QueuedBlob {
  readonly ref: BlobRef;
  readonly bytes: number;
  /** Undefined when the server lacks it; then `lack` is the code that says why. */
  readonly body: Uint8Array | undefined;
  readonly lack: string;
  /** Of a stream: names this place. */
  readonly token: string;
}

export class BlobQueue {
  readonly #call: LinkCall;
  readonly #blobs: { readonly blob: QueuedBlob; readonly release: () => void }[] = [];
  readonly #signal: AbortSignal | undefined;
  readonly #abort: () => void;
  #isDone = false;
  #failure: LinkFailure | Error | undefined;
  #wake: (() => void) | undefined;

  constructor(
    link: StoreLink,
    request: { readonly command: string; readonly rest: string },
    signal: AbortSignal | undefined,
  ) {
    this.#signal = signal;
    this.#call = link.send({
      ...request,
      onBlob: ({ ref, body, token }, release) => {
        const bytes = body.byteLength;
        this.#blobs.push({ blob: { ref, bytes, body, lack: '', token }, release });
        this.#wake?.();
      },
      onLacks: (lack) => {
        const ref = blobRef(lack.ref);
        if (ref === undefined) return;
        const [size, token = ''] = lack.rest.split(' ');
        const blob = {
          ref,
          bytes: parseNumber(size) ?? 0,
          body: undefined,
          lack: lack.code,
          token,
        };
        this.#blobs.push({ blob, release: () => undefined });
        this.#wake?.();
      },
      onDone: () => this.#end(undefined),
      onFailed: (failure) => this.#end(failure),
    });
    this.#abort = () => {
      this.stop();
      this.#end(cancelled());
    };
    signal?.addEventListener('abort', this.#abort, { once: true });
  }

  /** To the end, or until it throws a LinkFailure or a StoreError. */
  async *read(): AsyncGenerator<QueuedBlob> {
    for (;;) {
      if (this.#signal?.aborted === true) throw cancelled();
      const next = this.#blobs.shift();
      if (next !== undefined) {
        next.release();
        yield next.blob;
      } else if (this.#failure !== undefined) throw this.#failure;
      else if (this.#isDone) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  /** "Stop send": what was not read is not wanted any more. No-op at the end. */
  stop(): void {
    this.#signal?.removeEventListener('abort', this.#abort);
    if (!this.#isDone) this.#call.cancel();
  }

  #end(failure: LinkFailure | Error | undefined): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#failure = failure;
    this.#wake?.();
  }
}
