// What counts for one member's transfer of one torrent at this moment.

import { creditAt, REAL_BYTES } from '#accounting/credit.ts';
import type { Sql } from '#sql/sql.ts';
import type { CreditNow } from './credit-notice.ts';
import { hasEnd, windowsFor } from './credit-windows.ts';

/** What counts for a member's transfer of a torrent now; undefined when everything does in full. */
export async function creditNow(
  sql: Sql,
  who: { readonly memberId: number; readonly torrentId: number },
  nowMs: number,
): Promise<CreditNow | undefined> {
  const windows = await windowsFor(sql, who, nowMs);
  if (windows.length === 0) return undefined;
  const credit = creditAt(REAL_BYTES, windows, nowMs);
  const isWorse = (atMs: number): boolean => {
    const then = creditAt(REAL_BYTES, windows, atMs);
    return (
      then.uploadCreditPercent < credit.uploadCreditPercent ||
      then.downloadCreditPercent > credit.downloadCreditPercent
    );
  };
  const ends = windows.filter(hasEnd).map((window) => window.untilMs);
  return { credit, untilMs: ends.sort((a, b) => a - b).find(isWorse) };
}
