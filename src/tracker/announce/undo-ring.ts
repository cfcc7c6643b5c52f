// The baselines as they were before each record that is not durable yet, by the record's place in the
// queue of records, in memory that all tracker threads share: each fills the places it took, and the
// one that appends reads them when an append fails. Put back newest first, each baseline ends as it
// was before its first lost record. Numbers in typed arrays: an announce allocates nothing.

import { assert } from '#base/assert.ts';
import type { AnnounceOutcome } from '#swarm/announce-outcome.ts';
import { type Baseline, type BaselineKey, STREAM_NUMBERS_MAX } from '#swarm/baseline.ts';

/** Counters have 53 bits. */
const DOUBLES = 3;
const WORDS = 6;
const FLAG = { known: 1, completed: 2, passed: 4 } as const;
const PLACE_BYTES = (DOUBLES + STREAM_NUMBERS_MAX) * 8 + WORDS * 4;

export class UndoRing {
  readonly #doubles: Float64Array;
  /** Apart from the others, because nearly no baseline has any: memory that is never touched. */
  readonly #streams: Float64Array;
  readonly #words: Uint32Array;

  static reserve(places: number): SharedArrayBuffer {
    return new SharedArrayBuffer(places * PLACE_BYTES);
  }

  /** `memory` is from reserve() for as many places as the queue has. */
  constructor(memory: SharedArrayBuffer, places: number) {
    const streamsAt = places * DOUBLES * 8;
    const wordsAt = streamsAt + places * STREAM_NUMBERS_MAX * 8;
    const bytes = wordsAt + places * WORDS * 4;
    assert(memory.byteLength === bytes, 'the memory was reserved for these places');
    this.#doubles = new Float64Array(memory, 0, places * DOUBLES);
    this.#streams = new Float64Array(memory, streamsAt, places * STREAM_NUMBERS_MAX);
    this.#words = new Uint32Array(memory, wordsAt, places * WORDS);
  }

  /** `outcome` holds what was before the record that has this place. */
  fill(place: number, outcome: AnnounceOutcome): void {
    const doubles = this.#doubles;
    const words = this.#words;
    const known = outcome.known ? FLAG.known : 0;
    doubles[place * DOUBLES] = outcome.uploaded;
    doubles[place * DOUBLES + 1] = outcome.downloaded;
    doubles[place * DOUBLES + 2] = outcome.left;
    const at = place * WORDS;
    const completed = outcome.completed ? FLAG.completed : 0;
    words[at] = known | completed | (outcome.passed ? FLAG.passed : 0);
    words[at + 1] = outcome.key;
    words[at + 2] = outcome.sequence;
    words[at + 3] = outcome.higherAtSeconds;
    words[at + 4] = outcome.lastSeenSeconds;
    words[at + 5] = outcome.streams.count;
    if (outcome.streams.count > 0) {
      this.#streams.set(outcome.streams.numbers, place * STREAM_NUMBERS_MAX);
    }
  }

  /** What the baseline of `key`, whom the record at this place names, was before it. */
  read(place: number, key: BaselineKey): Baseline | undefined {
    const words = this.#words;
    const at = place * WORDS;
    const flags = words[at]!;
    if ((flags & FLAG.known) === 0) return undefined;
    const streamsFrom = place * STREAM_NUMBERS_MAX;
    const streams = {
      count: words[at + 5]!,
      numbers: this.#streams.slice(streamsFrom, streamsFrom + STREAM_NUMBERS_MAX),
    };
    return {
      ...key,
      uploaded: this.#doubles[place * DOUBLES]!,
      downloaded: this.#doubles[place * DOUBLES + 1]!,
      left: this.#doubles[place * DOUBLES + 2]!,
      key: words[at + 1]!,
      sequence: words[at + 2]!,
      higherAtSeconds: words[at + 3]!,
      completed: (flags & FLAG.completed) !== 0,
      passed: (flags & FLAG.passed) !== 0,
      ...(streams.count > 0 && { streams }),
      lastSeenSeconds: words[at + 4]!,
    };
  }
}
