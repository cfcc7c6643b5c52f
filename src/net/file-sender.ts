// Sends parts of files to sockets without their bytes coming into the program: by the addon's threads
// (native/send-file.c), which alone wait for the disk and for sockets that are slow.

import { assert } from '#base/assert.ts';
import { type Addon, systemError } from './addon.ts';

const PART_WORDS = 3;
const RESULT_WORDS = 3;
const RESULTS = 256;

/** Of a descriptor, which may be closed as soon as it has begun. */
export interface FilePart {
  readonly descriptor: number;
  readonly position: number;
  /** 1 to 16 MiB. */
  readonly bytes: number;
}

/** Of one sending. */
export const FILE_PARTS_MAX = 16;

export interface SentParts {
  /** That the kernel took; all of them unless there is an `error`. */
  readonly bytes: number;
  /** What the socket or the disk said, as a system error. Then the connection is of no use any more. */
  readonly error: Error | undefined;
}

interface Job {
  readonly ended: (sent: SentParts) => void;
}

export class FileSender {
  readonly #addon: Addon;
  readonly #id: number;
  readonly #parts = new Float64Array(FILE_PARTS_MAX * PART_WORDS);
  readonly #results = new Int32Array(RESULTS * RESULT_WORDS);
  readonly #jobs = new Map<number, Job>();
  #isClosed = false;

  private constructor(addon: Addon) {
    this.#addon = addon;
    this.#id = addon.sendOpen(this.#results.buffer, () => this.#take());
  }

  /** Undefined when the system has no thread or no descriptor for it. */
  static open(addon: Addon): FileSender | undefined {
    const sender = new FileSender(addon);
    return sender.#id < 0 ? undefined : sender;
  }

  /**
   * Sends parts one after the other to a socket that does not block, given by its descriptor, of which
   * everything written before has left the program. Resolves when all of it is the kernel's, or with what
   * went wrong; never rejects. An aborted signal ends the connection. At most 4096 at once; more are told
   * EAGAIN.
   */
  send(socket: number, parts: readonly FilePart[], signal: AbortSignal): Promise<SentParts> {
    assert(parts.length >= 1 && parts.length <= FILE_PARTS_MAX, 'there are 1 to 16 parts');
    for (const [at, { descriptor, position, bytes }] of parts.entries()) {
      this.#parts.set([descriptor, position, bytes], at * PART_WORDS);
    }
    const job = this.#isClosed
      ? -1
      : this.#addon.sendFile(this.#id, socket, this.#parts, parts.length);
    if (job < 0) return Promise.resolve({ bytes: 0, error: systemError(job, 'sendfile') });
    return new Promise((resolve) => {
      const cancel = (): void => this.#addon.sendCancel(this.#id, job);
      const ended = (sent: SentParts): void => {
        signal.removeEventListener('abort', cancel);
        resolve(sent);
      };
      this.#jobs.set(job, { ended });
      signal.addEventListener('abort', cancel, { once: true });
      if (signal.aborted) cancel();
    });
  }

  /** What is being sent ends where it is. Idempotent. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#addon.close(this.#id);
    const error = systemError(-1, 'sendfile');
    for (const { ended } of this.#jobs.values()) ended({ bytes: 0, error });
    this.#jobs.clear();
  }

  #take(): void {
    for (let count = RESULTS; count === RESULTS && !this.#isClosed; ) {
      count = this.#addon.sendTake(this.#id);
      for (let at = 0; at < count; at++) {
        const [number = 0, bytes = 0, errno = 0] = this.#results.subarray(
          at * RESULT_WORDS,
          (at + 1) * RESULT_WORDS,
        );
        const job = this.#jobs.get(number);
        this.#jobs.delete(number);
        const error = errno === 0 ? undefined : systemError(errno, 'sendfile');
        job?.ended({ bytes, error });
      }
    }
  }
}
