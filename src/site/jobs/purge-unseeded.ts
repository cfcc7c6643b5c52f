// What the site does about torrents that nobody seeds: it tells their uploader and those who completed
// them, who can seed them again, and in the end removes them at the trackers as well. The job is
// accounting/jobs/purge-unseeded-job.ts.

import type { Transaction } from 'kysely';
import {
  type PurgeEffects,
  purgeUnseededJob,
  type Warned,
} from '#accounting/jobs/purge-unseeded-job.ts';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import type { ArchiveTables } from '#archive/catalogue/archive-tables.ts';
import type { Clock } from '#base/clock.ts';
import type { Job } from '#base/job.ts';
import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import { findTorrentIn } from '#site/catalogue/find-torrent.ts';
import { removeTorrentIn } from '#site/catalogue/torrents.ts';
import type { SiteConfig } from '#site/config.ts';
import { formatDate } from '#site/format/time.ts';
import { type NewNotice, sendNotices } from '#site/notices/notices.ts';
import { hrefTo } from '#site/routes.ts';
import type { Swarms } from '#site/swarms.ts';
import type { Sql } from '#sql/sql.ts';

const DAY_MS = 86_400_000;
/** Of each torrent, those who were seen last. */
const TOLD_MAX = 200;

export interface PurgeUnseededWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly config: SiteConfig;
  readonly swarms: Pick<Swarms, 'counts'>;
  /** Wakes the outbox relay. */
  readonly changed: () => void;
}

/** None while `site.purgeUnseededDays` is 0. */
export function purgeUnseeded(world: PurgeUnseededWorld): readonly Job[] {
  const { purgeUnseededDays, purgeGraceDays, purgeShareMax } = world.config;
  if (purgeUnseededDays === 0) return [];
  const job = purgeUnseededJob({
    sql: world.sql,
    settings: {
      afterMs: purgeUnseededDays * DAY_MS,
      graceMs: purgeGraceDays * DAY_MS,
      shareMax: purgeShareMax,
    },
    page: (after, limit) => removable(world.sql, after, limit),
    isSeeded: (torrentId) => (world.swarms.counts(torrentId)?.seeders ?? 0) > 0,
    effects: purgeEffects(world, purgeUnseededDays),
  });
  return [job];
}

/** Those that are there and that the archive does not keep: it seeds what it keeps. */
async function removable(sql: Sql, after: number, limit: number): Promise<readonly number[]> {
  const rows = await sql
    .read<CatalogueTables & ArchiveTables>()
    .selectFrom('torrent')
    .leftJoin('archive_torrent', 'archive_torrent.torrent_id', 'torrent.id')
    .select('torrent.id')
    .where('torrent.id', '>', after)
    .where('removed_ms', 'is', null)
    .where('archive_torrent.torrent_id', 'is', null)
    .orderBy('torrent.id')
    .limit(limit)
    .execute();
  return rows.map((row) => row.id);
}

function purgeEffects({ clock, changed }: PurgeUnseededWorld, days: number): PurgeEffects {
  return {
    async warn(transaction, warned, nowMs) {
      for (const one of warned) {
        await sendNotices(transaction, await noticesOf(transaction, one), nowMs);
      }
    },
    async remove(transaction, torrentIds) {
      const reason = `Nobody has seeded it for more than ${days} days.`;
      for (const torrentId of torrentIds) {
        // Zero: nobody in particular. Somebody may have removed it a moment ago.
        const removal = { torrentId, removedBy: 0, reason };
        await removeTorrentIn(
          transaction as unknown as Transaction<CatalogueTables>,
          removal,
          clock.nowMs(),
        );
      }
    },
    afterCommit: changed,
  };
}

async function noticesOf(
  transaction: Transaction<never>,
  { torrentId, sinceMs, removedFromMs }: Warned,
): Promise<readonly NewNotice[]> {
  const tables = transaction as unknown as Transaction<CatalogueTables & LedgerTables>;
  const torrent = await findTorrentIn(tables as unknown as Transaction<CatalogueTables>, torrentId);
  if (torrent === undefined) return [];
  const completers = await tables
    .selectFrom('ledger_transfer')
    .select('member_id')
    .where('torrent_id', '=', torrentId)
    .where('completed_ms', '>', 0)
    .where('member_id', '>', 0)
    .orderBy('last_seen_ms', 'desc')
    .limit(TOLD_MAX)
    .execute();
  const told = new Set([torrent.uploaderId, ...completers.map((row) => row.member_id)]);
  told.delete(0);
  return [...told].map((memberId) => ({
    memberId,
    kind: 'warn',
    title: `Nobody seeds “${torrent.title}” any more`,
    body: `Nobody has seeded it since ${formatDate(sinceMs)}. It is removed after ${formatDate(removedFromMs)}, unless somebody does.\nIf you still have it, open it in your client again: that alone keeps it.`,
    link: hrefTo('torrent', { hash: torrent.infoHash }),
    once: `unseeded:${torrentId}:${sinceMs}`,
  }));
}
