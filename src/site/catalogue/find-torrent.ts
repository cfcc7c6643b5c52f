// Finds a torrent by the site's id or by its hash, with all that is written about it.

import { sql as raw } from 'kysely';
import { toHex } from '#base/bytes.ts';
import type { Sql } from '#sql/sql.ts';
import type { CatalogueTables } from './catalogue-tables.ts';
import { tagsOf } from './categories.ts';
import type { Catalogue } from './search-index.ts';
import type { TorrentWords } from './torrent-words.ts';

export interface Torrent extends TorrentWords {
  readonly id: number;
  /** 40 lower-case hex digits of v1, or of the truncated v2 hash: what a client shows. */
  readonly infoHash: string;
  readonly infoHashV1?: string;
  /** 64 lower-case hex digits. */
  readonly infoHashV2?: string;
  /** As in the info dictionary. */
  readonly name: string;
  readonly categoryName: string;
  readonly uploaderId: number;
  readonly source: string;
  /** What the upload changed in the file and why; empty when its hash is the uploaded one. */
  readonly uploadNotes: readonly string[];
  readonly pieceLength: number;
  readonly sizeBytes: number;
  readonly fileCount: number;
  readonly completed: number;
  /** Unix milliseconds. */
  readonly createdMs: number;
  readonly removedMs?: number;
  readonly removedReason: string;
  /** The torrent that took its place. */
  readonly replacedById?: number;
}

/** By the site's id. Removed torrents are found too. */
export async function findTorrent(sql: Sql, torrentId: number): Promise<Torrent | undefined> {
  return await findTorrentIn(sql.read<CatalogueTables>(), torrentId);
}

/** By 40 hex digits (v1, or v2 truncated) or 64 (v2), either case. The one that is not removed. */
export async function findTorrentByHash(sql: Sql, hex: string): Promise<Torrent | undefined> {
  if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/i.test(hex)) return undefined;
  const hash = new Uint8Array(Buffer.from(hex, 'hex'));
  const column = raw.ref(hash.length === 20 ? 'info_hash_v1' : 'info_hash_v2');
  const listed = raw`removed_ms is null`;
  const removed = raw`removed_ms is not null`;
  // Each by an index of its own, which holds those that are listed, or those that are not. A truncated
  // hash is a range, so that the index on the whole one serves it.
  const within = raw`info_hash_v2 >= ${hash} and info_hash_v2 <= ${withOnes(hash)}`;
  const { rows } = await raw<{ id: number }>`
    select id, 0 as place from torrent where ${column} = ${hash} and ${listed}
    union all select id, 1 from torrent where ${within} and ${listed}
    union all select id, 2 from torrent where ${column} = ${hash} and ${removed}
    union all select id, 3 from torrent where ${within} and ${removed}
    order by place, id desc limit 1`.execute(sql.read<CatalogueTables>());
  const [row] = rows;
  return row === undefined ? undefined : await findTorrent(sql, row.id);
}

function withOnes(hash: Uint8Array): Uint8Array {
  const end = new Uint8Array(32).fill(0xff);
  end.set(hash);
  return end;
}

export async function findTorrentIn(
  catalogue: Catalogue,
  torrentId: number,
): Promise<Torrent | undefined> {
  const row = await catalogue
    .selectFrom('torrent')
    .innerJoin('category', 'category.id', 'torrent.category_id')
    .selectAll('torrent')
    .select(['category.slug as category', 'category.name as category_name'])
    .where('torrent.id', '=', torrentId)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const tags = (await tagsOf(catalogue, [torrentId])).get(torrentId) ?? [];
  const v1 = row.info_hash_v1 === null ? undefined : toHex(row.info_hash_v1);
  const v2 = row.info_hash_v2 === null ? undefined : toHex(row.info_hash_v2);
  return {
    id: row.id,
    infoHash: shownHash(row.info_hash_v1, row.info_hash_v2),
    ...(v1 === undefined ? {} : { infoHashV1: v1 }),
    ...(v2 === undefined ? {} : { infoHashV2: v2 }),
    name: row.name,
    title: row.title,
    description: row.description,
    category: row.category,
    categoryName: row.category_name,
    tags,
    uploaderId: row.uploader_id,
    source: row.source,
    uploadNotes: row.upload_notes === '' ? [] : row.upload_notes.split('\n'),
    pieceLength: row.piece_length,
    sizeBytes: row.size_bytes,
    fileCount: row.file_count,
    completed: row.completed,
    createdMs: row.created_ms,
    ...(row.removed_ms === null ? {} : { removedMs: row.removed_ms }),
    removedReason: row.removed_reason,
    ...(row.replaced_by === null ? {} : { replacedById: row.replaced_by }),
  };
}

/** The hash that clients show: v1 where there is one, else v2 truncated. */
export function shownHash(v1: Uint8Array | null, v2: Uint8Array | null): string {
  return toHex(v1 ?? v2?.subarray(0, 20) ?? new Uint8Array());
}
