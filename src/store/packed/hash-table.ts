// A sorted table of hashes in memory, each with a payload of a fixed size: a hash and its payload, and about
// six bytes more.
//
// Entries stand in chunks that never move. A table of entry numbers finds them: hashes are uniform, so
// an entry's home is its hash scaled to the table, and what does not fit at home goes on to the right,
// in ascending order. So the table read from left to right is sorted, and listing from any hash needs
// no other structure. At most 80 percent is used; a run that reaches the table's end, or grows long
// because somebody picked their hashes, only costs time.

import { assert } from '#base/assert.ts';

const HASH_BYTES = 32;
const CHUNK_ENTRIES = 4096;
const LOAD_MAX = 0.8;
const SLACK = 64;

export class HashTable {
  readonly #entryBytes: number;
  readonly #chunks: Buffer[] = [];
  readonly #free: number[] = [];
  #entries = 0;
  #capacity = 1024;
  /** Entry number + 1; 0 is an empty slot. */
  #table = new Uint32Array(this.#capacity + SLACK);
  #count = 0;

  constructor(payloadBytes: number) {
    this.#entryBytes = HASH_BYTES + payloadBytes;
  }

  get count(): number {
    return this.#count;
  }

  /** What it occupies itself. */
  get memoryBytes(): number {
    const chunks = this.#chunks.length * CHUNK_ENTRIES * this.#entryBytes;
    return chunks + this.#table.byteLength + this.#free.length * 8;
  }

  /** The payload itself, not a copy: good until the hash is deleted. */
  get(hash: Uint8Array): Buffer | undefined {
    const slot = this.#seek(hash);
    return this.#isAt(slot, hash) ? this.#payload(this.#table[slot]! - 1) : undefined;
  }

