// Categories and tags: what torrents are sorted under. A torrent has one category and any tags.

import type { Sql } from '#sql/sql.ts';
import type { CatalogueTables } from './catalogue-tables.ts';
import type { Catalogue } from './search-index.ts';

export interface Category {
  readonly slug: string;
  readonly name: string;
}

export interface TagCount {
  readonly name: string;
  readonly torrents: number;
}

const CATEGORIES_MAX = 200;
const IN_MAX = 500;

/** In the order the operator gave them. */
export async function listCategories(sql: Sql): Promise<readonly Category[]> {
  return await sql
    .read<CatalogueTables>()
    .selectFrom('category')
    .select(['slug', 'name'])
    .orderBy('position')
    .limit(CATEGORIES_MAX)
    .execute();
}

/** The tags that most torrents have, for the filter. */
export async function commonTags(sql: Sql, limit: number): Promise<readonly TagCount[]> {
  return await sql
    .read<CatalogueTables>()
    .selectFrom('torrent_tag')
    .innerJoin('tag', 'tag.id', 'torrent_tag.tag_id')
    .innerJoin('torrent', 'torrent.id', 'torrent_tag.torrent_id')
    .where('torrent.removed_ms', 'is', null)
    .groupBy('tag.name')
    .select((of) => ['tag.name', of.fn.countAll<number>().as('torrents')])
    .orderBy('torrents', 'desc')
    .orderBy('tag.name')
    .limit(limit)
    .execute();
}

/** Tags of each torrent, by name. Torrents without one are absent. */
export async function tagsOf(
  catalogue: Catalogue,
  torrentIds: readonly number[],
): Promise<ReadonlyMap<number, readonly string[]>> {
  const tags = new Map<number, string[]>();
  if (torrentIds.length === 0) return tags;
  const rows = await catalogue
    .selectFrom('torrent_tag')
    .innerJoin('tag', 'tag.id', 'torrent_tag.tag_id')
    .select(['torrent_tag.torrent_id', 'tag.name'])
    .where('torrent_tag.torrent_id', 'in', torrentIds.slice(0, IN_MAX))
    .orderBy('tag.name')
    .execute();
  for (const row of rows) {
    const list = tags.get(row.torrent_id);
    if (list === undefined) tags.set(row.torrent_id, [row.name]);
    else list.push(row.name);
  }
  return tags;
}

/** Replaces the torrent's tags; tags that are new are made. */
export async function setTags(
  transaction: Catalogue,
  torrentId: number,
  tags: readonly string[],
): Promise<void> {
  await transaction.deleteFrom('torrent_tag').where('torrent_id', '=', torrentId).execute();
  if (tags.length === 0) return;
  // Always in one order, so that two uploads with the same new tags cannot wait for each other.
  const names = tags.toSorted();
  await transaction
    .insertInto('tag')
    .values(names.map((name) => ({ name })))
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  await transaction
    .insertInto('torrent_tag')
    .columns(['torrent_id', 'tag_id'])
    .expression((of) =>
      of
        .selectFrom('tag')
        .select((row) => [row.val(torrentId).as('torrent_id'), 'tag.id as tag_id'])
        .where('tag.name', 'in', names),
    )
    .execute();
}
