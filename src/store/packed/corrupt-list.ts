// What reading has found wrong in a packed store, in `<store>/corrupt`, so that whoever opens it next knows:
// a put of such a blob stores it again instead of answering that it is there, and a blob whose record cannot
// be told any more is still found where it was. Written whole under another name, synced and renamed:
//
//    0  magic       u32  "SKC1"
//    4  checksum    u32  CRC32 of everything from byte 8 on
//    8  version     u16  1
//   10  full        u8   1 when more was found than it holds
//   11  zeros
//   12  blobs       u32
//   16  store id    16 bytes, as in the packs
//   32  blobs, each 48 bytes, in ascending order of hash:
//         0  hash 32 bytes, 32 pack u32, 36 position of the record u48, 42 what u8, 43 zero, 44 bytes u32
//
// Integers are little endian. `what` is 1 when the bytes of the blob are wrong, 2 when it is its record. An
// entry is about a place: once the blob lies elsewhere, or nowhere, it says nothing. So a list that is
// missing, torn or late costs no blob, and one that is of another store is not believed. It holds at most
// 65,536 blobs; when more were found, every put of a blob that is there reads it first.

import { crc32 } from 'node:zlib';
import { fromHex, toHex } from '#base/bytes.ts';
import type { Disk } from '#base/disk.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import type { BlobPlace } from './blob-index.ts';

export const CORRUPT_NAME = 'corrupt';
const CORRUPT_BLOBS_MAX = 65_536;
const MAGIC = 0x31434b53;
const VERSION = 1;
const HEAD_BYTES = 32;
const ENTRY_BYTES = 48;

export type Wrong = 'bytes' | 'record';

export interface CorruptBlob {
  readonly ref: BlobRef;
  readonly place: BlobPlace;
  readonly what: Wrong;
}

export class CorruptList {
  readonly #folder: string;
  readonly #disk: Disk;
  readonly #blobsMax: number;
  readonly #blobs = new Map<BlobRef, CorruptBlob>();
  #storeId: Uint8Array | undefined;
  #isFull = false;
  /** Since `beginCheck` more came than there is room for. */
  #overflowed = false;
  #isChanged = false;
  #saving: Promise<void> | undefined;

  constructor(place: {
    readonly folder: string;
    readonly disk: Disk;
    /** Fewer in tests. */
    readonly corruptBlobsMax?: number;
  }) {
    this.#folder = place.folder;
    this.#disk = place.disk;
    this.#blobsMax = place.corruptBlobsMax ?? CORRUPT_BLOBS_MAX;
  }

  get count(): number {
    return this.#blobs.size;
  }

  /** More was found than is known by name. */
  get isFull(): boolean {
    return this.#isFull;
  }

  has(ref: BlobRef): boolean {
    return this.#blobs.has(ref);
  }

  get(ref: BlobRef): CorruptBlob | undefined {
    return this.#blobs.get(ref);
  }

  blobs(): IterableIterator<CorruptBlob> {
    return this.#blobs.values();
  }

  /** Blobs whose records in this pack could not be told any more, in order of position. */
  recordsIn(pack: number): CorruptBlob[] {
    const found = [...this.#blobs.values()].filter(
      ({ what, place }) => what === 'record' && place.pack === pack,
    );
    return found.sort((a, b) => a.place.position - b.place.position);
  }

  /** Saved in a moment; `saved` waits for it. */
  add(blob: CorruptBlob): void {
    const known = this.#blobs.get(blob.ref);
    if (known !== undefined && isSame(known, blob)) return;
    if (known === undefined && this.#blobs.size >= this.#blobsMax) {
      this.#overflowed = true;
      if (this.#isFull) return;
      this.#isFull = true;
    } else this.#blobs.set(blob.ref, blob);
    this.#change();
  }

  delete(ref: BlobRef): void {
    if (this.#blobs.delete(ref)) this.#change();
  }

  /** From here on all is read. */
  beginCheck(): void {
    this.#overflowed = false;
  }

  /** All was read since `beginCheck`: what is not known by name now is not wrong. */
  endCheck(): void {
    if (this.#isFull === this.#overflowed) return;
    this.#isFull = this.#overflowed;
    this.#change();
  }

  /** Resolves when it is on the medium, or cannot be written now: the next change tries again. */
  async saved(): Promise<void> {
    if (this.#isChanged) this.#save();
    await this.#saving;
  }

  /** Takes what a file of this store says. Entries of another time are for the caller to let go of. */
  async load(storeId: Uint8Array): Promise<void> {
    this.#storeId = storeId;
    const bytes = await this.#read().catch(() => undefined);
    for (const blob of bytes === undefined ? [] : this.#decode(bytes, storeId)) {
      this.#blobs.set(blob.ref, blob);
    }
  }

  #change(): void {
    this.#isChanged = true;
    this.#save();
  }

  #save(): void {
    this.#saving ??= this.#saveAll().finally(() => {
      this.#saving = undefined;
    });
  }

