// Who keeps copies: added and removed by the operator, known by a token of 256 random bits that is shown once
// and kept as its hash.

import { createHash } from 'node:crypto';
import type { Selectable } from 'kysely';
import { toHex } from '#base/bytes.ts';
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import { integerSum } from '#sql/dialect.ts';
import type { Sql } from '#sql/sql.ts';
import type { KeeperTables } from './keeper-tables.ts';
import { SEAL_KEY_BYTES } from './sealing.ts';

const TOKEN = /^keeper-[0-9a-f]{64}$/;
const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,63}$/u;
const KEEPERS_MAX = 1000;

export interface Keeper {
  readonly id: number;
  readonly name: string;
  /** 0 for a server. */
  readonly memberId: number;
  readonly sealKey: Uint8Array | null;
  readonly bytesMax: number;
  /** What it last said it has room for, its copies included. */
  readonly offeredBytes: number;
  readonly seenMs: number;
}

export interface KeeperState extends Keeper {
  readonly heldBytes: number;
  readonly heldCopies: number;
  readonly wantedCopies: number;
  readonly failedCopies: number;
  /** The proof that is longest ago, of what it holds; undefined without copies. */
  readonly provenMs: number | undefined;
}

export function isKeeperName(text: string): boolean {
  return NAME.test(text);
}

/** Its token, which nobody can be shown again; undefined when the name is taken or there are too many. */
export async function addKeeper(
  world: { readonly sql: Sql; readonly clock: Clock; readonly random: Random },
  keeper: {
    readonly name: string;
    readonly memberId: number;
    readonly bytesMax: number;
    readonly isSealed: boolean;
  },
): Promise<string | undefined> {
  const token = `keeper-${toHex(world.random.bytes(32))}`;
  const sealKey = keeper.isSealed ? world.random.bytes(SEAL_KEY_BYTES) : null;
  const isAdded = await world.sql.transaction<KeeperTables, boolean>(async (transaction) => {
    const { count } = await transaction
      .selectFrom('archive_keeper')
      .select((of) => of.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    if (count >= KEEPERS_MAX) return false;
    const { numInsertedOrUpdatedRows } = await transaction
      .insertInto('archive_keeper')
      .values({
        ...{ name: keeper.name, member_id: keeper.memberId, bytes_max: keeper.bytesMax },
        ...{ token_hash: hashOf(token), seal_key: sealKey, offered_bytes: 0, seen_ms: 0 },
        created_ms: world.clock.nowMs(),
      })
      .onConflict((of) => of.column('name').doNothing())
      .executeTakeFirst();
    return (numInsertedOrUpdatedRows ?? 0n) > 0n;
  });
  return isAdded ? token : undefined;
}

export async function keeperOfToken(sql: Sql, token: string): Promise<Keeper | undefined> {
  if (!TOKEN.test(token)) return undefined;
  const row = await sql
    .read<KeeperTables>()
    .selectFrom('archive_keeper')
    .selectAll()
    .where('token_hash', '=', hashOf(token))
    .executeTakeFirst();
  return row === undefined ? undefined : keeperOf(row);
}

/** In the order they were added. */
export async function listKeepers(sql: Sql): Promise<readonly KeeperState[]> {
  const tables = sql.read<KeeperTables>();
  const rows = await tables
    .selectFrom('archive_keeper')
    .selectAll()
    .orderBy('id')
    .limit(KEEPERS_MAX)
    .execute();
  const sums = await tables
    .selectFrom('archive_copy')
    .select((of) => [
      'keeper_id',
      'state',
      of.fn.countAll<number>().as('copies'),
      integerSum(of.ref('size_bytes')).as('bytes'),
      of.fn.min<number | null>('proven_ms').as('provenMs'),
    ])
    .groupBy(['keeper_id', 'state'])
    .execute();
  return rows.map((row) => {
    const of = (state: string) =>
      sums.find((sum) => sum.keeper_id === row.id && sum.state === state);
    const held = of('held');
    return {
      ...keeperOf(row),
      heldBytes: held?.bytes ?? 0,
      heldCopies: held?.copies ?? 0,
      wantedCopies: of('wanted')?.copies ?? 0,
      failedCopies: of('failed')?.copies ?? 0,
      provenMs: held?.provenMs ?? undefined,
    };
  });
}

/** Its copies count no more, and its token is worth nothing. False when there is none of that name. */
export async function removeKeeper(sql: Sql, name: string): Promise<boolean> {
  return await sql.transaction<KeeperTables, boolean>(async (transaction) => {
    const { numDeletedRows } = await transaction
      .deleteFrom('archive_keeper')
      .where('name', '=', name)
      .executeTakeFirst();
    return numDeletedRows > 0n;
  });
}

type Row = Selectable<KeeperTables['archive_keeper']>;

function keeperOf(row: Row): Keeper {
  return {
    ...{ id: row.id, name: row.name, memberId: row.member_id, sealKey: row.seal_key },
    ...{ bytesMax: row.bytes_max, offeredBytes: row.offered_bytes, seenMs: row.seen_ms },
  };
}

function hashOf(token: string): Uint8Array {
  return createHash('sha256').update(token).digest();
}
