// The baselines as they were before each record that is not durable yet, oldest first. When an append
// fails they are put back newest first, so that each baseline ends as it was before its first lost
// record. Numbers in typed arrays: an announce allocates nothing.

import { assert } from '#base/assert.ts';
import type { AnnounceOutcome } from '#swarm/announce-outcome.ts';
import type { AnnounceRequest } from '#swarm/announce-slot.ts';
import type { Baseline, BaselineKey } from '#swarm/baseline.ts';

const NUMBERS = 12;
const PEER_ID_BYTES = 20;

export class UndoRing {
  readonly #capacity: number;
  readonly #numbers: Float64Array;
  readonly #peerIds: Uint8Array;
  #first = 0;
  #count = 0;

  /** Room for `capacity` records: at least as many as can be pending. */
  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#numbers = new Float64Array(capacity * NUMBERS);
    this.#peerIds = new Uint8Array(capacity * PEER_ID_BYTES);
  }

  get count(): number {
    return this.#count;
  }

  /** The record for `request` went into `batch`; `outcome` holds what was before it. */
  push(batch: number, request: AnnounceRequest, outcome: AnnounceOutcome): void {
    assert(this.#count < this.#capacity, 'there is room for every pending record');
    const slot = (this.#first + this.#count++) % this.#capacity;
    const at = slot * NUMBERS;
    const numbers = this.#numbers;
    numbers[at] = batch;
    numbers[at + 1] = request.memberId;
    numbers[at + 2] = request.torrentId;
    numbers[at + 3] = outcome.known ? 1 : 0;
    numbers[at + 4] = outcome.uploaded;
    numbers[at + 5] = outcome.downloaded;
    numbers[at + 6] = outcome.key;
    numbers[at + 7] = outcome.sequence;
    numbers[at + 8] = outcome.higherAtSeconds;
    numbers[at + 9] = outcome.left;
    numbers[at + 10] = outcome.completed ? 1 : 0;
    numbers[at + 11] = outcome.lastSeenSeconds;
    this.#peerIds.set(request.peerId, slot * PEER_ID_BYTES);
  }

  /** Batches up to this one are durable: nothing before them is needed any more. */
  forget(batch: number): void {
    while (this.#count > 0 && this.#numbers[this.#first * NUMBERS]! <= batch) {
      this.#first = (this.#first + 1) % this.#capacity;
      this.#count--;
    }
  }

  /** Takes the newest away and tells what its baseline was before. */
  pop(putBack: (key: BaselineKey, previous: Baseline | undefined) => void): void {
    assert(this.#count > 0, 'a lost record was pushed');
    const slot = (this.#first + --this.#count) % this.#capacity;
    const at = slot * NUMBERS;
    const numbers = this.#numbers;
    const peerAt = slot * PEER_ID_BYTES;
    const key: BaselineKey = {
      memberId: numbers[at + 1]!,
      torrentId: numbers[at + 2]!,
      peerId: this.#peerIds.slice(peerAt, peerAt + PEER_ID_BYTES),
    };
    if (numbers[at + 3] === 0) {
      putBack(key, undefined);
      return;
    }
    putBack(key, {
      ...key,
      uploaded: numbers[at + 4]!,
      downloaded: numbers[at + 5]!,
      key: numbers[at + 6]!,
      sequence: numbers[at + 7]!,
      higherAtSeconds: numbers[at + 8]!,
      left: numbers[at + 9]!,
      completed: numbers[at + 10] === 1,
      lastSeenSeconds: numbers[at + 11]!,
    });
  }
}
