// Keys of devices with which members sign in without a password. (The passkey of this house is the key of
// an announce address, so that what others call a passkey is a sign-in key here.)

import type { Generated, Transaction } from 'kysely';
import type { Clock } from '#base/clock.ts';
import type { AccountTables } from '#site/accounts/account-tables.ts';
import { lockMember } from '#site/accounts/lock-member.ts';
import { tellOwner } from '#site/notices/tell-owner.ts';
import { Refusal } from '#site/refusal.ts';
import { isUniqueViolation } from '#sql/dialect.ts';
import type { Sql } from '#sql/sql.ts';
import { type Asked, KEY_ALGORITHMS, type NewKey, readUse } from './webauthn.ts';

export const KEY_LABEL_LENGTH_MAX = 60;
const KEYS_MAX = 20;

export interface SignInKeyTables extends AccountTables {
  sign_in_key: {
    id: Generated<number>;
    member_id: number;
    /** The device's name for it, in base64url. */
    credential: string;
    /** SPKI, DER. */
    public_key: Uint8Array;
    algorithm: number;
    uses: number;
    label: string;
    created_ms: number;
    used_ms: number | null;
  };
}

export interface SignInKey {
  readonly id: number;
  readonly credential: string;
  readonly label: string;
  readonly createdMs: number;
  readonly usedMs: number | undefined;
}

interface KeysWorld {
  readonly sql: Sql;
  readonly clock: Clock;
}

/** A member's own, the oldest first. */
export async function listSignInKeys(sql: Sql, memberId: number): Promise<readonly SignInKey[]> {
  const rows = await sql
    .read<SignInKeyTables>()
    .selectFrom('sign_in_key')
    .selectAll()
    .where('member_id', '=', memberId)
    .orderBy('id')
    .limit(KEYS_MAX)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    credential: row.credential,
    label: row.label,
    createdMs: row.created_ms,
    usedMs: row.used_ms ?? undefined,
  }));
}

export async function addSignInKey(
  { sql, clock }: KeysWorld,
  memberId: number,
  added: { readonly key: NewKey; readonly label: string },
): Promise<Refusal | undefined> {
  const { key } = added;
  const label = added.label.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim();
  const nowMs = clock.nowMs();
  return await sql
    .transaction<SignInKeyTables, Refusal | undefined>(async (transaction) => {
      await lockMember(transaction, memberId);
      const { rows } = await transaction
        .selectFrom('sign_in_key')
        .select((of) => of.fn.countAll<number>().as('rows'))
        .where('member_id', '=', memberId)
        .executeTakeFirstOrThrow();
      if (rows >= KEYS_MAX) {
        return new Refusal('keys-full', `There are ${KEYS_MAX} keys at most; remove one first.`);
      }
      await transaction
        .insertInto('sign_in_key')
        .values({
          member_id: memberId,
          credential: key.credential,
          public_key: key.publicKey,
          algorithm: key.algorithm,
          uses: key.uses,
          label: label === '' ? 'A device' : label.slice(0, KEY_LABEL_LENGTH_MAX),
          created_ms: nowMs,
          used_ms: null,
        })
        .execute();
      await tellOwner(transaction, nowMs, {
        memberId,
        title: 'A key to sign in with was added',
        body: 'If that was not you, remove it, sign out everywhere and change your password.',
      });
      return undefined;
    })
    .catch((error: unknown) => {
      if (!isUniqueViolation(error)) throw error;
      return new Refusal('key-known', 'This key is here already.');
    });
}

/** Whose key signed what was asked; undefined when it is nobody's, or not the answer. */
export async function memberOfUse(
  { sql, clock }: KeysWorld,
  asked: Asked,
  answer: {
    readonly credential: string;
    readonly clientData: string;
    readonly authData: string;
    readonly signature: string;
  },
): Promise<number | undefined> {
  const row = await sql
    .read<SignInKeyTables>()
    .selectFrom('sign_in_key')
    .selectAll()
    .where('credential', '=', answer.credential)
    .executeTakeFirst();
  const algorithm = KEY_ALGORITHMS.find((one) => one === row?.algorithm);
  if (row === undefined || algorithm === undefined) return undefined;
  const uses = readUse(asked, { publicKey: row.public_key, algorithm }, answer);
  if (uses === undefined) return undefined;
  // A key that counts and goes back was copied: two devices use it.
  if (uses !== 0 && uses <= row.uses) return undefined;
  await sql.transaction<SignInKeyTables, void>(async (transaction) => {
    await transaction
      .updateTable('sign_in_key')
      .set({ uses, used_ms: clock.nowMs() })
      .where('id', '=', row.id)
      .execute();
  });
  return row.member_id;
}

/** False when it is none of that member's. */
export async function removeSignInKey(sql: Sql, memberId: number, id: number): Promise<boolean> {
  return await sql.transaction<SignInKeyTables, boolean>(async (transaction) => {
    const { numDeletedRows } = await transaction
      .deleteFrom('sign_in_key')
      .where('id', '=', id)
      .where('member_id', '=', memberId)
      .executeTakeFirst();
    return numDeletedRows > 0n;
  });
}

/** All of a member's. */
export async function removeSignInKeys<Tables>(
  transaction: Transaction<Tables>,
  memberId: number,
): Promise<void> {
  const tables = transaction as unknown as Transaction<SignInKeyTables>;
  await tables.deleteFrom('sign_in_key').where('member_id', '=', memberId).execute();
}
