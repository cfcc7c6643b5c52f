// Bytes that members did not take from each other, so that they can be taken off what is credited as
// downloaded: at most what the client announced for that torrent, and as much of it as was credited. The
// ledger itself stays what the log says; whoever reads credited totals takes these off.

import type { Kysely, Transaction } from 'kysely';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import { fixedQuery } from '#sql/fixed-query.ts';
import { type GivenList, givenList, isOneOf } from '#sql/given-ids.ts';
import type { Sql } from '#sql/sql.ts';

export interface FreeBytesTables {
  ledger_free: { member_id: number; torrent_id: number; free_bytes: number };
}

const MEMBERS_AT_ONCE = 500;

export interface FreeBytes {
  readonly memberId: number;
  readonly torrentId: number;
  readonly bytes: number;
}

/** Adds to what is there, in the transaction of whoever counted them. */
export async function addFreeBytes<Tables>(
  transaction: Transaction<Tables>,
  { memberId, torrentId, bytes }: FreeBytes,
): Promise<void> {
  const tables = transaction as unknown as Transaction<FreeBytesTables>;
  await tables
    .insertInto('ledger_free')
    .values({ member_id: memberId, torrent_id: torrentId, free_bytes: bytes })
    .onConflict((of) =>
      of
        .columns(['member_id', 'torrent_id'])
        .doUpdateSet((set) => ({ free_bytes: set('ledger_free.free_bytes', '+', bytes) })),
    )
    .execute();
}

/** What is taken off each member's credited downloads, over all torrents; nothing is left out. */
export async function takenOff(
  sql: Sql,
  memberIds: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  const sums = new Map<number, number>();
  for (let at = 0; at < memberIds.length; at += MEMBERS_AT_ONCE) {
    for (const row of await rowsOf(sql, memberIds.slice(at, at + MEMBERS_AT_ONCE))) {
      sums.set(row.member_id, (sums.get(row.member_id) ?? 0) + offOf(row));
    }
  }
  return sums;
}

/** The same for one member, by torrent; torrents of which nothing is taken off are absent. */
export async function takenOffTorrents(
  sql: Sql,
  memberId: number,
): Promise<ReadonlyMap<number, number>> {
  const rows = await rowsOf(sql, [memberId]);
  return new Map(rows.map((row) => [row.torrent_id, offOf(row)]));
}

interface Row {
  readonly member_id: number;
  readonly torrent_id: number;
  readonly free_bytes: number;
  readonly downloaded_bytes: number;
  readonly credited_downloaded_bytes: number;
}

async function rowsOf(sql: Sql, memberIds: readonly number[]): Promise<readonly Row[]> {
  const reading = sql.read<FreeBytesTables & LedgerTables>();
  return await freeRows(reading, { memberIds: givenList(reading, memberIds) });
}

const freeRows = fixedQuery(
  (reading: Kysely<FreeBytesTables & LedgerTables>, given: { memberIds: GivenList }) =>
    reading
      .selectFrom('ledger_free')
      .innerJoin('ledger_transfer', (join) =>
        join
          .onRef('ledger_transfer.member_id', '=', 'ledger_free.member_id')
          .onRef('ledger_transfer.torrent_id', '=', 'ledger_free.torrent_id'),
      )
      .select(['ledger_free.member_id', 'ledger_free.torrent_id', 'free_bytes'])
      .select(['downloaded_bytes', 'credited_downloaded_bytes'])
      .where(isOneOf(reading, 'ledger_free.member_id', given.memberIds))
      .where('downloaded_bytes', '>', 0),
);

/** Where half of it was credited, half of the free bytes were. */
function offOf(row: Row): number {
  const { free_bytes, downloaded_bytes: downloaded, credited_downloaded_bytes: credited } = row;
  const part = Math.min(free_bytes, downloaded) / downloaded;
  return Math.min(credited, Math.floor(credited * part));
}
