// What members are told on the site. A notice is written in the transaction of what it tells, under a
// name of its own (`once`), so that it is neither lost nor told twice, whatever crashes and runs again.

import type { Generated, Kysely, Transaction } from 'kysely';
import { fixedQuery } from '#sql/fixed-query.ts';
import type { Sql } from '#sql/sql.ts';

export interface NoticeTables {
  notice: {
    id: Generated<number>;
    member_id: number;
    kind: string;
    title: string;
    body: string;
    link: string;
    once: string;
    created_ms: number;
    read_ms: number | null;
  };
}

export const NOTICE_KINDS = ['info', 'good', 'warn', 'bad'] as const;
export type NoticeKind = (typeof NOTICE_KINDS)[number];

export interface NewNotice {
  readonly memberId: number;
  readonly kind: NoticeKind;
  readonly title: string;
  /** Plain text; a line break begins a paragraph. */
  readonly body: string;
  /** A path of this site to go on to; empty when there is none. */
  readonly link: string;
  /** Of two notices with the same, the member gets the first. */
  readonly once: string;
}

export interface Notice {
  readonly id: number;
  readonly kind: NoticeKind;
  readonly title: string;
  readonly body: string;
  readonly link: string;
  /** Unix milliseconds. */
  readonly createdMs: number;
  readonly isRead: boolean;
}

const ROWS_AT_ONCE = 500;

export async function sendNotices<Tables>(
  transaction: Transaction<Tables>,
  notices: readonly NewNotice[],
  nowMs: number,
): Promise<void> {
  const tables = transaction as unknown as Transaction<NoticeTables>;
  for (let from = 0; from < notices.length; from += ROWS_AT_ONCE) {
    const rows = notices.slice(from, from + ROWS_AT_ONCE).map(({ memberId, ...rest }) => ({
      member_id: memberId,
      ...rest,
      created_ms: nowMs,
    }));
    await tables
      .insertInto('notice')
      .values(rows)
      .onConflict((conflict) => conflict.columns(['member_id', 'once']).doNothing())
      .execute();
  }
}

/** Newest first, before an id when one is given. */
export async function listNotices(
  sql: Sql,
  memberId: number,
  page: { readonly limit: number; readonly before?: number },
): Promise<readonly Notice[]> {
  let query = sql
    .read<NoticeTables>()
    .selectFrom('notice')
    .selectAll()
    .where('member_id', '=', memberId)
    .orderBy('id', 'desc')
    .limit(page.limit);
  if (page.before !== undefined) query = query.where('id', '<', page.before);
  const rows = await query.execute();
  return rows.map((row) => ({
    id: row.id,
    kind: NOTICE_KINDS.find((kind) => kind === row.kind) ?? 'info',
    title: row.title,
    body: row.body,
    link: row.link,
    createdMs: row.created_ms,
    isRead: row.read_ms !== null,
  }));
}

export async function unreadNotices(sql: Sql, memberId: number): Promise<number> {
  const [row] = await unreadRows(sql.read(), { memberId });
  return row?.rows ?? 0;
}

const unreadRows = fixedQuery((reading: Kysely<NoticeTables>, given: { memberId: number }) =>
  reading
    .selectFrom('notice')
    .select((of) => of.fn.countAll<number>().as('rows'))
    .where('member_id', '=', given.memberId)
    .where('read_ms', 'is', null),
);

/** Those up to `throughId`, so that one that came meanwhile stays unread. */
export async function markRead(
  sql: Sql,
  memberId: number,
  read: { readonly throughId: number; readonly nowMs: number },
): Promise<void> {
  await sql.transaction<NoticeTables, void>(async (transaction) => {
    await transaction
      .updateTable('notice')
      .set({ read_ms: read.nowMs })
      .where('member_id', '=', memberId)
      .where('id', '<=', read.throughId)
      .where('read_ms', 'is', null)
      .execute();
  });
}
