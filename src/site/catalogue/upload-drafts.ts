// Uploads between the file and the uploader's last word. The file waits in the database under a
// random name that only its uploader can use, so that the preview can be reloaded and checked again
// by any node, and goes away by itself.

import { toHex } from '#base/bytes.ts';
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { Sql } from '#sql/sql.ts';
import type { CatalogueConfig } from './catalogue-config.ts';
import type { CatalogueTables } from './catalogue-tables.ts';
import type { Catalogue } from './search-index.ts';

export interface DraftWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly random: Random;
  readonly config: CatalogueConfig;
}

const ID_BYTES = 16;
const ID = /^[0-9a-f]{32}$/;
const OLDEST_AT_ONCE = 20;

/**
 * Keeps the file and returns its id. What is too old, too many of one member or too much together
 * makes room first, oldest first.
 */
export async function keepDraft(
  world: DraftWorld,
  memberId: number,
  bytes: Uint8Array,
): Promise<string> {
  const { config, clock } = world;
  const id = toHex(world.random.bytes(ID_BYTES));
  const nowMs = clock.nowMs();
  await world.sql.transaction<CatalogueTables, void>(async (transaction) => {
    await transaction
      .deleteFrom('upload_draft')
      .where('created_ms', '<', nowMs - config.draftAgeMsMax)
      .execute();
    await removeExcess(transaction, memberId, config.draftsPerMemberMax - 1);
    await makeRoom(transaction, config.draftBytesMax - bytes.byteLength);
    await transaction
      .insertInto('upload_draft')
      .values({ id, member_id: memberId, bytes, size_bytes: bytes.byteLength, created_ms: nowMs })
      .execute();
  });
  return id;
}

/** Removes what was begun before `beforeMs`; returns how many there were. */
export async function removeOldDrafts(sql: Sql, beforeMs: number): Promise<number> {
  return await sql.transaction<CatalogueTables, number>(async (transaction) => {
    const { numDeletedRows } = await transaction
      .deleteFrom('upload_draft')
      .where('created_ms', '<', beforeMs)
      .executeTakeFirst();
    return Number(numDeletedRows);
  });
}

/** The file, when it is this member's and still there. */
export async function findDraft(
  world: Pick<DraftWorld, 'sql' | 'clock' | 'config'>,
  memberId: number,
  id: string,
): Promise<Uint8Array | undefined> {
  if (!ID.test(id)) return undefined;
  const row = await world.sql
    .read<CatalogueTables>()
    .selectFrom('upload_draft')
    .select('bytes')
    .where('id', '=', id)
    .where('member_id', '=', memberId)
    .where('created_ms', '>=', world.clock.nowMs() - world.config.draftAgeMsMax)
    .executeTakeFirst();
  return row?.bytes;
}

/** Nothing happens when it is gone or somebody else's. */
export async function discardDraft(sql: Sql, memberId: number, id: string): Promise<void> {
  if (!ID.test(id)) return;
  await sql.transaction<CatalogueTables, void>(async (transaction) => {
    await transaction
      .deleteFrom('upload_draft')
      .where('id', '=', id)
      .where('member_id', '=', memberId)
      .execute();
  });
}

async function removeExcess(catalogue: Catalogue, memberId: number, keep: number): Promise<void> {
  const rows = await catalogue
    .selectFrom('upload_draft')
    .select('id')
    .where('member_id', '=', memberId)
    .orderBy('created_ms', 'desc')
    .orderBy('id')
    .execute();
  await remove(catalogue, rows.slice(keep));
}

async function makeRoom(catalogue: Catalogue, roomBytes: number): Promise<void> {
  for (;;) {
    const { used } = await catalogue
      .selectFrom('upload_draft')
      .select((of) => of.fn.coalesce(of.fn.sum<number>('size_bytes'), of.lit(0)).as('used'))
      .executeTakeFirstOrThrow();
    if (Number(used) <= roomBytes) return;
    const oldest = await catalogue
      .selectFrom('upload_draft')
      .select('id')
      .orderBy('created_ms')
      .limit(OLDEST_AT_ONCE)
      .execute();
    if (oldest.length === 0) return;
    await remove(catalogue, oldest);
  }
}

async function remove(
  catalogue: Catalogue,
  rows: readonly { readonly id: string }[],
): Promise<void> {
  if (rows.length === 0) return;
  const ids = rows.map((row) => row.id);
  await catalogue.deleteFrom('upload_draft').where('id', 'in', ids).execute();
}
