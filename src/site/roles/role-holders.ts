// Who has which role.

import type { AccountTables } from '#site/accounts/account-tables.ts';
import type { Role } from '#site/permissions.ts';
import type { Sql } from '#sql/sql.ts';

/** How many active members have each role. */
export async function countByRole(sql: Sql): Promise<ReadonlyMap<Role, number>> {
  const rows = await sql
    .read<AccountTables>()
    .selectFrom('member')
    .select((of) => ['role' as const, of.fn.countAll<number>().as('rows')])
    .where('state', '=', 'active')
    .groupBy('role')
    .execute();
  return new Map(rows.map(({ role, rows: count }) => [role, count]));
}
