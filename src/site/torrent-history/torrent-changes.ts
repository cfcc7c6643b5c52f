// Changes of a torrent that no other table tells: written in the transaction of the change itself. What was
// kept by the archive, freed, removed or replaced stands where that is decided; torrent-history.ts reads
// all of it.

import { type Generated, sql as raw, type Transaction } from 'kysely';
import { assert } from '#base/assert.ts';
import { Refusal } from '#site/refusal.ts';
import type { Sql } from '#sql/sql.ts';

export interface TorrentChangeTables {
  torrent_change: {
    id: Generated<number>;
    torrent_id: number;
    /** Who did it; 0 for the operator at the command line. */
    member_id: number;
    kind: ChangeDetails['kind'];
    /** JSON of the other fields of `ChangeDetails`. */
    details: string;
    at_ms: number;
  };
}

/** Something that was written, before and after. */
export type FieldChange =
  | { readonly field: 'title' | 'category' | 'tags'; readonly from: string; readonly to: string }
  | {
      readonly field: 'description';
      /** What it said before, cut at FORMER_CHARS_MAX. */
      readonly from: string;
      readonly fromChars: number;
      readonly toChars: number;
    };

export type ChangeDetails =
  | { readonly kind: 'edited'; readonly fields: readonly FieldChange[] }
  /** It asks nothing of those who take it, or does again. */
  | { readonly kind: 'exempted'; readonly isExempt: boolean }
  | { readonly kind: 'cover'; readonly what: 'set' | 'replaced' | 'removed' }
  /** On one day (UTC). */
  | { readonly kind: 'comments-removed'; readonly count: number };

export type TorrentChange = ChangeDetails & {
  readonly id: number;
  readonly memberId: number;
  /** Unix milliseconds. */
  readonly atMs: number;
};

export interface NewChange {
  readonly torrentId: number;
  /** 0 for the operator at the command line. */
  readonly memberId: number;
  readonly atMs: number;
}

export const FORMER_CHARS_MAX = 4000;
const EDITS_A_DAY_MAX = 50;
const DAY_MS = 86_400_000;

interface Words {
  readonly title: string;
  readonly categoryName: string;
  readonly tags: readonly string[];
  readonly description: string;
}

/** Which words differ; none when all say the same. */
export function changedFields(before: Words, after: Words): readonly FieldChange[] {
  const fields: FieldChange[] = [];
  const line = (field: 'title' | 'category' | 'tags', from: string, to: string): void => {
    if (from !== to) fields.push({ field, from, to });
  };
  line('title', before.title, after.title);
  line('category', before.categoryName, after.categoryName);
  line('tags', before.tags.toSorted().join(', '), after.tags.toSorted().join(', '));
  if (before.description !== after.description) {
    fields.push({
      field: 'description',
      from: before.description.slice(0, FORMER_CHARS_MAX).toWellFormed(),
      fromChars: before.description.length,
      toChars: after.description.length,
    });
  }
  return fields;
}

/** The edit is refused when there were too many within a day: each leaves a line that stays. */
export async function noteEdit<Tables>(
  transaction: Transaction<Tables>,
  change: NewChange & { readonly isBounded: boolean },
  fields: readonly FieldChange[],
): Promise<Refusal | undefined> {
  if (fields.length === 0) return undefined;
  const { edits } = await tablesOf(transaction)
    .selectFrom('torrent_change')
    .select((of) => of.fn.countAll<number>().as('edits'))
    .where('torrent_id', '=', change.torrentId)
    .where('kind', '=', 'edited')
    .where('at_ms', '>', change.atMs - DAY_MS)
    .executeTakeFirstOrThrow();
  if (change.isBounded && edits >= EDITS_A_DAY_MAX) {
    const words = `It was changed ${EDITS_A_DAY_MAX} times within a day. Go on tomorrow.`;
    return new Refusal('edits-many', words, 'title');
  }
  await noteChange(transaction, change, { kind: 'edited', fields });
  return undefined;
}

export async function noteChange<Tables>(
  transaction: Transaction<Tables>,
  { torrentId, memberId, atMs }: NewChange,
  { kind, ...details }: ChangeDetails,
): Promise<void> {
  await tablesOf(transaction)
    .insertInto('torrent_change')
    .values({
      ...{ torrent_id: torrentId, member_id: memberId, at_ms: atMs },
      ...{ kind, details: JSON.stringify(details) },
    })
    .execute();
}

/** One more on its day. Who removed it is told by the staff log where that was not its writer. */
export async function countRemovedComment<Tables>(
  transaction: Transaction<Tables>,
  torrentId: number,
  nowMs: number,
): Promise<void> {
  const tables = tablesOf(transaction);
  const row = await tables
    .selectFrom('torrent_change')
    .select(['id', 'details'])
    .where('torrent_id', '=', torrentId)
    .where('kind', '=', 'comments-removed')
    .where('at_ms', '>=', Math.floor(nowMs / DAY_MS) * DAY_MS)
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (row === undefined) {
    const change = { torrentId, memberId: 0, atMs: nowMs };
    await noteChange(transaction, change, { kind: 'comments-removed', count: 1 });
    return;
  }
  const { count } = JSON.parse(row.details) as { readonly count: number };
  await tables
    .updateTable('torrent_change')
    .set({ details: JSON.stringify({ count: count + 1 }), at_ms: nowMs })
    .where('id', '=', row.id)
    .execute();
}

/** Of a torrent, the newest first, behind a place in that order. */
export async function listChanges(
  sql: Sql,
  torrentId: number,
  page: { readonly before: { readonly atMs: number; readonly id: number }; readonly limit: number },
): Promise<readonly TorrentChange[]> {
  assert(page.limit > 0, 'a page has lines');
  const rows = await sql
    .read<TorrentChangeTables>()
    .selectFrom('torrent_change')
    .selectAll()
    .where('torrent_id', '=', torrentId)
    .where(raw<boolean>`(at_ms, id) < (${page.before.atMs}, ${page.before.id})`)
    .orderBy('at_ms', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit)
    .execute();
  return rows.map((row) => {
    const details = { kind: row.kind, ...JSON.parse(row.details) } as ChangeDetails;
    return { ...details, id: row.id, memberId: row.member_id, atMs: row.at_ms };
  });
}

function tablesOf<Tables>(transaction: Transaction<Tables>): Transaction<TorrentChangeTables> {
  return transaction as unknown as Transaction<TorrentChangeTables>;
}
