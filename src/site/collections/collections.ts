// Torrents put together under a title, by a member for everybody.

import type { Generated, Selectable } from 'kysely';
import type { Clock } from '#base/clock.ts';
import { lockMember } from '#site/accounts/lock-member.ts';
import { cleanTitle } from '#site/catalogue/torrent-words.ts';
import { Refusal } from '#site/refusal.ts';
import { refuseUnseen, type Shown, versionOf } from '#site/shown.ts';
import { dialectOf } from '#sql/dialect.ts';
import type { Sql } from '#sql/sql.ts';

export interface CollectionTables {
  collection: {
    id: Generated<number>;
    member_id: number;
    title: string;
    /** Markdown. */
    description: string;
    created_ms: number;
    changed_ms: number;
  };
  collection_item: { collection_id: number; torrent_id: number; added_ms: number };
}

export interface Collection {
  readonly id: number;
  readonly memberId: number;
  readonly title: string;
  readonly description: string;
  /** Unix milliseconds. */
  readonly changedMs: number;
  readonly torrents: number;
}

export const TITLE_CHARS_MAX = 100;
export const DESCRIPTION_CHARS_MAX = 5000;
/** Of one member. */
const COLLECTIONS_MAX = 100;
/** Of one collection. */
export const ITEMS_MAX = 500;

interface World {
  readonly sql: Sql;
  readonly clock: Clock;
}

export interface CollectionWords {
  readonly title: string;
  readonly description: string;
}

export async function addCollection(
  world: World,
  memberId: number,
  words: CollectionWords,
): Promise<number | Refusal> {
  const checked = checkWords(words);
  if (checked instanceof Refusal) return checked;
  const nowMs = world.clock.nowMs();
  return await world.sql.transaction<CollectionTables, number | Refusal>(async (transaction) => {
    await lockMember(transaction, memberId);
    const own = await transaction
      .selectFrom('collection')
      .select((of) => of.fn.countAll<number>().as('rows'))
      .where('member_id', '=', memberId)
      .executeTakeFirstOrThrow();
    if (own.rows >= COLLECTIONS_MAX) {
      const text = `You have ${COLLECTIONS_MAX} collections. Remove one first.`;
      return new Refusal('collections-full', text, 'title');
    }
    const { id } = await transaction
      .insertInto('collection')
      .values({ member_id: memberId, ...checked, created_ms: nowMs, changed_ms: nowMs })
      .returning('id')
      .executeTakeFirstOrThrow();
    return id;
  });
}

export async function editCollection(
  world: World,
  id: number,
  { shown, ...words }: CollectionWords & { readonly shown: Shown },
): Promise<Refusal | undefined> {
  const checked = checkWords(words);
  if (checked instanceof Refusal) return checked;
  return await world.sql.transaction<CollectionTables, Refusal | undefined>(async (transaction) => {
    const before = await transaction
      .selectFrom('collection')
      .select(['title', 'description'])
      .where('id', '=', id)
      .$if(dialectOf(transaction) === 'postgres', (query) => query.forUpdate())
      .executeTakeFirst();
    const unseen = before && refuseUnseen(shown, collectionVersion(before));
    if (unseen !== undefined) return unseen;
    await transaction
      .updateTable('collection')
      .set({ ...checked, changed_ms: world.clock.nowMs() })
      .where('id', '=', id)
      .execute();
    return undefined;
  });
}

/** Of its words, not of what is in it. */
export function collectionVersion({ title, description }: CollectionWords): string {
  return versionOf([title, description]);
}

export async function removeCollection(sql: Sql, id: number): Promise<void> {
  await sql.transaction<CollectionTables, void>(async (transaction) => {
    await transaction.deleteFrom('collection_item').where('collection_id', '=', id).execute();
    await transaction.deleteFrom('collection').where('id', '=', id).execute();
  });
}

