// Dry runs of rules on SQLite and PostgreSQL: what they say is what checks would do, and nothing moves.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dayOf } from '#accounting/ledger/ledger-days.ts';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import { type RulesConfig, rulesConfig } from '#accounting/rules-config.ts';
import { makeStrategy } from '#accounting/strategies/make-strategy.ts';
import { below, SeededRandom } from '#base/random.ts';
import { testSeed } from '#sim/seed.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import type { Sql } from '#sql/sql.ts';
import { forEachDatabase, openMigrated } from '#sql/test-databases.ts';
import { DRY_RUN_DAYS, type DryRun, type DryRunWorld, historyAt, tryRules } from './dry-run.ts';
import type { StandingState } from './ratio-watch.ts';
import type { StandingTables } from './standing-tables.ts';
import { checkStandings, type JudgedTransition, readStanding } from './standings.ts';

const DAY = 86_400_000;
const GIB = 2 ** 30;
const RULES: RulesConfig = { ...rulesConfig.parse({}), strategy: 'upload-download' };
const TODAY = 20_000;
const NOW_MS = TODAY * DAY + 1000;
const STATES: readonly StandingState[] = ['good', 'warned', 'watched', 'restricted'];

interface Moved {
  readonly memberId: number;
  readonly up: number;
  readonly down: number;
  readonly daysAgo: number;
}

const SUM_COLUMNS = [
  'uploaded_bytes',
  'downloaded_bytes',
  'credited_uploaded_bytes',
  'credited_downloaded_bytes',
] as const;
type SumColumn = (typeof SUM_COLUMNS)[number];

/** GiB on one day each; totals are the sums. */
async function move(sql: Sql, all: readonly Moved[]): Promise<void> {
  const zeros = { seed_seconds: 0, records: 0, completed: 0, first_seen_ms: 0, last_seen_ms: 0 };
  await sql.transaction<LedgerTables, void>(async (transaction) => {
    for (const [memberId, days] of Map.groupBy(all, (one) => one.memberId)) {
      const sums = (up: number, down: number) => ({
        uploaded_bytes: up * GIB,
        downloaded_bytes: down * GIB,
        credited_uploaded_bytes: up * GIB,
        credited_downloaded_bytes: down * GIB,
      });
      const up = days.reduce((sum, day) => sum + day.up, 0);
      const down = days.reduce((sum, day) => sum + day.down, 0);
      await transaction
        .insertInto('ledger_member')
        .values({ member_id: memberId, ...sums(up, down), ...zeros })
        .onConflict((conflict) =>
          conflict.column('member_id').doUpdateSet((row) => {
            const add = (column: SumColumn) =>
              row(`ledger_member.${column}`, '+', row.ref(`excluded.${column}`));
            return Object.fromEntries(SUM_COLUMNS.map((column) => [column, add(column)]));
          }),
        )
        .execute();
      for (const day of days) {
        await transaction
          .insertInto('ledger_day')
          .values({
            member_id: memberId,
            day: TODAY - day.daysAgo,
            ...sums(day.up, day.down),
            seed_seconds: 0,
            leech_seconds: 0,
          })
          .execute();
      }
    }
  });
}

