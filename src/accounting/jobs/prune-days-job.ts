// Lets old days of the ledger go. Totals keep everything; days are for charts and for rules that look
// back, and would grow for ever. A rebuild brings them back, until the next run.

import { dayOf } from '#accounting/ledger/ledger-days.ts';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import type { Job } from '#base/job.ts';
import type { Sql } from '#sql/sql.ts';

export function pruneDaysJob(world: { readonly sql: Sql; readonly daysKept: number }): Job {
  return {
    name: 'prune-days',
    summary: 'Removes days of the ledger that are older than the setting accounting.daysKept.',
    schedule: { everyMs: 86_400_000, jitterPercent: 10 },
    timeLimitMs: 3_600_000,
    async run({ clock, fenced }) {
      const first = dayOf(clock.nowMs()) - world.daysKept;
      const removed = await world.sql.transaction<LedgerTables, number>(async (transaction) => {
        await fenced(transaction);
        const { numDeletedRows } = await transaction
          .deleteFrom('ledger_day')
          .where('day', '<', first)
          .executeTakeFirst();
        return Number(numDeletedRows);
      });
      return { summary: 'Old days are removed.', counts: { removed } };
    },
  };
}
