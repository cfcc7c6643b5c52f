// Where each blob of a packed store lies, in memory: about 50 bytes per blob, and in order of name.

import { HashTable } from './hash-table.ts';

const PLACE_BYTES = 12;

export interface BlobPlace {
  readonly pack: number;
  /** Of the record's header. */
  readonly position: number;
  readonly bytes: number;
}

export class BlobIndex {
  readonly #table = new HashTable(PLACE_BYTES);
  #bytes = 0;

  get count(): number {
    return this.#table.count;
  }

  /** Of all blobs. */
  get blobBytes(): number {
    return this.#bytes;
  }

  /** What it occupies itself. */
  get memoryBytes(): number {
    return this.#table.memoryBytes;
  }

  /** Of an entry of `pieces`. */
  get entryBytes(): number {
    return this.#table.entryBytes;
  }

  clear(): void {
    this.#table.clear();
    this.#bytes = 0;
  }

  /** As HashTable. */
  pieces(): Generator<Buffer> {
    return this.#table.pieces();
  }

  /** As HashTable; false also when `isRight` says so of a place. */
  async fill(
    count: number,
    read: (into: Buffer) => Promise<boolean>,
    isRight: (place: BlobPlace) => boolean,
  ): Promise<boolean> {
    if (!(await this.#table.fill(count, read))) return false;
    return this.#table.everyPayload((bytes, at) => {
      const place = placeOf(bytes, at);
      this.#bytes += place.bytes;
      return isRight(place);
    });
  }

  get(hash: Uint8Array): BlobPlace | undefined {
    const payload = this.#table.get(hash);
    return payload === undefined ? undefined : placeOf(payload);
  }

  /** Adds or replaces. */
  set(hash: Uint8Array, place: BlobPlace): void {
    this.delete(hash);
    const payload = this.#table.claim(hash);
    payload.writeUInt32LE(place.pack, 0);
    payload.writeUInt32LE(place.position / 8, 4);
    payload.writeUInt32LE(place.bytes, 8);
    this.#bytes += place.bytes;
  }

  delete(hash: Uint8Array): boolean {
    const payload = this.#table.get(hash);
    if (payload === undefined) return false;
    this.#bytes -= placeOf(payload).bytes;
    return this.#table.delete(hash);
  }

  /** Up to `limit` entries in ascending order, beginning after `after`. Hashes are copies. */
  page(after: Uint8Array | undefined, limit: number): { hash: Uint8Array; place: BlobPlace }[] {
    const found = this.#table.page(after, limit);
    return found.map(({ hash, payload }) => ({ hash, place: placeOf(payload) }));
  }
}

function placeOf(payload: Buffer, at = 0): BlobPlace {
  return {
    pack: payload.readUInt32LE(at),
    position: payload.readUInt32LE(at + 4) * 8,
    bytes: payload.readUInt32LE(at + 8),
  };
}