forEachDatabase((database, open) => {
  const on = (sentence: string, body: (sql: Sql, seed: number) => Promise<void>): void => {
    test(`${database}: ${sentence}`, async (context) => {
      const sql = await openMigrated(open, [...sqlMigrations, ...accountingMigrations]);
      try {
        await body(sql, testSeed(context, 1));
      } finally {
        await sql.close();
      }
    });
  };

  const worldOf = (sql: Sql, count: number): DryRunWorld => {
    const members = Array.from({ length: count }, (_, at) => ({ memberId: at + 1, joinedMs: 0 }));
    return {
      sql,
      torrents: { facts: async () => new Map() },
      members: {
        count: async () => count,
        page: async (after, limit) =>
          members.filter((member) => member.memberId > after).slice(0, limit),
      },
    };
  };

  const tryOn = async (sql: Sql, count: number, membersMax = 1000): Promise<DryRun> =>
    await tryRules(worldOf(sql, count), RULES, { nowMs: NOW_MS, membersMax, listMax: 2 });

  on('a dry run tells whom the next check and the last 30 days would touch', async (sql) => {
    await move(sql, [
      // Gave enough, always.
      { memberId: 1, up: 20, down: 10, daysAgo: 40 },
      // Took 20 GiB 20 days ago and gave nothing: watched then, restricted 14 days later.
      { memberId: 2, up: 0, down: 20, daysAgo: 20 },
      // Fell short 10 days ago and gave it back since.
      { memberId: 3, up: 0, down: 10, daysAgo: 10 },
      { memberId: 3, up: 10, down: 0, daysAgo: 5 },
    ]);
    const found = await tryOn(sql, 4);
    assert.deepEqual(found.next, { good: 0, warned: 0, watched: 1, restricted: 0 });
    assert.deepEqual(found.past, { good: 2, warned: 0, watched: 1, restricted: 1 });
    assert.deepEqual(
      found.touched.map((one) => [
        one.memberId,
        one.transition?.to.state,
        one.pastWorst,
        one.pastEnd,
      ]),
      [
        [2, 'watched', 'restricted', 'restricted'],
        [3, undefined, 'watched', 'good'],
      ],
    );
    assert.equal(found.touched[0]?.verdict.findings[0]?.kind, 'ratio');
    assert.equal(found.isWhole, true);
  });

  on('what a dry run tells is what checks do, day by day and then', async (sql, seed) => {
    const random = new SeededRandom(seed);
    const world = worldOf(sql, 40);
    const members = await world.members.page(0, 40);
    const standings = {
      ...{ sql, torrents: world.torrents, settings: RULES },
      strategy: makeStrategy(RULES),
      effects: { apply: async () => undefined },
    };
    const worst = new Map<number, StandingState>();
    const check = async (nowMs: number): Promise<readonly JudgedTransition[]> => {
      const run = { nowMs, fenced: async () => undefined };
      const made = await checkStandings(standings, members, run);
      for (const { memberId, transition } of made) {
        const before = STATES.indexOf(worst.get(memberId) ?? 'good');
        const now = STATES.indexOf(transition.to.state);
        if (now > before) worst.set(memberId, transition.to.state);
      }
      return made;
    };
    // Ten days before the rules hold, then thirty with a check at the end of each but today's.
    for (let daysAgo = 39; daysAgo >= 0; daysAgo--) {
      const some = members.filter(() => below(random, 4) === 0);
      const moved = some.map(({ memberId }) => {
        return { memberId, up: below(random, 9), down: below(random, 12), daysAgo };
      });
      await move(sql, moved);
      if (daysAgo < DRY_RUN_DAYS && daysAgo > 0) await check((TODAY - daysAgo + 1) * DAY);
    }
    const told = await tryRules(world, RULES, { nowMs: NOW_MS, membersMax: 100, listMax: 100 });
    const made = await check(NOW_MS);
    const moves = told.touched.filter(({ transition }) => transition !== undefined);
    const byMember = (list: readonly { memberId: number; transition: unknown }[]) =>
      new Map(list.map(({ memberId, transition }) => [memberId, transition]));
    assert.deepEqual(byMember(moves), byMember(made));
    assert.ok(worst.size > 5);
    for (const { memberId } of members) {
      const touched = told.touched.find((one) => one.memberId === memberId);
      assert.equal(touched?.pastWorst ?? 'good', worst.get(memberId) ?? 'good');
      const { standing } = await readStanding(sql, memberId);
      assert.equal(touched?.pastEnd ?? 'good', standing.state);
    }
  });

  on('a dry run of which a person has enough says how far it came', async (sql) => {
    await move(
      sql,
      [1, 150, 201].map((memberId) => ({ memberId, up: 0, down: 20, daysAgo: 3 })),
    );
    let asked = 0;
    const world = worldOf(sql, 250);
    const run = { nowMs: NOW_MS, membersMax: 1000, listMax: 9, isTimeOver: () => ++asked === 2 };
    const found = await tryRules(world, RULES, run);
    assert.deepEqual([found.members, found.isWhole, found.touchedCount], [200, false, 2]);
    assert.equal(found.knownFromDay, TODAY - 3);
    const { isTimeOver: _, ...patient } = run;
    const whole = await tryRules(world, RULES, patient);
    assert.deepEqual([whole.members, whole.isWhole, whole.touchedCount], [250, true, 3]);
  });

  on('a dry run writes nothing, is bounded, and says so', async (sql) => {
    await move(
      sql,
      [1, 2, 3, 4, 5].map((memberId) => ({ memberId, up: 0, down: 20, daysAgo: 1 })),
    );
    const found = await tryOn(sql, 5, 4);
    assert.deepEqual([found.members, found.isWhole], [4, false]);
    assert.deepEqual([found.touched.length, found.touchedCount], [2, 4]);
    const read = sql.read<StandingTables>();
    assert.deepEqual(await read.selectFrom('member_standing').selectAll().execute(), []);
    assert.deepEqual(await read.selectFrom('standing_event').selectAll().execute(), []);
  });
});

test('a member of the past has what was moved by then, and torrents completed by then', () => {
  const torrent = {
    name: 'x',
    sizeBytes: 10,
    uploadedBytes: 1,
    downloadedBytes: 10,
    seedSeconds: 5,
    isSeeding: false,
    leechers: 1,
    isExempt: false,
  };
  const now = {
    nowMs: NOW_MS,
    joinedMs: 0,
    uploadedBytes: 100,
    downloadedBytes: 50,
    days: [8, 2, 0].map((ago) => ({
      dayMs: (TODAY - ago) * DAY,
      seedSeconds: 1,
      leechSeconds: 1,
    })),
    torrents: [
      {
        ...torrent,
        torrentId: 1,
        completedMs: NOW_MS - 8 * DAY,
        ...{ lastSeenMs: NOW_MS - DAY, lastSeededMs: NOW_MS - DAY },
      },
      {
        ...torrent,
        torrentId: 2,
        completedMs: NOW_MS - DAY,
        ...{ lastSeenMs: NOW_MS - DAY, lastSeededMs: NOW_MS - DAY },
      },
    ],
  };
  const moved = [
    { day: TODAY - 2, uploadedBytes: 30, downloadedBytes: 5, takenBytes: 5 },
    { day: TODAY, uploadedBytes: 10, downloadedBytes: 1, takenBytes: 1 },
  ];
  const atMs = (TODAY - 4) * DAY;
  const past = historyAt(now, moved, atMs);
  assert.deepEqual([past.uploadedBytes, past.downloadedBytes, past.days.length], [60, 44, 1]);
  assert.deepEqual(
    past.torrents.map((one) => [one.torrentId, one.isSeeding, one.lastSeenMs]),
    [[1, true, atMs]],
  );
  assert.equal(dayOf(past.days[0]!.dayMs), TODAY - 8);
});
