// Takes a sample of every living swarm and of the server's health, and lets old ones go (J6).

import type { Clock } from '#base/clock.ts';
import type { Job, JobContext } from '#base/job.ts';
import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import {
  HEALTH_STEPS,
  pruneSeries,
  SAMPLE_MS,
  type Sample,
  type SeriesTables,
  SWARM_STEPS,
  writeSamples,
} from '#site/series/series.ts';
import type { Swarms } from '#site/swarms.ts';
import type { Sql } from '#sql/sql.ts';

const TORRENTS_AT_ONCE = 1000;

export interface HistoryWorld {
  readonly sql: Sql;
  readonly swarms: Pick<Swarms, 'counts'>;
  /** What the server says of itself, by name: whole numbers. */
  readonly health: () => Promise<Readonly<Record<string, number>>>;
}

export function historyJob(world: HistoryWorld): Job {
  return {
    name: 'history',
    summary: 'Keeps how swarms and the server were over time, for the charts.',
    schedule: { everyMs: SAMPLE_MS },
    timeLimitMs: SAMPLE_MS,
    async run(context) {
      const atMs = sampleTime(context.clock);
      const swarms = await sampleSwarms(world, context, atMs);
      const health = Object.entries(await world.health()).map(([name, value]) => ({
        series: `health/${name}`,
        value,
      }));
      const removed = await world.sql.transaction<SeriesTables, number>(async (transaction) => {
        await context.fenced(transaction);
        await writeSamples(transaction, health, { atMs, steps: HEALTH_STEPS });
        return await pruneSeries(transaction, atMs);
      });
      return { summary: 'A sample is taken.', counts: { swarms, removed } };
    },
  };
}

/** Runs of the same ten minutes take the same sample, so that one that was killed may run again. */
function sampleTime(clock: Clock): number {
  return Math.floor(clock.nowMs() / SAMPLE_MS) * SAMPLE_MS;
}

/** Of swarms that have somebody in them: of the others there is nothing to keep. */
async function sampleSwarms(
  { sql, swarms }: HistoryWorld,
  context: JobContext,
  atMs: number,
): Promise<number> {
  let sampled = 0;
  for (let after = 0; ; ) {
    context.signal.throwIfAborted();
    const rows = await sql
      .read<CatalogueTables>()
      .selectFrom('torrent')
      .select('id')
      .where('removed_ms', 'is', null)
      .where('id', '>', after)
      .orderBy('id')
      .limit(TORRENTS_AT_ONCE)
      .execute();
    const samples = rows.flatMap(({ id }): Sample[] => {
      const { seeders, leechers } = swarms.counts(id) ?? { seeders: 0, leechers: 0 };
      if (seeders + leechers === 0) return [];
      return [
        { series: `seeders/${id}`, value: seeders },
        { series: `leechers/${id}`, value: leechers },
      ];
    });
    if (samples.length > 0) {
      await sql.transaction<SeriesTables, void>(async (transaction) => {
        await context.fenced(transaction);
        await writeSamples(transaction, samples, { atMs, steps: SWARM_STEPS });
      });
    }
    sampled += samples.length / 2;
    const last = rows.at(-1);
    if (last === undefined || rows.length < TORRENTS_AT_ONCE) return sampled;
    after = last.id;
  }
}
