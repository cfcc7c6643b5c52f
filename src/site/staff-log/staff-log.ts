// What the staff did, a line an action. Lines are numbered without a gap from 1 on and chained: each
// has the SHA-256 of what it says and of the line before, so that none can be changed, taken out or put
// in between without every later one telling. The job `staff-log` copies them to the log topic `staff`,
// line n to offset n - 1, so that a database that was replaced as a whole is told from the topic.
//
// A line is written before the action is tried, never after: a crash between the two leaves a line too
// many, not one too few. When an action was refused, or failed, a line behind it says so.

import { createHash } from 'node:crypto';
import type { Transaction } from 'kysely';
import { toHex, utf8 } from '#base/bytes.ts';
import type { Clock } from '#base/clock.ts';
import { currentRequestId } from '#base/request-scope.ts';
import { lockForTransaction } from '#sql/dialect.ts';
import type { Sql } from '#sql/sql.ts';

export interface StaffTables {
  staff_action: {
    number: number;
    at_ms: number;
    member_id: number;
    action: string;
    subject: string;
    words: string;
    hash: Uint8Array;
    request_id: string;
  };
}

export interface NewAction {
  /** Who acted; COMMAND_LINE when it was no member. */
  readonly memberId: number;
  /**
   * The route's name, or the command's (`member ban`); `refused` and `made` for a line about a line before.
   */
  readonly action: string;
  /** What it is about, by ids and not by names, which may have to be forgotten: `member 7`. */
  readonly subject: string;
  /** What was said or set; cut at WORDS_CHARS_MAX. */
  readonly words: string;
}

export interface StaffAction extends NewAction {
  /** From 1 on; its record stands at this number less one in the topic. */
  readonly number: number;
  /** Unix milliseconds. */
  readonly atMs: number;
  /** 32 bytes. */
  readonly hash: Uint8Array;
  /** Of the request that did it (base/request-scope.ts); empty for none, and in lines of older versions. */
  readonly requestId: string;
}

export const WORDS_CHARS_MAX = 2000;
/** In the place of a member: whoever may run commands on the machine. The words name its user. */
export const COMMAND_LINE = 0;
const NOTHING_BEFORE = new Uint8Array(32);
const ROWS_AT_ONCE = 500;

export class StaffLog {
  readonly #world: { readonly sql: Sql; readonly clock: Clock };

  constructor(world: { readonly sql: Sql; readonly clock: Clock }) {
    this.#world = world;
  }

  /** Committed when it resolves. */
  async record(action: NewAction): Promise<StaffAction> {
    const { sql, clock } = this.#world;
    return await sql.transaction<StaffTables, StaffAction>(async (transaction) => {
      await lockForTransaction(transaction, 'staffLog');
      const last = await lastLine(transaction);
      const words = [...action.words.toWellFormed()].slice(0, WORDS_CHARS_MAX).join('');
      const number = (last?.number ?? 0) + 1;
      const requestId = currentRequestId() ?? '';
      const said = { ...action, words, number, atMs: clock.nowMs(), requestId };
      const line = { ...said, hash: hashOf(said, last?.hash ?? NOTHING_BEFORE) };
      await transaction.insertInto('staff_action').values(rowOf(line)).execute();
      return line;
    });
  }
}

/** Newest first, before a number when one is given; of one member when one is. */
export async function listActions(
  sql: Sql,
  page: { readonly limit: number; readonly before?: number; readonly memberId?: number },
): Promise<readonly StaffAction[]> {
  let query = sql.read<StaffTables>().selectFrom('staff_action').selectAll();
  if (page.before !== undefined) query = query.where('number', '<', page.before);
  if (page.memberId !== undefined) query = query.where('member_id', '=', page.memberId);
  const rows = await query.orderBy('number', 'desc').limit(page.limit).execute();
  return rows.map(actionOf);
}

/** Lines after a number, the oldest first. */
export async function actionsAfter(sql: Sql, number: number): Promise<readonly StaffAction[]> {
  const rows = await sql
    .read<StaffTables>()
    .selectFrom('staff_action')
    .selectAll()
    .where('number', '>', number)
    .orderBy('number')
    .limit(ROWS_AT_ONCE)
    .execute();
  return rows.map(actionOf);
}

export interface StaffCheck {
  readonly lines: number;
  /** The first line that does not follow from those before it; undefined when all do. */
  readonly brokenAt: number | undefined;
}

/** Walks every line there is. */
export async function checkStaffLog(sql: Sql): Promise<StaffCheck> {
  let hash = NOTHING_BEFORE;
  for (let lines = 0; ; ) {
    const some = await actionsAfter(sql, lines);
    for (const line of some) {
      if (!follows(line, { number: lines, hash })) return { lines, brokenAt: lines + 1 };
      lines = line.number;
      hash = new Uint8Array(line.hash);
    }
    if (some.length < ROWS_AT_ONCE) return { lines, brokenAt: undefined };
  }
}

/** Whether a line is the one after another, and says what it said when it was written. */
export function follows(
  line: StaffAction,
  before: { readonly number: number; readonly hash: Uint8Array },
): boolean {
  const hash = hashOf(line, before.hash);
  return line.number === before.number + 1 && Buffer.compare(hash, line.hash) === 0;
}

/** A line as its record in the topic says it. */
export function recordOf(line: StaffAction): Uint8Array {
  const { number, atMs, memberId, action, subject, words, hash, requestId } = line;
  const asked = requestId === '' ? {} : { requestId };
  return utf8(
    JSON.stringify({ number, atMs, memberId, action, subject, words, ...asked, hash: toHex(hash) }),
  );
}

function hashOf(said: Omit<StaffAction, 'hash'>, before: Uint8Array): Uint8Array {
  const { number, atMs, memberId, action, subject, words, requestId } = said;
  // Lines without a request have the hash that they had before there were any.
  const asked = requestId === '' ? [] : [requestId];
  const text = JSON.stringify([number, atMs, memberId, action, subject, words, ...asked]);
  return new Uint8Array(createHash('sha256').update(before).update(text).digest());
}

async function lastLine(
  transaction: Transaction<StaffTables>,
): Promise<Pick<StaffAction, 'number' | 'hash'> | undefined> {
  return await transaction
    .selectFrom('staff_action')
    .select(['number', 'hash'])
    .orderBy('number', 'desc')
    .limit(1)
    .executeTakeFirst();
}

function rowOf({ atMs, memberId, requestId, ...rest }: StaffAction): StaffTables['staff_action'] {
  return { ...rest, at_ms: atMs, member_id: memberId, request_id: requestId };
}

function actionOf(row: StaffTables['staff_action']): StaffAction {
  const { at_ms: atMs, member_id: memberId, request_id: requestId, ...rest } = row;
  return { ...rest, atMs, memberId, requestId };
}
