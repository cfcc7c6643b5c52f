// Addresses in SQL that were kept for long enough. Sessions are the only table that has any.

import type { AccountTables } from '#site/accounts/account-tables.ts';
import type { Sql } from '#sql/sql.ts';

const IDS_AT_ONCE = 1000;

/** Of sessions that were begun before `beforeMs`; the sessions go on. Returns how many. */
export async function forgetSessionAddresses(sql: Sql, beforeMs: number): Promise<number> {
  return await sql.transaction<AccountTables, number>(async (transaction) => {
    const { numUpdatedRows } = await transaction
      .updateTable('session')
      .set({ address: '' })
      .where('created_ms', '<', beforeMs)
      .where('address', '!=', '')
      .executeTakeFirst();
    return Number(numUpdatedRows);
  });
}

/** Those of these members of whom no address is to be told. At most 1,000 ids are looked at. */
export async function addresslessAmong(
  sql: Sql,
  memberIds: readonly number[],
): Promise<ReadonlySet<number>> {
  const ids = [...new Set(memberIds)].slice(0, IDS_AT_ONCE);
  if (ids.length === 0) return new Set();
  const rows = await sql
    .read<AccountTables>()
    .selectFrom('member')
    .select('id')
    .where((where) => where.or([where('is_protected', '=', 1), where('erased_ms', 'is not', null)]))
    .where('id', 'in', ids)
    .execute();
  return new Set(rows.map((row) => row.id));
}

/** Members of whom no address is to stay in the log, however new: protected and erased ones. */
export async function addresslessMembers(sql: Sql): Promise<readonly number[]> {
  const ids: number[] = [];
  for (let after = 0; ; ) {
    const rows = await sql
      .read<AccountTables>()
      .selectFrom('member')
      .select('id')
      .where((where) =>
        where.or([where('is_protected', '=', 1), where('erased_ms', 'is not', null)]),
      )
      .where('id', '>', after)
      .orderBy('id')
      .limit(IDS_AT_ONCE)
      .execute();
    ids.push(...rows.map((row) => row.id));
    const last = rows.at(-1);
    if (last === undefined || rows.length < IDS_AT_ONCE) return ids;
    after = last.id;
  }
}
