// Opens and ends windows of credit: for a time, other percentages count than what really moved. The
// trackers are told in the same transaction, and decide by their clock when a window opens and ends.

import type { Kysely, Transaction } from 'kysely';
import { type CreditWindow, NO_END_MS } from '#accounting/credit.ts';
import type { Clock } from '#base/clock.ts';
import { Refusal } from '#site/refusal.ts';
import { fixedQuery } from '#sql/fixed-query.ts';
import { type GivenList, givenList, isOneOf } from '#sql/given-ids.ts';
import { enqueue } from '#sql/outbox.ts';
import type { Sql } from '#sql/sql.ts';
import type { CreditWindowMessage } from '#wire/control-message.ts';
import type { CreditTables } from './credit-tables.ts';

export interface CreditWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  /** Wakes the outbox relay after a commit. */
  changed(): void;
}

export interface NewWindow extends CreditWindow {
  /** 0: everybody. */
  readonly memberId: number;
  /** 0: every torrent. */
  readonly torrentId: number;
  /** 0: the operator at the command line. */
  readonly openedBy: number;
}

export interface OpenWindow extends NewWindow {
  readonly id: number;
}

/** Trackers hold all of them in memory. */
const WINDOWS_MAX = 100_000;
const ROWS_AT_ONCE = 500;
const PERCENT_MAX = 1000;

export async function openWindow(
  world: CreditWorld,
  window: NewWindow,
): Promise<OpenWindow | Refusal> {
  const wrong = checkWindow(window, world.clock.nowMs());
  if (wrong !== undefined) return wrong;
  const opened = await world.sql.transaction<CreditTables, OpenWindow | Refusal>(
    async (transaction) => await insertWindow(transaction, window, world.clock.nowMs()),
  );
  if (!(opened instanceof Refusal)) world.changed();
  return opened;
}

