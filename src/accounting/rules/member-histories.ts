// What strategies judge by, read from the ledger for a page of members at a time.

import { takenOff } from '#accounting/free-bytes/free-bytes.ts';
import { dayOf } from '#accounting/ledger/ledger-days.ts';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import { seedsAt } from '#accounting/seeding/seeding.ts';
import { seededUntilMs, seederSeenMs } from '#accounting/seeding/seeding-states.ts';
import type { MemberHistory, TorrentHistory } from '#accounting/strategies/strategy.ts';
import type { Sql } from '#sql/sql.ts';

const DAY_MS = 86_400_000;
/** Rules look back a year at most. */
const DAYS_MAX = 365;
const TORRENTS_AT_ONCE = 500;

/** A member as the site knows them. */
export interface JudgedMember {
  readonly memberId: number;
  readonly joinedMs: number;
}

/** Members as the site has them. */
export interface JudgedMembers {
  /** Active members with ids above `after`, in order, without those that no rule touches. */
  page(after: number, limit: number): Promise<readonly JudgedMember[]>;
  count(): Promise<number>;
}

/** What the catalogue knows of a torrent that still exists. */
export interface TorrentFacts {
  readonly name: string;
  readonly sizeBytes: number;
  readonly leechers: number;
  /** A moderator said that this one asks nothing of anybody. */
  readonly isExempt: boolean;
}

export interface TorrentCatalogue {
  /** Those of the torrents that still exist. At most 500 ids. */
  facts(torrentIds: readonly number[]): Promise<ReadonlyMap<number, TorrentFacts>>;
}

export interface HistoriesWorld {
  readonly sql: Sql;
  readonly torrents: TorrentCatalogue;
}

/** In the order of `members`. Who never announced has an empty history. */
export async function memberHistories(
  world: HistoriesWorld,
  members: readonly JudgedMember[],
  nowMs: number,
): Promise<readonly MemberHistory[]> {
  if (members.length === 0) return [];
  const ids = members.map((member) => member.memberId);
  const read = world.sql.read<LedgerTables>();
  const totals = await read
    .selectFrom('ledger_member')
    .select(['member_id', 'credited_uploaded_bytes', 'credited_downloaded_bytes'])
    .where('member_id', 'in', ids)
    .execute();
  const days = await read
    .selectFrom('ledger_day')
    .select(['member_id', 'day', 'seed_seconds', 'leech_seconds'])
    .where('member_id', 'in', ids)
    .where('day', '>', dayOf(nowMs) - DAYS_MAX)
    .orderBy('day')
    .execute();
  const transfers = await read
    .selectFrom('ledger_transfer')
    .selectAll()
    .where('member_id', 'in', ids)
    .execute();
  const facts = await factsOf(
    world.torrents,
    transfers.map((row) => row.torrent_id),
  );
  const off = await takenOff(world.sql, ids);
  const totalsOf = new Map(totals.map((row) => [row.member_id, row]));
  const daysOf = Map.groupBy(days, (row) => row.member_id);
  const transfersOf = Map.groupBy(transfers, (row) => row.member_id);
  return members.map(({ memberId, joinedMs }) => ({
    nowMs,
    joinedMs,
    uploadedBytes: totalsOf.get(memberId)?.credited_uploaded_bytes ?? 0,
    downloadedBytes:
      (totalsOf.get(memberId)?.credited_downloaded_bytes ?? 0) - (off.get(memberId) ?? 0),
    days: (daysOf.get(memberId) ?? []).map((row) => ({
      dayMs: row.day * DAY_MS,
      seedSeconds: row.seed_seconds,
      leechSeconds: row.leech_seconds,
    })),
    torrents: (transfersOf.get(memberId) ?? []).flatMap((row) => {
      const known = facts.get(row.torrent_id);
      return known === undefined ? [] : [torrentHistory(row, known, nowMs)];
    }),
  }));
}

async function factsOf(
  catalogue: TorrentCatalogue,
  torrentIds: readonly number[],
): Promise<ReadonlyMap<number, TorrentFacts>> {
  const all = new Map<number, TorrentFacts>();
  const ids = [...new Set(torrentIds)];
  for (let from = 0; from < ids.length; from += TORRENTS_AT_ONCE) {
    const some = await catalogue.facts(ids.slice(from, from + TORRENTS_AT_ONCE));
    for (const [id, facts] of some) all.set(id, facts);
  }
  return all;
}

function torrentHistory(
  row: LedgerTables['ledger_transfer'],
  facts: TorrentFacts,
  nowMs: number,
): TorrentHistory {
  return {
    torrentId: row.torrent_id,
    ...facts,
    uploadedBytes: row.uploaded_bytes,
    downloadedBytes: row.downloaded_bytes,
    seedSeconds: row.seed_seconds,
    completedMs: row.completed_ms,
    lastSeenMs: row.last_seen_ms,
    lastSeededMs: seededUntilMs(row),
    isSeeding: seedsAt(seederSeenMs(row), nowMs),
  };
}
