// Makes the search index of old torrents anew when a version of the program cuts words in another way.

import type { Kysely } from 'kysely';
import type { Job } from '#base/job.ts';
import { reindexSome } from '#site/catalogue/reindex-torrents.ts';
import type { Sql } from '#sql/sql.ts';

/** A run ends with its time limit and the next goes on; a million torrents take some hours. */
export function reindexSearchJob(world: { readonly sql: Sql }): Job {
  return {
    name: 'reindex-search',
    summary:
      'After an upgrade that reads words in another way, writes the search words of old torrents.',
    schedule: { everyMs: 3_600_000, jitterPercent: 5 },
    timeLimitMs: 3_000_000,
    async run(context) {
      let torrents = 0;
      for (let isDone = false; !isDone; ) {
        context.signal.throwIfAborted();
        const page = await world.sql.transaction<never, Awaited<ReturnType<typeof reindexSome>>>(
          async (transaction) => {
            await context.fenced(transaction);
            return await reindexSome(transaction as unknown as Kysely<never>);
          },
        );
        isDone = page.isDone;
        torrents += page.torrents;
        context.progress(torrents, undefined, 'torrents');
      }
      const summary = torrents === 0 ? 'All torrents are indexed.' : 'Old torrents are indexed.';
      return { summary, counts: { torrents } };
    },
  };
}
