// What is known of files that were written, for as long as a torrent of hundreds of thousands of them is
// made: of a file of one segment 96 bytes in rooms that many share, where objects would take 700.

import { assert } from '#base/assert.ts';
import { fromHex, toHex } from '#base/bytes.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import { SHA256_BYTES } from '#wire/merkle.ts';
import { type FileMap, mapSegmentCount } from './file-map.ts';
import type { WrittenFile } from './file-writer.ts';

/** Name of the segment, its root, which is the file's, and the name of the map. */
const ENTRY_BYTES = 3 * SHA256_BYTES;
const ENTRIES_A_ROOM = 1000;

export class WrittenFiles {
  #room = new Uint8Array(0);
  #used = 0;

  /** The same file. */
  keep(file: WrittenFile): WrittenFile {
    const { map, mapRef } = file;
    if (map === undefined || mapRef === undefined || mapSegmentCount(map) > 1) return file;
    if (this.#used === this.#room.length) {
      this.#room = new Uint8Array(ENTRIES_A_ROOM * ENTRY_BYTES);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += ENTRY_BYTES;
    const name = fromHex(mapRef.slice('sha256-'.length));
    assert(name !== undefined, 'a blob is named by its hash');
    this.#room.set(map.segments, start);
    this.#room.set(name, start + 2 * SHA256_BYTES);
    return new SmallFile(this.#room, start, file, map);
  }
}

class SmallFile implements WrittenFile {
  readonly layer: Uint8Array | undefined;
  readonly newBytes: number;
  readonly #room: Uint8Array;
  readonly #start: number;
  readonly #bytes: number;
  readonly #segmentBytes: number;

  constructor(room: Uint8Array, start: number, file: WrittenFile, map: FileMap) {
    this.layer = file.layer;
    this.newBytes = file.newBytes;
    this.#room = room;
    this.#start = start;
    this.#bytes = map.bytes;
    this.#segmentBytes = map.segmentBytes;
  }

  get map(): FileMap {
    return {
      ...{ bytes: this.#bytes, segmentBytes: this.#segmentBytes },
      root: this.#part(1, 2),
      segments: this.#part(0, 2),
    };
  }

  get mapRef(): BlobRef {
    const ref = blobRef(`sha256-${toHex(this.#part(2, 3))}`);
    assert(ref !== undefined, 'it was the name of a blob');
    return ref;
  }

  #part(from: number, to: number): Uint8Array {
    return this.#room.subarray(this.#start + from * SHA256_BYTES, this.#start + to * SHA256_BYTES);
  }
}
