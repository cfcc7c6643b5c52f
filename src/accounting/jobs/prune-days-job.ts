// Lets old days of the ledger go. Totals keep everything; days are for charts and for rules that look
// back, and would grow for ever. A rebuild brings them back, until the next run.

import { dayOf } from '#accounting/ledger/ledger-days.ts';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import type { Job, JobContext } from '#base/job.ts';
import type { Sql } from '#sql/sql.ts';

/** Members whose days go in one transaction: others who write wait for it on SQLite. */
const MEMBERS_AT_ONCE = 500;

export function pruneDaysJob(world: { readonly sql: Sql; readonly daysKept: number }): Job {
  return {
    name: 'prune-days',
    summary: 'Removes days of the ledger that are older than the setting accounting.daysKept.',
    schedule: { everyMs: 86_400_000, jitterPercent: 10 },
    timeLimitMs: 3_600_000,
    async run({ clock, signal, progress, checkpoint, fenced }) {
      const firstKept = dayOf(clock.nowMs()) - world.daysKept;
      const from = await checkpoint.load();
      let after = typeof from === 'number' ? from : -1;
      let members = 0;
      let removed = 0;
      for (;;) {
        signal.throwIfAborted();
        const ids = await nextMembers(world.sql, after);
        const last = ids.at(-1);
        if (last === undefined) break;
        const range = { after, through: last, firstKept };
        removed += await removeDays(world.sql, range, fenced);
        after = last;
        members += ids.length;
        await checkpoint.save(after);
        progress(members, undefined, 'members');
      }
      await checkpoint.save(undefined);
      return { summary: 'Old days are removed.', counts: { removed } };
    },
  };
}

/** Whoever has days has totals. */
async function nextMembers(sql: Sql, after: number): Promise<readonly number[]> {
  const rows = await sql
    .read<LedgerTables>()
    .selectFrom('ledger_member')
    .select('member_id')
    .where('member_id', '>', after)
    .orderBy('member_id')
    .limit(MEMBERS_AT_ONCE)
    .execute();
  return rows.map((row) => row.member_id);
}

async function removeDays(
  sql: Sql,
  range: { readonly after: number; readonly through: number; readonly firstKept: number },
  fenced: JobContext['fenced'],
): Promise<number> {
  return await sql.transaction<LedgerTables, number>(async (transaction) => {
    await fenced(transaction);
    const { numDeletedRows } = await transaction
      .deleteFrom('ledger_day')
      .where('member_id', '>', range.after)
      .where('member_id', '<=', range.through)
      .where('day', '<', range.firstKept)
      .executeTakeFirst();
    return Number(numDeletedRows);
  });
}
