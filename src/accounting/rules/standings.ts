// Where each member stands: judged by the strategy, moved by the ratio watch, written down with the
// reasons. A transition is one transaction: the standing, the event, what the trackers must know and
// what the member is told exist together or not at all.

import type { Transaction } from 'kysely';
import type { Strategy, StrategyName, Verdict } from '#accounting/strategies/strategy.ts';
import { actualDownloads } from '#accounting/totals.ts';
import type { Sql } from '#sql/sql.ts';
import { type HistoriesWorld, type JudgedMember, memberHistories } from './member-histories.ts';
import {
  GOOD_STANDING,
  nextStanding,
  type Standing,
  type StandingState,
  type Transition,
  type WatchSettings,
} from './ratio-watch.ts';
import type { StandingRow, StandingTables } from './standing-tables.ts';

/** What the site does about transitions, in the transaction that makes them. */
export interface TransitionEffects {
  /**
   * Tells the members, and the trackers whether each may take more (`mayLeech` of the new state).
   * Called once, last in the transaction, with at least one transition.
   */
  apply(
    transaction: Transaction<StandingTables>,
    made: readonly JudgedTransition[],
    nowMs: number,
  ): Promise<void>;
}

export interface StandingsWorld extends HistoriesWorld {
  readonly strategy: Strategy;
  readonly settings: WatchSettings;
  readonly effects: TransitionEffects;
}

/** What a member's page shows. */
export interface MemberStanding {
  readonly standing: Standing;
  /** Unix milliseconds; 0 before the first check. */
  readonly checkedMs: number;
  readonly strategy: StrategyName | undefined;
  readonly verdict: Verdict | undefined;
}

export interface JudgedTransition {
  readonly memberId: number;
  readonly transition: Transition;
  readonly verdict: Verdict;
}

/** The standing as it was last written down. */
export async function readStanding(sql: Sql, memberId: number): Promise<MemberStanding> {
  const rows = await readRows(sql, [memberId]);
  const row = rows.get(memberId);
  if (row === undefined) {
    return { standing: GOOD_STANDING, checkedMs: 0, strategy: undefined, verdict: undefined };
  }
  const { strategy, ...verdict } = JSON.parse(row.verdict) as Verdict & { strategy: StrategyName };
  return { standing: standingOf(row), checkedMs: row.checked_ms, strategy, verdict };
}

/** Which transitions a check would make now; nothing is written. */
export async function tryStandings(
  world: Omit<StandingsWorld, 'effects'>,
  members: readonly JudgedMember[],
  nowMs: number,
): Promise<readonly JudgedTransition[]> {
  const judged = await judge(world, members, nowMs);
  return judged.flatMap(({ memberId, transition, verdict }) =>
    transition === undefined ? [] : [{ memberId, transition, verdict }],
  );
}

/**
 * Judges the members and writes down where they stand; returns the transitions. `fenced` is called
 * first in the transaction.
 */
export async function checkStandings(
  world: StandingsWorld,
  members: readonly JudgedMember[],
  run: {
    readonly nowMs: number;
    readonly fenced: (transaction: Transaction<StandingTables>) => Promise<void>;
  },
): Promise<readonly JudgedTransition[]> {
  const judged = await judge(world, members, run.nowMs);
  if (judged.length === 0) return [];
  return await world.sql.transaction<StandingTables, readonly JudgedTransition[]>(
    async (transaction) => {
      await run.fenced(transaction);
      const made: JudgedTransition[] = [];
      for (const one of judged) {
        await writeStanding(transaction, one, {
          strategy: world.strategy.name,
          checkedMs: run.nowMs,
        });
        if (one.transition !== undefined) made.push({ ...one, transition: one.transition });
      }
      if (made.length === 0) return made;
      await writeEvents(transaction, made, run.nowMs);
      await world.effects.apply(transaction, made, run.nowMs);
      return made;
    },
  );
}

interface Judged {
  readonly memberId: number;
  readonly before: Standing;
  readonly verdict: Verdict;
  readonly transition: Transition | undefined;
}

async function judge(
  world: Omit<StandingsWorld, 'effects'>,
  members: readonly JudgedMember[],
  nowMs: number,
): Promise<readonly Judged[]> {
  const ids = members.map((member) => member.memberId);
  const histories = await memberHistories(world, members, nowMs);
  const downloads = await actualDownloads(world.sql, ids);
  const rows = await readRows(world.sql, ids);
  return members.map(({ memberId }, at) => {
    const verdict = world.strategy.judge(histories[at]!);
    const row = rows.get(memberId);
    const before = row === undefined ? GOOD_STANDING : standingOf(row);
    const now = {
      verdict: verdict.state,
      downloadedBytes: downloads.get(memberId) ?? 0,
      nowMs,
    };
    return { memberId, before, verdict, transition: nextStanding(before, now, world.settings) };
  });
}

async function writeEvents(
  transaction: Transaction<StandingTables>,
  made: readonly JudgedTransition[],
  nowMs: number,
): Promise<void> {
  const rows = made.map(({ memberId, transition: { from, to, reason } }) => ({
    member_id: memberId,
    at_ms: nowMs,
    from_state: from,
    to_state: to.state,
    reason,
  }));
  await transaction
    .insertInto('standing_event')
    .values(rows as never)
    .execute();
}

async function writeStanding(
  transaction: Transaction<StandingTables>,
  { memberId, before, verdict, transition }: Judged,
  check: { readonly strategy: StrategyName; readonly checkedMs: number },
): Promise<void> {
  const { state, sinceMs, watchEndsMs, watchFromBytes, watches } = transition?.to ?? before;
  const row: Omit<StandingRow, 'member_id'> = {
    state,
    since_ms: sinceMs,
    watch_ends_ms: watchEndsMs,
    watch_from_bytes: watchFromBytes,
    watches,
    checked_ms: check.checkedMs,
    verdict: JSON.stringify({ strategy: check.strategy, ...verdict }),
  };
  await transaction
    .insertInto('member_standing')
    .values({ member_id: memberId, ...row })
    .onConflict((conflict) => conflict.column('member_id').doUpdateSet(row))
    .execute();
}

async function readRows(
  sql: Sql,
  memberIds: readonly number[],
): Promise<ReadonlyMap<number, StandingRow>> {
  if (memberIds.length === 0) return new Map();
  const rows = await sql
    .read<StandingTables>()
    .selectFrom('member_standing')
    .selectAll()
    .where('member_id', 'in', memberIds)
    .execute();
  return new Map(rows.map((row) => [row.member_id, row]));
}

function standingOf(row: StandingRow): Standing {
  return {
    state: row.state as StandingState,
    sinceMs: row.since_ms,
    watchEndsMs: row.watch_ends_ms,
    watchFromBytes: row.watch_from_bytes,
    watches: row.watches,
  };
}
