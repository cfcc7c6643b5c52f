// Tokens: given to members by admins, spent by a member on one torrent, which then is free to take for
// them for a while. A token is spent once, whatever is pressed twice at the same time.

import type { Transaction } from 'kysely';
import { Refusal } from '#site/refusal.ts';
import { dialectOf } from '#sql/dialect.ts';
import type { Sql } from '#sql/sql.ts';
import type { CreditTables } from './credit-tables.ts';
import { type CreditWorld, insertWindow, type OpenWindow } from './credit-windows.ts';

const ROWS_AT_ONCE = 500;
export const TOKENS_AT_ONCE_MAX = 100;

export interface TokenGrant {
  readonly memberIds: readonly number[];
  /** For each of them, 1 to 100. */
  readonly count: number;
  readonly givenBy: number;
  readonly expiresMs: number;
}

export async function giveTokens(
  world: CreditWorld,
  grant: TokenGrant,
): Promise<Refusal | undefined> {
  const { count, memberIds } = grant;
  if (!Number.isInteger(count) || count < 1 || count > TOKENS_AT_ONCE_MAX) {
    const words = `From 1 to ${TOKENS_AT_ONCE_MAX} tokens can be given at once.`;
    return new Refusal('token-count', words, 'count');
  }
  await world.sql.transaction<CreditTables, void>(async (transaction) => {
    await insertTokens(transaction, memberIds, { ...grant, nowMs: world.clock.nowMs() });
  });
  return undefined;
}

/** In the caller's transaction. */
export async function insertTokens(
  transaction: Transaction<CreditTables>,
  memberIds: readonly number[],
  each: {
    readonly count: number;
    readonly givenBy: number;
    readonly expiresMs: number;
    readonly nowMs: number;
  },
): Promise<void> {
  const rows = memberIds.flatMap((member_id) =>
    Array.from({ length: each.count }, () => ({
      member_id,
      given_by: each.givenBy,
      given_ms: each.nowMs,
      expires_ms: each.expiresMs,
    })),
  );
  for (let from = 0; from < rows.length; from += ROWS_AT_ONCE) {
    await transaction
      .insertInto('credit_token')
      .values(rows.slice(from, from + ROWS_AT_ONCE))
      .execute();
  }
}

/** How many a member can spend now. */
export async function countTokens(sql: Sql, memberId: number, nowMs: number): Promise<number> {
  const { count } = await sql
    .read<CreditTables>()
    .selectFrom('credit_token')
    .select((of) => of.fn.countAll<number>().as('count'))
    .where('member_id', '=', memberId)
    .where('spent_ms', 'is', null)
    .where('expires_ms', '>', nowMs)
    .executeTakeFirstOrThrow();
  return count;
}

/** Takes the token that expires first, and opens a window for this member and torrent. */
export async function spendToken(
  world: CreditWorld,
  spending: { readonly memberId: number; readonly torrentId: number; readonly windowMs: number },
): Promise<OpenWindow | Refusal> {
  const { memberId, torrentId, windowMs } = spending;
  const nowMs = world.clock.nowMs();
  const opened = await world.sql.transaction<CreditTables, OpenWindow | Refusal>(
    async (transaction) => {
      const taken = await takeToken(transaction, memberId, nowMs);
      if (taken === undefined) return new Refusal('no-token', 'You have no token to spend.');
      const window = await insertWindow(
        transaction,
        {
          memberId,
          torrentId,
          openedBy: memberId,
          uploadCreditPercent: 100,
          downloadCreditPercent: 0,
          fromMs: nowMs,
          untilMs: nowMs + windowMs,
        },
        nowMs,
      );
      // A refusal ends the transaction well, so the token must be put back by hand.
      const spent = window instanceof Refusal ? null : window.id;
      await transaction
        .updateTable('credit_token')
        .set({ spent_ms: spent === null ? null : nowMs, window_id: spent })
        .where('id', '=', taken)
        .execute();
      return window;
    },
  );
  if (!(opened instanceof Refusal)) world.changed();
  return opened;
}

/** One statement takes it, so that two who spend at once cannot both have it. */
async function takeToken(
  transaction: Transaction<CreditTables>,
  memberId: number,
  nowMs: number,
): Promise<number | undefined> {
  const row = await transaction
    .updateTable('credit_token')
    .set({ spent_ms: nowMs })
    .where((of) =>
      of(
        'id',
        '=',
        of
          .selectFrom('credit_token')
          .select('id')
          .where('member_id', '=', memberId)
          .where('spent_ms', 'is', null)
          .where('expires_ms', '>', nowMs)
          .orderBy('expires_ms')
          .orderBy('id')
          .limit(1)
          // On PostgreSQL one that another page is taking is passed over; SQLite has one writer.
          .$if(dialectOf(transaction) === 'postgres', (query) => query.forUpdate().skipLocked()),
      ),
    )
    .where('spent_ms', 'is', null)
    .returning('id')
    .executeTakeFirst();
  return row?.id;
}
