// Looks at every topic now and then, in the background of the log: what retention lets go
// (topic-retention.ts), then what compaction leaves of the rest (topic-compaction.ts). One topic at a
// time; who appends or reads never waits for it but at the disk.

import type { Clock } from '#base/clock.ts';
import { sleep } from '#base/clock.ts';

/** After the start, so that the first moments belong to whoever waits for the log. */
const FIRST_REST_MS_MAX = 10_000;

export interface RetainedTopic {
  /** @throws the signal's reason */
  keepHouse(signal: AbortSignal): Promise<void>;
}

export interface RetentionLoopWorld {
  readonly clock: Clock;
  readonly everyMs: number;
  topics(): Iterable<RetainedTopic>;
  onFatal(error: unknown): void;
}

export class Retention {
  readonly #world: RetentionLoopWorld;
  readonly #ending = new AbortController();
  readonly #running: Promise<void>;
  #isWanted = false;
  #wake: (() => void) | undefined;

  constructor(world: RetentionLoopWorld) {
    this.#world = world;
    this.#running = this.#run();
  }

  /** Someone waits for room: look at once. */
  kick(): void {
    this.#isWanted = true;
    this.#wake?.();
  }

  /** Ends a hook that runs; what is left to do is gone on with at the next start. Idempotent. */
  async close(): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    const { everyMs } = this.#world;
    try {
      for (let restMs = Math.min(everyMs, FIRST_REST_MS_MAX); ; restMs = everyMs) {
        await this.#rest(restMs);
        this.#isWanted = false;
        for (const topic of [...this.#world.topics()]) await topic.keepHouse(signal);
      }
    } catch (error) {
      if (!signal.aborted) this.#world.onFatal(error);
    }
  }

  async #rest(restMs: number): Promise<void> {
    const { signal } = this.#ending;
    if (this.#isWanted) return signal.throwIfAborted();
    const waking = new AbortController();
    this.#wake = () => waking.abort();
    try {
      await sleep(this.#world.clock, restMs, AbortSignal.any([signal, waking.signal]));
    } catch (error) {
      if (signal.aborted || !waking.signal.aborted) throw error;
    } finally {
      this.#wake = undefined;
    }
  }
}
