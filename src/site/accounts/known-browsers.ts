// Browsers that a member signed in with before. Failed sign-ins are limited by name, so anybody could
// lock a member out by failing on purpose; a browser that is known to the name has attempts of its
// own instead. It is the browser that is known and not its address, because addresses change, are
// shared with strangers (a provider's, a university's, Tor's), and are not kept for long here.
//
//   cookie   <member id>.<16 random bytes, base64url>.<HMAC-SHA-256, base64url>
//
// The key of the HMAC is what is stored of the password: no secret has to be kept for it, nobody who
// has not read the database can make one, and with a new password no browser is known any more. It
// proves nothing but that somebody signed in there; the password is asked for all the same.

import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Random } from '#base/random.ts';
import type { Sql } from '#sql/sql.ts';
import type { AccountTables } from './account-tables.ts';
import { nameKey } from './members.ts';

export const KNOWN_DAYS = 400;
const NONCE_BYTES = 16;
const KNOWN = /^([0-9]{1,10})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})$/;

/** The cookie's value for a browser in which the member just showed who they are; empty for none. */
export async function knownBrowserToken(
  world: { readonly sql: Sql; readonly random: Random },
  memberId: number,
): Promise<string> {
  const row = await world.sql
    .read<AccountTables>()
    .selectFrom('member')
    .select('password_hash')
    .where('id', '=', memberId)
    .executeTakeFirst();
  if (!row?.password_hash) return '';
  const nonce = Buffer.from(world.random.bytes(NONCE_BYTES)).toString('base64url');
  return `${memberId}.${nonce}.${seal(row.password_hash, memberId, nonce)}`;
}

/** A key for this browser's own attempts to sign in as `name`; undefined when it is not known to it. */
export async function knownBrowserKey(
  sql: Sql,
  name: string,
  token: string,
): Promise<string | undefined> {
  const [, id, nonce, mac] = KNOWN.exec(token) ?? [];
  if (id === undefined || nonce === undefined || mac === undefined) return undefined;
  const row = await sql
    .read<AccountTables>()
    .selectFrom('member')
    .select(['id', 'password_hash'])
    .where('name_key', '=', nameKey(name))
    .where('state', '!=', 'removed')
    .executeTakeFirst();
  if (!row?.password_hash || row.id !== Number(id)) return undefined;
  const expected = Buffer.from(seal(row.password_hash, row.id, nonce));
  return timingSafeEqual(expected, Buffer.from(mac)) ? `browser:${row.id}:${nonce}` : undefined;
}

function seal(passwordHash: string, memberId: number, nonce: string): string {
  return createHmac('sha256', passwordHash)
    .update(`swarmkeep known browser ${memberId} ${nonce}`)
    .digest('base64url');
}
