// Answers that are given again to what is sent again: a form by a double click, a call of the API whose
// answer got lost. The first is done; whoever repeats it meanwhile or soon after gets its answer, and
// nothing is done twice. What failed or was refused is forgotten, so that it can be tried again.
//
// Kept in this process, bounded in number and size: a restart forgets them.

import { createHash } from 'node:crypto';
import type { Clock } from '#base/clock.ts';

/** Longer answers are not kept. */
const BODY_BYTES_MAX = 32_768;
/** Beyond it the oldest are forgotten. */
const ENTRIES_MAX = 2000;

export interface Repeated {
  /** What is the same when it is the same deed. */
  readonly key: string;
  /** What must be the same then too. */
  readonly content: string;
  /** Asked when it is done: whether it was, and its answer is to be given again. */
  readonly isKept: (response: Response) => boolean;
}

interface Kept {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array<ArrayBuffer> | null;
}

interface Entry {
  readonly content: string;
  /** Undefined when it is not given again. */
  readonly answer: Promise<Kept | undefined>;
  /** By the monotonic clock; while it is being done, never. */
  endMs: number;
}

export class Repeats {
  readonly #clock: Clock;
  readonly #keptMs: number;
  readonly #entriesMax: number;
  /** The oldest first. */
  readonly #entries = new Map<string, Entry>();

  /** `keptMs`: how long after an answer it is given again. */
  constructor(options: {
    readonly clock: Clock;
    readonly keptMs: number;
    readonly entriesMax?: number;
  }) {
    this.#clock = options.clock;
    this.#keptMs = options.keptMs;
    this.#entriesMax = options.entriesMax ?? ENTRIES_MAX;
  }

  /** The answer of `run`, or of the one before; undefined when the same key was for something else. */
  async once(asked: Repeated, run: () => Promise<Response>): Promise<Response | undefined> {
    for (;;) {
      const entry = this.#find(asked.key);
      if (entry === undefined) return await this.#first(asked, run);
      if (entry.content !== asked.content) return undefined;
      const kept = await entry.answer;
      if (kept !== undefined) return responseOf(kept, true);
    }
  }

  #find(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || this.#clock.monotonicMs() < entry.endMs) return entry;
    this.#entries.delete(key);
    return undefined;
  }

  async #first(asked: Repeated, run: () => Promise<Response>): Promise<Response> {
    const { key, content, isKept } = asked;
    const { promise, resolve } = Promise.withResolvers<Kept | undefined>();
    const entry: Entry = { content, answer: promise, endMs: Number.POSITIVE_INFINITY };
    this.#entries.set(key, entry);
    this.#forgetOld();
    const forget = (): void => {
      if (this.#entries.get(key) === entry) this.#entries.delete(key);
      resolve(undefined);
    };
    try {
      const response = await run();
      if (!isKept(response)) {
        forget();
        return response;
      }
      const { status, headers } = response;
      const body = response.body === null ? null : new Uint8Array(await response.arrayBuffer());
      const kept: Kept = { status, headers, body };
      if ((body?.byteLength ?? 0) > BODY_BYTES_MAX) forget();
      else {
        entry.endMs = this.#clock.monotonicMs() + this.#keptMs;
        resolve(kept);
      }
      return responseOf(kept, false);
    } catch (error) {
      forget();
      throw error;
    }
  }

  #forgetOld(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, { endMs }] of this.#entries) {
      const isOver = endMs <= nowMs || this.#entries.size > this.#entriesMax;
      if (isOver) this.#entries.delete(key);
      // What is still being done stands among them; behind the first that is kept all are.
      else if (endMs !== Number.POSITIVE_INFINITY) return;
    }
  }
}

/** A digest of several texts, none of which can pass for another. */
export function digestOf(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) {
    hash.update(`${typeof part === 'string' ? Buffer.byteLength(part) : part.byteLength} `);
    hash.update(part);
  }
  return hash.digest('base64url');
}

function responseOf({ status, headers, body }: Kept, isRepeated: boolean): Response {
  const own = new Headers(headers);
  if (isRepeated) own.set('idempotency-replayed', 'true');
  return new Response(body, { status, headers: own });
}
