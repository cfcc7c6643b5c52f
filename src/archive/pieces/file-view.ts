// Everything that a reader needs to take a file by itself and prove it: its segments with their names and
// roots, the layer of the torrent's pieces, and what is missing now.

import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import type { KeptFile } from '#archive/catalogue/kept-torrents.ts';
import {
  type FileMap,
  mapSegmentCount,
  segmentRef,
  segmentRoot,
} from '#archive/content/file-map.ts';
import { segmentLength } from '#archive/content/segments.ts';
import { assert } from '#base/assert.ts';
import { toHex } from '#base/bytes.ts';
import { blobRef } from '#base/ids.ts';
import type { Sql } from '#sql/sql.ts';
import { SHA256_BYTES } from '#wire/merkle.ts';
import type { Metainfo } from '#wire/metainfo.ts';

/** Bytes of the file that cannot be given until they are healed. */
export interface Hole {
  readonly start: number;
  readonly end: number;
  readonly kind: 'missing' | 'corrupt';
}

/** The file with that root, when the kept torrent has it. `root`: 32 bytes. */
export async function fileOfTorrent(
  sql: Sql,
  torrentId: number,
  root: Uint8Array,
): Promise<KeptFile | undefined> {
  const row = await sql
    .read<ArchiveTables>()
    .selectFrom('archive_entry')
    .innerJoin('archive_file', 'archive_file.id', 'archive_entry.file_id')
    .select(['archive_file.id', 'size_bytes', 'map_ref'])
    .where('torrent_id', '=', torrentId)
    .where('root', '=', root)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const mapRef = blobRef(row.map_ref);
  assert(mapRef !== undefined, 'the name of a map was written by this program');
  return { id: row.id, bytes: row.size_bytes, mapRef };
}

/** In order. */
export async function holesOf(sql: Sql, fileId: number, map: FileMap): Promise<readonly Hole[]> {
  const rows = await sql
    .read<ArchiveTables>()
    .selectFrom('archive_damage')
    .select(['segment', 'kind'])
    .where('file_id', '=', fileId)
    .where('segment', '>=', 0)
    .where('segment', '<', mapSegmentCount(map))
    .orderBy('segment')
    .execute();
  return rows.map(({ segment, kind }) => {
    const start = segment * map.segmentBytes;
    return { start, end: start + segmentLength(map, segment), kind };
  });
}

/**
 * The answer as JSON, a part at a time, for a file may have a quarter of a million segments:
 * `{root, bytes, segmentBytes, segments: [[name, root], …], pieceLayer: {pieceBytes, hashes: […]} or
 * null, holes: [{start, end, kind}, …]}`, hashes in hexadecimal.
 */
export function* fileViewJson(
  map: FileMap,
  torrent: Pick<Metainfo, 'pieceLength' | 'pieceLayers'>,
  holes: readonly Hole[],
): Generator<string> {
  const { bytes, segmentBytes } = map;
  const root = toHex(map.root);
  yield `{"root":"${root}","bytes":${bytes},"segmentBytes":${segmentBytes},"segments":[`;
  yield* listed(mapSegmentCount(map), (at) => {
    const name = segmentRef(map, at).slice('sha256-'.length);
    return `["${name}","${toHex(segmentRoot(map, at))}"]`;
  });
  const layer = torrent.pieceLayers?.get(root);
  yield '],"pieceLayer":';
  if (layer === undefined) yield 'null';
  else {
    yield `{"pieceBytes":${torrent.pieceLength},"hashes":[`;
    yield* listed(layer.length / SHA256_BYTES, (at) => {
      return `"${toHex(layer.subarray(at * SHA256_BYTES, (at + 1) * SHA256_BYTES))}"`;
    });
    yield ']}';
  }
  yield `,"holes":${JSON.stringify(holes)}}`;
}

const LISTED_AT_ONCE = 500;

function* listed(count: number, text: (at: number) => string): Generator<string> {
  for (let from = 0; from < count; from += LISTED_AT_ONCE) {
    const parts: string[] = [];
    for (let at = from; at < Math.min(from + LISTED_AT_ONCE, count); at++) parts.push(text(at));
    yield (from === 0 ? '' : ',') + parts.join(',');
  }
}
