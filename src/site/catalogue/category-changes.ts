// How the operator orders categories.

import type { Transaction } from 'kysely';
import { Refusal } from '#site/refusal.ts';
import { refuseUnseen, type Shown, versionOf } from '#site/shown.ts';
import { isUniqueViolation, lockForTransaction } from '#sql/dialect.ts';
import type { Sql } from '#sql/sql.ts';
import type { CatalogueTables } from './catalogue-tables.ts';
import type { Category } from './categories.ts';

export interface CategoryCount extends Category {
  /** Not removed ones. */
  readonly torrents: number;
}

const CATEGORIES_MAX = 200;
const NAME_CHARS_MAX = 50;
const SLUG = /^[a-z0-9][a-z0-9-]{0,31}$/;

export async function categoryCounts(sql: Sql): Promise<readonly CategoryCount[]> {
  const rows = await sql
    .read<CatalogueTables>()
    .selectFrom('category')
    .select(['slug', 'name'])
    .select((of) =>
      of
        .selectFrom('torrent')
        .select((row) => row.fn.countAll<number>().as('rows'))
        .whereRef('torrent.category_id', '=', 'category.id')
        .as('torrents'),
    )
    .orderBy('position')
    .limit(CATEGORIES_MAX)
    .execute();
  return rows.map(({ torrents, ...rest }) => ({ ...rest, torrents: torrents ?? 0 }));
}

export async function addCategory(sql: Sql, category: Category): Promise<Refusal | undefined> {
  const name = category.name.replaceAll(/\s+/g, ' ').trim();
  const { slug } = category;
  if (!SLUG.test(slug)) {
    const words = 'Small letters, digits and hyphens, at most 32; the first is no hyphen.';
    return new Refusal('slug-invalid', words, 'slug');
  }
  if (name === '' || name.length > NAME_CHARS_MAX) return NAME_WRONG;
  try {
    return await sql.transaction<CatalogueTables, Refusal | undefined>(async (transaction) => {
      const last = await transaction
        .selectFrom('category')
        .select((of) => [
          of.fn.max<number | null>('position').as('position'),
          of.fn.countAll<number>().as('rows'),
        ])
        .executeTakeFirstOrThrow();
      if (last.rows >= CATEGORIES_MAX) {
        return new Refusal('categories-full', `At most ${CATEGORIES_MAX} categories.`, 'slug');
      }
      const position = (last.position ?? 0) + 1;
      await transaction.insertInto('category').values({ slug, name, position }).execute();
      return undefined;
    });
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    return new Refusal('slug-taken', `There is a category "${slug}" already.`, 'slug');
  }
}

export async function renameCategory(
  sql: Sql,
  category: Category,
  shown: Shown = [],
): Promise<Refusal | undefined> {
  const name = category.name.replaceAll(/\s+/g, ' ').trim();
  if (name === '' || name.length > NAME_CHARS_MAX) return NAME_WRONG;
  return await sql.transaction<CatalogueTables, Refusal | undefined>(async (transaction) => {
    const unseen = await refuseUnseenOrder(transaction, shown);
    if (unseen !== undefined) return unseen;
    const { numUpdatedRows } = await transaction
      .updateTable('category')
      .set({ name })
      .where('slug', '=', category.slug)
      .executeTakeFirst();
    return numUpdatedRows > 0n ? undefined : UNKNOWN;
  });
}

/** Changes places with the one above. */
export async function swapCategory(
  sql: Sql,
  slug: string,
  shown: Shown = [],
): Promise<Refusal | undefined> {
  return await sql.transaction<CatalogueTables, Refusal | undefined>(async (transaction) => {
    const unseen = await refuseUnseenOrder(transaction, shown);
    if (unseen !== undefined) return unseen;
    const all = await transaction
      .selectFrom('category')
      .select(['id', 'slug', 'position'])
      .orderBy('position')
      .execute();
    const at = all.findIndex((one) => one.slug === slug);
    const own = all[at];
    const above = all[at - 1];
    if (own === undefined) return UNKNOWN;
    if (above === undefined) return undefined;
    for (const [id, position] of [
      [own.id, above.position],
      [above.id, own.position],
    ] as const) {
      await transaction.updateTable('category').set({ position }).where('id', '=', id).execute();
    }
    return undefined;
  });
}

/** Only one that no torrent has, not even one that was removed. */
export async function removeCategory(sql: Sql, slug: string): Promise<Refusal | undefined> {
  return await sql.transaction<CatalogueTables, Refusal | undefined>(async (transaction) => {
    const row = await transaction
      .selectFrom('category')
      .select('id')
      .where('slug', '=', slug)
      .executeTakeFirst();
    if (row === undefined) return UNKNOWN;
    const used = await transaction
      .selectFrom('torrent')
      .select('id')
      .where('category_id', '=', row.id)
      .executeTakeFirst();
    if (used !== undefined) {
      return new Refusal('category-used', 'Torrents are in it; move them first.', 'slug');
    }
    const all = await transaction.selectFrom('category').select('id').limit(2).execute();
    if (all.length < 2) return new Refusal('category-last', 'One has to stay.', 'slug');
    await transaction.deleteFrom('category').where('id', '=', row.id).execute();
    return undefined;
  });
}

/** Of their names and their order. */
export function categoriesVersion(categories: readonly Category[]): string {
  return versionOf(categories.map(({ slug, name }) => [slug, name]));
}

/** Who orders them goes one after another. */
async function refuseUnseenOrder(
  transaction: Transaction<CatalogueTables>,
  shown: Shown,
): Promise<Refusal | undefined> {
  await lockForTransaction(transaction, 'settings');
  const query = transaction.selectFrom('category').select(['slug', 'name']).orderBy('position');
  return refuseUnseen(shown, categoriesVersion(await query.limit(CATEGORIES_MAX).execute()));
}

const UNKNOWN = new Refusal('category-unknown', 'There is no such category.', 'slug');
const NAME_WRONG = new Refusal(
  'name-missing',
  `A name has 1 to ${NAME_CHARS_MAX} characters.`,
  'name',
);
