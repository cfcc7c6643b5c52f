// Grants bonus points every hour, for the seed time that the ledger has proven since the grant before:
// a second for a second, so that two clients are paid once, and one announce an hour for what it proves.
// What is paid is noted in the transaction that grants it, and each grant has the name of its hour, so
// that a run that was killed halfway goes on and pays nothing twice.

import { paySeeding, type SeedingPay } from '#accounting/bonus/bonus.ts';
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
const HOUR_SECONDS = 3600;
const GIB = 2 ** 30;
const DAY_SECONDS = 86_400;
const PAGE_MEMBERS = 100;
const TORRENTS_AT_ONCE = 500;

export function bonusJob(world: BonusWorld): Job {
  return {
    name: 'bonus',
    summary: 'Grants bonus points for the time that members have seeded since the last grant.',
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
        const pays = await paysOf(world, ids, { hour, nowMs });
        if (pays.length > 0) {
          counts.granted += await world.sql.transaction<BonusTables, number>(
            async (transaction) => {
              await fenced(transaction);
              return await paySeeding(transaction, pays);
            },
          );
        }
        counts.members += page.length;
        after = last.memberId;
        progress(counts.members, total, 'members');
      }
      return { summary: 'The seed time until now is paid.', counts };
    },
  };
}

async function paysOf(
  world: BonusWorld,
  memberIds: readonly number[],
  when: { readonly hour: number; readonly nowMs: number },
): Promise<readonly SeedingPay[]> {
  const rows = await world.sql
    .read<LedgerTables & BonusTables>()
    .selectFrom('ledger_transfer as seeded')
    .leftJoin('bonus_seeding as paid', (join) =>
      join
        .onRef('paid.member_id', '=', 'seeded.member_id')
        .onRef('paid.torrent_id', '=', 'seeded.torrent_id'),
    )
    .select(['seeded.member_id', 'seeded.torrent_id', 'seed_seconds', 'paid_seconds'])
    .where('seeded.member_id', 'in', memberIds)
    .where((of) => of('seed_seconds', '>', of.fn.coalesce('paid_seconds', of.lit(0))))
    .execute();
  const torrents = await torrentsOf(
    world,
    rows.map((row) => row.torrent_id),
  );
  const byMember = Map.groupBy(rows, (row) => row.member_id);
  return [...byMember].map(([memberId, owed]) => {
    let points = 0;
    for (const row of owed) {
      const torrent = torrents.get(row.torrent_id);
      if (torrent === undefined) continue;
      const perHour = world.formula({
        sizeGiB: torrent.sizeBytes / GIB,
        seedDays: row.seed_seconds / DAY_SECONDS,
        seeders: Math.max(1, torrent.seeders),
      });
      points += (perHour * (row.seed_seconds - (row.paid_seconds ?? 0))) / HOUR_SECONDS;
    }
    const milliPoints = Math.max(0, Math.min(Math.floor(points * 1000), MILLI_POINTS_MAX));
    const once = `hour:${when.hour}`;
    return {
      entry: { memberId, atMs: when.nowMs, milliPoints, kind: 'seeding', once },
      torrents: owed.map((row) => ({ torrentId: row.torrent_id, paidSeconds: row.seed_seconds })),
    };
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
