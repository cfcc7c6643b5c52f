// What else is known of a kept torrent's first files: the beginnings of texts and subtitles, each a blob of
// the store, and what its media are. They stay while the torrent is kept, as its pictures do.

import type { Transaction } from 'kysely';
import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import { nameOf } from '#site/catalogue/file-entries.ts';
import type { Sql } from '#sql/sql.ts';
import { type MediaFacts, storedFacts } from './media-facts.ts';
import type { TextKind } from './text-preview.ts';

export interface ExtractTables {
  torrent_text: {
    torrent_id: number;
    /** Of the file in the torrent's tree. */
    position: number;
    blob_ref: string;
    kind: TextKind;
  };
  torrent_media: {
    torrent_id: number;
    position: number;
    /** As JSON (media-facts.ts). */
    facts: string;
  };
}

type Tables = ExtractTables & ArchiveTables & CatalogueTables;

export interface TextExtract {
  readonly position: number;
  readonly ref: BlobRef;
  readonly kind: TextKind;
}

export interface MediaExtract {
  readonly position: number;
  readonly facts: MediaFacts;
}

export interface Extracts {
  readonly texts: readonly TextExtract[];
  readonly media: readonly MediaExtract[];
}

export interface Named {
  /** Of the file. */
  readonly name: string;
  /** Position of the folder it lies in. */
  readonly parent: number;
}

/** In the order of the tree. */
export async function textsOf(
  sql: Sql,
  torrentId: number,
): Promise<readonly (TextExtract & Named)[]> {
  const rows = await sql
    .read<Tables>()
    .selectFrom('torrent_text')
    .innerJoin('archive_torrent', 'archive_torrent.torrent_id', 'torrent_text.torrent_id')
    .innerJoin('torrent_entry', (join) =>
      join
        .onRef('torrent_entry.torrent_id', '=', 'torrent_text.torrent_id')
        .onRef('torrent_entry.position', '=', 'torrent_text.position'),
    )
    .select(['torrent_text.position', 'blob_ref', 'kind', 'path', 'parent'])
    .where('torrent_text.torrent_id', '=', torrentId)
    .orderBy('torrent_text.position')
    .execute();
  return rows.flatMap(({ blob_ref: text, path, position, kind, parent }) => {
    const ref = blobRef(text);
    return ref === undefined ? [] : [{ position, ref, kind, name: nameOf(path), parent }];
  });
}

/** In the order of the tree. */
export async function mediaOf(
  sql: Sql,
  torrentId: number,
): Promise<readonly (MediaExtract & Named)[]> {
  const rows = await sql
    .read<Tables>()
    .selectFrom('torrent_media')
    .innerJoin('archive_torrent', 'archive_torrent.torrent_id', 'torrent_media.torrent_id')
    .innerJoin('torrent_entry', (join) =>
      join
        .onRef('torrent_entry.torrent_id', '=', 'torrent_media.torrent_id')
        .onRef('torrent_entry.position', '=', 'torrent_media.position'),
    )
    .select(['torrent_media.position', 'facts', 'path', 'parent'])
    .where('torrent_media.torrent_id', '=', torrentId)
    .orderBy('torrent_media.position')
    .execute();
  return rows.flatMap(({ facts: text, path, position, parent }) => {
    const facts = storedFacts(text);
    return facts === undefined ? [] : [{ position, facts, name: nameOf(path), parent }];
  });
}

/** In the place of those that were there. The blobs are stored already. */
export async function saveExtracts<Any>(
  transaction: Transaction<Any>,
  torrentId: number,
  { texts, media }: Extracts,
): Promise<void> {
  const tables = transaction as unknown as Transaction<Tables>;
  await tables.deleteFrom('torrent_text').where('torrent_id', '=', torrentId).execute();
  await tables.deleteFrom('torrent_media').where('torrent_id', '=', torrentId).execute();
  for (const { position, ref, kind } of texts) {
    const row = { torrent_id: torrentId, position, blob_ref: ref, kind };
    await tables.insertInto('torrent_text').values(row).execute();
  }
  for (const { position, facts } of media) {
    const row = { torrent_id: torrentId, position, facts: JSON.stringify(facts) };
    await tables.insertInto('torrent_media').values(row).execute();
  }
}
