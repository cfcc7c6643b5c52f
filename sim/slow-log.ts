// A log as a disk makes it: its appends take time, fail now and then, and are cut off by a crash, with
// the one that is under way on the disk or not. One append at a time, as the writer of transfers does.

import { assert } from '#base/assert.ts';
import { below, type SeededRandom } from '#base/random.ts';
import type { Appended, Log, LogRecord } from '#log/log.ts';
import { type PackedRecords, unpacked } from '#log/segment/packed-records.ts';
import type { SimClock } from './clock.ts';
import type { MemoryLog } from './memory-log.ts';

export class SlowLog {
  readonly #log: MemoryLog;
  readonly #clock: SimClock;
  readonly #random: SeededRandom;
  #inFlight: (() => void) | undefined;
  #crashes = 0;

  constructor(log: MemoryLog, clock: SimClock, random: SeededRandom) {
    this.#log = log;
    this.#clock = clock;
    this.#random = random;
  }

  /** What a tracker is given; it stops answering at the next crash. */
  open(): Log {
    const opened = this.#crashes;
    return new Proxy<Log>(this.#log, {
      get: (target, property) => {
        if (property === 'append') {
          return (topic: string, records: readonly LogRecord[] | PackedRecords) =>
            opened === this.#crashes ? this.#append(topic, records) : new Promise(() => undefined);
        }
        const value: unknown = Reflect.get(target, property);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  /** The append that is under way is on the disk or it is not; nobody is told. */
  crash(): void {
    const land = this.#inFlight;
    this.#inFlight = undefined;
    this.#crashes++;
    if (below(this.#random, 2) === 0) land?.();
  }

  #append(topic: string, records: readonly LogRecord[] | PackedRecords): Promise<Appended> {
    assert(this.#inFlight === undefined, 'one append at a time');
    const copies = unpacked(records).map((record) => ({ value: record.value.slice() }));
    const settled = Promise.withResolvers<Appended>();
    const land = (): void => {
      void this.#log.append(topic, copies).then(settled.resolve, settled.reject);
    };
    this.#inFlight = land;
    this.#clock.after(1 + below(this.#random, 200), () => {
      if (this.#inFlight !== land) return;
      this.#inFlight = undefined;
      if (below(this.#random, 6) === 0) settled.reject(new Error('disk full'));
      else land();
    });
    return settled.promise;
  }
}
