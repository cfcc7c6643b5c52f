// Searches that a member keeps under a name: on the list of torrents, and as feeds. Only what narrows
// and orders the list is kept, never what it found, so that a saved search finds what is new.

import type { Generated, Kysely } from 'kysely';
import type { Clock } from '#base/clock.ts';
import { lockMember } from '#site/accounts/lock-member.ts';
import { filtersOfText, filtersText, type ListFilters } from '#site/catalogue/list-filters.ts';
import { cleanTitle } from '#site/catalogue/torrent-words.ts';
import { Refusal } from '#site/refusal.ts';
import { fixedQuery } from '#sql/fixed-query.ts';
import type { Sql } from '#sql/sql.ts';

export interface SearchTables {
  saved_search: {
    id: Generated<number>;
    member_id: number;
    /** Unique among the member's. */
    name: string;
    /** As `filtersText` writes them. */
    filters: string;
    created_ms: number;
  };
}

export interface SavedSearch {
  readonly id: number;
  readonly memberId: number;
  readonly name: string;
  /** For `listQueryOf`, which makes of them what `listTorrents` takes. */
  readonly filters: ListFilters;
  /** Unix milliseconds. */
  readonly createdMs: number;
}

export const SEARCH_NAME_CHARS_MAX = 60;
/** Of one member. */
export const SEARCHES_MAX = 50;

/** Undefined unless that member has a saved search of this id. */
export async function savedSearchOf(
  sql: Sql,
  memberId: number,
  id: number,
): Promise<SavedSearch | undefined> {
  const row = await sql
    .read<SearchTables>()
    .selectFrom('saved_search')
    .selectAll()
    .where('member_id', '=', memberId)
    .where('id', '=', id)
    .executeTakeFirst();
  return row === undefined ? undefined : searchOf(row);
}

/** All of a member's, by name. */
const searchRows = fixedQuery((reading: Kysely<SearchTables>, given: { memberId: number }) =>
  reading
    .selectFrom('saved_search')
    .selectAll()
    .where('member_id', '=', given.memberId)
    .limit(SEARCHES_MAX),
);

export async function savedSearchesOf(sql: Sql, memberId: number): Promise<readonly SavedSearch[]> {
  const rows = await searchRows(sql.read(), { memberId });
  return rows.map(searchOf).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Under a name that is there already it replaces what was kept. */
export async function saveSearch(
  world: { readonly sql: Sql; readonly clock: Clock },
  asked: { readonly memberId: number; readonly name: string; readonly filters: ListFilters },
): Promise<SavedSearch | Refusal> {
  const { memberId } = asked;
  const name = cleanTitle(asked.name);
  if (name === '' || name.length > SEARCH_NAME_CHARS_MAX) {
    const words = `A name of at most ${SEARCH_NAME_CHARS_MAX} characters is needed.`;
    return new Refusal('search-name-invalid', words, 'name');
  }
  return await world.sql.transaction<SearchTables, SavedSearch | Refusal>(async (transaction) => {
    await lockMember(transaction, memberId);
    const others = await transaction
      .selectFrom('saved_search')
      .select((of) => of.fn.countAll<number>().as('count'))
      .where('member_id', '=', memberId)
      .where('name', '<>', name)
      .executeTakeFirstOrThrow();
    if (others.count >= SEARCHES_MAX) {
      const words = `You have ${SEARCHES_MAX} saved searches. Remove one first.`;
      return new Refusal('searches-full', words, 'name');
    }
    const filters = filtersText(asked.filters);
    const row = await transaction
      .insertInto('saved_search')
      .values({ member_id: memberId, name, filters, created_ms: world.clock.nowMs() })
      .onConflict((of) => of.columns(['member_id', 'name']).doUpdateSet({ filters }))
      .returningAll()
      .executeTakeFirstOrThrow();
    return searchOf(row);
  });
}

/** False when that member has none of this id. */
export async function removeSearch(sql: Sql, memberId: number, id: number): Promise<boolean> {
  return await sql.transaction<SearchTables, boolean>(async (transaction) => {
    const { numDeletedRows } = await transaction
      .deleteFrom('saved_search')
      .where('member_id', '=', memberId)
      .where('id', '=', id)
      .executeTakeFirst();
    return numDeletedRows > 0n;
  });
}

interface Row {
  readonly id: number;
  readonly member_id: number;
  readonly name: string;
  readonly filters: string;
  readonly created_ms: number;
}

function searchOf(row: Row): SavedSearch {
  return {
    id: row.id,
    memberId: row.member_id,
    name: row.name,
    filters: filtersOfText(row.filters),
    createdMs: row.created_ms,
  };
}
