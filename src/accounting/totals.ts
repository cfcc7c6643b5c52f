// Reads the ledger, for pages and commands. Every list is bounded and goes on after a key.

import type { Kysely } from 'kysely';
import { takenOff, takenOffTorrents } from '#accounting/free-bytes/free-bytes.ts';
import type { LedgerSums, LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import { fixedQuery } from '#sql/fixed-query.ts';
import type { Sql } from '#sql/sql.ts';

/** Bytes as they were moved, and as they count after multipliers. */
export interface Moved {
  readonly uploadedBytes: number;
  readonly downloadedBytes: number;
  readonly creditedUploadedBytes: number;
  readonly creditedDownloadedBytes: number;
}

export interface MemberTotals extends Moved {
  /** Taken off the credited downloads: what came from the archive and not from members. */
  readonly freeBytes: number;
  readonly seedSeconds: number;
  /** Torrents that the member completed. */
  readonly completed: number;
  /** Unix milliseconds of the last announce; undefined before the first. */
  readonly lastSeenMs: number | undefined;
}

export interface MemberTransfer extends Moved {
  readonly torrentId: number;
  readonly seedSeconds: number;
  /** Unix milliseconds. */
  readonly firstSeenMs: number;
  readonly lastSeenMs: number;
  readonly completedMs: number | undefined;
  /** Bytes missing as last announced; undefined when the client did not know. */
  readonly leftBytes: number | undefined;
  /** The start of the last peer id, `-TR4050-`; empty when it is not printable. */
  readonly client: string;
}

/** One day (UTC) of a member, over all torrents. */
export interface MemberDay extends Moved {
  /** Days since 1970. */
  readonly day: number;
  readonly seedSeconds: number;
  readonly leechSeconds: number;
}

const LIMIT_MAX = 1000;

const memberRow = fixedQuery((reading: Kysely<LedgerTables>, given: { memberId: number }) =>
  reading.selectFrom('ledger_member').selectAll().where('member_id', '=', given.memberId),
);

/** Zeros for a member who never announced. */
export async function memberTotals(sql: Sql, memberId: number): Promise<MemberTotals> {
  const [[row], off] = await Promise.all([
    memberRow(sql.read(), { memberId }),
    takenOff(sql, [memberId]),
  ]);
  const freeBytes = off.get(memberId) ?? 0;
  return {
    ...moved(row, freeBytes),
    freeBytes,
    seedSeconds: row?.seed_seconds ?? 0,
    completed: row?.completed ?? 0,
    lastSeenMs: row?.last_seen_ms,
  };
}

/** For lists of members; those who never announced are left out. */
export async function totalsOfMembers(
  sql: Sql,
  memberIds: readonly number[],
): Promise<ReadonlyMap<number, Moved>> {
  if (memberIds.length === 0) return new Map();
  const rows = await sql
    .read<LedgerTables>()
    .selectFrom('ledger_member')
    .selectAll()
    .where('member_id', 'in', memberIds.slice(0, LIMIT_MAX))
    .execute();
  const off = await takenOff(sql, memberIds.slice(0, LIMIT_MAX));
  return new Map(rows.map((row) => [row.member_id, moved(row, off.get(row.member_id))]));
}

/** By torrent id, at most `limit` (1 to 1,000) of those above `after`. */
export async function memberTransfers(
  sql: Sql,
  memberId: number,
  page: { readonly limit: number; readonly after?: number },
): Promise<readonly MemberTransfer[]> {
  const rows = await sql
    .read<LedgerTables>()
    .selectFrom('ledger_transfer')
    .selectAll()
    .where('member_id', '=', memberId)
    .where('torrent_id', '>', page.after ?? 0)
    .orderBy('torrent_id')
    .limit(Math.min(page.limit, LIMIT_MAX))
    .execute();
  const off = await takenOffTorrents(sql, memberId);
  return rows.map((row) => transferOf(row, off.get(row.torrent_id)));
}

/** Undefined when the member never announced that torrent. */
export async function torrentTransfer(
  sql: Sql,
  memberId: number,
  torrentId: number,
): Promise<MemberTransfer | undefined> {
  const row = await sql
    .read<LedgerTables>()
    .selectFrom('ledger_transfer')
    .selectAll()
    .where('member_id', '=', memberId)
    .where('torrent_id', '=', torrentId)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  return transferOf(row, (await takenOffTorrents(sql, memberId)).get(torrentId));
}

/** In order; days without a transfer or a seed are left out. At most 1,000 days. */
export async function memberDays(
  sql: Sql,
  memberId: number,
  days: { readonly from: number; readonly through: number },
): Promise<readonly MemberDay[]> {
  const rows = await sql
    .read<LedgerTables>()
    .selectFrom('ledger_day')
    .selectAll()
    .where('member_id', '=', memberId)
    .where('day', '>=', days.from)
    .where('day', '<=', days.through)
    .orderBy('day')
    .limit(LIMIT_MAX)
    .execute();
  return rows.map((row) => ({
    day: row.day,
    ...moved(row),
    seedSeconds: row.seed_seconds,
    leechSeconds: row.leech_seconds,
  }));
}

/** Bytes really downloaded, for those of the members who ever announced. At most 1,000 ids. */
export async function actualDownloads(
  sql: Sql,
  memberIds: readonly number[],
): Promise<ReadonlyMap<number, number>> {
  if (memberIds.length === 0) return new Map();
  const rows = await sql
    .read<LedgerTables>()
    .selectFrom('ledger_member')
    .select(['member_id', 'downloaded_bytes'])
    .where('member_id', 'in', memberIds.slice(0, LIMIT_MAX))
    .execute();
  return new Map(rows.map((row) => [row.member_id, row.downloaded_bytes]));
}

/** How often each torrent was completed, for every torrent that was at least once. */
export async function completedCounts(sql: Sql): Promise<ReadonlyMap<number, number>> {
  const counts = new Map<number, number>();
  for (let after = -1; ; ) {
    const rows = await sql
      .read<LedgerTables>()
      .selectFrom('ledger_torrent')
      .select(['torrent_id', 'completed'])
      .where('torrent_id', '>', after)
      .where('completed', '>', 0)
      .orderBy('torrent_id')
      .limit(LIMIT_MAX * 10)
      .execute();
    const last = rows.at(-1);
    if (last === undefined) return counts;
    for (const row of rows) counts.set(row.torrent_id, row.completed);
    after = last.torrent_id;
  }
}

function transferOf(row: LedgerTables['ledger_transfer'], freeBytes = 0): MemberTransfer {
  return {
    torrentId: row.torrent_id,
    ...moved(row, freeBytes),
    seedSeconds: row.seed_seconds,
    firstSeenMs: row.first_seen_ms,
    lastSeenMs: row.last_seen_ms,
    completedMs: row.completed_ms === 0 ? undefined : row.completed_ms,
    leftBytes: row.left_bytes === Number.MAX_SAFE_INTEGER ? undefined : row.left_bytes,
    client: row.client,
  };
}

function moved(
  row: Omit<LedgerSums, 'seed_seconds' | 'records'> | undefined,
  freeBytes = 0,
): Moved {
  return {
    uploadedBytes: row?.uploaded_bytes ?? 0,
    downloadedBytes: row?.downloaded_bytes ?? 0,
    creditedUploadedBytes: row?.credited_uploaded_bytes ?? 0,
    creditedDownloadedBytes: (row?.credited_downloaded_bytes ?? 0) - freeBytes,
  };
}
