// Tokens by which programs act for a member: 256 random bits, shown once, kept as their hash. A token
// has scopes, which are permissions by name: its bearer may do what both the scopes name and the member
// may, asked anew each time. It ends when it expires or is removed, or when its member is no longer active.

import type { Generated } from 'kysely';
import type { ClassTables } from '#accounting/classes/class-tables.ts';
import type { Clock } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import {
  GIVEN_PERMISSIONS,
  isPermission,
  PERMISSIONS,
  type Permission,
  type Role,
} from '#site/permissions.ts';
import { Refusal } from '#site/refusal.ts';
import type { RightsHolder, RoleBook, RolesInForce } from '#site/roles/role-book.ts';
import type { Sql } from '#sql/sql.ts';
import type { AccountTables } from './account-tables.ts';
import { lockMember } from './lock-member.ts';
import { nameKey } from './members.ts';
import { isToken, newToken, tokenHash } from './sessions.ts';

/** What a token can be given, in the order of pages. */
export const TOKEN_SCOPES: readonly Permission[] = ['account', ...GIVEN_PERMISSIONS, 'administer'];

export const TOKEN_LABEL_LENGTH_MAX = 100;
export const TOKEN_DAYS_MAX = 3650;
const TOKENS_PER_MEMBER_MAX = 100;
const LIST_MAX = 1000;
const DAY_MS = 86_400_000;
/** A use is written down at most this often. */
const USED_MS = 3_600_000;

export interface ApiTokenTables extends AccountTables, ClassTables {
  api_token: {
    id: Generated<number>;
    member_id: number;
    token_hash: Uint8Array;
    label: string;
    created_ms: number;
    /** Names of permissions with a space between. */
    scopes: string;
    /** Unix milliseconds; null lasts until it is removed. */
    expires_ms: number | null;
    /** The last use, to an hour. */
    used_ms: number | null;
  };
}

/** Without what it is: nobody can be shown that again. Times are Unix milliseconds. */
export interface ApiToken {
  readonly id: number;
  readonly member: string;
  readonly label: string;
  readonly scopes: readonly Permission[];
  readonly createdMs: number;
  readonly expiresMs: number | undefined;
  readonly usedMs: number | undefined;
}

/** Who a token acts for, and what its bearer may. */
export interface TokenHolder extends RightsHolder {
  readonly tokenId: number;
  readonly memberId: number;
  readonly name: string;
  readonly role: Role;
  readonly scopes: readonly Permission[];
  /** The scopes, as far as the member has them; ask this. */
  readonly permissions: ReadonlySet<Permission>;
}

export interface NewApiToken {
  readonly member: string;
  readonly label: string;
  readonly scopes: readonly Permission[];
  /** How long it lasts; without it, until it is removed. */
  readonly days?: number;
}

/** The token itself, which nobody can be shown again. */
export async function addApiToken(
  world: { readonly sql: Sql; readonly clock: Clock; readonly random: Random },
  roles: RolesInForce,
  asked: NewApiToken,
): Promise<{ readonly token: string; readonly member: string } | Refusal> {
  const token = newToken(world.random);
  const label = asked.label.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim();
  const wrong = checkToken({ ...asked, label });
  if (wrong !== undefined) return wrong;
  const nowMs = world.clock.nowMs();
  return await world.sql.transaction<ApiTokenTables, { token: string; member: string } | Refusal>(
    async (transaction) => {
      const row = await transaction
        .selectFrom('member')
        .leftJoin('member_class', 'member_class.member_id', 'member.id')
        .select(['member.id', 'member.name', 'member.role', 'member_class.name as class_name'])
        .where('name_key', '=', nameKey(asked.member))
        .where('state', '=', 'active')
        .executeTakeFirst();
      if (row === undefined) return new Refusal('token-member', 'There is no such active member.');
      const may = roles.permissionsOf({ role: row.role, className: row.class_name ?? '' });
      const beyond = asked.scopes.find((scope) => !may.has(scope));
      if (beyond !== undefined) {
        const message = `"${row.name}" may not "${beyond}", so no token of theirs can.`;
        return new Refusal('token-beyond', message, 'scopes');
      }
      await lockMember(transaction, row.id);
      const { rows } = await transaction
        .selectFrom('api_token')
        .select((of) => of.fn.countAll<number>().as('rows'))
        .where('member_id', '=', row.id)
        .executeTakeFirstOrThrow();
      if (rows >= TOKENS_PER_MEMBER_MAX) {
        const message = `There are ${TOKENS_PER_MEMBER_MAX} tokens at most; remove one first.`;
        return new Refusal('tokens-full', message, 'label');
      }
      await transaction
        .insertInto('api_token')
        .values({
          member_id: row.id,
          token_hash: tokenHash(token),
          label,
          created_ms: nowMs,
          scopes: TOKEN_SCOPES.filter((scope) => asked.scopes.includes(scope)).join(' '),
          expires_ms: asked.days === undefined ? null : nowMs + asked.days * DAY_MS,
          used_ms: null,
        })
        .execute();
      return { token, member: row.name };
    },
  );
}

