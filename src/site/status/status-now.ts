// How the whole stands, as the corner of the staff's pages tells it: syncs between stores, the archive and
// its scrub, jobs, and what waits for somebody to look at it. Read at most every few seconds, whoever asks,
// by queries that do not grow with what is kept.

import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import type { SyncTables } from '#archive/syncs/sync-tables.ts';
import type { Clock } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { StatusLine } from '#site/components/status-corner.ts';
import { plural } from '#site/format/number.ts';
import { formatAgo } from '#site/format/time.ts';
import { href } from '#site/routes.ts';
import type { JobsView } from '#site/world.ts';
import type { Sql } from '#sql/sql.ts';

const READ_MS_MIN = 5000;

export interface StatusWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly jobs: JobsView;
}

export class StatusNow {
  readonly #world: StatusWorld;
  #readMs = Number.NEGATIVE_INFINITY;
  #lines: Promise<readonly StatusLine[]> = Promise.resolve([]);

  constructor(world: StatusWorld) {
    this.#world = world;
  }

  /** Empty when it could not be read: no page fails because of its corner. */
  lines(): Promise<readonly StatusLine[]> {
    const nowMs = this.#world.clock.monotonicMs();
    if (nowMs - this.#readMs >= READ_MS_MIN) {
      this.#readMs = nowMs;
      this.#lines = this.#read().catch((error: unknown) => {
        this.#world.logger.warn('The status could not be read', { error: messageOf(error) });
        return [];
      });
    }
    return this.#lines;
  }

  async #read(): Promise<readonly StatusLine[]> {
    return await Promise.all([this.#jobs(), this.#archive(), this.#intake(), this.#sync()]);
  }

  async #jobs(): Promise<StatusLine> {
    const views = await this.#world.jobs.views();
    const failing = views.filter((view) => view.failures > 0).length;
    const running = views.filter((view) => view.progress !== undefined).length;
    const paused = views.filter((view) => view.isPaused).length;
    const words = [
      ...(failing > 0 ? [`${plural(failing, 'job')} failed last`] : []),
      ...(running > 0 ? [`${running} running`] : []),
      ...(paused > 0 ? [`${paused} paused`] : []),
    ];
    return {
      label: 'Jobs',
      words: words.length === 0 ? 'nothing is due' : words.join(', '),
      problems: failing,
      href: href('consoleJobs'),
    };
  }

  async #archive(): Promise<StatusLine> {
    const tables = this.#world.sql.read<ArchiveTables>();
    const { damaged } = await tables
      .selectFrom('archive_damage')
      .select((of) => of.fn.countAll<number>().as('damaged'))
      .executeTakeFirstOrThrow();
    const oldest = await tables
      .selectFrom('archive_file')
      .select('checked_ms')
      .orderBy('checked_ms')
      .limit(1)
      .executeTakeFirst();
    const words =
      damaged > 0
        ? `${plural(damaged, 'part')} cannot be read`
        : oldest === undefined
          ? 'nothing is kept yet'
          : `all proven since ${formatAgo(oldest.checked_ms, this.#world.clock.nowMs())}`;
    return { label: 'Scrub', words, problems: damaged, href: href('consoleJobs') };
  }

  async #intake(): Promise<StatusLine> {
    const wanted = await this.#world.sql
      .read<ArchiveTables>()
      .selectFrom('archive_wanted')
      .select((of) => [
        of.fn.countAll<number>().as('wanted'),
        of.fn.count<number>(of.case().when('problem', '<>', '').then(1).end()).as('stuck'),
      ])
      .executeTakeFirstOrThrow();
    const stuck = wanted.stuck > 0 ? `, ${wanted.stuck} cannot be` : '';
    const words =
      wanted.wanted === 0
        ? 'nothing waits to be taken in'
        : `${plural(wanted.wanted, 'torrent')} to be taken in${stuck}`;
    return { label: 'Intake', words, problems: wanted.stuck, href: href('torrents') };
  }

  async #sync(): Promise<StatusLine> {
    const tables = this.#world.sql.read<SyncTables>();
    const { failed } = await tables
      .selectFrom('store_sync_failure')
      .select((of) => of.fn.countAll<number>().as('failed'))
      .where('is_acknowledged', '=', 0)
      .executeTakeFirstOrThrow();
    const syncs = await tables.selectFrom('store_sync').select(['is_owed', 'sync']).execute();
    const owed = syncs.filter((one) => one.is_owed === 1).length;
    const words =
      failed > 0
        ? `${plural(failed, 'blob')} could not be copied`
        : syncs.length === 0
          ? 'no other store'
          : owed > 0
            ? `${plural(owed, 'store')} being compared`
            : 'every store has all of it';
    return { label: 'Sync', words, problems: failed, href: href('console') };
  }
}