/** In the caller's transaction, which it ends: the trackers are told here. */
export async function insertWindow(
  transaction: Transaction<CreditTables>,
  window: NewWindow,
  nowMs: number,
): Promise<OpenWindow | Refusal> {
  const { count } = await transaction
    .selectFrom('credit_window')
    .select((of) => of.fn.countAll<number>().as('count'))
    .where('is_over', '=', 0)
    .executeTakeFirstOrThrow();
  if (count >= WINDOWS_MAX) {
    return new Refusal('windows-full', `There are ${WINDOWS_MAX} open ones; end some first.`);
  }
  const { id } = await transaction
    .insertInto('credit_window')
    .values({
      member_id: window.memberId,
      torrent_id: window.torrentId,
      upload_percent: window.uploadCreditPercent,
      download_percent: window.downloadCreditPercent,
      from_ms: window.fromMs,
      until_ms: window.untilMs,
      opened_by: window.openedBy,
      opened_ms: nowMs,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  const opened = { ...window, id };
  await enqueue(transaction, messageOf(opened, 'active'));
  return opened;
}

/** Ends it at once. False when there is no such window, or it is over. */
export async function endWindow(world: CreditWorld, id: number): Promise<boolean> {
  const nowMs = world.clock.nowMs();
  const ended = await world.sql.transaction<CreditTables, boolean>(async (transaction) => {
    const row = await transaction
      .updateTable('credit_window')
      .set({ is_over: 1, until_ms: nowMs })
      .where('id', '=', id)
      .where('is_over', '=', 0)
      .returningAll()
      .executeTakeFirst();
    if (row === undefined) return false;
    await enqueue(transaction, messageOf(windowOf(row), 'removed'));
    return true;
  });
  if (ended) world.changed();
  return ended;
}

/** Those that are open or will be, soonest end first. */
export async function listWindows(
  sql: Sql,
  asked: {
    readonly nowMs: number;
    readonly limit: number;
    /** Only windows for this torrent alone. */
    readonly torrentId?: number;
  },
): Promise<readonly OpenWindow[]> {
  let query = sql
    .read<CreditTables>()
    .selectFrom('credit_window')
    .selectAll()
    .where('is_over', '=', 0)
    .where('until_ms', '>', asked.nowMs)
    .orderBy('until_ms')
    .orderBy('id')
    .limit(asked.limit);
  if (asked.torrentId !== undefined) query = query.where('torrent_id', '=', asked.torrentId);
  return (await query.execute()).map(windowOf);
}

/** Those that are open now for a member's transfer of a torrent. */
export async function windowsFor(
  sql: Sql,
  who: { readonly memberId: number; readonly torrentId: number },
  nowMs: number,
): Promise<readonly OpenWindow[]> {
  const { memberId, torrentId } = who;
  return await windowsOfTorrents(sql, { memberId, torrentIds: [torrentId] }, nowMs);
}

/** The same for several torrents; those for every torrent are among them. */
export async function windowsOfTorrents(
  sql: Sql,
  who: { readonly memberId: number; readonly torrentIds: readonly number[] },
  nowMs: number,
): Promise<readonly OpenWindow[]> {
  const reading = sql.read<CreditTables>();
  const rows = await openWindows(reading, {
    memberId: who.memberId,
    torrentIds: givenList(reading, [0, ...who.torrentIds]),
    nowMs,
  });
  return rows.map(windowOf);
}

const openWindows = fixedQuery(
  (
    reading: Kysely<CreditTables>,
    given: { memberId: number; torrentIds: GivenList; nowMs: number },
  ) =>
    reading
      .selectFrom('credit_window')
      .selectAll()
      .where('is_over', '=', 0)
      .where('member_id', 'in', [0, given.memberId])
      .where(isOneOf(reading, 'torrent_id', given.torrentIds))
      .where('from_ms', '<=', given.nowMs)
      .where('until_ms', '>', given.nowMs)
      .limit(ROWS_AT_ONCE),
);

/** Tells the trackers to forget windows that are over; returns how many. Idempotent. */
export async function forgetOldWindows(world: CreditWorld): Promise<number> {
  const nowMs = world.clock.nowMs();
  let forgotten = 0;
  for (;;) {
    const rows = await world.sql.transaction<CreditTables, readonly OpenWindow[]>(
      async (transaction) => {
        const old = await transaction
          .selectFrom('credit_window')
          .selectAll()
          .where('is_over', '=', 0)
          .where('until_ms', '<=', nowMs)
          .orderBy('id')
          .limit(ROWS_AT_ONCE)
          .execute();
        if (old.length === 0) return [];
        await transaction
          .updateTable('credit_window')
          .set({ is_over: 1 })
          .where(
            'id',
            'in',
            old.map((row) => row.id),
          )
          .execute();
        const windows = old.map(windowOf);
        await enqueue(
          transaction,
          windows.map((window) => messageOf(window, 'removed')),
        );
        return windows;
      },
    );
    forgotten += rows.length;
    if (rows.length < ROWS_AT_ONCE) break;
  }
  if (forgotten > 0) world.changed();
  return forgotten;
}

/** Tells the trackers about every open window again; for when the log and the database went apart. */
export async function enqueueAllWindows(sql: Sql): Promise<void> {
  for (let after = 0; ; ) {
    const rows = await sql.transaction<CreditTables, readonly OpenWindow[]>(async (transaction) => {
      const page = await transaction
        .selectFrom('credit_window')
        .selectAll()
        .where('is_over', '=', 0)
        .where('id', '>', after)
        .orderBy('id')
        .limit(ROWS_AT_ONCE)
        .execute();
      const windows = page.map(windowOf);
      await enqueue(
        transaction,
        windows.map((window) => messageOf(window, 'active')),
      );
      return windows;
    });
    const last = rows.at(-1);
    if (last === undefined || rows.length < ROWS_AT_ONCE) return;
    after = last.id;
  }
}

function checkWindow(window: NewWindow, nowMs: number): Refusal | undefined {
  const { uploadCreditPercent: up, downloadCreditPercent: down, fromMs, untilMs } = window;
  for (const percent of [up, down]) {
    if (!Number.isInteger(percent) || percent < 0 || percent > PERCENT_MAX) {
      return new Refusal(
        'percent-invalid',
        `Percentages are whole, 0 to ${PERCENT_MAX}.`,
        'percent',
      );
    }
  }
  if (up <= 100 && down >= 100) {
    const words = 'That changes nothing: uploads count in full already, and downloads too.';
    return new Refusal('window-without-effect', words, 'percent');
  }
  if (untilMs <= nowMs) return new Refusal('window-over', 'The end must lie ahead.', 'until');
  if (untilMs <= fromMs) {
    return new Refusal('window-empty', 'The end must be later than the beginning.', 'until');
  }
  return undefined;
}

interface Row {
  readonly id: number;
  readonly member_id: number;
  readonly torrent_id: number;
  readonly upload_percent: number;
  readonly download_percent: number;
  readonly from_ms: number;
  readonly until_ms: number;
  readonly opened_by: number;
}

function windowOf(row: Row): OpenWindow {
  return {
    id: row.id,
    memberId: row.member_id,
    torrentId: row.torrent_id,
    uploadCreditPercent: row.upload_percent,
    downloadCreditPercent: row.download_percent,
    fromMs: row.from_ms,
    untilMs: row.until_ms,
    openedBy: row.opened_by,
  };
}

function messageOf(window: OpenWindow, state: 'active' | 'removed'): CreditWindowMessage {
  const { id: windowId, memberId, torrentId, fromMs, untilMs } = window;
  const { uploadCreditPercent, downloadCreditPercent } = window;
  return {
    kind: 'credit-window',
    windowId,
    memberId,
    torrentId,
    state,
    uploadCreditPercent,
    downloadCreditPercent,
    fromMs,
    untilMs,
  };
}

/** Whether a window was given an end. */
export function hasEnd(window: CreditWindow): boolean {
  return window.untilMs !== NO_END_MS;
}
