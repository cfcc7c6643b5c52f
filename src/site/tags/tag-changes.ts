// Renaming a tag, and joining it with another: each torrent that has it gets the other one in its place,
// in a transaction of its own that also tells its history and the search. A change that many torrents
// have to follow is ended by the job `tag-changes`, also after a crash.

import { type Generated, sql as raw } from 'kysely';
import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import { cleanTags, WORDS_LIMITS } from '#site/catalogue/torrent-words.ts';
import { type CatalogueWorld, updateTorrent } from '#site/catalogue/torrents.ts';
import { Refusal } from '#site/refusal.ts';
import { changeTagInSearches } from '#site/searches/search-tags.ts';
import { isUniqueViolation } from '#sql/dialect.ts';
import type { Sql } from '#sql/sql.ts';

export interface TagTables extends CatalogueTables {
  tag_change: {
    id: Generated<number>;
    from_name: string;
    into_name: string;
    member_id: number;
    /** Unix milliseconds. */
    begun_ms: number;
    done_ms: number | null;
  };
}

export interface TagChange {
  readonly from: string;
  readonly into: string;
}

export interface OpenTagChange extends TagChange {
  readonly id: number;
  readonly memberId: number;
}

export interface PlannedTagChange extends TagChange {
  /** Not removed ones that have it now. */
  readonly torrents: number;
  /** The other one is there already: nobody can tell afterwards which torrent had which. */
  readonly isJoin: boolean;
}

const TORRENTS_AT_ONCE = 50;
const OPEN_MAX = 100;

/** What a change would do, or why it cannot be. */
export async function planTagChange(
  sql: Sql,
  asked: TagChange,
): Promise<PlannedTagChange | Refusal> {
  const [into, ...more] = cleanTags([asked.into]);
  if (into === undefined || more.length > 0 || into.length > WORDS_LIMITS.tagCharsMax) {
    const words = `A tag has 1 to ${WORDS_LIMITS.tagCharsMax} letters, digits and hyphens.`;
    return new Refusal('tag-invalid', words, 'into');
  }
  const { from } = asked;
  const tables = sql.read<TagTables>();
  const rows = await tables
    .selectFrom('tag')
    .select(['name', 'torrents'])
    .where('name', 'in', [from, into])
    .execute();
  const own = rows.find(({ name }) => name === from);
  if (own === undefined) {
    return new Refusal('tag-unknown', `There is no tag “${from.slice(0, 40)}”.`, 'from');
  }
  if (from === into) return new Refusal('tag-same', 'It is called so already.', 'into');
  const open = await openTagChanges(sql);
  if (open.some((one) => [one.from, one.into].some((name) => name === from || name === into))) {
    const words = 'One of the two is being changed right now. Wait until that is done.';
    return new Refusal('tag-changing', words, 'from');
  }
  return { from, into, torrents: own.torrents, isJoin: rows.length > 1 };
}

/** Written down: from then on it is carried out, whatever happens. */
export async function beginTagChange(
  world: CatalogueWorld,
  asked: TagChange & { readonly memberId: number },
): Promise<OpenTagChange | Refusal> {
  const planned = await planTagChange(world.sql, asked);
  if (planned instanceof Refusal) return planned;
  const { from, into } = planned;
  const { memberId } = asked;
  try {
    const { id } = await world.sql.transaction<TagTables, { id: number }>(
      async (transaction) =>
        await transaction
          .insertInto('tag_change')
          .values({
            ...{ from_name: from, into_name: into, member_id: memberId },
            ...{ begun_ms: world.clock.nowMs(), done_ms: null },
          })
          .returning('id')
          .executeTakeFirstOrThrow(),
    );
    return { id, from, into, memberId };
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    return new Refusal('tag-changing', 'It is being changed right now.', 'from');
  }
}

export async function openTagChanges(sql: Sql): Promise<readonly OpenTagChange[]> {
  const rows = await sql
    .read<TagTables>()
    .selectFrom('tag_change')
    .selectAll()
    .where('done_ms', 'is', null)
    .orderBy('id')
    .limit(OPEN_MAX)
    .execute();
  return rows.map((row) => ({
    ...{ id: row.id, from: row.from_name, into: row.into_name, memberId: row.member_id },
  }));
}

