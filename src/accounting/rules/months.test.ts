// Two months in the life of four members under each strategy: announces into the log, counted by the
// ledger, judged once a day by the job, by a simulated clock. Who is restricted takes nothing more.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accountingConfig } from '#accounting/config.ts';
import { ratioWatchJob } from '#accounting/jobs/ratio-watch-job.ts';
import { Ledger } from '#accounting/ledger/ledger.ts';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import { rulesConfig } from '#accounting/rules-config.ts';
import { STRATEGY_NAMES, type StrategyName } from '#accounting/strategies/strategy.ts';
import { TEST_START_MS, TestAnnounces } from '#accounting/test-announces.ts';
import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { silentLogger } from '#base/logger.ts';
import { Registry } from '#metrics/registry.ts';
import { SimClock } from '#sim/clock.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import { migrate } from '#sql/migrate.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import type { Sql } from '#sql/sql.ts';
import { openTestSqlite } from '#sql/test-databases.ts';
import type { StandingState } from './ratio-watch.ts';

const GIB = 2 ** 30;
const SIZE = 4 * GIB;
/** That taking a torrent lasts. */
const TAKING_HOURS = 4;
const DAYS = 75;
const HOUR_SECONDS = 3600;
const DAY_MS = 86_400_000;

/** Takes a torrent every few days, seeds it for some hours, gives some of it in each. */
interface Habit {
  readonly name: string;
  readonly fromDay: number;
  readonly everyDays: number;
  readonly torrentsMax: number;
  /** From this day on they seed everything they ever took. */
  readonly seedsFromDay: number;
  readonly givesBytesPerHour: number;
}

const HABITS: readonly Habit[] = [
  {
    name: 'giver',
    fromDay: 0,
    everyDays: 10,
    torrentsMax: 8,
    seedsFromDay: 0,
    givesBytesPerHour: GIB / 8,
  },
  {
    name: 'taker',
    fromDay: 0,
    everyDays: 2,
    torrentsMax: 40,
    seedsFromDay: DAYS,
    givesBytesPerHour: 0,
  },
  {
    name: 'late',
    fromDay: 0,
    everyDays: 2,
    torrentsMax: 40,
    seedsFromDay: 40,
    givesBytesPerHour: GIB / 8,
  },
  {
    name: 'newcomer',
    fromDay: 70,
    everyDays: 10,
    torrentsMax: 1,
    seedsFromDay: 0,
    givesBytesPerHour: GIB / 64,
  },
];

interface Taken {
  readonly torrentId: number;
  uploaded: number;
}

/** The states of each member, in the order in which they changed. */
async function live(sql: Sql, strategy: StrategyName): Promise<Map<string, StandingState[]>> {
  const clock = new SimClock();
  assert.equal(clock.nowMs(), TEST_START_MS);
  await migrate(sql, [...sqlMigrations, ...accountingMigrations], { clock });
  const log = new MemoryLog();
  await log.createTopic(TRANSFERS_TOPIC);
  const ledger = await Ledger.open({
    sql,
    log,
    clock,
    logger: silentLogger,
    metrics: new Registry(),
    config: accountingConfig.parse({}),
  });
  const states = new Map<string, StandingState[]>(HABITS.map(({ name }) => [name, ['good']]));
  const stateOf = (member: number): StandingState => states.get(HABITS[member]!.name)!.at(-1)!;
  const job = ratioWatchJob({
    recordsBehind: async () => 0,
    sql,
    everyMs: DAY_MS,
    rules: async () => ({ ...rulesConfig.parse({}), strategy }),
    torrents: {
      facts: async (ids) =>
        new Map(
          ids.map((id) => [id, { name: `t${id}`, sizeBytes: SIZE, leechers: 1, isExempt: false }]),
        ),
    },
    members: {
      count: async () => HABITS.length,
      page: async (after) =>
        HABITS.map((_, at) => ({ memberId: at + 1, joinedMs: 0 })).filter(
          (member) => member.memberId > after,
        ),
    },
    effects: {
      apply: async (_transaction, made) => {
        for (const { memberId, transition } of made) {
          states.get(HABITS[memberId - 1]!.name)!.push(transition.to.state);
        }
      },
    },
  });
  const announces = new TestAnnounces();
  const taken = HABITS.map((): Taken[] => []);
  for (let day = 0; day < DAYS; day++) {
    const records = HABITS.flatMap((habit, member) => {
      const mayTake = stateOf(member) !== 'restricted';
      return dayOf(announces, { habit, member, day, mayTake, taken: taken[member]! });
    });
    if (records.length > 0) {
      await log.append(
        TRANSFERS_TOPIC,
        records.map((value) => ({ value })),
      );
    }
    while ((await ledger.applyOnce()) > 0) {}
    clock.advance(DAY_MS);
    await job.run({
      signal: new AbortController().signal,
      clock,
      logger: silentLogger,
      fence: 1,
      progress: () => undefined,
      checkpoint: { load: async () => undefined, save: async () => undefined },
      fenced: async () => undefined,
    });
  }
  return states;
}