function checkToken({ label, scopes, days }: NewApiToken): Refusal | undefined {
  if (label.length > TOKEN_LABEL_LENGTH_MAX) {
    const message = `A name has at most ${TOKEN_LABEL_LENGTH_MAX} characters.`;
    return new Refusal('token-label', message, 'label');
  }
  if (!scopes.some((scope) => TOKEN_SCOPES.includes(scope))) {
    return new Refusal('token-scopes', 'Choose at least one thing the token may do.', 'scopes');
  }
  if (days !== undefined && !(Number.isInteger(days) && days >= 1 && days <= TOKEN_DAYS_MAX)) {
    return new Refusal('token-days', `A token lasts 1 to ${TOKEN_DAYS_MAX} days.`, 'days');
  }
  return undefined;
}

/** Undefined unless the token is there, has not expired, and its member is active. */
export async function memberOfToken(
  world: { readonly sql: Sql; readonly clock: Clock; readonly roleBook: RoleBook },
  token: string,
): Promise<TokenHolder | undefined> {
  if (!isToken(token)) return undefined;
  const nowMs = world.clock.nowMs();
  const row = await world.sql
    .read<ApiTokenTables>()
    .selectFrom('api_token')
    .innerJoin('member', 'member.id', 'api_token.member_id')
    .leftJoin('member_class', 'member_class.member_id', 'member.id')
    .select([
      'api_token.id as token_id',
      'api_token.scopes',
      'api_token.used_ms',
      'member.id',
      'member.name',
      'member.role',
      'member_class.name as class_name',
    ])
    .where('api_token.token_hash', '=', tokenHash(token))
    .where('member.state', '=', 'active')
    .where((of) =>
      of.or([of('api_token.expires_ms', 'is', null), of('api_token.expires_ms', '>', nowMs)]),
    )
    .executeTakeFirst();
  if (row === undefined) return undefined;
  if (nowMs - (row.used_ms ?? 0) >= USED_MS) await noteUse(world.sql, row.token_id, nowMs);
  const holder = { role: row.role, className: row.class_name ?? '' };
  const may = (await world.roleBook.current()).permissionsOf(holder);
  const scopes = scopesOf(row.scopes);
  const permissions = new Set(scopes.filter((scope) => may.has(scope)));
  permissions.add('anyone');
  return {
    ...holder,
    tokenId: row.token_id,
    memberId: row.id,
    name: row.name,
    scopes,
    permissions,
  };
}

async function noteUse(sql: Sql, id: number, nowMs: number): Promise<void> {
  await sql.transaction<ApiTokenTables, void>(async (transaction) => {
    await transaction
      .updateTable('api_token')
      .set({ used_ms: nowMs })
      .where('id', '=', id)
      .execute();
  });
}

/** All of them, or one member's own; the newest last. Those that expired are among them. */
export async function listApiTokens(sql: Sql, memberId?: number): Promise<readonly ApiToken[]> {
  let query = sql
    .read<ApiTokenTables>()
    .selectFrom('api_token')
    .innerJoin('member', 'member.id', 'api_token.member_id')
    .selectAll('api_token')
    .select('member.name')
    .orderBy('api_token.id')
    .limit(LIST_MAX);
  if (memberId !== undefined) query = query.where('api_token.member_id', '=', memberId);
  return (await query.execute()).map((row) => ({
    id: row.id,
    member: row.name,
    label: row.label,
    scopes: scopesOf(row.scopes),
    createdMs: row.created_ms,
    expiresMs: row.expires_ms ?? undefined,
    usedMs: row.used_ms ?? undefined,
  }));
}

/** False when there is none of that number, or none of that member's. */
export async function removeApiToken(sql: Sql, id: number, memberId?: number): Promise<boolean> {
  return await sql.transaction<ApiTokenTables, boolean>(async (transaction) => {
    let query = transaction.deleteFrom('api_token').where('id', '=', id);
    if (memberId !== undefined) query = query.where('member_id', '=', memberId);
    const { numDeletedRows } = await query.executeTakeFirst();
    return numDeletedRows > 0n;
  });
}

/** What another version gave and this one does not know is left out. */
function scopesOf(text: string): readonly Permission[] {
  return text.split(' ').filter(isPermission);
}

/** Options of a form, with what each scope is for. */
export function scopeOptions(
  permissions: ReadonlySet<Permission>,
): readonly { readonly value: Permission; readonly label: string; readonly hint: string }[] {
  return TOKEN_SCOPES.filter((scope) => permissions.has(scope)).map((value) => ({
    value,
    label: value,
    hint: PERMISSIONS[value],
  }));
}
