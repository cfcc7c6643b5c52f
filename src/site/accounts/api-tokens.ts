// Tokens by which programs act for a member: 256 random bits, shown once, kept as their hash. What one
// may do is what its member may, asked anew each time; it ends when it is removed, or its member is.

import type { Generated } from 'kysely';
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import { isRole, type Role } from '#site/permissions.ts';
import type { Sql } from '#sql/sql.ts';
import type { AccountTables } from './account-tables.ts';
import { nameKey } from './members.ts';
import { isToken, newToken, tokenHash } from './sessions.ts';

const LABEL_LENGTH_MAX = 100;
const LIST_MAX = 1000;

interface ApiTokenTables extends AccountTables {
  api_token: {
    id: Generated<number>;
    member_id: number;
    token_hash: Uint8Array;
    label: string;
    created_ms: number;
  };
}

export interface ApiToken {
  readonly id: number;
  readonly member: string;
  readonly label: string;
  /** Unix milliseconds. */
  readonly createdMs: number;
}

/** Who a token acts for. */
export interface TokenHolder {
  readonly memberId: number;
  readonly name: string;
  readonly role: Role;
}

/** The token itself, which nobody can be shown again; undefined when there is no such active member. */
export async function addApiToken(
  world: { readonly sql: Sql; readonly clock: Clock; readonly random: Random },
  memberName: string,
  label: string,
): Promise<{ readonly token: string; readonly holder: TokenHolder } | undefined> {
  const token = newToken(world.random);
  const holder = await world.sql.transaction<ApiTokenTables, TokenHolder | undefined>(
    async (transaction) => {
      const row = await transaction
        .selectFrom('member')
        .select(['id', 'name', 'role'])
        .where('name_key', '=', nameKey(memberName))
        .where('state', '=', 'active')
        .executeTakeFirst();
      if (row === undefined) return undefined;
      await transaction
        .insertInto('api_token')
        .values({
          member_id: row.id,
          token_hash: tokenHash(token),
          label: label.slice(0, LABEL_LENGTH_MAX),
          created_ms: world.clock.nowMs(),
        })
        .execute();
      return holderOf(row);
    },
  );
  return holder && { token, holder };
}

/** Undefined unless the token is there and its member is active. */
export async function findTokenHolder(sql: Sql, token: string): Promise<TokenHolder | undefined> {
  if (!isToken(token)) return undefined;
  const row = await sql
    .read<ApiTokenTables>()
    .selectFrom('api_token')
    .innerJoin('member', 'member.id', 'api_token.member_id')
    .select(['member.id', 'member.name', 'member.role'])
    .where('api_token.token_hash', '=', tokenHash(token))
    .where('member.state', '=', 'active')
    .executeTakeFirst();
  return row && holderOf(row);
}

export async function listApiTokens(sql: Sql): Promise<readonly ApiToken[]> {
  const rows = await sql
    .read<ApiTokenTables>()
    .selectFrom('api_token')
    .innerJoin('member', 'member.id', 'api_token.member_id')
    .select(['api_token.id', 'member.name', 'api_token.label', 'api_token.created_ms'])
    .orderBy('api_token.id')
    .limit(LIST_MAX)
    .execute();
  return rows.map(({ id, name, label, created_ms: createdMs }) => ({
    ...{ id, member: name, label, createdMs },
  }));
}

/** False when there is none of that number. */
export async function removeApiToken(sql: Sql, id: number): Promise<boolean> {
  return await sql.transaction<ApiTokenTables, boolean>(async (transaction) => {
    const { numDeletedRows } = await transaction
      .deleteFrom('api_token')
      .where('id', '=', id)
      .executeTakeFirst();
    return numDeletedRows > 0n;
  });
}

function holderOf(row: { id: number; name: string; role: string }): TokenHolder {
  const role = isRole(row.role) ? row.role : 'member';
  return { memberId: row.id, name: row.name, role };
}
