// Buys a freeleech token for bonus points: paid and given in one transaction, or neither.

import { bonusBalance, spendBonus } from '#accounting/bonus/bonus.ts';
import type { BonusTables } from '#accounting/bonus/bonus-tables.ts';
import type { CreditTables } from '#site/credit/credit-tables.ts';
import { insertTokens } from '#site/credit/credit-tokens.ts';
import { Refusal } from '#site/refusal.ts';
import type { Sql } from '#sql/sql.ts';

/** As the page makes them. */
const ORDER = /^[0-9a-f]{24}$/;

export interface TokenOrder {
  readonly memberId: number;
  readonly points: number;
  /** Of the page that asked: sent twice, it buys once. */
  readonly order: string;
  readonly nowMs: number;
  readonly validMs: number;
}

export async function buyToken(sql: Sql, order: TokenOrder): Promise<Refusal | undefined> {
  const { memberId, points, nowMs } = order;
  if (points === 0) return new Refusal('token-not-sold', 'Tokens are not sold here.');
  if ((await bonusBalance(sql, memberId)) < points * 1000) {
    return new Refusal('points-missing', `You have not enough points: a token costs ${points}.`);
  }
  if (!ORDER.test(order.order)) {
    return new Refusal('order-missing', 'Nothing was bought. Press the button of this page.');
  }
  return await sql.transaction<BonusTables & CreditTables, Refusal | undefined>(
    async (transaction) => {
      const isPaid = await spendBonus(transaction as never, {
        memberId,
        atMs: nowMs,
        milliPoints: points * 1000,
        kind: 'token',
        once: `token:${order.order}`,
      });
      if (!isPaid) {
        const words = 'You have not enough points for a token, or this one is yours already.';
        return new Refusal('points-missing', words);
      }
      await insertTokens(transaction as never, [memberId], {
        count: 1,
        givenBy: memberId,
        expiresMs: nowMs + order.validMs,
        nowMs,
      });
      return undefined;
    },
  );
}
