// What the reader has to do with a torrent: never touched, leeching or seeding it now, or had it.

import type { Kysely } from 'kysely';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import type { SwarmPeer } from '#site/swarms.ts';
import { fixedQuery } from '#sql/fixed-query.ts';
import { type GivenList, givenList, isOneOf } from '#sql/given-ids.ts';
import type { Sql } from '#sql/sql.ts';

export type MyState =
  | { readonly kind: 'never' }
  /** `part` is 0 to 1. */
  | { readonly kind: 'leeching'; readonly part: number }
  | { readonly kind: 'seeding' }
  | { readonly kind: 'completed' }
  /** Took some of it, and left. */
  | { readonly kind: 'begun' }
  /** Left before they gave back what the rules ask. */
  | { readonly kind: 'owed' };

/** What the ledger says of one member and one torrent. */
export interface MyTotals {
  readonly downloadedBytes: number;
  /** Completed it here, or had all of it when last seen. */
  readonly hasAll: boolean;
}

const IN_MAX = 500;

const transferRows = fixedQuery(
  (reading: Kysely<LedgerTables>, given: { memberId: number; ids: GivenList }) =>
    reading
      .selectFrom('ledger_transfer')
      .select(['torrent_id', 'downloaded_bytes', 'completed_ms', 'left_bytes'])
      .where('member_id', '=', given.memberId)
      .where(isOneOf(reading, 'torrent_id', given.ids)),
);

/** The member's totals for these torrents; those never announced are absent. */
export async function myTotals(
  sql: Sql,
  memberId: number,
  torrentIds: readonly number[],
): Promise<ReadonlyMap<number, MyTotals>> {
  if (torrentIds.length === 0) return new Map();
  const reading = sql.read<LedgerTables>();
  const ids = givenList(reading, torrentIds.slice(0, IN_MAX));
  const rows = await transferRows(reading, { memberId, ids });
  return new Map(
    rows.map((row) => [
      row.torrent_id,
      {
        downloadedBytes: row.downloaded_bytes,
        hasAll: row.completed_ms > 0 || row.left_bytes === 0,
      },
    ]),
  );
}

export function myState(
  sizeBytes: number,
  peers: readonly SwarmPeer[],
  totals: MyTotals | undefined,
  isOwed = false,
): MyState {
  if (peers.some((peer) => peer.state !== 'leecher')) return { kind: 'seeding' };
  if (peers.length > 0) {
    const left = Math.min(...peers.map((peer) => peer.left));
    return { kind: 'leeching', part: partHad(sizeBytes, left) };
  }
  if (isOwed) return { kind: 'owed' };
  if (totals === undefined) return { kind: 'never' };
  if (totals.hasAll) return { kind: 'completed' };
  return totals.downloadedBytes > 0 ? { kind: 'begun' } : { kind: 'never' };
}

/** How much of the torrent a client has, 0 to 1. What it still lacks may be more than the size. */
export function partHad(sizeBytes: number, left: number): number {
  return Math.min(1, Math.max(0, 1 - left / sizeBytes));
}
