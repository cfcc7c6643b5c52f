// Warnings that the staff gives members, and notes that it keeps about them. A member is told of a warning
// by a notice, in the transaction that makes it; a note is for the staff alone.

import type { Selectable } from 'kysely';
import type { Clock } from '#base/clock.ts';
import { sendNotices } from '#site/notices/notices.ts';
import { Refusal } from '#site/refusal.ts';
import { hrefTo } from '#site/routes.ts';
import type { Sql } from '#sql/sql.ts';
import type { ModerationTables } from './moderation-tables.ts';

interface World {
  readonly sql: Sql;
  readonly clock: Clock;
}

export interface Warning {
  readonly id: number;
  readonly reason: string;
  readonly givenBy: number;
  /** Unix milliseconds. */
  readonly givenMs: number;
  readonly expiresMs: number;
  readonly withdrawnMs: number | undefined;
}

export interface Note {
  readonly id: number;
  readonly text: string;
  readonly writtenBy: number;
  readonly writtenMs: number;
}

export const WARNING_DAYS_MAX = 3650;
export const REASON_CHARS_MAX = 1000;
export const NOTE_CHARS_MAX = 4000;
const LINES_MAX = 200;
const DAY_MS = 86_400_000;

export async function warnMember(
  world: World,
  asked: {
    readonly member: { readonly id: number; readonly name: string };
    readonly reason: string;
    readonly days: number;
    readonly givenBy: number;
  },
): Promise<Refusal | undefined> {
  const { member, days, givenBy } = asked;
  const reason = asked.reason.trim();
  if (reason === '' || reason.length > REASON_CHARS_MAX) {
    const words = `Say why, in at most ${REASON_CHARS_MAX} characters. The member reads it.`;
    return new Refusal('reason-missing', words, 'reason');
  }
  if (!Number.isInteger(days) || days < 1 || days > WARNING_DAYS_MAX) {
    return new Refusal('days-invalid', `Days are a number from 1 to ${WARNING_DAYS_MAX}.`, 'days');
  }
  const nowMs = world.clock.nowMs();
  await world.sql.transaction<ModerationTables, void>(async (transaction) => {
    const { id } = await transaction
      .insertInto('warning')
      .values({
        ...{ member_id: member.id, reason, given_by: givenBy, given_ms: nowMs },
        expires_ms: nowMs + days * DAY_MS,
        withdrawn_ms: null,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    const notice = {
      memberId: member.id,
      kind: 'warn',
      title: 'The staff has warned you',
      body: reason,
      link: hrefTo('member', { name: member.name }),
      once: `warning ${id}`,
    } as const;
    await sendNotices(transaction, [notice], nowMs);
  });
  return undefined;
}

/** False when that member has no such warning in force. */
export async function withdrawWarning(
  world: World,
  which: { readonly memberId: number; readonly id: number },
): Promise<boolean> {
  return await world.sql.transaction<ModerationTables, boolean>(async (transaction) => {
    const { numUpdatedRows } = await transaction
      .updateTable('warning')
      .set({ withdrawn_ms: world.clock.nowMs() })
      .where('id', '=', which.id)
      .where('member_id', '=', which.memberId)
      .where('withdrawn_ms', 'is', null)
      .executeTakeFirst();
    return numUpdatedRows > 0n;
  });
}

/** All of a member's, the newest first. */
export async function listWarnings(sql: Sql, memberId: number): Promise<readonly Warning[]> {
  const rows = await sql
    .read<ModerationTables>()
    .selectFrom('warning')
    .selectAll()
    .where('member_id', '=', memberId)
    .orderBy('id', 'desc')
    .limit(LINES_MAX)
    .execute();
  return rows.map(warningOf);
}

export function isInForce({ expiresMs, withdrawnMs }: Warning, nowMs: number): boolean {
  return withdrawnMs === undefined && expiresMs > nowMs;
}

export async function addNote(
  world: World,
  note: { readonly memberId: number; readonly text: string; readonly writtenBy: number },
): Promise<Refusal | undefined> {
  const text = note.text.trim();
  if (text === '' || text.length > NOTE_CHARS_MAX) {
    return new Refusal('note-empty', `A note has 1 to ${NOTE_CHARS_MAX} characters.`, 'note');
  }
  await world.sql.transaction<ModerationTables, void>(async (transaction) => {
    await transaction
      .insertInto('member_note')
      .values({
        ...{ member_id: note.memberId, text, written_by: note.writtenBy },
        written_ms: world.clock.nowMs(),
      })
      .execute();
  });
  return undefined;
}

/** Of a member, the newest first. */
export async function listNotes(sql: Sql, memberId: number): Promise<readonly Note[]> {
  const rows = await sql
    .read<ModerationTables>()
    .selectFrom('member_note')
    .selectAll()
    .where('member_id', '=', memberId)
    .orderBy('id', 'desc')
    .limit(LINES_MAX)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    text: row.text,
    writtenBy: row.written_by,
    writtenMs: row.written_ms,
  }));
}

function warningOf(row: Selectable<ModerationTables['warning']>): Warning {
  return {
    id: row.id,
    reason: row.reason,
    givenBy: row.given_by,
    givenMs: row.given_ms,
    expiresMs: row.expires_ms,
    withdrawnMs: row.withdrawn_ms ?? undefined,
  };
}
