// What lets somebody into an account beside its password, and what of it ends with the password: whoever
// had one of these from somewhere shall not have it any longer.

import type { Transaction } from 'kysely';
import type { AccountTables } from './account-tables.ts';

interface WaysIn extends AccountTables {
  api_token: { member_id: number };
  account_link: { member_id: number };
  sign_in_step: { member_id: number | null };
}

/** Of all devices, or of all but one. */
export async function endSessions(
  transaction: Transaction<AccountTables>,
  memberId: number,
  exceptId?: number,
): Promise<void> {
  let query = transaction.deleteFrom('session').where('member_id', '=', memberId);
  if (exceptId !== undefined) query = query.where('id', '!=', exceptId);
  await query.execute();
}

/** Sign-ins whose code is still to come, and links that were sent and not opened. */
export async function endHalfDone(
  transaction: Transaction<AccountTables>,
  memberId: number,
): Promise<void> {
  const tables = transaction as unknown as Transaction<WaysIn>;
  await tables.deleteFrom('sign_in_step').where('member_id', '=', memberId).execute();
  await tables.deleteFrom('account_link').where('member_id', '=', memberId).execute();
}

/**
 * For a password that was set without the one before: nobody knows who made what there is. Sign-in keys,
 * the second factor, passkey and feeds stay, because a member would lose more by it than a thief.
 */
export async function endAllWaysIn(
  transaction: Transaction<AccountTables>,
  memberId: number,
): Promise<void> {
  const tables = transaction as unknown as Transaction<WaysIn>;
  await endSessions(transaction, memberId);
  await endHalfDone(transaction, memberId);
  await tables.deleteFrom('api_token').where('member_id', '=', memberId).execute();
}
