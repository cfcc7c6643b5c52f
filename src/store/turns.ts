// Work on one name, one after the other; on different names at once.

import type { BlobRef } from '#base/ids.ts';

export class Turns {
  readonly #last = new Map<BlobRef, Promise<unknown>>();

  /** Runs when all work on `ref` that was given before has ended, however it ended. */
  take<T>(ref: BlobRef, work: () => Promise<T>): Promise<T> {
    return this.takeAll([ref], work);
  }

  /** The turn of all of them at once. Turns come in the order they were asked for: none waits for ever. */
  takeAll<T>(refs: readonly BlobRef[], work: () => Promise<T>): Promise<T> {
    const before = refs.flatMap((ref) => this.#last.get(ref) ?? []);
    const done = Promise.allSettled(before).then(work);
    for (const ref of refs) this.#last.set(ref, done);
    const forget = (): void => {
      for (const ref of refs) if (this.#last.get(ref) === done) this.#last.delete(ref);
    };
    done.then(forget, forget);
    return done;
  }

  /** Resolves when everything given so far has ended. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#last.values());
  }
}