/**
 * Carries it out, at most so many torrents; true when it is done. Doing it again after a crash goes on where
 * it stopped.
 */
export async function carryOut(
  world: CatalogueWorld,
  change: OpenTagChange,
  bounds: { readonly torrentsMax: number; readonly signal?: AbortSignal },
): Promise<boolean> {
  const { from, into, memberId: changedBy } = change;
  const isOther = (tag: string): boolean => tag !== from;
  let left = bounds.torrentsMax;
  for (let after = 0; left > 0; ) {
    bounds.signal?.throwIfAborted();
    const limit = Math.min(left, TORRENTS_AT_ONCE);
    const ids = await torrentsWith(world.sql, from, { after, limit });
    for (const id of ids) {
      await updateTorrent(world, id, ({ tags, ...words }) => {
        const others = tags.filter(isOther);
        const changed = others.length === tags.length ? tags : [...new Set([...others, into])];
        return { ...words, tags: changed, changedBy, isBounded: false };
      });
    }
    left -= ids.length;
    after = ids.at(-1) ?? after;
    if (ids.length < limit) return await finish(world, change);
  }
  return false;
}

/** Listed ones, by id. */
async function torrentsWith(
  sql: Sql,
  tag: string,
  page: { readonly after: number; readonly limit: number },
): Promise<readonly number[]> {
  const rows = await sql
    .read<TagTables>()
    .selectFrom('torrent_tag')
    .innerJoin('tag', 'tag.id', 'torrent_tag.tag_id')
    .innerJoin('torrent', 'torrent.id', 'torrent_tag.torrent_id')
    .select('torrent_tag.torrent_id')
    .where('tag.name', '=', tag)
    .where('torrent.removed_ms', 'is', null)
    .where('torrent_tag.torrent_id', '>', page.after)
    .orderBy('torrent_tag.torrent_id')
    .limit(page.limit)
    .execute();
  return rows.map((row) => row.torrent_id);
}

/** False when a torrent got the tag meanwhile: then the job goes on. */
async function finish(world: CatalogueWorld, change: OpenTagChange): Promise<boolean> {
  const { id, from } = change;
  return await world.sql.transaction<TagTables, boolean>(async (transaction) => {
    const own = await transaction
      .selectFrom('tag')
      .select('id')
      .where('name', '=', from)
      .executeTakeFirst();
    if (own !== undefined) {
      const listed = await transaction
        .selectFrom('torrent_tag')
        .innerJoin('torrent', 'torrent.id', 'torrent_tag.torrent_id')
        .select('torrent.id')
        .where('tag_id', '=', own.id)
        .where('torrent.removed_ms', 'is', null)
        .limit(1)
        .executeTakeFirst();
      if (listed !== undefined) return false;
      // Of removed torrents alone, which nobody finds by it any more.
      await transaction.deleteFrom('torrent_tag').where('tag_id', '=', own.id).execute();
      await transaction.deleteFrom('tag').where('id', '=', own.id).execute();
    }
    await changeTagInSearches(transaction, change);
    await transaction
      .updateTable('tag_change')
      .set({ done_ms: world.clock.nowMs() })
      .where('id', '=', id)
      .execute();
    return true;
  });
}

/** By name, from one on; those that no torrent has are left out. */
export async function listTags(
  sql: Sql,
  page: { readonly limit: number; readonly after?: string; readonly begin?: string },
): Promise<readonly { readonly name: string; readonly torrents: number }[]> {
  let query = sql
    .read<TagTables>()
    .selectFrom('tag')
    .select(['name', 'torrents'])
    .where('torrents', '>', 0)
    .orderBy('name')
    .limit(page.limit);
  if (page.after !== undefined) query = query.where('name', '>', page.after);
  const { begin = '' } = page;
  if (begin !== '') {
    const chars = raw.lit([...begin].length);
    query = query.where(raw<boolean>`substr(name, 1, ${chars}) = ${begin}`);
  }
  return await query.execute();
}
