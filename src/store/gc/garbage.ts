// Garbage collection of a whole stack, as the command and the job run it: an interrupted pass is ended,
// then all is looked at, then the space of what was removed is given back.

import type { Registry } from '#metrics/registry.ts';
import type { Stack } from '#store/stack/stack.ts';
import type { Amount, Collected, CollectOptions, Collector } from './collector.ts';
import { type GivenBack, giveBack, NOTHING_GIVEN_BACK } from './give-back.ts';

export interface GarbageReport extends Omit<Collected, 'isWhole'> {
  readonly givenBack: GivenBack;
}

export class Garbage {
  readonly #stack: Stack;
  readonly #collector: Collector;
  readonly #found: ReturnType<Registry['gauge']>;
  readonly #foundBytes: ReturnType<Registry['gauge']>;
  readonly #removed: ReturnType<Registry['counter']>;
  readonly #removedBytes: ReturnType<Registry['counter']>;

  constructor(stack: Stack, collector: Collector, metrics: Registry) {
    this.#stack = stack;
    this.#collector = collector;
    this.#found = metrics.gauge(
      'swarmkeep_store_garbage_blobs',
      'Blobs that nothing refers to, as the last collection of garbage left them.',
    );
    this.#foundBytes = metrics.gauge(
      'swarmkeep_store_garbage_bytes',
      'Bytes of the blobs that nothing refers to, as the last collection left them.',
    );
    this.#removed = metrics.counter(
      'swarmkeep_store_garbage_removed_total',
      'Blobs that garbage collection removed.',
    );
    this.#removedBytes = metrics.counter(
      'swarmkeep_store_garbage_removed_bytes_total',
      'Bytes of the blobs that garbage collection removed.',
    );
  }

  /** @throws as Collector.collect, and what compaction throws */
  async collect(options: CollectOptions = {}): Promise<GarbageReport> {
    const first = await this.#pass(options);
    // One that went on where another ended has not seen what is before.
    const whole = first.isWhole ? first : await this.#pass(options);
    const removed = first === whole ? whole.removed : sum(first.removed, whole.removed);
    const isFreed = removed.blobs > 0;
    const givenBack = isFreed ? await giveBack(this.#stack, options) : NOTHING_GIVEN_BACK;
    const { isWhole: _, ...found } = whole;
    return { ...found, removed, givenBack };
  }

  async #pass(options: CollectOptions): Promise<Collected> {
    const done = await this.#collector.collect(options);
    this.#removed.add(done.removed.blobs);
    this.#removedBytes.add(done.removed.bytes);
    if (!done.isWhole) return done;
    this.#found.set(done.waiting.blobs + done.due.blobs - done.removed.blobs);
    this.#foundBytes.set(done.waiting.bytes + done.due.bytes - done.removed.bytes);
    return done;
  }
}

function sum(a: Amount, b: Amount): Amount {
  return { blobs: a.blobs + b.blobs, bytes: a.bytes + b.bytes };
}
