// Grants bonus points for the hour that is over, to everybody who seeded in it. Each grant has the name
// of its hour, so that a run that was killed halfway goes on and grants nothing twice. Hours in which the
// program did not run are not made up for: nobody knows who seeded then.

import { type BonusEntry, grantBonus } from '#accounting/bonus/bonus.ts';
import type { BonusTables } from '#accounting/bonus/bonus-tables.ts';
import type { Formula } from '#accounting/bonus/formula.ts';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import type { JudgedMembers } from '#accounting/rules/member-histories.ts';
import type { Job } from '#base/job.ts';
import type { Sql } from '#sql/sql.ts';

export interface BonusTorrent {
  readonly sizeBytes: number;
  /** Now, as last counted. */
  readonly seeders: number;
}

export interface BonusWorld {
  readonly sql: Sql;
  readonly members: JudgedMembers;
  /** Those that still exist. At most 500 ids. */
  readonly torrents: (torrentIds: readonly number[]) => Promise<ReadonlyMap<number, BonusTorrent>>;
  readonly formula: Formula;
}

const HOUR_MS = 3_600_000;
const GIB = 2 ** 30;
const DAY_SECONDS = 86_400;
const PAGE_MEMBERS = 100;
const TORRENTS_AT_ONCE = 500;

export function bonusJob(world: BonusWorld): Job {
  return {
    name: 'bonus',
    summary: 'Grants bonus points for the hour that is over to everybody who seeded in it.',
    schedule: { cron: '5 * * * *' },
    timeLimitMs: HOUR_MS,
    async run({ signal, clock, progress, fenced }) {
      const nowMs = clock.nowMs();
      const hour = Math.floor(nowMs / HOUR_MS) - 1;
      const total = await world.members.count();
      const counts = { members: 0, granted: 0 };
      for (let after = 0; ; ) {
        const page = await world.members.page(after, PAGE_MEMBERS);
        const last = page.at(-1);
        if (last === undefined) break;
        signal.throwIfAborted();
        const ids = page.map((member) => member.memberId);
        const entries = await grantsOf(world, ids, { hour, nowMs });
        if (entries.length > 0) {
          counts.granted += await world.sql.transaction<BonusTables, number>(
            async (transaction) => {
              await fenced(transaction);
              return await grantBonus(transaction, entries);
            },
          );
        }
        counts.members += page.length;
        after = last.memberId;
        progress(counts.members, total, 'members');
      }
      return { summary: 'The points of the last hour are granted.', counts };
    },
  };
}

async function grantsOf(
  world: BonusWorld,
  memberIds: readonly number[],
  when: { readonly hour: number; readonly nowMs: number },
): Promise<readonly BonusEntry[]> {
  const rows = await world.sql
    .read<LedgerTables>()
    .selectFrom('ledger_transfer')
    .select(['member_id', 'torrent_id', 'seed_seconds'])
    .where('member_id', 'in', memberIds)
    .where('left_bytes', '=', 0)
    .where('seed_seconds', '>', 0)
    .where('last_seen_ms', '>=', when.hour * HOUR_MS)
    // Who came after the hour did not seed in it.
    .where('first_seen_ms', '<', (when.hour + 1) * HOUR_MS)
    .execute();
  const torrents = await torrentsOf(
    world,
    rows.map((row) => row.torrent_id),
  );
  const sums = new Map<number, number>();
  for (const row of rows) {
    const torrent = torrents.get(row.torrent_id);
    if (torrent === undefined) continue;
    const points = world.formula({
      sizeGiB: torrent.sizeBytes / GIB,
      seedDays: row.seed_seconds / DAY_SECONDS,
      seeders: Math.max(1, torrent.seeders),
    });
    sums.set(row.member_id, (sums.get(row.member_id) ?? 0) + points);
  }
  return [...sums].flatMap(([memberId, points]) => {
    const milliPoints = Math.min(Math.floor(points * 1000), MILLI_POINTS_MAX);
    if (milliPoints === 0) return [];
    const once = `hour:${when.hour}`;
    return [{ memberId, atMs: when.nowMs, milliPoints, kind: 'seeding', once } as const];
  });
}

/** A slip in a formula must not fill an account beyond what numbers can hold. */
const MILLI_POINTS_MAX = 1_000_000_000;

async function torrentsOf(
  world: BonusWorld,
  torrentIds: readonly number[],
): Promise<ReadonlyMap<number, BonusTorrent>> {
  const all = new Map<number, BonusTorrent>();
  const ids = [...new Set(torrentIds)];
  for (let from = 0; from < ids.length; from += TORRENTS_AT_ONCE) {
    const some = await world.torrents(ids.slice(from, from + TORRENTS_AT_ONCE));
    for (const [id, torrent] of some) all.set(id, torrent);
  }
  return all;
}
