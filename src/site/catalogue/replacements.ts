// A torrent that takes the place of another: the old one is removed in the same transaction, and its
// clients read at the tracker which one is the new.

import type { Sql } from '#sql/sql.ts';
import type { CatalogueTables } from './catalogue-tables.ts';
import { findTorrentByHash, shownHash, type Torrent } from './find-torrent.ts';

export interface OtherTorrent {
  readonly infoHash: string;
  readonly title: string;
}

/** Torrents beside a torrent: the one that replaced it, and those that it replaced. */
export interface Replacements {
  readonly replacedBy: OtherTorrent | undefined;
  /** Newest first. */
  readonly replaces: readonly OtherTorrent[];
}

const TITLE_CHARS_MAX = 90;
const SHOWN_MAX = 5;

/** What the members and the clients of the old one read; with its hash they find the new one. */
export function replacedWords({ title, infoHash }: OtherTorrent): string {
  const cut = [...title];
  const short = cut.length > TITLE_CHARS_MAX ? `${cut.slice(0, TITLE_CHARS_MAX).join('')}…` : title;
  return `replaced by “${short}”, ${infoHash}`;
}

/** The listed torrent that somebody named by its hash or its page's address; undefined for none. */
export async function namedTorrent(sql: Sql, text: string): Promise<Torrent | undefined> {
  const hash = /(?<![0-9a-f])([0-9a-f]{64}|[0-9a-f]{40})(?![0-9a-f])/i.exec(text)?.[1];
  if (hash === undefined) return undefined;
  const torrent = await findTorrentByHash(sql, hash);
  return torrent?.removedMs === undefined ? torrent : undefined;
}

export async function replacementsOf(sql: Sql, torrent: Torrent): Promise<Replacements> {
  const read = (): ReturnType<typeof selection> => selection(sql);
  const [newer, older] = await Promise.all([
    torrent.replacedById === undefined
      ? []
      : read().where('id', '=', torrent.replacedById).execute(),
    read().where('replaced_by', '=', torrent.id).orderBy('id', 'desc').limit(SHOWN_MAX).execute(),
  ]);
  return { replacedBy: newer.map(otherOf)[0], replaces: older.map(otherOf) };
}

function selection(sql: Sql) {
  return sql
    .read<CatalogueTables>()
    .selectFrom('torrent')
    .select(['title', 'info_hash_v1', 'info_hash_v2']);
}

function otherOf(row: {
  readonly title: string;
  readonly info_hash_v1: Uint8Array | null;
  readonly info_hash_v2: Uint8Array | null;
}): OtherTorrent {
  return { title: row.title, infoHash: shownHash(row.info_hash_v1, row.info_hash_v2) };
}
