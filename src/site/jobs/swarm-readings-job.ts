// Keeps the list's order by seeders fresh. What the pages show is live; only the order may be old.

import type { Job } from '#base/job.ts';
import { saveSwarmCounts } from '#site/catalogue/swarm-readings.ts';
import type { Swarms } from '#site/swarms.ts';
import type { Sql } from '#sql/sql.ts';

export function swarmReadingsJob(world: {
  readonly sql: Sql;
  readonly swarms: Pick<Swarms, 'counts'>;
}): Job {
  return {
    name: 'swarm-readings',
    summary: 'Saves each torrent’s seeders, leechers and downloads, by which lists are sorted.',
    schedule: { everyMs: 60_000, jitterPercent: 5 },
    timeLimitMs: 600_000,
    async run({ signal }) {
      const saved = await saveSwarmCounts(world.sql, world.swarms, signal);
      return { summary: 'Readings are saved.', counts: { changed: saved } };
    },
  };
}
