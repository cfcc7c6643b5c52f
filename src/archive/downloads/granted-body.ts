// The body of an answer that somebody has a right to: it ends within a second of that right, also when
// whoever reads it stands still, and gives back its place among the streams however it ends.

import { ArchiveError } from '#archive/errors.ts';
import type { Clock, Timer } from '#base/clock.ts';
import { codeOf } from '#base/errors.ts';

/** How often a right is asked for again. */
const ASKED_MS = 500;
/** Nobody reads on: the place is given to somebody else. */
export const IDLE_MS_MAX = 300_000;
/** Given at once: what is still given after a right has ended is at most this and what sockets hold. */
const PART_BYTES = 256 * 1024;

/** What a download stands on. */
export interface Grant {
  /** Whose bound on streams it counts for: `member 7`. */
  readonly holder: string;
  /** Whether the right to it is still there. */
  mayStay(): Promise<boolean>;
  /** Told of bytes as they are given. */
  onSent(bytes: number): void;
}

export interface BodyParts {
  readonly clock: Clock;
  readonly grant: Grant;
  readonly parts: AsyncGenerator<Uint8Array>;
  /** Aborted when the right has ended or nobody takes anything, and only then. */
  readonly ended: AbortController;
  /** Once, however it ends. */
  readonly onClose: () => void;
}

export class GrantedBody implements AsyncIterableIterator<Uint8Array> {
  readonly #of: BodyParts;
  #first: IteratorResult<Uint8Array, unknown> | undefined;
  #rest: Uint8Array | undefined;
  #timer: Timer | undefined;
  /** When the last part was taken, by the clock that only goes on. */
  #takenMs: number;
  #isClosed = false;

  private constructor(of: BodyParts) {
    this.#of = of;
    this.#takenMs = of.clock.monotonicMs();
  }

  /** Reads the first part, so that what cannot be read is told by its error before anything is given. */
  static async open(of: BodyParts): Promise<GrantedBody> {
    const body = new GrantedBody(of);
    try {
      body.#first = await of.parts.next();
      body.#ask();
      return body;
    } catch (error) {
      await body.return();
      throw error;
    }
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#isClosed) return { done: true, value: undefined };
    try {
      const bytes = this.#rest ?? (await this.#part());
      this.#of.ended.signal.throwIfAborted();
      if (bytes === undefined) return await this.return();
      const part = bytes.subarray(0, PART_BYTES);
      this.#rest = bytes.length > PART_BYTES ? bytes.subarray(PART_BYTES) : undefined;
      this.#of.grant.onSent(part.length);
      this.#takenMs = this.#of.clock.monotonicMs();
      return { done: false, value: part };
    } catch (error) {
      await this.return();
      throw error;
    }
  }

  async return(): Promise<IteratorReturnResult<undefined>> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#timer?.cancel();
      this.#of.onClose();
      await this.#of.parts.return(undefined).catch(() => undefined);
    }
    return { done: true, value: undefined };
  }

  async #part(): Promise<Uint8Array | undefined> {
    const part = this.#first ?? (await this.#of.parts.next());
    this.#first = undefined;
    return part.done === true ? undefined : part.value;
  }

  #ask(): void {
    this.#timer = this.#of.clock.after(ASKED_MS, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { grant, ended, clock } = this.#of;
    if (clock.monotonicMs() - this.#takenMs > IDLE_MS_MAX) {
      ended.abort(new ArchiveError('ARCHIVE_RIGHT_ENDED', 'Nobody takes what is given'));
      return;
    }
    try {
      if (!(await grant.mayStay())) {
        const why = 'The right to it was taken back';
        ended.abort(new ArchiveError('ARCHIVE_RIGHT_ENDED', why));
        return;
      }
    } catch (error) {
      // A database that is busy for a moment ends nobody's download; one that is closed does.
      if (codeOf(error) === 'SQL_CLOSED') ended.abort(error);
    }
    if (!this.#isClosed) this.#ask();
  }
}
