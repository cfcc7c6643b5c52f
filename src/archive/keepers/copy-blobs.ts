// The blobs of a copy by their numbers: 0 is the file's map, then its segments. Maps that were read lately
// stay in memory.

import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import {
  decodeFileMap,
  encodeFileMap,
  type FileMap,
  mapSegmentCount,
  segmentRef,
} from '#archive/content/file-map.ts';
import { segmentLength } from '#archive/content/segments.ts';
import { toHex } from '#base/bytes.ts';
import { codeOf } from '#base/errors.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import type { Sql } from '#sql/sql.ts';
import type { Store } from '#store/store.ts';

const MAPS_MAX = 64;

export interface CopyBlob {
  readonly ref: BlobRef;
  readonly bytes: number;
}

export class CopyBlobs {
  readonly #world: { readonly sql: Sql; store(): Promise<Store> };
  /** By root; the longest unused first. */
  readonly #maps = new Map<string, FileMap>();

  constructor(world: { readonly sql: Sql; store(): Promise<Store> }) {
    this.#world = world;
  }

  /** Undefined when the file is not kept, or its map cannot be read. */
  async count(root: Uint8Array): Promise<number | undefined> {
    const map = await this.#map(root);
    return map === undefined ? undefined : mapSegmentCount(map) + 1;
  }

  /** Undefined when there is none. The bytes of a map are known only when it can be read. */
  async blob(root: Uint8Array, number: number): Promise<CopyBlob | undefined> {
    const map = await this.#map(root);
    if (number === 0) {
      const ref = await this.#mapRef(root);
      if (ref === undefined) return undefined;
      return { ref, bytes: map === undefined ? 0 : encodeFileMap(map).length };
    }
    if (map === undefined || number > mapSegmentCount(map)) return undefined;
    return { ref: segmentRef(map, number - 1), bytes: segmentLength(map, number - 1) };
  }

  async #map(root: Uint8Array): Promise<FileMap | undefined> {
    const key = toHex(root);
    const known = this.#maps.get(key);
    if (known !== undefined) {
      this.#maps.delete(key);
      this.#maps.set(key, known);
      return known;
    }
    const ref = await this.#mapRef(root);
    const map = ref === undefined ? undefined : await this.#read(ref);
    if (map === undefined) return undefined;
    this.#maps.set(key, map);
    for (const oldest of this.#maps.keys()) {
      if (this.#maps.size <= MAPS_MAX) break;
      this.#maps.delete(oldest);
    }
    return map;
  }

  async #read(ref: BlobRef): Promise<FileMap | undefined> {
    try {
      return decodeFileMap(await (await this.#world.store()).get(ref));
    } catch (error) {
      const code = codeOf(error);
      if (code === 'STORE_BLOB_MISSING' || code === 'STORE_CORRUPT_BLOB') return undefined;
      throw error;
    }
  }

  async #mapRef(root: Uint8Array): Promise<BlobRef | undefined> {
    const row = await this.#world.sql
      .read<ArchiveTables>()
      .selectFrom('archive_file')
      .select('map_ref')
      .where('root', '=', root)
      .executeTakeFirst();
    return row === undefined ? undefined : blobRef(row.map_ref);
  }
}
