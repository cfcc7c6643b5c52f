// Which of some blobs the archive needs, for who would remove them. Collection of garbage asks for all blobs
// and believes the proven maps in the store alone (archive-roots.ts); here it is a few of them, and the
// maps are read as the catalogue has them once more, many at a time: seconds for a million files, not
// minutes.

import { sql as raw } from 'kysely';
import type { ArchiveWorld } from '#archive/archive.ts';
import {
  MAP_BYTES_MIN,
  MAP_FIRST_NAME,
  mapSegmentCount,
  segmentName,
  segmentsOfEncoded,
} from '#archive/content/file-map.ts';
import { assert } from '#base/assert.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import { othersTurn } from '#base/steps.ts';
import type { Sql } from '#sql/sql.ts';
import { throwIfCancelled } from '#store/calls.ts';
import { hashOf, refOfHash } from '#store/store.ts';
import { neededFiles } from './archive-roots.ts';
import type { ArchiveTables } from './archive-tables.ts';

/** Rows that the database goes through at a time. */
const IDS_AT_ONCE = 20_000;
/** Of maps in memory, but for one that is larger by itself. */
const MAP_BYTES_AT_ONCE = 4 * 1024 * 1024;
const MAPS_AT_ONCE = 2000;
/** Looked at without a pause: some milliseconds. */
const SEGMENTS_A_TURN = 50_000;

type World = Pick<ArchiveWorld, 'sql' | 'store'>;

/** As the database found it: the one segment of its map is asked for, or it has more, or no map there. */
interface FoundFile {
  readonly id: number;
  readonly map_ref: string;
  /** Of its map in the catalogue. */
  readonly map_length: number | null;
}

/** At most 1000. Those that a kept torrent has, or a wanted one has already. Rejects when a map is lost. */
export async function neededBlobs(
  world: World,
  refs: readonly BlobRef[],
  signal: AbortSignal,
): Promise<ReadonlySet<BlobRef>> {
  const asked = new AskedBlobs(refs);
  const idMax = await newestFile(world.sql);
  for (let after = 0; after < idMax; after += IDS_AT_ONCE) {
    if (asked.found.size === asked.names.size) break;
    throwIfCancelled(signal);
    const files = await filesThatMay(world.sql, asked, after);
    for (const { map_ref: ref } of files) asked.findName(ref);
    for await (const maps of mapsOf(world, files, signal)) {
      for (const bytes of maps) await asked.findIn(bytes);
    }
  }
  return asked.found;
}

async function newestFile(sql: Sql): Promise<number> {
  const row = await sql
    .read<ArchiveTables>()
    .selectFrom('archive_file')
    .select('id')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.id ?? 0;
}

/**
 * Of the next IDS_AT_ONCE. Most files are one segment, which the database compares where it lies: a row
 * that is not handed over costs a twentieth of one that is.
 */
function filesThatMay(sql: Sql, asked: AskedBlobs, after: number): Promise<FoundFile[]> {
  const [from, length] = [MAP_FIRST_NAME.at + 1, MAP_FIRST_NAME.bytes];
  return neededFiles(sql)
    .leftJoin('archive_map', 'archive_map.file_id', 'archive_file.id')
    .select(raw<number | null>`length(map_bytes)`.as('map_length'))
    .where('archive_file.id', '>', after)
    .where('archive_file.id', '<=', after + IDS_AT_ONCE)
    .where((of) =>
      of.or([
        of('map_bytes', 'is', null),
        of(raw`length(map_bytes)`, '>', MAP_BYTES_MIN),
        of(raw`substr(map_bytes, ${raw.lit(from)}, ${raw.lit(length)})`, 'in', asked.hashes),
        of('map_ref', 'in', [...asked.names]),
      ]),
    )
    .orderBy('archive_file.id')
    .execute();
}

/** Of these files, so many at once as MAP_BYTES_AT_ONCE allows. */
async function* mapsOf(
  world: World,
  files: readonly FoundFile[],
  signal: AbortSignal,
): AsyncGenerator<readonly Uint8Array[]> {
  let ids: number[] = [];
  let bytes = 0;
  for (const { id, map_ref: text, map_length: length } of files) {
    throwIfCancelled(signal);
    if (length === null) {
      // Stored before the catalogue had maps.
      const ref = blobRef(text);
      assert(ref !== undefined, 'the name of a map was written by this program');
      const store = await world.store();
      yield [await store.get(ref, { signal })];
      continue;
    }
    if (ids.length === MAPS_AT_ONCE || (ids.length > 0 && bytes + length > MAP_BYTES_AT_ONCE)) {
      yield await readMaps(world.sql, ids);
      ids = [];
      bytes = 0;
    }
    ids.push(id);
    bytes += Number(length);
  }
  if (ids.length > 0) yield await readMaps(world.sql, ids);
}

async function readMaps(sql: Sql, ids: readonly number[]): Promise<readonly Uint8Array[]> {
  const rows = await sql
    .read<ArchiveTables>()
    .selectFrom('archive_map')
    .select('map_bytes')
    .where('file_id', 'in', ids)
    .execute();
  return rows.map(({ map_bytes: bytes }) => bytes);
}

class AskedBlobs {
  readonly found = new Set<BlobRef>();
  readonly names: ReadonlySet<BlobRef>;
  /** Their hashes, 32 bytes each. */
  readonly hashes: readonly Uint8Array[];
  /** By the first bytes of their hash, as names in maps are looked up. */
  readonly #byKey = new Map<number, BlobRef[]>();
  #looked = 0;

  constructor(refs: readonly BlobRef[]) {
    this.names = new Set(refs);
    this.hashes = [...this.names].map(hashOf);
    for (const ref of this.names) {
      const key = keyOf(hashOf(ref));
      this.#byKey.set(key, [...(this.#byKey.get(key) ?? []), ref]);
    }
  }

  findName(text: string): void {
    const ref = blobRef(text);
    if (ref !== undefined && this.names.has(ref)) this.found.add(ref);
  }

  /** Segments of an encoded map. */
  async findIn(map: Uint8Array): Promise<void> {
    const segments = { segments: segmentsOfEncoded(map) };
    const count = mapSegmentCount(segments);
    for (let at = 0; at < count; at++) {
      const name = segmentName(segments, at);
      const refs = this.#byKey.get(keyOf(name));
      if (refs !== undefined) {
        const full = refOfHash(name);
        if (refs.includes(full)) this.found.add(full);
      }
      if (++this.#looked % SEGMENTS_A_TURN === 0) await othersTurn();
    }
  }
}

function keyOf(hash: Uint8Array): number {
  const low = hash[0]! | (hash[1]! << 8) | (hash[2]! << 16);
  return low + (hash[3]! | (hash[4]! << 8) | (hash[5]! << 16)) * 0x100_0000;
}