  async #saveAll(): Promise<void> {
    // Those that are found in the same turn are written once.
    await Promise.resolve();
    while (this.#isChanged && this.#storeId !== undefined) {
      this.#isChanged = false;
      try {
        await this.#write(this.#storeId);
      } catch {
        this.#isChanged = true;
        return;
      }
    }
  }

  async #write(storeId: Uint8Array): Promise<void> {
    const path = `${this.#folder}/${CORRUPT_NAME}`;
    if (this.#blobs.size === 0 && !this.#isFull) {
      if ((await this.#disk.stat(path)) === undefined) return;
      await this.#disk.remove(path);
    } else {
      const half = `${path}.new`;
      if ((await this.#disk.stat(half)) !== undefined) await this.#disk.remove(half);
      const file = await this.#disk.create(half);
      try {
        await file.write(this.#encode(storeId), 0);
        await file.datasync();
      } finally {
        await file.close();
      }
      await this.#disk.rename(half, path);
    }
    await this.#disk.syncFolder(this.#folder);
  }

  async #read(): Promise<Buffer | undefined> {
    const path = `${this.#folder}/${CORRUPT_NAME}`;
    const sizeBytesMax = HEAD_BYTES + CORRUPT_BLOBS_MAX * ENTRY_BYTES;
    if ((await this.#disk.stat(path)) === undefined) return undefined;
    const file = await this.#disk.open(path, { write: false });
    try {
      const sizeBytes = await file.sizeBytes();
      if (sizeBytes < HEAD_BYTES || sizeBytes > sizeBytesMax) return undefined;
      const bytes = Buffer.alloc(sizeBytes);
      return (await file.read(bytes, 0)) === sizeBytes ? bytes : undefined;
    } finally {
      await file.close();
    }
  }

  #encode(storeId: Uint8Array): Buffer {
    const blobs = [...this.#blobs.values()].sort((a, b) => (a.ref < b.ref ? -1 : 1));
    const bytes = Buffer.alloc(HEAD_BYTES + blobs.length * ENTRY_BYTES);
    bytes.writeUInt32LE(MAGIC, 0);
    bytes.writeUInt16LE(VERSION, 8);
    bytes[10] = this.#isFull ? 1 : 0;
    bytes.writeUInt32LE(blobs.length, 12);
    bytes.set(storeId, 16);
    for (const [at, { ref, place, what }] of blobs.entries()) {
      const start = HEAD_BYTES + at * ENTRY_BYTES;
      bytes.set(fromHex(ref.slice('sha256-'.length)) as Uint8Array, start);
      bytes.writeUInt32LE(place.pack, start + 32);
      bytes.writeUIntLE(place.position, start + 36, 6);
      bytes[start + 42] = what === 'bytes' ? 1 : 2;
      bytes.writeUInt32LE(place.bytes, start + 44);
    }
    bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4);
    return bytes;
  }

  /** Nothing unless all of it is right. */
  #decode(bytes: Buffer, storeId: Uint8Array): CorruptBlob[] {
    const count = bytes.readUInt32LE(12);
    const isOurs =
      bytes.readUInt32LE(0) === MAGIC &&
      bytes.readUInt32LE(4) === crc32(bytes.subarray(8)) &&
      bytes.readUInt16LE(8) === VERSION &&
      bytes.byteLength === HEAD_BYTES + count * ENTRY_BYTES &&
      // By its checksum, the seed of every record: of a damaged header nothing else may be known.
      crc32(bytes.subarray(16, HEAD_BYTES)) === crc32(storeId);
    if (!isOurs) return [];
    this.#isFull = bytes[10] === 1;
    return Array.from({ length: count }, (_, at) => {
      const entry = bytes.subarray(HEAD_BYTES + at * ENTRY_BYTES);
      return {
        ref: blobRef(`sha256-${toHex(entry.subarray(0, 32))}`) as BlobRef,
        place: {
          pack: entry.readUInt32LE(32),
          position: entry.readUIntLE(36, 6),
          bytes: entry.readUInt32LE(44),
        },
        what: entry[42] === 2 ? 'record' : 'bytes',
      };
    });
  }
}

function isSame(a: CorruptBlob, b: CorruptBlob): boolean {
  return a.what === b.what && isAt(a.place, b.place);
}

export function isAt(place: BlobPlace | undefined, other: BlobPlace): boolean {
  return place?.pack === other.pack && place.position === other.position;
}
