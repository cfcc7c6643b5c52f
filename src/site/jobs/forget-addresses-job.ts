// Removes addresses that were kept for long enough, and those of protected and erased members, from
// the log and from sessions (A17).

import { type ForgottenSoFar, forgetAddresses } from '#accounting/forget-addresses.ts';
import type { Job } from '#base/job.ts';
import type { RewritingLog } from '#log/rewriting-log.ts';
import { addresslessMembers, forgetSessionAddresses } from '#site/privacy/old-addresses.ts';
import type { Sql } from '#sql/sql.ts';

const DAY_MS = 86_400_000;
/** More ids than this do not fit what a job keeps; then all is looked through on every run. */
const IDS_KEPT_MAX = 5000;

export function forgetAddressesJob(world: {
  readonly sql: Sql;
  readonly log: RewritingLog;
  readonly daysKept: number;
}): Job {
  return {
    name: 'forget-addresses',
    summary:
      'Removes addresses older than accounting.addressDaysKept from the log and from sessions, and those of protected and erased members.',
    schedule: { everyMs: DAY_MS, jitterPercent: 10 },
    timeLimitMs: 6 * 3_600_000,
    async run({ clock, signal, progress, checkpoint }) {
      const { sql, log, daysKept } = world;
      const beforeMs = clock.nowMs() - daysKept * DAY_MS;
      const sessions = await forgetSessionAddresses(sql, beforeMs);
      const memberIds = await addresslessMembers(sql);
      const { state, addresses } = await forgetAddresses(
        { log, signal, progress: (done, total) => progress(done, total, 'records') },
        { beforeMs, memberIds },
        stateOf(await checkpoint.load()),
      );
      const kept = memberIds.length > IDS_KEPT_MAX ? { ...state, memberIds: [] } : state;
      await checkpoint.save(kept);
      return { summary: 'Old addresses are removed.', counts: { sessions, addresses } };
    },
  };
}

function stateOf(stored: unknown): ForgottenSoFar | undefined {
  const state = stored as Partial<ForgottenSoFar> | undefined;
  if (typeof state?.beforeMs !== 'number' || typeof state.throughOffset !== 'number') {
    return undefined;
  }
  return Array.isArray(state.memberIds) ? (state as ForgottenSoFar) : undefined;
}
