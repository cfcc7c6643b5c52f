// Categories and tags: what torrents are sorted under. A torrent has one category and any tags.

import { fixedQuery } from '#sql/fixed-query.ts';
import { type GivenList, givenList, isOneOf } from '#sql/given-ids.ts';
import type { Sql } from '#sql/sql.ts';
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

/** In the order the operator gave them. */
export async function listCategories(sql: Sql): Promise<readonly Category[]> {
  return await categoryRows(sql.read(), {});
}

const categoryRows = fixedQuery((reading: Catalogue, _: object) =>
  reading.selectFrom('category').select(['slug', 'name']).orderBy('position').limit(CATEGORIES_MAX),
);

/** The tags that most torrents have, for the filter. */
export async function commonTags(sql: Sql, limit: number): Promise<readonly TagCount[]> {
  return await tagRows(sql.read(), { limit });
}

const tagRows = fixedQuery((reading: Catalogue, given: { limit: number }) =>
  reading
    .selectFrom('tag')
    .select(['name', 'torrents'])
    .where('torrents', '>', 0)
    .orderBy('torrents', 'desc')
    .orderBy('name', 'desc')
    .limit(given.limit),
);

const tagsOfTorrents = fixedQuery((catalogue: Catalogue, given: { ids: GivenList }) =>
  catalogue
    .selectFrom('torrent_tag')
    .innerJoin('tag', 'tag.id', 'torrent_tag.tag_id')
    .select(['torrent_tag.torrent_id', 'tag.name'])
    .where(isOneOf(catalogue, 'torrent_tag.torrent_id', given.ids))
    .orderBy('tag.name'),
);

/** Tags of each torrent, by name. Torrents without one are absent. */
export async function tagsOf(
  catalogue: Catalogue,
  torrentIds: readonly number[],
): Promise<ReadonlyMap<number, readonly string[]>> {
  const tags = new Map<number, string[]>();
  if (torrentIds.length === 0) return tags;
  const rows = await tagsOfTorrents(catalogue, { ids: givenList(catalogue, torrentIds) });
  for (const row of rows) {
    const list = tags.get(row.torrent_id);
    if (list === undefined) tags.set(row.torrent_id, [row.name]);
    else list.push(row.name);
  }
  return tags;
}

/** The torrent is removed: its tags have one less. */
export async function uncountTags(transaction: Catalogue, torrentId: number): Promise<void> {
  await countTags(transaction, { ids: await tagIdsOf(transaction, torrentId), by: -1 });
}

async function tagIdsOf(transaction: Catalogue, torrentId: number): Promise<readonly number[]> {
  const rows = await transaction
    .selectFrom('torrent_tag')
    .select('tag_id')
    .where('torrent_id', '=', torrentId)
    .execute();
  return rows.map((row) => row.tag_id);
}

/** Waits for others that count the same tags, always in one order. */
async function countTags(
  transaction: Catalogue,
  ...changes: readonly { readonly ids: readonly number[]; readonly by: 1 | -1 }[]
): Promise<void> {
  const all = changes.flatMap(({ ids, by }) => ids.map((id) => ({ id, by })));
  for (const { id, by } of all.sort((a, b) => a.id - b.id)) {
    await transaction
      .updateTable('tag')
      .set((of) => ({ torrents: of('torrents', '+', by) }))
      .where('id', '=', id)
      .execute();
  }
}

/** Replaces the tags of a torrent that is not removed; tags that are new are made. */
export async function setTags(
  transaction: Catalogue,
  torrentId: number,
  tags: readonly string[],
): Promise<void> {
  const before = await tagIdsOf(transaction, torrentId);
  await transaction.deleteFrom('torrent_tag').where('torrent_id', '=', torrentId).execute();
  if (tags.length > 0) await insertTags(transaction, torrentId, tags.toSorted());
  const after = await tagIdsOf(transaction, torrentId);
  await countTags(
    transaction,
    { ids: before.filter((id) => !after.includes(id)), by: -1 },
    { ids: after.filter((id) => !before.includes(id)), by: 1 },
  );
}

/** `names` in order, so that two uploads with the same new tags cannot wait for each other. */
async function insertTags(
  transaction: Catalogue,
  torrentId: number,
  names: readonly string[],
): Promise<void> {
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
