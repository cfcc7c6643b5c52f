// What a batch's records tell about seeding, in the order of the log, until the states that they move
// are known: 19 bytes each, in typed arrays, because a batch may have a million of them.

import type { TransferRecord } from '#accounting/transfers/transfer-record.ts';
import {
  clientMark,
  type SeedingTold,
  seedSecondsProven,
  seedsOn,
  tellSeconds,
} from './seeding.ts';

const CAPACITY_MIN = 1024;
/** Of more records, or pairs, the memory is given back: 5 MB are kept. */
const CAPACITY_KEPT = 262_144;

export class SeedingTells {
  /** The numbers of the pairs that anything was told about, each once. */
  pairs: number[] = [];
  #isTold = new Uint8Array(CAPACITY_MIN);
  #entries = new Uint32Array(CAPACITY_MIN);
  #clients = new Uint32Array(CAPACITY_MIN);
  #atSeconds = new Float64Array(CAPACITY_MIN);
  #seconds = new Uint16Array(CAPACITY_MIN);
  #seeds = new Uint8Array(CAPACITY_MIN);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** As new; the memory is kept for the next batch. */
  clear(): void {
    this.pairs = [];
    if (this.#isTold.length > CAPACITY_KEPT) this.#isTold = new Uint8Array(CAPACITY_MIN);
    else this.#isTold.fill(0);
    if (this.#entries.length > CAPACITY_KEPT) {
      this.#entries = new Uint32Array(CAPACITY_MIN);
      this.#clients = new Uint32Array(CAPACITY_MIN);
      this.#atSeconds = new Float64Array(CAPACITY_MIN);
      this.#seconds = new Uint16Array(CAPACITY_MIN);
      this.#seeds = new Uint8Array(CAPACITY_MIN);
    }
    this.#size = 0;
  }

  /** `entry` is the number of the record's pair in its batch. */
  add(entry: number, record: TransferRecord): void {
    if (this.#size === this.#entries.length) this.#grow();
    if (this.#isTold[entry] !== 1) this.#addPair(entry);
    const at = this.#size++;
    this.#entries[at] = entry;
    this.#clients[at] = clientMark(record.peerId);
    this.#atSeconds[at] = tellSeconds(record);
    this.#seconds[at] = seedSecondsProven(record);
    this.#seeds[at] = seedsOn(record) ? 1 : 0;
  }

  /** One after another; the object holds until the next. */
  forEach(run: (entry: number, told: SeedingTold) => void): void {
    const told = { atSeconds: 0, seconds: 0, client: 0, seeds: false };
    for (let at = 0; at < this.#size; at++) {
      told.atSeconds = this.#atSeconds[at]!;
      told.seconds = this.#seconds[at]!;
      told.client = this.#clients[at]!;
      told.seeds = this.#seeds[at] === 1;
      run(this.#entries[at]!, told);
    }
  }

  #addPair(entry: number): void {
    while (entry >= this.#isTold.length) {
      this.#isTold = grown(this.#isTold, new Uint8Array(this.#isTold.length * 2));
    }
    this.#isTold[entry] = 1;
    this.pairs.push(entry);
  }

  #grow(): void {
    const capacity = this.#entries.length * 2;
    this.#entries = grown(this.#entries, new Uint32Array(capacity));
    this.#clients = grown(this.#clients, new Uint32Array(capacity));
    this.#atSeconds = grown(this.#atSeconds, new Float64Array(capacity));
    this.#seconds = grown(this.#seconds, new Uint16Array(capacity));
    this.#seeds = grown(this.#seeds, new Uint8Array(capacity));
  }
}

function grown<Numbers extends { set(from: Numbers): void }>(from: Numbers, to: Numbers): Numbers {
  to.set(from);
  return to;
}
