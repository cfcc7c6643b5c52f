// Cheat signals in SQL: written by the job that finds them, read and dismissed by moderators.

import type { Insertable, Transaction } from 'kysely';
import type { Sql } from '#sql/sql.ts';
import type { SignalRow, SignalTables } from './signal-tables.ts';
import { SIGNAL_KINDS, type Signal, type SignalKind } from './signal-watch.ts';

export interface KnownSignal extends Omit<Signal, 'atMs'> {
  readonly id: number;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly times: number;
}

export async function writeSignals(
  transaction: Transaction<SignalTables>,
  signals: readonly Signal[],
): Promise<void> {
  for (const [, same] of Map.groupBy(signals, keyOf)) {
    const last = same.at(-1)!;
    const evidence = JSON.stringify(last.evidence);
    const row: Omit<SignalRow, 'id'> = {
      member_id: last.memberId,
      torrent_id: last.torrentId,
      kind: last.kind,
      first_ms: same[0]!.atMs,
      last_ms: last.atMs,
      times: same.length,
      evidence,
      dismissed_ms: 0,
      dismissed_by: 0,
    };
    await transaction
      .insertInto('cheat_signal')
      .values(row as Insertable<SignalRow>)
      .onConflict((conflict) =>
        conflict.columns(['member_id', 'torrent_id', 'kind', 'dismissed_ms']).doUpdateSet((of) => ({
          last_ms: last.atMs,
          times: of('cheat_signal.times', '+', same.length),
          evidence,
        })),
      )
      .execute();
  }
}

/** Those that nobody dismissed, the last seen first. */
export async function listSignals(
  sql: Sql,
  page: { readonly limit: number; readonly beforeMs?: number },
): Promise<readonly KnownSignal[]> {
  let query = sql
    .read<SignalTables>()
    .selectFrom('cheat_signal')
    .selectAll()
    .where('dismissed_ms', '=', 0)
    .orderBy('last_ms', 'desc')
    .orderBy('id', 'desc')
    .limit(page.limit);
  if (page.beforeMs !== undefined) query = query.where('last_ms', '<', page.beforeMs);
  return (await query.execute()).flatMap((row) => {
    const kind = SIGNAL_KINDS.find((one) => one === row.kind);
    return kind === undefined ? [] : [signalOf(row, kind)];
  });
}

export async function countSignals(sql: Sql): Promise<number> {
  const { count } = await sql
    .read<SignalTables>()
    .selectFrom('cheat_signal')
    .select((of) => of.fn.countAll<number>().as('count'))
    .where('dismissed_ms', '=', 0)
    .executeTakeFirstOrThrow();
  return count;
}

/** What happens after that is a new signal. False when there is none, or it was dismissed before. */
export async function dismissSignal(
  sql: Sql,
  id: number,
  by: { readonly memberId: number; readonly nowMs: number },
): Promise<boolean> {
  return await sql.transaction<SignalTables, boolean>(async (transaction) => {
    const { numUpdatedRows } = await transaction
      .updateTable('cheat_signal')
      .set({ dismissed_ms: by.nowMs, dismissed_by: by.memberId })
      .where('id', '=', id)
      .where('dismissed_ms', '=', 0)
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  });
}

function signalOf(row: SignalRow, kind: SignalKind): KnownSignal {
  return {
    id: row.id,
    memberId: row.member_id,
    torrentId: row.torrent_id,
    kind,
    firstMs: row.first_ms,
    lastMs: row.last_ms,
    times: row.times,
    evidence: JSON.parse(row.evidence) as Record<string, number>,
  };
}

function keyOf({ memberId, torrentId, kind }: Signal): string {
  return `${memberId}:${torrentId}:${kind}`;
}
