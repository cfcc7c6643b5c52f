// The class each member is in: judged from the ledger, moved by class-watch.ts, written down. A step is
// one transaction: the standing, the event and what the member is told exist together or not at all.

import type { Transaction } from 'kysely';
import { takenOff } from '#accounting/free-bytes/free-bytes.ts';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import type { JudgedMember } from '#accounting/rules/member-histories.ts';
import type { Sql } from '#sql/sql.ts';
import type { MemberClass } from './class-list.ts';
import type { ClassRow, ClassTables } from './class-tables.ts';
import {
  type ClassFacts,
  type ClassStanding,
  type ClassTransition,
  NEW_CLASS_STANDING,
  nextClass,
} from './class-watch.ts';

export interface ClassWorld {
  readonly sql: Sql;
  /** How many torrents of the catalogue are each member's; absent is none. At most 500 ids. */
  readonly uploads: (memberIds: readonly number[]) => Promise<ReadonlyMap<number, number>>;
}

export interface ClassRules {
  readonly classes: readonly MemberClass[];
  readonly graceMs: number;
}

export interface MadeStep {
  readonly memberId: number;
  readonly transition: ClassTransition;
}

/** What the site does about steps, last in the transaction that makes them. */
export type ClassEffects = (
  transaction: Transaction<ClassTables>,
  made: readonly MadeStep[],
  nowMs: number,
) => Promise<void>;

/** In the order of `members`. */
export async function classFacts(
  world: ClassWorld,
  members: readonly JudgedMember[],
  nowMs: number,
): Promise<readonly ClassFacts[]> {
  if (members.length === 0) return [];
  const ids = members.map((member) => member.memberId);
  const rows = await world.sql
    .read<LedgerTables>()
    .selectFrom('ledger_member')
    .select(['member_id', 'credited_uploaded_bytes', 'credited_downloaded_bytes', 'seed_seconds'])
    .where('member_id', 'in', ids)
    .execute();
  const totals = new Map(rows.map((row) => [row.member_id, row]));
  const off = await takenOff(world.sql, ids);
  const uploads = await world.uploads(ids);
  return members.map(({ memberId, joinedMs }) => ({
    nowMs,
    joinedMs,
    uploadedBytes: totals.get(memberId)?.credited_uploaded_bytes ?? 0,
    downloadedBytes:
      (totals.get(memberId)?.credited_downloaded_bytes ?? 0) - (off.get(memberId) ?? 0),
    seededMs: (totals.get(memberId)?.seed_seconds ?? 0) * 1000,
    uploads: uploads.get(memberId) ?? 0,
  }));
}

/** As last written down; members who were never checked are absent. At most 500 ids. */
export async function classStandings(
  sql: Sql,
  memberIds: readonly number[],
): Promise<ReadonlyMap<number, ClassStanding>> {
  if (memberIds.length === 0) return new Map();
  const rows = await sql
    .read<ClassTables>()
    .selectFrom('member_class')
    .selectAll()
    .where('member_id', 'in', memberIds)
    .execute();
  return new Map(rows.map((row) => [row.member_id, standingOf(row)]));
}

/** The steps that a check would make now; nothing is written. */
export async function tryClasses(
  world: ClassWorld,
  members: readonly JudgedMember[],
  run: { readonly nowMs: number; readonly rules: ClassRules },
): Promise<readonly MadeStep[]> {
  const ids = members.map((member) => member.memberId);
  const standings = await classStandings(world.sql, ids);
  const facts = await classFacts(world, members, run.nowMs);
  return members.flatMap(({ memberId }, at) => {
    const standing = standings.get(memberId) ?? NEW_CLASS_STANDING;
    const transition = nextClass(standing, facts[at]!, run.rules);
    return transition === undefined ? [] : [{ memberId, transition }];
  });
}

/** Makes the steps that are due. `fenced` is called first in the transaction. */
export async function checkClasses(
  world: ClassWorld & { readonly effects: ClassEffects },
  members: readonly JudgedMember[],
  run: {
    readonly nowMs: number;
    readonly rules: ClassRules;
    readonly fenced: (transaction: Transaction<ClassTables>) => Promise<void>;
  },
): Promise<readonly MadeStep[]> {
  const made = await tryClasses(world, members, run);
  if (made.length === 0) return made;
  await world.sql.transaction<ClassTables, void>(async (transaction) => {
    await run.fenced(transaction);
    for (const { memberId, transition } of made) await write(transaction, memberId, transition);
    const events = made.map(({ memberId, transition: { step, from, to } }) => ({
      member_id: memberId,
      at_ms: run.nowMs,
      step,
      from_name: from,
      to_name: to.name,
    }));
    await transaction
      .insertInto('class_event')
      .values(events as never)
      .execute();
    await world.effects(transaction, made, run.nowMs);
  });
  return made;
}

async function write(
  transaction: Transaction<ClassTables>,
  memberId: number,
  { to }: ClassTransition,
): Promise<void> {
  const row = { name: to.name, since_ms: to.sinceMs, warned_until_ms: to.warnedUntilMs };
  await transaction
    .insertInto('member_class')
    .values({ member_id: memberId, ...row })
    .onConflict((conflict) => conflict.column('member_id').doUpdateSet(row))
    .execute();
}

function standingOf(row: ClassRow): ClassStanding {
  return { name: row.name, sinceMs: row.since_ms, warnedUntilMs: row.warned_until_ms };
}
