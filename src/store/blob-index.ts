// Where each blob of a packed store lies, in memory: about 50 bytes per blob, and in order of name.
//
// Entries are 44 bytes in chunks that never move. A table of entry numbers finds them: hashes are
// uniform, so an entry's home is its hash scaled to the table, and what does not fit at home goes on
// to the right, in ascending order. So the table read from left to right is sorted, and listing
// from any name needs no other structure. At most 80 percent is used; a run that reaches the
// table's end, or grows long because somebody picked their hashes, only costs time.

import { assert } from '#base/assert.ts';

const ENTRY_BYTES = 44;
const CHUNK_ENTRIES = 4096;
const LOAD_MAX = 0.8;
const SLACK = 64;

export interface BlobPlace {
  readonly pack: number;
  /** Of the record's header. */
  readonly position: number;
  readonly bytes: number;
}

export class BlobIndex {
  readonly #chunks: Buffer[] = [];
  readonly #free: number[] = [];
  #entries = 0;
  #capacity = 1024;
  /** Entry number + 1; 0 is an empty slot. */
  #table = new Uint32Array(this.#capacity + SLACK);
  #count = 0;
  #bytes = 0;

  get count(): number {
    return this.#count;
  }

  /** Of all blobs. */
  get blobBytes(): number {
    return this.#bytes;
  }

  /** What it occupies itself. */
  get memoryBytes(): number {
    const chunks = this.#chunks.length * CHUNK_ENTRIES * ENTRY_BYTES;
    return chunks + this.#table.byteLength + this.#free.length * 8;
  }

  get(hash: Uint8Array): BlobPlace | undefined {
    const slot = this.#seek(hash);
    return this.#isAt(slot, hash) ? this.#place(this.#table[slot]! - 1) : undefined;
  }

  /** Adds or replaces. */
  set(hash: Uint8Array, place: BlobPlace): void {
    assert(hash.byteLength === 32, 'a hash has 32 bytes');
    let slot = this.#seek(hash);
    if (this.#isAt(slot, hash)) {
      const entry = this.#table[slot]! - 1;
      this.#bytes += place.bytes - this.#place(entry).bytes;
      this.#write(entry, hash, place);
      return;
    }
    if (this.#count >= this.#capacity * LOAD_MAX) {
      this.#rebuild(this.#capacity * 2);
      slot = this.#seek(hash);
    }
    const entry = this.#free.pop() ?? this.#entries++;
    if (Math.floor(entry / CHUNK_ENTRIES) >= this.#chunks.length) {
      this.#chunks.push(Buffer.alloc(CHUNK_ENTRIES * ENTRY_BYTES));
    }
    this.#write(entry, hash, place);
    this.#count++;
    this.#bytes += place.bytes;
    this.#insertAt(slot, entry + 1);
  }

  delete(hash: Uint8Array): boolean {
    let slot = this.#seek(hash);
    if (!this.#isAt(slot, hash)) return false;
    const entry = this.#table[slot]! - 1;
    this.#free.push(entry);
    this.#count--;
    this.#bytes -= this.#place(entry).bytes;
    // Those behind it move one to the left until one is at home: no gap may hide them.
    while (slot + 1 < this.#table.length) {
      const next = this.#table[slot + 1]!;
      if (next === 0 || this.#home(this.#hash(next - 1)) > slot) break;
      this.#table[slot++] = next;
    }
    this.#table[slot] = 0;
    return true;
  }

  /** Up to `limit` entries in ascending order, beginning after `after`. Hashes are copies. */
  page(after: Uint8Array | undefined, limit: number): { hash: Uint8Array; place: BlobPlace }[] {
    const found: { hash: Uint8Array; place: BlobPlace }[] = [];
    let slot = after === undefined ? 0 : this.#seek(after);
    if (after !== undefined && this.#isAt(slot, after)) slot++;
    for (; slot < this.#table.length && found.length < limit; slot++) {
      const entry = this.#table[slot]! - 1;
      if (entry < 0) continue;
      found.push({ hash: Uint8Array.from(this.#hash(entry)), place: this.#place(entry) });
    }
    return found;
  }

  /** The slot of `hash`, or the one it would have: all before it in its run are smaller. */
  #seek(hash: Uint8Array): number {
    let slot = this.#home(hash);
    for (; slot < this.#table.length; slot++) {
      const entry = this.#table[slot]!;
      if (entry === 0 || Buffer.compare(this.#hash(entry - 1), hash) >= 0) break;
    }
    return slot;
  }

  #isAt(slot: number, hash: Uint8Array): boolean {
    const entry = this.#table[slot] ?? 0;
    return entry !== 0 && Buffer.compare(this.#hash(entry - 1), hash) === 0;
  }

  #insertAt(slot: number, value: number): void {
    let end = slot;
    while (end < this.#table.length && this.#table[end] !== 0) end++;
    if (end >= this.#table.length) {
      const wider = new Uint32Array(this.#table.length + Math.max(SLACK, this.#capacity >> 4));
      wider.set(this.#table);
      this.#table = wider;
    }
    this.#table.copyWithin(slot + 1, slot, end);
    this.#table[slot] = value;
  }

  #rebuild(capacity: number): void {
    const old = this.#table;
    this.#capacity = capacity;
    this.#table = new Uint32Array(capacity + SLACK);
    // In order, so each goes behind the one before it or to its home.
    let next = 0;
    for (const value of old) {
      if (value === 0) continue;
      next = Math.max(next, this.#home(this.#hash(value - 1)));
      this.#insertAt(next++, value);
    }
  }

  #home(hash: Uint8Array): number {
    const head = (hash[0]! * 0x1000000 + (hash[1]! << 16) + (hash[2]! << 8) + hash[3]!) >>> 0;
    return Math.floor((head / 0x1_0000_0000) * this.#capacity);
  }

  #hash(entry: number): Buffer {
    const at = (entry % CHUNK_ENTRIES) * ENTRY_BYTES;
    return this.#chunks[Math.floor(entry / CHUNK_ENTRIES)]!.subarray(at, at + 32);
  }

  #place(entry: number): BlobPlace {
    const chunk = this.#chunks[Math.floor(entry / CHUNK_ENTRIES)]!;
    const at = (entry % CHUNK_ENTRIES) * ENTRY_BYTES + 32;
    return {
      pack: chunk.readUInt32LE(at),
      position: chunk.readUInt32LE(at + 4) * 8,
      bytes: chunk.readUInt32LE(at + 8),
    };
  }

  #write(entry: number, hash: Uint8Array, place: BlobPlace): void {
    const chunk = this.#chunks[Math.floor(entry / CHUNK_ENTRIES)]!;
    const at = (entry % CHUNK_ENTRIES) * ENTRY_BYTES;
    chunk.set(hash, at);
    chunk.writeUInt32LE(place.pack, at + 32);
    chunk.writeUInt32LE(place.position / 8, at + 36);
    chunk.writeUInt32LE(place.bytes, at + 40);
  }
}
