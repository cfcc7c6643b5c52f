// A member's transfers per torrent, with the torrents' names: the ledger knows ids only.

import { type MemberTransfer, memberTransfers } from '#accounting/totals.ts';
import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import type { Sql } from '#sql/sql.ts';

export interface TorrentName {
  readonly title: string;
  /** 40 hex digits, for the link; undefined when the torrent is removed. */
  readonly infoHash: string | undefined;
  readonly sizeBytes: number;
}

export interface HistoryLine {
  readonly transfer: MemberTransfer;
  readonly torrent: TorrentName | undefined;
}

const NAMES_MAX = 1000;

/** By torrent id, at most `limit` of those above `after`. */
export async function memberHistory(
  sql: Sql,
  memberId: number,
  page: { readonly limit: number; readonly after?: number },
): Promise<readonly HistoryLine[]> {
  const transfers = await memberTransfers(sql, memberId, page);
  const names = await torrentNames(
    sql,
    transfers.map((transfer) => transfer.torrentId),
  );
  return transfers.map((transfer) => ({ transfer, torrent: names.get(transfer.torrentId) }));
}

/** Titles of torrents by id, at most 1,000; ids that never were are absent. */
export async function torrentNames(
  sql: Sql,
  ids: readonly number[],
): Promise<ReadonlyMap<number, TorrentName>> {
  if (ids.length === 0) return new Map();
  const rows = await sql
    .read<CatalogueTables>()
    .selectFrom('torrent')
    .select(['id', 'title', 'info_hash_v1', 'info_hash_v2', 'size_bytes', 'removed_ms'])
    .where('id', 'in', [...new Set(ids)].slice(0, NAMES_MAX))
    .execute();
  return new Map(
    rows.map((row) => {
      const hash = row.removed_ms === null ? (row.info_hash_v1 ?? row.info_hash_v2) : null;
      const infoHash = hash === null ? undefined : Buffer.from(hash).toString('hex').slice(0, 40);
      return [row.id, { title: row.title, infoHash, sizeBytes: row.size_bytes }];
    }),
  );
}
