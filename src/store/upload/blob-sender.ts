// Blobs on their way to one client: a few requests at once, each as far ahead of its reader as the
// window lets it, each blob in memory once and counted in the budget of all.

import { codeOf } from '#base/errors.ts';
import type { BlobRef } from '#base/ids.ts';
import { throwIfCancelled } from '#store/calls.ts';
import { BLOB_BYTES_MAX, readStore, type Store } from '#store/store.ts';
import type { Caller, StoreDoor } from './door.ts';
import { PIECE_BYTES_MAX, pieceOf } from './store-messages.ts';

/** Where messages go. */
export interface BlobSender {
  readonly unsentBytes: number;
  sendText(text: string): void;
  sendBytes(bytes: Uint8Array): void;
}

/** One request's blobs. */
interface Line {
  named(store: Store, refs: readonly BlobRef[]): Promise<void>;
  range(
    store: Store,
    range: { readonly ref: BlobRef; readonly start: number; readonly end: number },
  ): Promise<void>;
  stream(store: Store, after: string | undefined): Promise<void>;
}

export class OutgoingBlobs {
  readonly #door: StoreDoor;
  readonly #caller: Caller;
  readonly #sender: BlobSender;
  readonly #lines = new Map<number, OutgoingLine>();
  readonly #waiting: (() => void)[] = [];
  #places: number;

  constructor(door: StoreDoor, caller: Caller, sender: BlobSender) {
    this.#door = door;
    this.#caller = caller;
    this.#sender = sender;
    this.#places = door.config.readsAtOnceMax;
  }

  took(number: number, bytes: number): void {
    this.#lines.get(number)?.took(bytes, this.#door.clock.monotonicMs());
  }

  /** Something happened that a line may wait for. */
  wake(): void {
    for (const line of this.#lines.values()) line.wake();
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** For how long the one that waits longest for its reader has waited. */
  stalledMs(nowMs: number): number {
    let longest = 0;
    for (const line of this.#lines.values()) longest = Math.max(longest, line.stalledMs(nowMs));
    return longest;
  }

  /** Runs when one of the few places is free. */
  async send(
    number: number,
    signal: AbortSignal,
    run: (line: Line) => Promise<void>,
  ): Promise<void> {
    signal.addEventListener('abort', () => this.wake(), { once: true });
    while (this.#places === 0) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      throwIfCancelled(signal);
    }
    this.#places--;
    const line = new OutgoingLine(this.#door, this.#caller, {
      sender: this.#sender,
      number,
      signal,
    });
    this.#lines.set(number, line);
    try {
      await run(line);
    } finally {
      this.#lines.delete(number);
      this.#places++;
      this.#waiting.shift()?.();
    }
  }
}

class OutgoingLine implements Line {
  readonly #door: StoreDoor;
  readonly #caller: Caller;
  readonly #sender: BlobSender;
  readonly #number: number;
  readonly #signal: AbortSignal;
  /** Sent and not taken. */
  #ahead = 0;
  #waitingSinceMs: number | undefined;
  #wake: (() => void) | undefined;

  constructor(
    door: StoreDoor,
    caller: Caller,
    to: { readonly sender: BlobSender; readonly number: number; readonly signal: AbortSignal },
  ) {
    this.#door = door;
    this.#caller = caller;
    this.#sender = to.sender;
    this.#number = to.number;
    this.#signal = to.signal;
  }

  took(bytes: number, nowMs: number): void {
    this.#ahead = Math.max(0, this.#ahead - bytes);
    if (bytes > 0 && this.#waitingSinceMs !== undefined) this.#waitingSinceMs = nowMs;
    this.wake();
  }

  wake(): void {
    this.#wake?.();
  }

  stalledMs(nowMs: number): number {
    return this.#waitingSinceMs === undefined ? 0 : nowMs - this.#waitingSinceMs;
  }

  async named(store: Store, refs: readonly BlobRef[]): Promise<void> {
    const signal = this.#signal;
    for (const ref of refs) {
      await this.#hold(async () => {
        const body = await bodyOf(() => store.get(ref, { signal }));
        if (typeof body === 'string') this.#lacks(ref, body);
        return typeof body === 'string' ? undefined : { head: `${ref} ${body.byteLength}`, body };
      });
    }
  }

  async range(
    store: Store,
    { ref, start, end }: { readonly ref: BlobRef; readonly start: number; readonly end: number },
  ): Promise<void> {
    const signal = this.#signal;
    await this.#hold(async () => {
      const body = await store.getRange(ref, { start, end }, { signal });
      return { head: `${ref} ${body.byteLength}`, body };
    });
  }

  async stream(store: Store, after: string | undefined): Promise<void> {
    const from = after === undefined ? {} : { after };
    const blobs = readStore(store, { signal: this.#signal, ...from });
    try {
      for (let isDone = false; !isDone; ) {
        await this.#hold(async () => {
          const next = await blobs.next();
          isDone = next.done === true;
          if (next.done === true) return undefined;
          const { ref, bytes, body, token } = next.value;
          if (body === undefined) this.#lacks(ref, 'STORE_CORRUPT_BLOB', `${bytes} ${token}`);
          return body === undefined ? undefined : { head: `${ref} ${bytes} ${token}`, body };
        });
      }
    } finally {
      await blobs.return(undefined);
    }
  }

  /** Reads one blob and sends it, within the budget: the most it may have until its size is known. */
  async #hold(
    read: () => Promise<{ readonly head: string; readonly body: Uint8Array } | undefined>,
  ): Promise<void> {
    const { budget, counts } = this.#door;
    const who = this.#caller.budget;
    let held = BLOB_BYTES_MAX;
    await budget.wait(who, held, this.#signal);
    try {
      const blob = await read();
      if (blob === undefined) return;
      const { head, body } = blob;
      budget.give(who, held - body.byteLength);
      held = body.byteLength;
      this.#sender.sendText(`BLOB ${this.#number} ${head}`);
      for (let at = 0; at < body.byteLength; at += PIECE_BYTES_MAX) {
        const piece = body.subarray(at, at + PIECE_BYTES_MAX);
        await this.#room();
        this.#ahead += piece.byteLength;
        counts.sent(piece.byteLength);
        this.#sender.sendBytes(pieceOf(this.#number, piece));
      }
    } finally {
      budget.give(who, held);
    }
  }

  /** Waits until the reader has taken enough, and the system what was written. */
  async #room(): Promise<void> {
    const { clock, config } = this.#door;
    const window = config.sendWindowBytes;
    for (;;) {
      throwIfCancelled(this.#signal);
      if (this.#ahead < window && this.#sender.unsentBytes < window) break;
      this.#waitingSinceMs ??= clock.monotonicMs();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#waitingSinceMs = undefined;
    this.#wake = undefined;
  }

  #lacks(ref: BlobRef, code: string, rest = ''): void {
    this.#sender.sendText(`LACKS ${this.#number} ${ref} ${code}${rest === '' ? '' : ` ${rest}`}`);
  }
}

const LACKING: ReadonlySet<string | undefined> = new Set([
  'STORE_BLOB_MISSING',
  'STORE_CORRUPT_BLOB',
]);

/** The blob, or the code that says why there is none. */
async function bodyOf(read: () => Promise<Uint8Array>): Promise<Uint8Array | string> {
  try {
    return await read();
  } catch (error) {
    const code = codeOf(error);
    if (code !== undefined && LACKING.has(code)) return code;
    throw error;
  }
}
