// What stands under one address of the web seed: bytes under one ETag, of a kept file or of zeros.

import type { KeptFile } from '#archive/catalogue/kept-torrents.ts';
import { decodeFileMap, type FileMap, segmentRef } from '#archive/content/file-map.ts';
import { readFileRange } from '#archive/content/file-reader.ts';
import { knownSegment } from '#archive/content/known-segment.ts';
import { type LendingStore, lendFileRange, type RangePart } from '#archive/content/lent-range.ts';
import { SegmentCache } from '#archive/content/segment-cache.ts';
import { ArchiveError } from '#archive/errors.ts';
import type { SegmentHasher } from '#archive/hash/segment-hasher.ts';
import { toHex } from '#base/bytes.ts';
import type { BlobRef } from '#base/ids.ts';
import type { Store } from '#store/store.ts';
import type { ByteRange } from './seed-request.ts';

const ZEROS = new Uint8Array(64 * 1024);
/** Of decoded maps together; one that is larger by itself is decoded for each request. */
const MAP_BYTES_MAX = 32 * 1024 * 1024;

export interface SeedContent {
  readonly bytes: number;
  /** As the header has it, with its quotes. */
  readonly etag: string;
  /** Parts that are lent only when `lends`. */
  read(range: ByteRange, how: ReadHow): AsyncGenerator<RangePart>;
}

export interface ReadHow {
  readonly signal: AbortSignal;
  readonly lends: boolean;
}

export class SeedContents {
  readonly #segments: SegmentCache;
  readonly #lending: LendingStore;
  /** The longest unused first. */
  readonly #maps = new Map<BlobRef, Promise<FileMap>>();
  #mapBytes = 0;

  constructor(options: {
    readonly store: () => Promise<Pick<Store, 'get' | 'lend'>>;
    /** Verifies what is lent. */
    readonly hasher: SegmentHasher;
    readonly cacheBytesMax: number;
    /** How long ago a segment may have been verified that is lent. 0: none is. */
    readonly verifiedMsMax: number;
  }) {
    const { store, hasher, verifiedMsMax } = options;
    const segments = new SegmentCache({ store, bytesMax: options.cacheBytesMax });
    this.#segments = segments;
    this.#lending = {
      get: (ref, calls) => segments.get(ref, calls),
      lend: async (map, number) => {
        if (verifiedMsMax === 0) return undefined;
        const sha256 = knownSegment(hasher, map, number);
        return (await store()).lend?.(segmentRef(map, number), { verifiedMsMax, sha256 });
      },
    };
  }

  /** @throws ArchiveError ARCHIVE_MAP_INVALID; StoreError */
  async ofFile(file: KeptFile): Promise<SeedContent> {
    const map = await this.#mapOf(file.mapRef);
    if (map.bytes !== file.bytes) throw noMap(file.mapRef);
    return {
      bytes: map.bytes,
      etag: `"${toHex(map.root)}"`,
      read: (range, { signal, lends }) =>
        lends
          ? lendFileRange(this.#lending, map, { ...range, signal })
          : readFileRange(this.#segments, map, { ...range, signal }),
    };
  }

  #mapOf(ref: BlobRef): Promise<FileMap> {
    const known = this.#maps.get(ref);
    if (known === undefined) return this.#readMap(ref);
    this.#maps.delete(ref);
    this.#maps.set(ref, known);
    return known;
  }

  #readMap(ref: BlobRef): Promise<FileMap> {
    const reading = this.#segments.get(ref).then((bytes) => {
      const map = decodeFileMap(bytes);
      if (map === undefined) throw noMap(ref);
      return map;
    });
    this.#maps.set(ref, reading);
    reading.then(
      (map) => this.#mapRead(map.segments.length),
      () => this.#maps.delete(ref),
    );
    return reading;
  }

  #mapRead(bytes: number): void {
    this.#mapBytes += bytes;
    if (this.#mapBytes <= MAP_BYTES_MAX) return;
    // They are quickly decoded again; an order of use for each byte is not worth its code.
    this.#maps.clear();
    this.#mapBytes = 0;
  }
}

/** Pad files, which some clients ask for as for any other, and empty files. */
export function zerosOf(bytes: number): SeedContent {
  return {
    bytes,
    etag: `"zeros-${bytes}"`,
    async *read({ start, end }) {
      for (let left = end - start; left > 0; left -= ZEROS.length) {
        yield ZEROS.subarray(0, Math.min(left, ZEROS.length));
      }
    },
  };
}

function noMap(ref: BlobRef): ArchiveError {
  return new ArchiveError('ARCHIVE_MAP_INVALID', `${ref} is no map of that file`);
}
