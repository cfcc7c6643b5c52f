// Makes the search index of torrents that are there already, from what is written of them: after an
// upgrade that cuts words in another way, page by page beside the living site.

import type { Kysely } from 'kysely';
import type { AccountTables } from '#site/accounts/account-tables.ts';
import type { CatalogueTables } from './catalogue-tables.ts';
import { indexTorrents, lockSearchIndex } from './search-index.ts';
import { TERMS_VERSION } from './search-terms.ts';
import { storedTexts } from './stored-texts.ts';

/** More at once write fewer rows, and keep others from writing for longer. */
const AT_ONCE_ALONE = 2000;
const AT_ONCE = 200;
/** How far the index of every torrent is made as TERMS_VERSION says. */
const SETTING = 'search-terms';

interface Progress {
  readonly version: number;
  /** Torrents through this one are done; undefined when all are. */
  readonly through: number | undefined;
}

/** All of them, in the transaction of an upgrade. */
export async function reindexTorrents(transaction: Kysely<never>): Promise<void> {
  while (!(await reindexSome(transaction, AT_ONCE_ALONE)).isDone);
}

/**
 * The next page, from where the one before ended, also when that was in another process. Adds what the index
 * lacks: a word that is no longer cut so is found until its torrent is removed. Removed ones are not in it.
 */
export async function reindexSome(
  transaction: Kysely<never>,
  atOnce = AT_ONCE,
): Promise<{ readonly isDone: boolean; readonly torrents: number }> {
  const catalogue = transaction as unknown as Kysely<CatalogueTables & AccountTables>;
  await lockSearchIndex(catalogue as unknown as Kysely<CatalogueTables>);
  const progress = await readProgress(catalogue);
  const isCurrent = progress?.version === TERMS_VERSION;
  if (isCurrent && progress.through === undefined) return { isDone: true, torrents: 0 };
  const torrents = await catalogue
    .selectFrom('torrent')
    .select('id')
    .where('removed_ms', 'is', null)
    .where('id', '>', isCurrent ? (progress.through ?? 0) : 0)
    .orderBy('id')
    .limit(atOnce)
    .execute();
  const ids = torrents.map(({ id }) => id);
  const texts = await storedTexts(catalogue as unknown as Kysely<CatalogueTables>, ids);
  await indexTorrents(catalogue as unknown as Kysely<CatalogueTables>, texts);
  const isDone = ids.length < atOnce;
  await writeProgress(catalogue, {
    version: TERMS_VERSION,
    through: isDone ? undefined : ids.at(-1),
  });
  return { isDone, torrents: ids.length };
}

async function readProgress(
  catalogue: Kysely<CatalogueTables & AccountTables>,
): Promise<Progress | undefined> {
  const row = await catalogue
    .selectFrom('setting')
    .select('value')
    .where('name', '=', SETTING)
    .executeTakeFirst();
  return row === undefined ? undefined : (JSON.parse(row.value) as Progress);
}

async function writeProgress(
  catalogue: Kysely<CatalogueTables & AccountTables>,
  progress: Progress,
): Promise<void> {
  const value = JSON.stringify(progress);
  await catalogue
    .insertInto('setting')
    .values({ name: SETTING, value })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ value }))
    .execute();
}
