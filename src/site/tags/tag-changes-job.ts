// Carries out what was begun with tags: what a page had no time for, and what a crash cut off.

import type { Job } from '#base/job.ts';
import type { CatalogueWorld } from '#site/catalogue/torrents.ts';
import { carryOut, openTagChanges } from './tag-changes.ts';

export function tagChangesJob(world: CatalogueWorld): Job {
  return {
    name: 'tag-changes',
    summary:
      'Gives torrents the tags that the staff renamed or joined, where a page had no time for it.',
    schedule: { everyMs: 60_000, jitterPercent: 10 },
    timeLimitMs: 3_600_000,
    async run({ signal }) {
      const changes = await openTagChanges(world.sql);
      let done = 0;
      for (const change of changes) {
        const bounds = { torrentsMax: Number.MAX_SAFE_INTEGER, signal };
        if (await carryOut(world, change, bounds)) done += 1;
      }
      return {
        summary: `${done} of ${changes.length} changes of tags are done.`,
        counts: { done },
      };
    },
  };
}
