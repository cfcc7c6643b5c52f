// What members write about a torrent, in Markdown. A comment can be changed by who wrote it and by the
// staff; what stood there before stays readable, so that an answer never stands under other words.

import type { Generated, Selectable } from 'kysely';
import type { Clock } from '#base/clock.ts';
import { lockMember } from '#site/accounts/lock-member.ts';
import { Refusal } from '#site/refusal.ts';
import { refuseUnseen, type Shown, versionOf } from '#site/shown.ts';
import { countRemovedComment } from '#site/torrent-history/torrent-changes.ts';
import { dialectOf } from '#sql/dialect.ts';
import type { Sql } from '#sql/sql.ts';

export interface CommentTables {
  comment: {
    id: Generated<number>;
    torrent_id: number;
    member_id: number;
    /** Markdown. */
    text: string;
    created_ms: number;
    edited_ms: number | null;
  };
  comment_edit: {
    id: Generated<number>;
    comment_id: number;
    /** Who wrote the comment. */
    member_id: number;
    /** What stood there before. */
    text: string;
    edited_by: number;
    edited_ms: number;
  };
}

export interface Comment {
  readonly id: number;
  readonly torrentId: number;
  readonly memberId: number;
  readonly text: string;
  /** Unix milliseconds. */
  readonly createdMs: number;
  readonly editedMs: number | undefined;
}

/** A text that is no longer there. */
export interface FormerText {
  readonly text: string;
  readonly editedBy: number;
  /** When another took its place. */
  readonly editedMs: number;
}

export const COMMENT_CHARS_MAX = 10_000;
const PER_HOUR_MAX = 60;
const EDITS_MAX = 100;
const HOUR_MS = 3_600_000;

interface World {
  readonly sql: Sql;
  readonly clock: Clock;
}

export async function addComment(
  world: World,
  asked: Pick<Comment, 'torrentId' | 'memberId' | 'text'>,
): Promise<Comment | Refusal> {
  const text = checkText(asked.text);
  if (text instanceof Refusal) return text;
  const { torrentId, memberId } = asked;
  const nowMs = world.clock.nowMs();
  return await world.sql.transaction<CommentTables, Comment | Refusal>(async (transaction) => {
    await lockMember(transaction, memberId);
    const written = await transaction
      .selectFrom('comment')
      .select((of) => of.fn.countAll<number>().as('rows'))
      .where('member_id', '=', memberId)
      .where('created_ms', '>', nowMs - HOUR_MS)
      .executeTakeFirstOrThrow();
    if (written.rows >= PER_HOUR_MAX) {
      const words = `You wrote ${PER_HOUR_MAX} comments within an hour. Go on a little later.`;
      return new Refusal('comments-many', words, 'text');
    }
    const row = { torrent_id: torrentId, member_id: memberId, text, created_ms: nowMs };
    const made = await transaction
      .insertInto('comment')
      .values({ ...row, edited_ms: null })
      .returningAll()
      .executeTakeFirstOrThrow();
    return commentOf(made);
  });
}

/** Whoever may is decided by the caller. */
export async function editComment(
  world: World,
  asked: {
    readonly id: number;
    readonly text: string;
    readonly editedBy: number;
    readonly shown: Shown;
  },
): Promise<Comment | Refusal> {
  const text = checkText(asked.text);
  if (text instanceof Refusal) return text;
  const nowMs = world.clock.nowMs();
  return await world.sql.transaction<CommentTables, Comment | Refusal>(async (transaction) => {
    const before = await transaction
      .selectFrom('comment')
      .selectAll()
      .where('id', '=', asked.id)
      .$if(dialectOf(transaction) === 'postgres', (query) => query.forUpdate())
      .executeTakeFirst();
    if (before === undefined) return new Refusal('comment-gone', 'This comment is gone.', 'text');
    if (before.text === text) return commentOf(before);
    const unseen = refuseUnseen(asked.shown, commentVersion(before));
    if (unseen !== undefined) return unseen;
    const edits = await transaction
      .selectFrom('comment_edit')
      .select((of) => of.fn.countAll<number>().as('rows'))
      .where('comment_id', '=', asked.id)
      .executeTakeFirstOrThrow();
    if (edits.rows >= EDITS_MAX) {
      const words = `It was changed ${EDITS_MAX} times. Write another comment instead.`;
      return new Refusal('edits-many', words, 'text');
    }
    await transaction
      .insertInto('comment_edit')
      .values({
        ...{ comment_id: asked.id, member_id: before.member_id, text: before.text },
        ...{ edited_by: asked.editedBy, edited_ms: nowMs },
      })
      .execute();
    const after = await transaction
      .updateTable('comment')
      .set({ text, edited_ms: nowMs })
      .where('id', '=', asked.id)
      .returningAll()
      .executeTakeFirstOrThrow();
    return commentOf(after);
  });
}

export function commentVersion({ text }: Pick<Comment, 'text'>): string {
  return versionOf([text]);
}

/** With everything that ever stood in it; its torrent has their number. False when it is gone already. */
export async function removeComment({ sql, clock }: World, id: number): Promise<boolean> {
  return await sql.transaction<CommentTables, boolean>(async (transaction) => {
    await transaction.deleteFrom('comment_edit').where('comment_id', '=', id).execute();
    const row = await transaction
      .deleteFrom('comment')
      .where('id', '=', id)
      .returning('torrent_id')
      .executeTakeFirst();
    if (row === undefined) return false;
    await countRemovedComment(transaction, row.torrent_id, clock.nowMs());
    return true;
  });
}

export async function findComment(sql: Sql, id: number): Promise<Comment | undefined> {
  const row = await sql
    .read<CommentTables>()
    .selectFrom('comment')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst();
  return row === undefined ? undefined : commentOf(row);
}

/** Of a torrent, the newest first, before an id when one is given. */
export async function listComments(
  sql: Sql,
  torrentId: number,
  page: { readonly limit: number; readonly before?: number },
): Promise<readonly Comment[]> {
  let query = sql
    .read<CommentTables>()
    .selectFrom('comment')
    .selectAll()
    .where('torrent_id', '=', torrentId)
    .orderBy('id', 'desc')
    .limit(page.limit);
  if (page.before !== undefined) query = query.where('id', '<', page.before);
  return (await query.execute()).map(commentOf);
}

/** What stood in a comment, the newest first. */
export async function formerTexts(sql: Sql, id: number): Promise<readonly FormerText[]> {
  const rows = await sql
    .read<CommentTables>()
    .selectFrom('comment_edit')
    .selectAll()
    .where('comment_id', '=', id)
    .orderBy('id', 'desc')
    .limit(EDITS_MAX)
    .execute();
  return rows.map((row) => ({
    text: row.text,
    editedBy: row.edited_by,
    editedMs: row.edited_ms,
  }));
}

function checkText(typed: string): string | Refusal {
  const text = typed.trim();
  if (text !== '' && text.length <= COMMENT_CHARS_MAX) return text;
  const words = `A comment has 1 to ${COMMENT_CHARS_MAX} characters.`;
  return new Refusal('comment-length', words, 'text');
}

function commentOf(row: Selectable<CommentTables['comment']>): Comment {
  return {
    id: row.id,
    torrentId: row.torrent_id,
    memberId: row.member_id,
    text: row.text,
    createdMs: row.created_ms,
    editedMs: row.edited_ms ?? undefined,
  };
}
