// The files of a kept torrent by their position, in 80 bytes each: as objects a million of them would take
// 400 MB for as long as somebody reads the torrent.

import { assert } from '#base/assert.ts';
import { fromHex, toHex } from '#base/bytes.ts';
import { blobRef } from '#base/ids.ts';
import type { Sql } from '#sql/sql.ts';
import { type CataloguedFile, FILES_A_PAGE, filePages, type KeptFile } from './kept-torrents.ts';

const HASH_BYTES = 32;

interface Page {
  readonly count: number;
  /** NaN of an empty file. */
  readonly ids: Float64Array;
  readonly bytes: Float64Array;
  /** The names of the maps, each followed by the root. */
  readonly hashes: Uint8Array;
}

export class KeptFiles implements Iterable<KeptFile | undefined> {
  readonly length: number;
  readonly #pages: readonly Page[];

  /** None when it is not kept. @throws SqlError */
  static async read(sql: Sql, torrentId: number): Promise<KeptFiles> {
    const pages: Page[] = [];
    for await (const files of filePages(sql, torrentId)) pages.push(pageOf(files));
    return new KeptFiles(pages);
  }

  private constructor(pages: readonly Page[]) {
    this.#pages = pages;
    this.length = pages.reduce((sum, { count }) => sum + count, 0);
  }

  /** Undefined for an empty file, and where there is none. */
  at(position: number): KeptFile | undefined {
    const page = this.#pages[Math.floor(position / FILES_A_PAGE)];
    const at = position % FILES_A_PAGE;
    const id = page?.ids[at];
    if (page === undefined || id === undefined || Number.isNaN(id)) return undefined;
    const start = at * 2 * HASH_BYTES;
    const [name, root] = [start, start + HASH_BYTES].map((from) =>
      toHex(page.hashes.subarray(from, from + HASH_BYTES)),
    );
    const mapRef = blobRef(`sha256-${name}`);
    assert(mapRef !== undefined && root !== undefined, 'it was the name of a blob');
    return { id, bytes: page.bytes[at] ?? 0, mapRef, root };
  }

  /** 0 of an empty file. */
  bytesAt(position: number): number {
    return this.#pages[Math.floor(position / FILES_A_PAGE)]?.bytes[position % FILES_A_PAGE] ?? 0;
  }

  *[Symbol.iterator](): Generator<KeptFile | undefined> {
    for (let position = 0; position < this.length; position++) yield this.at(position);
  }
}

function pageOf(files: readonly (CataloguedFile | undefined)[]): Page {
  const hashes = new Uint8Array(files.length * 2 * HASH_BYTES);
  for (const [at, file] of files.entries()) {
    if (file === undefined) continue;
    const name = fromHex(file.mapRef.slice('sha256-'.length));
    assert(name?.length === HASH_BYTES && file.root.length === HASH_BYTES, 'hashes have 32 bytes');
    hashes.set(name, at * 2 * HASH_BYTES);
    hashes.set(file.root, (at * 2 + 1) * HASH_BYTES);
  }
  return {
    ...{ count: files.length, hashes },
    ids: Float64Array.from(files, (file) => file?.id ?? Number.NaN),
    bytes: Float64Array.from(files, (file) => file?.bytes ?? 0),
  };
}
