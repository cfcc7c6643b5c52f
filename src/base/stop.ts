// Ends what was started, in order. A long-running part is given to a Stop as a promise with a name, or
// as a resource with a close function; whoever owns the Stop hears of the first failure and closes
// everything. So every promise of the program has an owner, and no loop outlives the program.

import { assert } from './assert.ts';
import { type Clock, sleep } from './clock.ts';
import { type BASE_ERRORS, CodedError, messageOf } from './errors.ts';
import type { Logger } from './logger.ts';

export class StopError extends CodedError<keyof typeof BASE_ERRORS> {}

interface Part {
  readonly name: string;
  readonly close: () => Promise<void>;
}

export class Stop {
  readonly #world: { readonly clock: Clock; readonly logger: Logger };
  readonly #abort = new AbortController();
  readonly #parts: Part[] = [];
  readonly #failed = Promise.withResolvers<StopError>();
  #closed: Promise<void> | undefined;

  constructor(world: { readonly clock: Clock; readonly logger: Logger }) {
    this.#world = world;
  }

  /** Aborts when closing begins; owned loops watch it. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Resolves with the first failure of an owned part; never when none fails. */
  get failed(): Promise<StopError> {
    return this.#failed.promise;
  }

  /**
   * Takes over a running loop. It is expected to resolve after `signal` aborts; rejecting with the
   * signal's reason then is fine, every other rejection is a failure.
   */
  own(name: string, running: Promise<unknown>): void {
    assert(this.#closed === undefined, 'nothing starts while the program stops');
    const settled = running.then(
      () => undefined,
      (error: unknown) => {
        if (!(this.signal.aborted && error === this.signal.reason)) this.#fail(name, error);
      },
    );
    this.#parts.push({ name, close: () => settled });
  }

  /** What is to be closed when the program stops: the last one given is closed first. */
  closeLater(name: string, close: () => Promise<void>): void {
    assert(this.#closed === undefined, 'nothing starts while the program stops');
    this.#parts.push({ name, close });
  }

  /**
   * Aborts `signal`, then closes everything, the last part first, each within `partMsMax`. Goes on
   * after a failure or a time-out and then rejects with the first. Idempotent.
   * @throws StopError STOP_PART_FAILED, STOP_TIMED_OUT
   */
  close(partMsMax: number): Promise<void> {
    this.#closed ??= this.#closeAll(partMsMax);
    return this.#closed;
  }

  async #closeAll(partMsMax: number): Promise<void> {
    this.#abort.abort(new Error('The program stops'));
    let first: StopError | undefined;
    for (const part of this.#parts.toReversed()) {
      const error = await this.#closePart(part, partMsMax);
      first ??= error;
    }
    if (first !== undefined) throw first;
  }

  async #closePart(part: Part, partMsMax: number): Promise<StopError | undefined> {
    const inTime = new AbortController();
    const closing = part.close().then(
      () => undefined,
      (cause: unknown) => this.#fail(part.name, cause),
    );
    const late = sleep(this.#world.clock, partMsMax, inTime.signal).then(
      () =>
        new StopError(
          'STOP_TIMED_OUT',
          `Cannot end "${part.name}" in ${partMsMax} ms: it is still running`,
        ),
      () => undefined,
    );
    const error = await Promise.race([closing, late]);
    inTime.abort();
    if (error?.code === 'STOP_TIMED_OUT') this.#world.logger.error(error.message);
    return error;
  }

  #fail(name: string, cause: unknown): StopError {
    const error = new StopError('STOP_PART_FAILED', `The part "${name}" failed`, { cause });
    this.#world.logger.error(messageOf(error));
    this.#failed.resolve(error);
    return error;
  }
}
