// Removes what is over: sessions that nobody used for long, uploads that nobody finished.

import type { Job } from '#base/job.ts';
import { removeExpiredSessions } from '#site/accounts/sessions.ts';
import { removeOldDrafts } from '#site/catalogue/upload-drafts.ts';
import type { SiteConfig } from '#site/config.ts';
import type { Sql } from '#sql/sql.ts';

export function expireJob(world: { readonly sql: Sql; readonly config: SiteConfig }): Job {
  return {
    name: 'expire',
    summary: 'Removes sessions that are over and uploads that were never finished.',
    schedule: { everyMs: 3_600_000, jitterPercent: 20 },
    timeLimitMs: 600_000,
    async run({ clock }) {
      const nowMs = clock.nowMs();
      const sessions = await removeExpiredSessions(world.sql, nowMs);
      const drafts = await removeOldDrafts(world.sql, nowMs - world.config.draftAgeMsMax);
      return { summary: 'What was over is removed.', counts: { sessions, drafts } };
    },
  };
}
