// Torrents that were picked by hand, as lines: bookmarks, what is in a collection, what needs seeds.

import { html } from 'hono/html';
import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import { shownHash } from '#site/catalogue/find-torrent.ts';
import { badge, health } from '#site/components/badge.ts';
import { bytes } from '#site/components/figures.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { type Column, table } from '#site/components/table.ts';
import { formatCount } from '#site/format/number.ts';
import { hrefTo } from '#site/routes.ts';
import type { Swarms } from '#site/swarms.ts';
import type { Sql } from '#sql/sql.ts';

export interface TorrentLine {
  readonly id: number;
  readonly infoHash: string;
  readonly title: string;
  readonly categoryName: string;
  readonly sizeBytes: number;
  readonly isRemoved: boolean;
  readonly seeders: number;
  readonly leechers: number;
}

export const LINES_MAX = 500;

/** In the order of the ids; at most LINES_MAX of them. */
export async function torrentLines(
  world: { readonly sql: Sql; readonly swarms: Swarms },
  ids: readonly number[],
): Promise<readonly TorrentLine[]> {
  const wanted = ids.slice(0, LINES_MAX);
  if (wanted.length === 0) return [];
  const rows = await world.sql
    .read<CatalogueTables>()
    .selectFrom('torrent')
    .innerJoin('category', 'category.id', 'torrent.category_id')
    .selectAll('torrent')
    .select('category.name as category_name')
    .where('torrent.id', 'in', wanted)
    .execute();
  const byId = new Map(rows.map((row) => [row.id, row]));
  return wanted.flatMap((id) => {
    const row = byId.get(id);
    if (row === undefined) return [];
    const { seeders = 0, leechers = 0 } = world.swarms.counts(id) ?? {};
    return [
      {
        ...{ id, title: row.title, categoryName: row.category_name, seeders, leechers },
        infoHash: shownHash(row.info_hash_v1, row.info_hash_v2),
        sizeBytes: row.size_bytes,
        isRemoved: row.removed_ms !== null,
      },
    ];
  });
}

export function torrentTable(
  caption: string,
  lines: readonly TorrentLine[],
  more: readonly Column<TorrentLine>[] = [],
): Html {
  return table({
    caption,
    rows: lines,
    columns: [
      {
        label: 'Torrent',
        kind: 'title',
        cell: (line) =>
          html`<a href="${hrefTo('torrent', { hash: line.infoHash })}">${line.title}</a>${line.isRemoved ? html` ${badge('bad', 'Removed')}` : NOTHING}`,
      },
      { label: 'Category', cell: (line) => line.categoryName },
      { label: 'Size', kind: 'figure', cell: (line) => bytes(line.sizeBytes) },
      { label: 'Health', cell: (line) => health(line) },
      { label: 'Leechers', kind: 'figure', cell: (line) => formatCount(line.leechers) },
      ...more,
    ],
  });
}
