// What is written of torrents, as it stands in the database, for their search index.

import type { Kysely } from 'kysely';
import type { CatalogueTables } from './catalogue-tables.ts';
import { tagsOf } from './categories.ts';
import { entryNames } from './file-entries.ts';
import type { SearchText } from './search-terms.ts';
import { SEARCH_LIMITS } from './search-words.ts';

/** Of those of the ids that there are, removed ones too. */
export async function storedTexts(
  catalogue: Kysely<CatalogueTables>,
  ids: readonly number[],
): Promise<readonly { readonly id: number; readonly text: SearchText }[]> {
  if (ids.length === 0) return [];
  const torrents = await catalogue
    .selectFrom('torrent')
    .select(['id', 'name', 'title', 'description', 'category_id'])
    .where('id', 'in', ids)
    .orderBy('id')
    .execute();
  const tags = await tagsOf(catalogue, ids);
  const texts: { readonly id: number; readonly text: SearchText }[] = [];
  for (const { id, name, title, description, category_id: categoryId } of torrents) {
    const files = `${name} ${await storedNames(catalogue, id)}`;
    texts.push({ id, text: { title, description, categoryId, tags: tags.get(id) ?? [], files } });
  }
  return texts;
}

/** Names of a torrent's files and folders. */
async function storedNames(catalogue: Kysely<CatalogueTables>, torrentId: number): Promise<string> {
  const rows = await catalogue
    .selectFrom('torrent_entry')
    .select('path')
    .where('torrent_id', '=', torrentId)
    .orderBy('position')
    .limit(SEARCH_LIMITS.textCharsMax / 2)
    .execute();
  return entryNames(rows, SEARCH_LIMITS.textCharsMax);
}
