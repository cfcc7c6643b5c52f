// What members report to the staff, and what became of it. A report waits in a queue; a moderator claims
// it, so that two do not do one thing twice, and resolves it in words that the reporter is told.

import type { Generated, Selectable } from 'kysely';
import type { Clock } from '#base/clock.ts';
import { lockMember } from '#site/accounts/lock-member.ts';
import { sendNotices } from '#site/notices/notices.ts';
import { Refusal } from '#site/refusal.ts';
import { isUniqueViolation } from '#sql/dialect.ts';
import type { Sql } from '#sql/sql.ts';

export interface ReportTables {
  report: {
    id: Generated<number>;
    kind: string;
    subject_id: number;
    /** Who reports. */
    member_id: number;
    words: string;
    created_ms: number;
    claimed_by: number | null;
    claimed_ms: number | null;
    resolved_by: number | null;
    resolved_ms: number | null;
    /** Empty while it is open. */
    outcome: string;
    answer: string;
  };
}

export const REPORT_KINDS = ['torrent', 'comment', 'member'] as const;
export type ReportKind = (typeof REPORT_KINDS)[number];

/** `acted`: something was done about it. `fine`: nothing is wrong with it. */
export const OUTCOMES = ['acted', 'fine'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export interface Report {
  readonly id: number;
  readonly kind: ReportKind;
  readonly subjectId: number;
  /** Who reported. */
  readonly memberId: number;
  readonly words: string;
  /** Unix milliseconds. */
  readonly createdMs: number;
  readonly claimedBy: number | undefined;
  readonly claimedMs: number | undefined;
  readonly resolvedBy: number | undefined;
  readonly resolvedMs: number | undefined;
  readonly outcome: Outcome | undefined;
  readonly answer: string;
}

export const REPORT_CHARS_MAX = 2000;
/** Open ones of one member. */
export const OPEN_MAX = 30;

interface World {
  readonly sql: Sql;
  readonly clock: Clock;
}

export async function addReport(
  world: World,
  asked: Pick<Report, 'kind' | 'subjectId' | 'memberId' | 'words'>,
): Promise<Refusal | undefined> {
  const words = asked.words.trim();
  if (words === '' || words.length > REPORT_CHARS_MAX) {
    const message = `Say what is wrong, in at most ${REPORT_CHARS_MAX} characters.`;
    return new Refusal('words-missing', message, 'words');
  }
  const { kind, subjectId, memberId } = asked;
  try {
    return await world.sql.transaction<ReportTables, Refusal | undefined>(async (transaction) => {
      await lockMember(transaction, memberId);
      const open = await transaction
        .selectFrom('report')
        .select((of) => of.fn.countAll<number>().as('rows'))
        .where('member_id', '=', memberId)
        .where('resolved_ms', 'is', null)
        .executeTakeFirstOrThrow();
      if (open.rows >= OPEN_MAX) {
        const message = `${OPEN_MAX} reports of yours wait for the staff. Let them catch up first.`;
        return new Refusal('reports-full', message, 'words');
      }
      await transaction
        .insertInto('report')
        .values({
          ...{ kind, subject_id: subjectId, member_id: memberId, words },
          ...{ created_ms: world.clock.nowMs(), claimed_by: null, claimed_ms: null },
          ...{ resolved_by: null, resolved_ms: null, outcome: '', answer: '' },
        })
        .execute();
      return undefined;
    });
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    return new Refusal(
      'reported',
      'You have reported this already; the staff will see it.',
      'words',
    );
  }
}

/** Open ones, the oldest first; or those that are resolved, the newest first. */
export async function listReports(
  sql: Sql,
  page: { readonly isOpen: boolean; readonly beyond?: number; readonly limit: number },
): Promise<readonly Report[]> {
  const { isOpen, beyond, limit } = page;
  let query = sql
    .read<ReportTables>()
    .selectFrom('report')
    .selectAll()
    .where('resolved_ms', isOpen ? 'is' : 'is not', null)
    .orderBy('id', isOpen ? 'asc' : 'desc')
    .limit(limit);
  if (beyond !== undefined) query = query.where('id', isOpen ? '>' : '<', beyond);
  return (await query.execute()).map(reportOf);
}

/** Of one thing, the newest first. */
export async function reportsAbout(
  sql: Sql,
  subject: { readonly kind: ReportKind; readonly subjectId: number },
  limit: number,
): Promise<readonly Report[]> {
  const rows = await sql
    .read<ReportTables>()
    .selectFrom('report')
    .selectAll()
    .where('kind', '=', subject.kind)
    .where('subject_id', '=', subject.subjectId)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  return rows.map(reportOf);
}

export async function findReport(sql: Sql, id: number): Promise<Report | undefined> {
  const row = await sql
    .read<ReportTables>()
    .selectFrom('report')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst();
  return row === undefined ? undefined : reportOf(row);
}

export async function countOpenReports(sql: Sql): Promise<number> {
  const row = await sql
    .read<ReportTables>()
    .selectFrom('report')
    .select((of) => of.fn.countAll<number>().as('rows'))
    .where('resolved_ms', 'is', null)
    .executeTakeFirstOrThrow();
  return row.rows;
}

/** Refused when another moderator has it, or it is resolved. */
export async function claimReport(
  world: World,
  id: number,
  memberId: number,
): Promise<Refusal | undefined> {
  const claim = { claimed_by: memberId, claimed_ms: world.clock.nowMs() };
  return await changeOpen(world.sql, { id, memberId, freeOnly: true, set: claim });
}

/** Anybody of the staff may take a claim away: its owner may be on holiday. */
export async function releaseReport(
  world: World,
  id: number,
  memberId: number,
): Promise<Refusal | undefined> {
  const set = { claimed_by: null, claimed_ms: null };
  return await changeOpen(world.sql, { id, memberId, freeOnly: false, set });
}

async function changeOpen(
  sql: Sql,
  change: {
    readonly id: number;
    readonly memberId: number;
    /** Only when nobody else has it. */
    readonly freeOnly: boolean;
    readonly set: { readonly claimed_by: number | null; readonly claimed_ms: number | null };
  },
): Promise<Refusal | undefined> {
  return await sql.transaction<ReportTables, Refusal | undefined>(async (transaction) => {
    let query = transaction
      .updateTable('report')
      .set(change.set)
      .where('id', '=', change.id)
      .where('resolved_ms', 'is', null);
    if (change.freeOnly) {
      query = query.where((of) =>
        of.or([of('claimed_by', 'is', null), of('claimed_by', '=', change.memberId)]),
      );
    }
    const { numUpdatedRows } = await query.executeTakeFirst();
    if (numUpdatedRows > 0n) return undefined;
    return new Refusal('report-taken', 'Somebody else has it by now, or it is resolved.');
  });
}

export async function resolveReport(
  world: World,
  asked: {
    readonly report: Report;
    readonly resolvedBy: number;
    readonly outcome: Outcome;
    readonly answer: string;
    /** As the notice names the thing, and where it leads. */
    readonly subject: { readonly label: string; readonly href: string };
  },
): Promise<Refusal | undefined> {
  const { report, resolvedBy, outcome, subject } = asked;
  const answer = asked.answer.trim();
  if (answer === '' || answer.length > REPORT_CHARS_MAX) {
    const message = `Say what you did and why, in at most ${REPORT_CHARS_MAX} characters.`;
    return new Refusal('answer-missing', message, 'answer');
  }
  const nowMs = world.clock.nowMs();
  return await world.sql.transaction<ReportTables, Refusal | undefined>(async (transaction) => {
    const { numUpdatedRows } = await transaction
      .updateTable('report')
      .set({ resolved_by: resolvedBy, resolved_ms: nowMs, outcome, answer })
      .where('id', '=', report.id)
      .where('resolved_ms', 'is', null)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) {
      return new Refusal('report-resolved', 'It was resolved meanwhile.', 'answer');
    }
    const title =
      outcome === 'acted'
        ? `Your report of ${subject.label} was acted on`
        : `Your report of ${subject.label} was looked at`;
    const notice = { memberId: report.memberId, kind: 'info', title, body: answer } as const;
    const link = { link: subject.href, once: `report ${report.id}` };
    await sendNotices(transaction, [{ ...notice, ...link }], nowMs);
    return undefined;
  });
}

export function isReportKind(text: string): text is ReportKind {
  return REPORT_KINDS.some((kind) => kind === text);
}

function reportOf(row: Selectable<ReportTables['report']>): Report {
  return {
    id: row.id,
    kind: isReportKind(row.kind) ? row.kind : 'torrent',
    subjectId: row.subject_id,
    memberId: row.member_id,
    words: row.words,
    createdMs: row.created_ms,
    claimedBy: row.claimed_by ?? undefined,
    claimedMs: row.claimed_ms ?? undefined,
    resolvedBy: row.resolved_by ?? undefined,
    resolvedMs: row.resolved_ms ?? undefined,
    outcome: OUTCOMES.find((one) => one === row.outcome),
    answer: row.answer,
  };
}
