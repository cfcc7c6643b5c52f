// Links that let somebody do one thing with one account: set a new password, or confirm an e-mail address.
// 256 random bits, kept as their hash, good for a while, and used up by what they are for. A member has one
// of each kind at a time: a newer one makes the older void.

import type { Generated, Transaction } from 'kysely';
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import type { AccountTables } from '#site/accounts/account-tables.ts';
import { isToken, newToken, tokenHash } from '#site/accounts/sessions.ts';
import type { Sql } from '#sql/sql.ts';

export type LinkPurpose = 'reset' | 'email';

export interface LinkTables extends AccountTables {
  account_link: {
    id: Generated<number>;
    token_hash: Uint8Array;
    member_id: number;
    purpose: string;
    /** That is to be confirmed; empty for another purpose. */
    address: string;
    /** Who of the staff made it; null when the member asked. */
    staff_id: number | null;
    created_ms: number;
    expires_ms: number;
  };
  member_email: {
    member_id: number;
    address: string;
    address_key: string;
    confirmed_ms: number;
  };
}

export interface LinkWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly random: Random;
}

export interface NewLink {
  readonly memberId: number;
  readonly purpose: LinkPurpose;
  readonly lastsMs: number;
  readonly address?: string;
  readonly staffId?: number;
}

export interface AccountLink {
  readonly id: number;
  readonly memberId: number;
  readonly name: string;
  readonly address: string;
}

/** The token for the link, which is stored nowhere. */
export async function addLink(world: LinkWorld, asked: NewLink): Promise<string> {
  const token = newToken(world.random);
  const nowMs = world.clock.nowMs();
  await world.sql.transaction<LinkTables, void>(async (transaction) => {
    await transaction
      .deleteFrom('account_link')
      .where((of) =>
        of.or([
          of('expires_ms', '<=', nowMs),
          of.and([of('member_id', '=', asked.memberId), of('purpose', '=', asked.purpose)]),
        ]),
      )
      .execute();
    await transaction
      .insertInto('account_link')
      .values({
        token_hash: tokenHash(token),
        member_id: asked.memberId,
        purpose: asked.purpose,
        address: asked.address ?? '',
        staff_id: asked.staffId ?? null,
        created_ms: nowMs,
        expires_ms: nowMs + asked.lastsMs,
      })
      .execute();
  });
  return token;
}

/** Undefined unless the token is that of a good link of an active member. */
export async function findLink(
  { sql, clock }: Pick<LinkWorld, 'sql' | 'clock'>,
  token: string,
  purpose: LinkPurpose,
): Promise<AccountLink | undefined> {
  if (!isToken(token)) return undefined;
  const row = await sql
    .read<LinkTables>()
    .selectFrom('account_link')
    .innerJoin('member', 'member.id', 'account_link.member_id')
    .select(['account_link.id', 'account_link.member_id', 'account_link.address', 'member.name'])
    .where('account_link.token_hash', '=', tokenHash(token))
    .where('account_link.purpose', '=', purpose)
    .where('account_link.expires_ms', '>', clock.nowMs())
    .where('member.state', '=', 'active')
    .executeTakeFirst();
  return row && { id: row.id, memberId: row.member_id, name: row.name, address: row.address };
}

/** False when it was used in the meantime: then nothing may come of it. */
export async function useLink(transaction: Transaction<LinkTables>, id: number): Promise<boolean> {
  const { numDeletedRows } = await transaction
    .deleteFrom('account_link')
    .where('id', '=', id)
    .executeTakeFirst();
  return numDeletedRows > 0n;
}
