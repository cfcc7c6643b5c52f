// Tries rules that are not in force: whom the next check would move, and whom checks on each of the
// last 30 days would have moved had these rules held then. Nothing is written.
//
// What is known of a past day is exact for bytes and for seconds of seeding and downloading, which the
// ledger keeps by day. Torrents are kept as they are now: one that was completed later is left out,
// one that was announced later counts as seeded at the time.

import { dayOf } from '#accounting/ledger/ledger-days.ts';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import type { RulesConfig } from '#accounting/rules-config.ts';
import { makeStrategy } from '#accounting/strategies/make-strategy.ts';
import type { MemberHistory, Strategy, Verdict } from '#accounting/strategies/strategy.ts';
import { actualDownloads } from '#accounting/totals.ts';
import type { Sql } from '#sql/sql.ts';
import {
  type JudgedMember,
  type JudgedMembers,
  memberHistories,
  type TorrentCatalogue,
} from './member-histories.ts';
import {
  GOOD_STANDING,
  nextStanding,
  type Standing,
  type StandingState,
  type Transition,
  type WatchSettings,
} from './ratio-watch.ts';
import { tryStandings } from './standings.ts';

const DAY_MS = 86_400_000;
export const DRY_RUN_DAYS = 30;
const PAGE_MEMBERS = 100;

export interface DryRunWorld {
  readonly sql: Sql;
  readonly torrents: TorrentCatalogue;
  readonly members: JudgedMembers;
}

export interface TouchedMember {
  readonly memberId: number;
  /** What the next check would do; undefined when nothing. */
  readonly transition: Transition | undefined;
  /** The worst state of the last 30 days, and the one they would have ended in. */
  readonly pastWorst: StandingState;
  readonly pastEnd: StandingState;
  /** As things are now: why. */
  readonly verdict: Verdict;
}

export interface DryRun {
  /** How many members were tried, the oldest accounts first. */
  readonly members: number;
  /** False when there are more members than were tried, for want of `membersMax` or of time. */
  readonly isWhole: boolean;
  /**
   * The first of the last 30 days on which any of them moved something, as days since 1970; of the days
   * before it nothing is known, so that nobody falls short then. Undefined when nobody moved anything.
   */
  readonly knownFromDay: number | undefined;
  /** Members that the next check would move, by where they would come to stand. */
  readonly next: Readonly<Record<StandingState, number>>;
  /** Members by the worst state of the last 30 days. */
  readonly past: Readonly<Record<StandingState, number>>;
  /** The most severe first, at most `listMax`. */
  readonly touched: readonly TouchedMember[];
  readonly touchedCount: number;
}

/** What a member moved on one day. Uploads and downloads as credited, and what was really taken. */
export interface MovedDay {
  readonly day: number;
  readonly uploadedBytes: number;
  readonly downloadedBytes: number;
  readonly takenBytes: number;
}

export async function tryRules(
  world: DryRunWorld,
  rules: RulesConfig,
  run: {
    readonly nowMs: number;
    readonly membersMax: number;
    readonly listMax: number;
    /** No page of members begins when it says true: a person waits. */
    readonly isTimeOver?: () => boolean;
  },
): Promise<DryRun> {
  const trial = { strategy: makeStrategy(rules), settings: rules };
  const counts = { next: noCounts(), past: noCounts() };
  const touched: TouchedMember[] = [];
  let members = 0;
  let page: readonly JudgedMember[] = [];
  let knownFromDay: number | undefined;
  for (let after = 0; members < run.membersMax; after = page.at(-1)!.memberId) {
    if (members > 0 && run.isTimeOver?.() === true) break;
    page = await world.members.page(after, Math.min(PAGE_MEMBERS, run.membersMax - members));
    if (page.length === 0) break;
    members += page.length;
    const { tried, firstDay } = await tryPage({ ...world, ...trial }, page, run.nowMs);
    if (firstDay < (knownFromDay ?? Number.POSITIVE_INFINITY)) knownFromDay = firstDay;
    for (const one of tried) {
      if (one.transition !== undefined) counts.next[one.transition.to.state]++;
      counts.past[one.pastWorst]++;
      if (one.transition !== undefined || one.pastWorst !== 'good') touched.push(one);
    }
  }
  touched.sort((a, b) => severity(b) - severity(a) || a.memberId - b.memberId);
  return {
    members,
    isWhole: page.length === 0 || (await world.members.count()) <= members,
    knownFromDay,
    ...counts,
    touched: touched.slice(0, run.listMax),
    touchedCount: touched.length,
  };
}

