// The baselines as they were before each record that is not durable yet, by the record's place in the
// queue of records, in memory that all tracker threads share: each fills the places it took, and the
// one that appends reads them when an append fails. Put back newest first, each baseline ends as it
// was before its first lost record. Numbers in typed arrays: an announce allocates nothing.

import { assert } from '#base/assert.ts';
import type { AnnounceOutcome } from '#swarm/announce-outcome.ts';
import type { AnnounceRequest } from '#swarm/announce-slot.ts';
import type { Baseline, BaselineKey } from '#swarm/baseline.ts';

/** Counters have 53 bits. */
const DOUBLES = 3;
const WORDS = 7;
const PEER_ID_BYTES = 20;
const FLAG = { known: 1, completed: 2 } as const;

export class UndoRing {
  readonly #doubles: Float64Array;
  readonly #words: Uint32Array;
  readonly #peerIds: Uint8Array;

  static reserve(places: number): SharedArrayBuffer {
    return new SharedArrayBuffer(places * (DOUBLES * 8 + WORDS * 4 + PEER_ID_BYTES));
  }

  /** `memory` is from reserve() for as many places as the queue has. */
  constructor(memory: SharedArrayBuffer, places: number) {
    const wordsAt = places * DOUBLES * 8;
    const peerIdsAt = wordsAt + places * WORDS * 4;
    const bytes = places * PEER_ID_BYTES;
    assert(memory.byteLength === peerIdsAt + bytes, 'the memory was reserved for these places');
    this.#doubles = new Float64Array(memory, 0, places * DOUBLES);
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
    words[at + 2] = known | (outcome.completed ? FLAG.completed : 0);
    words[at + 3] = outcome.key;
    words[at + 4] = outcome.sequence;
    words[at + 5] = outcome.higherAtSeconds;
    words[at + 6] = outcome.lastSeenSeconds;
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
    putBack(key, {
      ...key,
      uploaded: this.#doubles[place * DOUBLES]!,
      downloaded: this.#doubles[place * DOUBLES + 1]!,
      left: this.#doubles[place * DOUBLES + 2]!,
      key: words[at + 3]!,
      sequence: words[at + 4]!,
      higherAtSeconds: words[at + 5]!,
      completed: (flags & FLAG.completed) !== 0,
      lastSeenSeconds: words[at + 6]!,
    });
  }
}
