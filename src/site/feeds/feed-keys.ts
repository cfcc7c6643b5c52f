// The key in the address of a member's feeds. It is not the passkey: what a feed reader leaks moves no
// byte under the member's name, and resetting one leaves the other. It is found by its SHA-256, and kept as
// it is beside it, because the addresses are shown again whenever a member sets up another reader.

import type { ClassTables } from '#accounting/classes/class-tables.ts';
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { AccountTables } from '#site/accounts/account-tables.ts';
import { tokenHash } from '#site/accounts/sessions.ts';
import type { RightsHolder } from '#site/roles/role-book.ts';
import type { Sql } from '#sql/sql.ts';

const KEY_BYTES = 24;
const KEY = /^[\w-]{32}$/;

interface FeedKeyTables extends AccountTables, ClassTables {
  feed_key: {
    member_id: number;
    key: string;
    /** SHA-256 of the key. */
    key_hash: Uint8Array;
    created_ms: number;
  };
}

interface FeedKeysWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly random: Random;
}

/** Who a feed is for. */
export interface FeedHolder extends RightsHolder {
  readonly memberId: number;
}

/** The member's key; made when they have none. */
export async function feedKeyOf(world: FeedKeysWorld, memberId: number): Promise<string> {
  const row = await world.sql
    .read<FeedKeyTables>()
    .selectFrom('feed_key')
    .select('key')
    .where('member_id', '=', memberId)
    .executeTakeFirst();
  return row?.key ?? (await writeKey(world, memberId, 'kept'));
}

/** Another key in its place; addresses with the old one are answered like wrong ones from now on. */
export async function resetFeedKey(world: FeedKeysWorld, memberId: number): Promise<string> {
  return await writeKey(world, memberId, 'replaced');
}

/** Undefined unless the key is good and its member is active. */
export async function findFeedHolder(sql: Sql, key: string): Promise<FeedHolder | undefined> {
  if (!KEY.test(key)) return undefined;
  const row = await sql
    .read<FeedKeyTables>()
    .selectFrom('feed_key')
    .innerJoin('member', 'member.id', 'feed_key.member_id')
    .leftJoin('member_class', 'member_class.member_id', 'member.id')
    .select(['member.id', 'member.role', 'member_class.name as class_name'])
    .where('feed_key.key_hash', '=', tokenHash(key))
    .where('member.state', '=', 'active')
    .executeTakeFirst();
  if (row === undefined) return undefined;
  return { memberId: row.id, role: row.role, className: row.class_name ?? '' };
}

/** `kept`: of two requests at once, both get the key of the first. */
async function writeKey(
  world: FeedKeysWorld,
  memberId: number,
  former: 'kept' | 'replaced',
): Promise<string> {
  const key = Buffer.from(world.random.bytes(KEY_BYTES)).toString('base64url');
  const key_hash = tokenHash(key);
  const createdMs = world.clock.nowMs();
  return await world.sql.transaction<FeedKeyTables, string>(async (transaction) => {
    const row = await transaction
      .insertInto('feed_key')
      .values({ member_id: memberId, key, key_hash, created_ms: createdMs })
      .onConflict((conflict) =>
        conflict
          .column('member_id')
          .doUpdateSet((of) =>
            former === 'kept'
              ? { key: of.ref('feed_key.key') }
              : { key: of.ref('excluded.key'), key_hash, created_ms: createdMs },
          ),
      )
      .returning('key')
      .executeTakeFirstOrThrow();
    return row.key;
  });
}