/** A member's announces of one day. */
function dayOf(
  announces: TestAnnounces,
  of: {
    readonly habit: Habit;
    readonly member: number;
    readonly day: number;
    readonly mayTake: boolean;
    readonly taken: Taken[];
  },
): Uint8Array[] {
  const { habit, member, day, taken } = of;
  const records: Uint8Array[] = [];
  const at = (hour: number): number => (day * 24 + hour) * HOUR_SECONDS;
  const who = { memberId: member + 1, peer: 'a' };
  const isDue = day >= habit.fromDay && (day - habit.fromDay) % habit.everyDays === 0;
  if (isDue && of.mayTake && taken.length < habit.torrentsMax) {
    const torrentId = taken.length + 1;
    const begin = { ...who, torrentId, left: SIZE, event: 'started' } as const;
    records.push(announces.announce({ ...begin, at: at(0) }));
    for (let hour = 1; hour < TAKING_HOURS; hour++) {
      const downloaded = (SIZE / TAKING_HOURS) * hour;
      const part = { ...who, torrentId, left: SIZE - downloaded, downloaded };
      records.push(announces.announce({ ...part, at: at(hour) }));
    }
    const end = { ...who, torrentId, left: 0, downloaded: SIZE, event: 'completed' } as const;
    records.push(announces.announce({ ...end, at: at(TAKING_HOURS) }));
    taken.push({ torrentId, uploaded: 0 });
  }
  if (day < habit.seedsFromDay) return records;
  for (let hour = TAKING_HOURS + 1; hour < 24; hour++) {
    for (const torrent of taken) {
      torrent.uploaded += habit.givesBytesPerHour;
      const { torrentId, uploaded } = torrent;
      const seeds = { ...who, torrentId, uploaded, downloaded: SIZE, left: 0 };
      records.push(announces.announce({ ...seeds, at: at(hour) }));
    }
  }
  return records;
}

for (const strategy of STRATEGY_NAMES) {
  test(`months under "${strategy}": givers are left alone, takers restricted, and the way back is open`, async () => {
    const sql = await openTestSqlite();
    try {
      const states = await live(sql, strategy);
      if (strategy === 'free') {
        for (const [name, list] of states) assert.deepEqual(list, ['good'], name);
        return;
      }
      assert.deepEqual(states.get('giver'), ['good']);
      assert.deepEqual(states.get('newcomer'), ['good']);
      const taker = states.get('taker') ?? [];
      assert.ok(taker.includes('restricted'), taker.join(' '));
      // What lies before its window is forgiven; every other strategy forgets nothing.
      if (strategy !== 'seed-leech-time') assert.equal(taker.at(-1), 'restricted');
      assert.ok(taker.includes('watched'), taker.join(' '));
      const late = states.get('late') ?? [];
      assert.ok(late.includes('restricted'), late.join(' '));
      assert.equal(late.at(-1), 'good', late.join(' '));
    } finally {
      await sql.close();
    }
  });
}
