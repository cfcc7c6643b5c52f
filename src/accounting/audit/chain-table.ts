// The last record of every baseline, as the audit walks the log: an open-addressing table over
// typed arrays, 80 bytes a baseline with its slots, so that memory is bounded and known beforehand.

import { TRANSFER_AT } from '#accounting/transfers/transfer-record.ts';
import { assert } from '#base/assert.ts';
import { bytesEqual } from '#base/bytes.ts';
import { crc32c } from '#log/segment/crc32c.ts';

/** Member, torrent and peer id stand side by side in a record. */
export const CHAIN_KEY_BYTES = 28;
const KEY_FROM = TRANSFER_AT.memberId;

export interface SavedTable {
  readonly uploaded: Float64Array;
  readonly downloaded: Float64Array;
  readonly timeMs: Float64Array;
  readonly sequence: Uint32Array;
  readonly key: Uint32Array;
  readonly keys: Uint8Array;
}

export class ChainTable {
  readonly uploaded: Float64Array;
  readonly downloaded: Float64Array;
  readonly timeMs: Float64Array;
  readonly sequence: Uint32Array;
  readonly key: Uint32Array;
  readonly #keys: Uint8Array;
  readonly #slots: Uint32Array;
  readonly #entriesMax: number;
  #size = 0;

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
    this.uploaded = new Float64Array(entriesMax);
    this.downloaded = new Float64Array(entriesMax);
    this.timeMs = new Float64Array(entriesMax);
    this.sequence = new Uint32Array(entriesMax);
    this.key = new Uint32Array(entriesMax);
    this.#keys = new Uint8Array(entriesMax * CHAIN_KEY_BYTES);
    let slots = 16;
    while (slots < entriesMax * 2) slots *= 2;
    this.#slots = new Uint32Array(slots);
  }

  get isFull(): boolean {
    return this.#size === this.#entriesMax;
  }

  clear(): void {
    this.#size = 0;
    this.#slots.fill(0);
  }

  /** As much as is used. */
  save(): SavedTable {
    const size = this.#size;
    return {
      uploaded: this.uploaded.slice(0, size),
      downloaded: this.downloaded.slice(0, size),
      timeMs: this.timeMs.slice(0, size),
      sequence: this.sequence.slice(0, size),
      key: this.key.slice(0, size),
      keys: this.#keys.slice(0, size * CHAIN_KEY_BYTES),
    };
  }

  /** What save() gave, of a table of the same size. */
  load(saved: SavedTable): void {
    this.clear();
    this.uploaded.set(saved.uploaded);
    this.downloaded.set(saved.downloaded);
    this.timeMs.set(saved.timeMs);
    this.sequence.set(saved.sequence);
    this.key.set(saved.key);
    this.#keys.set(saved.keys);
    for (let index = 0; index < saved.key.length; index++) {
      const at = index * CHAIN_KEY_BYTES;
      this.#slots[this.#slotOfKey(this.#keys.subarray(at, at + CHAIN_KEY_BYTES))] = index + 1;
    }
    this.#size = saved.key.length;
  }

  /** The index of this record's baseline, or -1 when it is new. */
  find(record: Uint8Array): number {
    return this.#slots[this.#slotOf(record)]! - 1;
  }

  /** A new baseline's index; it must not be there and the table not full. */
  add(record: Uint8Array): number {
    assert(!this.isFull, 'the caller looks at isFull first');
    const index = this.#size++;
    this.#keys.set(record.subarray(KEY_FROM, KEY_FROM + CHAIN_KEY_BYTES), index * CHAIN_KEY_BYTES);
    this.#slots[this.#slotOf(record)] = index + 1;
    return index;
  }

  /** The slot that holds the key, or the free one where it belongs. */
  #slotOf(record: Uint8Array): number {
    return this.#slotOfKey(record.subarray(KEY_FROM, KEY_FROM + CHAIN_KEY_BYTES));
  }

  #slotOfKey(key: Uint8Array): number {
    const mask = this.#slots.length - 1;
    for (let slot = crc32c(key) & mask; ; slot = (slot + 1) & mask) {
      const at = (this.#slots[slot]! - 1) * CHAIN_KEY_BYTES;
      if (at < 0) return slot;
      if (bytesEqual(this.#keys.subarray(at, at + CHAIN_KEY_BYTES), key)) return slot;
    }
  }
}
