// What an event says of a change: what the catalogue has now of that torrent. A change that a later one took
// back already is told by nothing.

import type { Selectable } from 'kysely';
import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import { FILES_A_PAGE, filePages } from '#archive/catalogue/kept-torrents.ts';
import { assert } from '#base/assert.ts';
import type { BlobRef } from '#base/ids.ts';
import { endInTurns } from '#base/steps.ts';
import type { Sql } from '#sql/sql.ts';
import { BLOB_BYTES_MAX, type Store } from '#store/store.ts';
import { encodeEntryList, LIST_ENTRIES_MAX, type ListedFile } from './entry-list.ts';
import type { EventBody, EventTorrent } from './event.ts';
import type { EventTables } from './event-tables.ts';

/** What is known of a torrent besides its content. */
export type TorrentWords = Omit<EventTorrent, 'file'> & { readonly torrentFile: Uint8Array };

export type ChangeRow = Selectable<EventTables['archive_change']>;

export interface TellingWorld {
  readonly sql: Sql;
  readonly store: Store;
  readonly describe: (torrentId: number) => Promise<TorrentWords | undefined>;
}

/** Undefined when there is nothing to tell. What it names is in the store. */
export async function bodyOfChange(
  world: TellingWorld,
  of: {
    readonly row: ChangeRow;
    readonly change: string;
    /** Names of the events that stand for the torrent. */
    readonly live: readonly string[];
  },
): Promise<EventBody | undefined> {
  const { row, change, live } = of;
  const torrentId = row.torrent_id;
  const words = await world.describe(torrentId);
  if (words === undefined) return undefined;
  if (row.kind === 'drop') {
    const { infoHash } = words;
    return live.length === 0 ? undefined : { kind: 'delete', change, infoHash, withdraws: live };
  }
  const sinceMs = await sinceOf(world.sql, row.kind, torrentId);
  if (sinceMs === undefined) return undefined;
  if (row.kind === 'want') {
    return { kind: 'want', change, torrent: await torrentOf(world, words), wantedMs: sinceMs };
  }
  const lists: BlobRef[] = [];
  for await (const files of listsOf(world.sql, torrentId)) {
    const list = await endInTurns(encodeEntryList(files));
    const { ref } = await world.store.put(list, { noRush: true });
    lists.push(ref);
  }
  return { kind: 'keep', change, torrent: await torrentOf(world, words), keptMs: sinceMs, lists };
}

async function torrentOf(world: TellingWorld, words: TorrentWords): Promise<EventTorrent> {
  const { torrentFile, ...torrent } = words;
  const refs: BlobRef[] = [];
  for (let at = 0; at < torrentFile.length; at += BLOB_BYTES_MAX) {
    const part = torrentFile.subarray(at, at + BLOB_BYTES_MAX);
    refs.push((await world.store.put(part, { noRush: true })).ref);
  }
  const [file, ...rest] = refs;
  assert(file !== undefined, 'a .torrent file has bytes');
  return { ...torrent, file, ...(rest.length > 0 && { rest }) };
}

/** Since when it is kept or wanted; undefined when it is not any more. */
async function sinceOf(
  sql: Sql,
  kind: 'keep' | 'want',
  torrentId: number,
): Promise<number | undefined> {
  const tables = sql.read<ArchiveTables>();
  if (kind === 'keep') {
    const row = await tables
      .selectFrom('archive_torrent')
      .select('kept_ms')
      .where('torrent_id', '=', torrentId)
      .executeTakeFirst();
    return row?.kept_ms;
  }
  const row = await tables
    .selectFrom('archive_wanted')
    .select('wanted_ms')
    .where('torrent_id', '=', torrentId)
    .executeTakeFirst();
  return row?.wanted_ms;
}

/** The files of a kept torrent, in parts that fit a list each. */
export async function* listsOf(
  sql: Sql,
  torrentId: number,
): AsyncGenerator<(ListedFile | undefined)[]> {
  assert(LIST_ENTRIES_MAX % FILES_A_PAGE === 0, 'a list ends where a page ends');
  let files: (ListedFile | undefined)[] = [];
  for await (const page of filePages(sql, torrentId)) {
    for (const file of page) files.push(file);
    if (files.length < LIST_ENTRIES_MAX) continue;
    yield files;
    files = [];
  }
  if (files.length > 0) yield files;
}
