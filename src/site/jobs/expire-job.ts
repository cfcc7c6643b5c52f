// Removes what is over: sessions that nobody used for long, uploads that nobody finished, windows of
// credit that trackers need not know any more.

import type { Job } from '#base/job.ts';
import { removeExpiredSessions } from '#site/accounts/sessions.ts';
import { removeOldDrafts } from '#site/catalogue/upload-drafts.ts';
import type { SiteConfig } from '#site/config.ts';
import { forgetOldWindows } from '#site/credit/credit-windows.ts';
import { removeOldShares } from '#site/shares/shares.ts';
import type { Sql } from '#sql/sql.ts';

export function expireJob(world: {
  readonly sql: Sql;
  readonly config: SiteConfig;
  /** Wakes the outbox relay. */
  readonly changed: () => void;
}): Job {
  return {
    name: 'expire',
    summary:
      'Removes sessions, shares and freeleech that are over, and uploads that were never finished.',
    schedule: { everyMs: 3_600_000, jitterPercent: 20 },
    timeLimitMs: 600_000,
    async run({ clock, signal }) {
      const nowMs = clock.nowMs();
      const sessions = await removeExpiredSessions(world.sql, nowMs);
      // Each is a transaction of its own; whatever is left is found by the next run.
      signal.throwIfAborted();
      const drafts = await removeOldDrafts(world.sql, nowMs - world.config.draftAgeMsMax);
      signal.throwIfAborted();
      const windows = await forgetOldWindows({ sql: world.sql, clock, changed: world.changed });
      signal.throwIfAborted();
      const shares = await removeOldShares(world.sql, nowMs);
      return {
        summary: 'What was over is removed.',
        counts: { sessions, drafts, windows, shares },
      };
    },
  };
}
