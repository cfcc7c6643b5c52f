// A key of its own in each .torrent that a member downloads, where `site.downloadKeys` is on: good for
// that torrent alone, named on the profile, revoked there alone. Whoever finds a .torrent in the wild
// looks its key up and knows whose it is.

import type { Kysely, Transaction } from 'kysely';
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import { enqueue } from '#sql/outbox.ts';
import type { Sql } from '#sql/sql.ts';
import type { DownloadKeyMessage } from '#wire/control-message.ts';
import type { AccountTables } from './account-tables.ts';

const KEY_BYTES = 24;
const ROWS_AT_ONCE = 500;

export interface KeysWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly random: Random;
  /** Wakes the outbox relay after a commit. */
  changed(): void;
}

export interface DownloadKey {
  readonly id: number;
  /** A secret. */
  readonly key: string;
  readonly memberId: number;
  readonly torrentId: number;
  /** Unix milliseconds. */
  readonly createdMs: number;
  readonly revokedMs: number | undefined;
}

type Who = { readonly memberId: number; readonly torrentId: number };

/** The key that is good for the two; made when there is none. The same one for every download. */
export async function downloadKeyFor(world: KeysWorld, who: Who): Promise<string> {
  const known = await goodKey(world.sql.read<AccountTables>(), who);
  if (known !== undefined) return known;
  const key = await world.sql.transaction<AccountTables, string>(async (transaction) => {
    const made = Buffer.from(world.random.bytes(KEY_BYTES)).toString('base64url');
    const row = { key: made, member_id: who.memberId, torrent_id: who.torrentId };
    const inserted = await transaction
      .insertInto('download_key')
      .values({ ...row, created_ms: world.clock.nowMs(), revoked_ms: null })
      .onConflict((conflict) => conflict.doNothing())
      .returning('id')
      .execute();
    // Another request of theirs may have been first.
    if (inserted.length === 0) return (await goodKey(transaction, who)) ?? made;
    await enqueue(transaction, message({ key: made, ...who }, 'active'));
    return made;
  });
  world.changed();
  return key;
}

/** Those that are good, the newest first, at most `limit` of them. */
export async function listDownloadKeys(
  sql: Sql,
  memberId: number,
  limit: number,
): Promise<readonly DownloadKey[]> {
  const rows = await sql
    .read<AccountTables>()
    .selectFrom('download_key')
    .selectAll()
    .where('member_id', '=', memberId)
    .where('revoked_ms', 'is', null)
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  return rows.map(keyOf);
}

/** Whose key this is, or was. */
export async function findDownloadKey(sql: Sql, key: string): Promise<DownloadKey | undefined> {
  const row = await sql
    .read<AccountTables>()
    .selectFrom('download_key')
    .selectAll()
    .where('key', '=', key)
    .executeTakeFirst();
  return row === undefined ? undefined : keyOf(row);
}

/** Its peers leave at once; the next download has another key. False when it is not a good one of theirs. */
export async function revokeDownloadKey(
  world: KeysWorld,
  memberId: number,
  id: number,
): Promise<boolean> {
  const isDone = await world.sql.transaction<AccountTables, boolean>(async (transaction) => {
    const revoked = await revoke(transaction, { memberId, id, nowMs: world.clock.nowMs() });
    return revoked > 0;
  });
  if (isDone) world.changed();
  return isDone;
}

/** Every key of a member, the passkey too; in the caller's transaction. */
export async function dropKeys(
  transaction: Transaction<AccountTables>,
  memberId: number,
  nowMs: number,
): Promise<void> {
  await transaction.deleteFrom('member_key').where('member_id', '=', memberId).execute();
  await revoke(transaction, { memberId, nowMs });
}

/** Tells the trackers about every good key again; for when the log and the database went apart. */
export async function enqueueAllDownloadKeys(sql: Sql): Promise<void> {
  for (let after = 0; ; ) {
    const last = await sql.transaction<AccountTables, number>(async (transaction) => {
      const rows = await transaction
        .selectFrom('download_key')
        .selectAll()
        .where('revoked_ms', 'is', null)
        .where('id', '>', after)
        .orderBy('id')
        .limit(ROWS_AT_ONCE)
        .execute();
      await enqueue(
        transaction,
        rows.map((row) => message(keyOf(row), 'active')),
      );
      return rows.length < ROWS_AT_ONCE ? 0 : (rows.at(-1)?.id ?? 0);
    });
    if (last === 0) return;
    after = last;
  }
}

async function revoke(
  transaction: Transaction<AccountTables>,
  which: { readonly memberId: number; readonly id?: number; readonly nowMs: number },
): Promise<number> {
  const { memberId, id, nowMs } = which;
  let query = transaction
    .updateTable('download_key')
    .set({ revoked_ms: nowMs })
    .where('member_id', '=', memberId)
    .where('revoked_ms', 'is', null);
  if (id !== undefined) query = query.where('id', '=', id);
  const rows = await query.returningAll().execute();
  await enqueue(
    transaction,
    rows.map((row) => message(keyOf(row), 'revoked')),
  );
  return rows.length;
}

async function goodKey(reading: Kysely<AccountTables>, who: Who): Promise<string | undefined> {
  const row = await reading
    .selectFrom('download_key')
    .select('key')
    .where('member_id', '=', who.memberId)
    .where('torrent_id', '=', who.torrentId)
    .where('revoked_ms', 'is', null)
    .executeTakeFirst();
  return row?.key;
}

function keyOf(row: {
  readonly id: number;
  readonly key: string;
  readonly member_id: number;
  readonly torrent_id: number;
  readonly created_ms: number;
  readonly revoked_ms: number | null;
}): DownloadKey {
  return {
    id: row.id,
    key: row.key,
    memberId: row.member_id,
    torrentId: row.torrent_id,
    createdMs: row.created_ms,
    revokedMs: row.revoked_ms ?? undefined,
  };
}

function message(
  key: Who & { readonly key: string },
  state: DownloadKeyMessage['state'],
): DownloadKeyMessage {
  const { memberId, torrentId } = key;
  return { kind: 'download-key', key: key.key, memberId, torrentId, state };
}