/** The member as they were at a moment of the past, as far as the ledger knows. */
export function historyAt(
  now: MemberHistory,
  moved: readonly MovedDay[],
  atMs: number,
): MemberHistory {
  const later = moved.filter((day) => day.day * DAY_MS >= atMs);
  const sum = (read: (day: MovedDay) => number): number =>
    later.reduce((total, day) => total + read(day), 0);
  return {
    nowMs: atMs,
    joinedMs: now.joinedMs,
    uploadedBytes: Math.max(0, now.uploadedBytes - sum((day) => day.uploadedBytes)),
    downloadedBytes: Math.max(0, now.downloadedBytes - sum((day) => day.downloadedBytes)),
    days: now.days.filter((day) => day.dayMs < atMs),
    torrents: now.torrents
      .filter((torrent) => torrent.completedMs <= atMs)
      .map((torrent) => ({
        ...torrent,
        isSeeding: torrent.isSeeding || torrent.lastSeededMs > atMs,
        lastSeenMs: Math.min(torrent.lastSeenMs, atMs),
        lastSeededMs: Math.min(torrent.lastSeededMs, atMs),
      })),
  };
}

interface Trial extends DryRunWorld {
  readonly strategy: Strategy;
  readonly settings: WatchSettings;
}

async function tryPage(
  trial: Trial,
  members: readonly JudgedMember[],
  nowMs: number,
): Promise<{ readonly tried: readonly TouchedMember[]; readonly firstDay: number }> {
  const ids = members.map((member) => member.memberId);
  const next = await tryStandings(trial, members, nowMs);
  const nextOf = new Map(next.map((one) => [one.memberId, one.transition]));
  const histories = await memberHistories(trial, members, nowMs);
  const moved = await movedDays(trial.sql, ids, nowMs);
  const taken = await actualDownloads(trial.sql, ids);
  const firstDay = [...moved.values()]
    .flat()
    .reduce((first, { day }) => Math.min(first, day), Number.POSITIVE_INFINITY);
  const tried = members.map(({ memberId }, at) => {
    const history = histories[at]!;
    const past = walkPast(trial, history, {
      moved: moved.get(memberId) ?? [],
      takenBytes: taken.get(memberId) ?? 0,
    });
    return {
      memberId,
      transition: nextOf.get(memberId),
      verdict: trial.strategy.judge(history),
      ...past,
    };
  });
  return { tried, firstDay };
}

function walkPast(
  trial: Trial,
  now: MemberHistory,
  known: { readonly moved: readonly MovedDay[]; readonly takenBytes: number },
): { readonly pastWorst: StandingState; readonly pastEnd: StandingState } {
  let standing: Standing = GOOD_STANDING;
  let pastWorst: StandingState = 'good';
  const today = dayOf(now.nowMs);
  for (let day = today - DRY_RUN_DAYS + 1; day <= today; day++) {
    // At the end of each day; of today, as much as there was of it.
    const atMs = Math.min((day + 1) * DAY_MS, now.nowMs);
    if (now.joinedMs > atMs) continue;
    const later = known.moved.filter((one) => one.day > day);
    const verdict = trial.strategy.judge(historyAt(now, known.moved, atMs));
    const check = {
      verdict: verdict.state,
      downloadedBytes: later.reduce((rest, one) => rest - one.takenBytes, known.takenBytes),
      nowMs: atMs,
    };
    standing = nextStanding(standing, check, trial.settings)?.to ?? standing;
    if (STATES.indexOf(standing.state) > STATES.indexOf(pastWorst)) pastWorst = standing.state;
  }
  return { pastWorst, pastEnd: standing.state };
}

async function movedDays(
  sql: Sql,
  memberIds: readonly number[],
  nowMs: number,
): Promise<ReadonlyMap<number, readonly MovedDay[]>> {
  const rows = await sql
    .read<LedgerTables>()
    .selectFrom('ledger_day')
    .selectAll()
    .where('member_id', 'in', memberIds)
    .where('day', '>', dayOf(nowMs) - DRY_RUN_DAYS)
    .execute();
  const days = rows.map((row) => ({
    memberId: row.member_id,
    day: row.day,
    uploadedBytes: row.credited_uploaded_bytes,
    downloadedBytes: row.credited_downloaded_bytes,
    takenBytes: row.downloaded_bytes,
  }));
  return Map.groupBy(days, (day) => day.memberId);
}

/** From the best to the worst. */
const STATES: readonly StandingState[] = ['good', 'warned', 'watched', 'restricted'];

function severity({ transition, pastWorst }: TouchedMember): number {
  const next = transition === undefined ? 0 : STATES.indexOf(transition.to.state);
  return next * STATES.length + STATES.indexOf(pastWorst);
}

function noCounts(): Record<StandingState, number> {
  return { good: 0, warned: 0, watched: 0, restricted: 0 };
}
