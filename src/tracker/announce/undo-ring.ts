// The baselines as they were before each record that is not durable yet, by the record's place in the
// queue of records, in memory that all tracker threads share: each fills the places it took, and the
// one that appends reads them when an append fails. Put back newest first, each baseline ends as it
// was before its first lost record. Numbers in typed arrays: an announce allocates nothing.

import { assert } from '#base/assert.ts';
import type { AnnounceOutcome } from '#swarm/announce-outcome.ts';
import type { AnnounceRequest } from '#swarm/announce-slot.ts';
import { type Baseline, type BaselineKey, STREAM_NUMBERS_MAX } from '#swarm/baseline.ts';

/** Counters have 53 bits. */
const DOUBLES = 3;
const WORDS = 8;
const PEER_ID_BYTES = 20;
const FLAG = { known: 1, completed: 2, passed: 4 } as const;
const PLACE_BYTES = (DOUBLES + STREAM_NUMBERS_MAX) * 8 + WORDS * 4 + PEER_ID_BYTES;

export class UndoRing {
  readonly #doubles: Float64Array;
  /** Apart from the others, because nearly no baseline has any: memory that is never touched. */
  readonly #streams: Float64Array;
  readonly #words: Uint32Array;
  readonly #peerIds: Uint8Array;

  static reserve(places: number): SharedArrayBuffer {
    return new SharedArrayBuffer(places * PLACE_BYTES);
  }

  /** `memory` is from reserve() for as many places as the queue has. */
  constructor(memory: SharedArrayBuffer, places: number) {
    const streamsAt = places * DOUBLES * 8;
    const wordsAt = streamsAt + places * STREAM_NUMBERS_MAX * 8;
    const peerIdsAt = wordsAt + places * WORDS * 4;
    const bytes = places * PEER_ID_BYTES;
    assert(memory.byteLength === peerIdsAt + bytes, 'the memory was reserved for these places');
    this.#doubles = new Float64Array(memory, 0, places * DOUBLES);
    this.#streams = new Float64Array(memory, streamsAt, places * STREAM_NUMBERS_MAX);
    this.#words = new Uint32Array(memory, wordsAt, places * WORDS);
    this.#peerIds = new Uint8Array(memory, peerIdsAt, bytes);
  }

  /** The record of `request` gets this place; `outcome` holds what was before it. */
  fill(place: number, request: AnnounceRequest, outcome: AnnounceOutcome): void {
    const doubles = this.#doubles;
    const words = this.#words;
    const known = outcome.known ? FLAG.known : 0;
    doubles[place * DOUBLES] = outcome.uploaded;
    doubles[place * DOUBLES + 1] = outcome.downloaded;
    doubles[place * DOUBLES + 2] = outcome.left;
    const at = place * WORDS;
    words[at] = request.memberId;
    words[at + 1] = request.torrentId;
    const completed = outcome.completed ? FLAG.completed : 0;
    words[at + 2] = known | completed | (outcome.passed ? FLAG.passed : 0);
    words[at + 3] = outcome.key;
    words[at + 4] = outcome.sequence;
    words[at + 5] = outcome.higherAtSeconds;
    words[at + 6] = outcome.lastSeenSeconds;
    words[at + 7] = outcome.streams.count;
    if (outcome.streams.count > 0) {
      this.#streams.set(outcome.streams.numbers, place * STREAM_NUMBERS_MAX);
    }
    this.#peerIds.set(request.peerId, place * PEER_ID_BYTES);
  }

  /** Tells what the baseline was before the record at this place. */
  read(place: number, putBack: (key: BaselineKey, previous: Baseline | undefined) => void): void {
    const words = this.#words;
    const at = place * WORDS;
    const flags = words[at + 2]!;
    const key: BaselineKey = {
      memberId: words[at]!,
      torrentId: words[at + 1]!,
      // Copied out of shared memory.
      peerId: this.#peerIds.slice(place * PEER_ID_BYTES, (place + 1) * PEER_ID_BYTES),
    };
    if ((flags & FLAG.known) === 0) {
      putBack(key, undefined);
      return;
    }
    const streamsFrom = place * STREAM_NUMBERS_MAX;
    const streams = {
      count: words[at + 7]!,
      numbers: this.#streams.slice(streamsFrom, streamsFrom + STREAM_NUMBERS_MAX),
    };
    putBack(key, {
      ...key,
      uploaded: this.#doubles[place * DOUBLES]!,
      downloaded: this.#doubles[place * DOUBLES + 1]!,
      left: this.#doubles[place * DOUBLES + 2]!,
      key: words[at + 3]!,
      sequence: words[at + 4]!,
      higherAtSeconds: words[at + 5]!,
      completed: (flags & FLAG.completed) !== 0,
      passed: (flags & FLAG.passed) !== 0,
      ...(streams.count > 0 && { streams }),
      lastSeenSeconds: words[at + 6]!,
    });
  }
}