  /** The payload to write, of what is there or of a new entry; a new one holds whatever was there before. */
  claim(hash: Uint8Array): Buffer {
    assert(hash.byteLength === HASH_BYTES, 'a hash has 32 bytes');
    let slot = this.#seek(hash);
    if (this.#isAt(slot, hash)) return this.#payload(this.#table[slot]! - 1);
    if (this.#count >= this.#capacity * LOAD_MAX) {
      this.#rebuild(this.#capacity * 2);
      slot = this.#seek(hash);
    }
    const entry = this.#free.pop() ?? this.#entries++;
    if (Math.floor(entry / CHUNK_ENTRIES) >= this.#chunks.length) {
      this.#chunks.push(Buffer.alloc(CHUNK_ENTRIES * this.#entryBytes));
    }
    this.#hash(entry).set(hash);
    this.#count++;
    this.#insertAt(slot, entry + 1);
    return this.#payload(entry);
  }

  delete(hash: Uint8Array): boolean {
    let slot = this.#seek(hash);
    if (!this.#isAt(slot, hash)) return false;
    this.#free.push(this.#table[slot]! - 1);
    this.#count--;
    // Those behind it move one to the left until one is at home: no gap may hide them.
    while (slot + 1 < this.#table.length) {
      const next = this.#table[slot + 1]!;
      if (next === 0 || this.#home(this.#hash(next - 1)) > slot) break;
      this.#table[slot++] = next;
    }
    this.#table[slot] = 0;
    return true;
  }

  /** Up to `limit` entries in ascending order, beginning after `after`. Hashes are copies, payloads not. */
  page(after: Uint8Array | undefined, limit: number): { hash: Uint8Array; payload: Buffer }[] {
    const found: { hash: Uint8Array; payload: Buffer }[] = [];
    let slot = after === undefined ? 0 : this.#seek(after);
    if (after !== undefined && this.#isAt(slot, after)) slot++;
    for (; slot < this.#table.length && found.length < limit; slot++) {
      const entry = this.#table[slot]! - 1;
      if (entry < 0) continue;
      found.push({ hash: Uint8Array.from(this.#hash(entry)), payload: this.#payload(entry) });
    }
    return found;
  }

  /** Of an entry: the hash and its payload. */
  get entryBytes(): number {
    return this.#entryBytes;
  }

  clear(): void {
    this.#chunks.length = 0;
    this.#free.length = 0;
    this.#entries = 0;
    this.#capacity = 1024;
    this.#table = new Uint32Array(this.#capacity + SLACK);
    this.#count = 0;
  }

  /** All entries in ascending order, one behind the other; a piece is good until the next one. */
  *pieces(): Generator<Buffer> {
    const piece = Buffer.alloc(CHUNK_ENTRIES * this.#entryBytes);
    let filled = 0;
    for (const value of this.#table) {
      if (value === 0) continue;
      const at = ((value - 1) % CHUNK_ENTRIES) * this.#entryBytes;
      const chunk = this.#chunks[Math.floor((value - 1) / CHUNK_ENTRIES)]!;
      chunk.copy(piece, filled, at, at + this.#entryBytes);
      filled += this.#entryBytes;
      if (filled < piece.byteLength) continue;
      yield piece;
      filled = 0;
    }
    if (filled > 0) yield piece.subarray(0, filled);
  }

  /**
   * Fills an empty table with so many entries in ascending order, which `read` writes to where they stay.
   * False when `read` said so, or they are not in order: then it must be cleared.
   */
  async fill(count: number, read: (into: Buffer) => Promise<boolean>): Promise<boolean> {
    assert(this.#count === 0, 'a table that is filled is empty');
    while (count >= this.#capacity * LOAD_MAX) this.#capacity *= 2;
    this.#table = new Uint32Array(this.#capacity + SLACK);
    let slot = 0;
    let before = -1;
    for (let from = 0; from < count; from += CHUNK_ENTRIES) {
      const chunk = Buffer.alloc(CHUNK_ENTRIES * this.#entryBytes);
      const entries = Math.min(CHUNK_ENTRIES, count - from);
      if (!(await read(chunk.subarray(0, entries * this.#entryBytes)))) return false;
      this.#chunks.push(chunk);
      for (let at = 0; at < entries; at++) {
        const head = chunk.readUInt32BE(at * this.#entryBytes);
        // Names are uniform: their first bytes tell nearly all of them apart.
        if (head < before) return false;
        this.#entries = from + at + 1;
        if (head === before && !this.#isAscending(from + at)) return false;
        before = head;
        slot = Math.max(slot, this.#homeOf(head));
        this.#insertAt(slot++, from + at + 1);
      }
      this.#count = this.#entries;
    }
    return true;
  }

  #isAscending(entry: number): boolean {
    return entry === 0 || Buffer.compare(this.#hash(entry - 1), this.#hash(entry)) < 0;
  }

  /** Whether it holds for each payload, which begins at `at`, in order; asked until one says no. */
  everyPayload(holds: (bytes: Buffer, at: number) => boolean): boolean {
    for (const value of this.#table) {
      if (value === 0) continue;
      const chunk = this.#chunks[Math.floor((value - 1) / CHUNK_ENTRIES)]!;
      const at = ((value - 1) % CHUNK_ENTRIES) * this.#entryBytes + HASH_BYTES;
      if (!holds(chunk, at)) return false;
    }
    return true;
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
    return this.#homeOf(
      (hash[0]! * 0x1000000 + (hash[1]! << 16) + (hash[2]! << 8) + hash[3]!) >>> 0,
    );
  }

  #homeOf(head: number): number {
    return Math.floor((head / 0x1_0000_0000) * this.#capacity);
  }

  #hash(entry: number): Buffer {
    const at = (entry % CHUNK_ENTRIES) * this.#entryBytes;
    return this.#chunks[Math.floor(entry / CHUNK_ENTRIES)]!.subarray(at, at + HASH_BYTES);
  }

  #payload(entry: number): Buffer {
    const at = (entry % CHUNK_ENTRIES) * this.#entryBytes;
    const chunk = this.#chunks[Math.floor(entry / CHUNK_ENTRIES)]!;
    return chunk.subarray(at + HASH_BYTES, at + this.#entryBytes);
  }
}
