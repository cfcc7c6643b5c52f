// The e-mail address of a member, for letters about the account alone. It counts once the member opened
// the link that was sent there; until then the address before it does.

import type { Transaction } from 'kysely';
import { tellOwner } from '#site/notices/tell-owner.ts';
import { Refusal } from '#site/refusal.ts';
import { isUniqueViolation } from '#sql/dialect.ts';
import type { Sql } from '#sql/sql.ts';
import { type AccountLink, type LinkTables, type LinkWorld, useLink } from './account-links.ts';

export const EMAIL_LENGTH_MAX = 254;
/** What every address looks like; whether there is such a mailbox, the letter shows. */
const EMAIL = /^[^\s@<>()[\]\\,;:"\p{Cc}]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$/u;

export function checkEmail(address: string): Refusal | undefined {
  if (address.length <= EMAIL_LENGTH_MAX && EMAIL.test(address)) return undefined;
  return new Refusal('email-form', 'Write an address such as "name@example.org".', 'address');
}

/** The confirmed one. */
export async function emailOf(sql: Sql, memberId: number): Promise<string | undefined> {
  const row = await sql
    .read<LinkTables>()
    .selectFrom('member_email')
    .select('address')
    .where('member_id', '=', memberId)
    .executeTakeFirst();
  return row?.address;
}

/** An active member by name or by confirmed address. */
export async function memberToReset(
  sql: Sql,
  typed: string,
): Promise<
  { readonly memberId: number; readonly name: string; readonly address: string } | undefined
> {
  const key = typed.trim().toLowerCase();
  const row = await sql
    .read<LinkTables>()
    .selectFrom('member_email')
    .innerJoin('member', 'member.id', 'member_email.member_id')
    .select(['member.id', 'member.name', 'member_email.address'])
    .where('member.state', '=', 'active')
    .where((of) =>
      of.or([of('member.name_key', '=', key), of('member_email.address_key', '=', key)]),
    )
    // Somebody may be called like nobody's address, never the other way round.
    .orderBy('member.id')
    .executeTakeFirst();
  return row && { memberId: row.id, name: row.name, address: row.address };
}

/** The address of the link counts from now on; returns the one before it. */
export async function confirmEmail(
  { sql, clock }: LinkWorld,
  link: AccountLink,
): Promise<{ readonly before: string | undefined } | Refusal> {
  const nowMs = clock.nowMs();
  const row = {
    member_id: link.memberId,
    address: link.address,
    address_key: link.address.toLowerCase(),
    confirmed_ms: nowMs,
  };
  return await sql
    .transaction<LinkTables, { before: string | undefined } | Refusal>(async (transaction) => {
      if (!(await useLink(transaction, link.id))) {
        return new Refusal('link-used', 'This link was used already.');
      }
      await endMailedResets(transaction, link.memberId);
      const before = await transaction
        .deleteFrom('member_email')
        .where('member_id', '=', link.memberId)
        .returning('address')
        .executeTakeFirst();
      await transaction.insertInto('member_email').values(row).execute();
      await tellOwner(transaction, nowMs, {
        memberId: link.memberId,
        title: 'Your e-mail address is confirmed',
        body: 'Letters about your account go there. If that was not you, change your password.',
      });
      return { before: before?.address };
    })
    .catch((error: unknown) => {
      if (!isUniqueViolation(error)) throw error;
      return new Refusal('email-taken', 'This address belongs to another account here.');
    });
}

export async function removeEmail(sql: Sql, memberId: number): Promise<void> {
  await sql.transaction<LinkTables, void>(async (transaction) => {
    await transaction.deleteFrom('member_email').where('member_id', '=', memberId).execute();
    await transaction
      .deleteFrom('account_link')
      .where('member_id', '=', memberId)
      .where('purpose', '=', 'email')
      .execute();
    await endMailedResets(transaction, memberId);
  });
}

/** Whoever reads letters to an address that no longer counts shall not choose the password. */
async function endMailedResets(
  transaction: Transaction<LinkTables>,
  memberId: number,
): Promise<void> {
  await transaction
    .deleteFrom('account_link')
    .where('member_id', '=', memberId)
    .where('purpose', '=', 'reset')
    .where('staff_id', 'is', null)
    .execute();
}