/** Puts a torrent in, or takes it out. */
export async function setItem(
  world: World,
  item: { readonly collectionId: number; readonly torrentId: number; readonly isIn: boolean },
): Promise<Refusal | undefined> {
  const { collectionId, torrentId, isIn } = item;
  const nowMs = world.clock.nowMs();
  return await world.sql.transaction<CollectionTables, Refusal | undefined>(async (transaction) => {
    const count = await transaction
      .selectFrom('collection_item')
      .select((of) => of.fn.countAll<number>().as('rows'))
      .where('collection_id', '=', collectionId)
      .executeTakeFirstOrThrow();
    if (isIn && count.rows >= ITEMS_MAX) {
      const text = `A collection has at most ${ITEMS_MAX} torrents.`;
      return new Refusal('collection-full', text, 'title');
    }
    if (isIn) {
      await transaction
        .insertInto('collection_item')
        .values({ collection_id: collectionId, torrent_id: torrentId, added_ms: nowMs })
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    } else {
      await transaction
        .deleteFrom('collection_item')
        .where('collection_id', '=', collectionId)
        .where('torrent_id', '=', torrentId)
        .execute();
    }
    await transaction
      .updateTable('collection')
      .set({ changed_ms: nowMs })
      .where('id', '=', collectionId)
      .execute();
    return undefined;
  });
}

/** The newest first, before an id when one is given; of one member when one is. */
export async function listCollections(
  sql: Sql,
  page: { readonly limit: number; readonly before?: number; readonly memberId?: number },
): Promise<readonly Collection[]> {
  let query = collectionsQuery(sql).orderBy('collection.id', 'desc').limit(page.limit);
  if (page.before !== undefined) query = query.where('collection.id', '<', page.before);
  if (page.memberId !== undefined) query = query.where('member_id', '=', page.memberId);
  return (await query.execute()).map(collectionOf);
}

export async function findCollection(sql: Sql, id: number): Promise<Collection | undefined> {
  const row = await collectionsQuery(sql).where('collection.id', '=', id).executeTakeFirst();
  return row === undefined ? undefined : collectionOf(row);
}

/** Ids of its torrents, as they were put in. */
export async function itemsOf(sql: Sql, id: number): Promise<readonly number[]> {
  const rows = await sql
    .read<CollectionTables>()
    .selectFrom('collection_item')
    .select('torrent_id')
    .where('collection_id', '=', id)
    .orderBy('added_ms')
    .orderBy('torrent_id')
    .limit(ITEMS_MAX)
    .execute();
  return rows.map((row) => row.torrent_id);
}

/** In which of a member's collections a torrent is. */
export async function collectionsWith(
  sql: Sql,
  which: { readonly memberId: number; readonly torrentId: number },
): Promise<ReadonlySet<number>> {
  const rows = await sql
    .read<CollectionTables>()
    .selectFrom('collection_item')
    .innerJoin('collection', 'collection.id', 'collection_item.collection_id')
    .select('collection.id')
    .where('collection.member_id', '=', which.memberId)
    .where('collection_item.torrent_id', '=', which.torrentId)
    .execute();
  return new Set(rows.map((row) => row.id));
}

function collectionsQuery(sql: Sql) {
  return sql
    .read<CollectionTables>()
    .selectFrom('collection')
    .selectAll('collection')
    .select((of) =>
      of
        .selectFrom('collection_item')
        .select((row) => row.fn.countAll<number>().as('rows'))
        .whereRef('collection_item.collection_id', '=', 'collection.id')
        .as('torrents'),
    );
}

function checkWords(words: CollectionWords): CollectionWords | Refusal {
  const title = cleanTitle(words.title);
  const description = words.description.trim();
  if (title === '' || title.length > TITLE_CHARS_MAX) {
    const text = `A title has 1 to ${TITLE_CHARS_MAX} characters.`;
    return new Refusal('title-missing', text, 'title');
  }
  if (description.length > DESCRIPTION_CHARS_MAX) {
    const text = `A description has at most ${DESCRIPTION_CHARS_MAX} characters.`;
    return new Refusal('description-long', text, 'description');
  }
  return { title, description };
}

type Row = Selectable<CollectionTables['collection']> & { readonly torrents: number | null };

function collectionOf(row: Row): Collection {
  return {
    id: row.id,
    memberId: row.member_id,
    title: row.title,
    description: row.description,
    changedMs: row.changed_ms,
    torrents: row.torrents ?? 0,
  };
}
