// Previews: small pictures of a kept torrent's first images, films and covers, each a blob of the store.
// They stay while the torrent is kept, and can be made again at any time.

import { sql as raw, type Transaction } from 'kysely';
import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import { nameOf } from '#site/catalogue/file-entries.ts';
import type { Sql } from '#sql/sql.ts';
import type { RootSource } from '#store/gc/roots.ts';
import { type Extracts, saveExtracts } from './extracts.ts';

const PAGE = 1000;

export interface PreviewTables {
  torrent_preview: {
    torrent_id: number;
    /** Of the file in the torrent's tree. */
    position: number;
    blob_ref: string;
    width: number;
    height: number;
  };
  /** Torrents whose previews were made, also when there are none. */
  torrent_previewed: {
    torrent_id: number;
    /** As in `archive_torrent`: one that is kept anew is looked at anew. */
    kept_ms: number;
    /** What made them: with another one they are made again. */
    maker: string;
  };
}

type Tables = PreviewTables & ArchiveTables & CatalogueTables;

export interface Preview {
  readonly position: number;
  readonly ref: BlobRef;
  readonly width: number;
  readonly height: number;
}

export interface NamedPreview extends Preview {
  /** Of the file. */
  readonly name: string;
  /** Position of the folder it lies in. */
  readonly parent: number;
}

/** Of a kept torrent, in the order of its tree. */
export async function previewsOf(sql: Sql, torrentId: number): Promise<readonly NamedPreview[]> {
  const rows = await keptPreviews(sql)
    .innerJoin('torrent_entry', (join) =>
      join
        .onRef('torrent_entry.torrent_id', '=', 'torrent_preview.torrent_id')
        .onRef('torrent_entry.position', '=', 'torrent_preview.position'),
    )
    .select(['path', 'parent'])
    .where('torrent_preview.torrent_id', '=', torrentId)
    .orderBy('torrent_preview.position')
    .execute();
  return rows.flatMap((row) => {
    const ref = blobRef(row.blob_ref);
    if (ref === undefined) return [];
    const { position, width, height, path, parent } = row;
    return [{ position, ref, width, height, name: nameOf(path), parent }];
  });
}

function keptPreviews(sql: Sql) {
  return sql
    .read<Tables>()
    .selectFrom('torrent_preview')
    .innerJoin('archive_torrent', 'archive_torrent.torrent_id', 'torrent_preview.torrent_id')
    .select([
      'torrent_preview.torrent_id',
      'torrent_preview.position',
      'blob_ref',
      'width',
      'height',
    ]);
}

export interface KeptTorrent {
  readonly id: number;
  readonly name: string;
  readonly createdMs: number;
  readonly keptMs: number;
}

/** Kept torrents that were not looked at since, or by another maker. */
export async function torrentsToPreview(
  sql: Sql,
  maker: string,
  limit: number,
): Promise<readonly KeptTorrent[]> {
  const rows = await sql
    .read<Tables>()
    .selectFrom('archive_torrent')
    .innerJoin('torrent', 'torrent.id', 'archive_torrent.torrent_id')
    .leftJoin('torrent_previewed', (join) =>
      join
        .onRef('torrent_previewed.torrent_id', '=', 'archive_torrent.torrent_id')
        .onRef('torrent_previewed.kept_ms', '=', 'archive_torrent.kept_ms')
        .on('torrent_previewed.maker', '=', maker),
    )
    .select(['torrent.id', 'torrent.name', 'torrent.created_ms', 'archive_torrent.kept_ms'])
    .where('torrent_previewed.torrent_id', 'is', null)
    .where('torrent.removed_ms', 'is', null)
    .orderBy('torrent.id')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    ...{ id: row.id, name: row.name, createdMs: row.created_ms, keptMs: row.kept_ms },
  }));
}

/** In the place of those that were there. Their blobs are stored already. */
export async function savePreviews<Any>(
  transaction: Transaction<Any>,
  torrent: KeptTorrent,
  made: Extracts & { readonly maker: string; readonly previews: readonly Preview[] },
): Promise<void> {
  const tables = transaction as unknown as Transaction<Tables>;
  const { id, keptMs } = torrent;
  await tables.deleteFrom('torrent_preview').where('torrent_id', '=', id).execute();
  await tables.deleteFrom('torrent_previewed').where('torrent_id', '=', id).execute();
  for (const { position, ref, width, height } of made.previews) {
    await tables
      .insertInto('torrent_preview')
      .values({ torrent_id: id, position, blob_ref: ref, width, height })
      .execute();
  }
  await saveExtracts(transaction, id, made);
  await tables
    .insertInto('torrent_previewed')
    .values({ torrent_id: id, kept_ms: keptMs, maker: made.maker })
    .execute();
}

/** What garbage collection must keep for previews. */
export class PreviewRoots implements RootSource {
  readonly name = 'previews';
  readonly #sql: Sql;

  constructor(world: { readonly sql: Sql }) {
    this.#sql = world.sql;
  }

  async *refs(signal: AbortSignal): AsyncGenerator<BlobRef> {
    for (const table of ['torrent_preview', 'torrent_text'] as const) {
      yield* this.#refsOf(table, signal);
    }
  }

  async *#refsOf(
    table: 'torrent_preview' | 'torrent_text',
    signal: AbortSignal,
  ): AsyncGenerator<BlobRef> {
    const [id, position] = [raw.ref(`${table}.torrent_id`), raw.ref(`${table}.position`)];
    for (let last = { torrent_id: -1, position: -1 }; ; ) {
      signal.throwIfAborted();
      const { rows } = await raw<{ torrent_id: number; position: number; blob_ref: string }>`
        select ${id}, position, blob_ref from ${raw.table(table)}
        inner join archive_torrent on archive_torrent.torrent_id = ${id}
        where (${id}, ${position}) > (${last.torrent_id}, ${last.position})
        order by ${id}, ${position} limit ${PAGE}`.execute(this.#sql.read());
      for (const row of rows) {
        const ref = blobRef(row.blob_ref);
        if (ref !== undefined) yield ref;
      }
      const end = rows.at(-1);
      if (end === undefined || rows.length < PAGE) return;
      last = end;
    }
  }
}
