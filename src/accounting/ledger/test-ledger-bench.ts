// For tests: a ledger over a log in memory, and announces to fill it.

import { sql as raw } from 'kysely';
import { type AccountingConfig, accountingConfig } from '#accounting/config.ts';
import { type TestAnnounce, TestAnnounces } from '#accounting/test-announces.ts';
import { TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { below, SeededRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import type { Sql } from '#sql/sql.ts';
import { Ledger } from './ledger.ts';

const clock = new SystemClock();

export interface Bench {
  readonly sql: Sql;
  readonly log: MemoryLog;
  readonly announces: TestAnnounces;
  open(options?: {
    readonly log?: MemoryLog;
    readonly config?: Partial<AccountingConfig>;
  }): Promise<Ledger>;
  append(...announces: TestAnnounce[]): Promise<void>;
}

export async function benchOver(sql: Sql): Promise<Bench> {
  const log = new MemoryLog();
  await log.createTopic(TRANSFERS_TOPIC);
  const announces = new TestAnnounces();
  return {
    sql,
    log,
    announces,
    open: (options = {}) => Ledger.open({ ...worldOf(options.log ?? log, options.config), sql }),
    append: async (...list) => {
      const records = list.map((announce) => ({ value: announces.announce(announce) }));
      await log.append(TRANSFERS_TOPIC, records);
    },
  };
}

export function worldOf(log: MemoryLog, config: Partial<AccountingConfig> = {}) {
  return {
    log,
    clock,
    logger: silentLogger,
    metrics: new Registry(),
    config: { ...accountingConfig.parse({}), ...config },
  };
}

/** Announces of a few members, torrents and clients, some of them late, reset or completed. */
export async function appendMany(bench: Omit<Bench, 'sql'>, count: number): Promise<void> {
  const random = new SeededRandom(count);
  const counters = new Map<string, number>();
  for (let at = 0; at < count; at++) {
    const memberId = below(random, 5);
    const torrentId = 1 + below(random, 3);
    const peer = 'ab'[below(random, 2)]!;
    const key = `${memberId}:${torrentId}:${peer}`;
    const uploaded = (counters.get(key) ?? 0) + below(random, 1000);
    counters.set(key, uploaded);
    const event =
      below(random, 6) === 0 ? 'completed' : below(random, 9) === 0 ? 'started' : 'none';
    await bench.append({
      ...{ memberId, torrentId, peer, event },
      uploaded: below(random, 8) === 0 ? uploaded >> 1 : uploaded,
      left: event === 'completed' ? 0 : 10,
      at: at * 20,
      uploadCreditPercent: [0, 50, 100, 200][below(random, 4)]!,
    });
  }
}

export async function everything(sql: Sql): Promise<unknown> {
  const tables: unknown[] = [];
  for (const [table, key] of [
    ['ledger_transfer', 'member_id, torrent_id'],
    ['ledger_member', 'member_id'],
    ['ledger_torrent', 'torrent_id'],
  ]) {
    const { rows } = await raw.raw(`select * from ${table} order by ${key}`).execute(sql.read());
    tables.push(rows);
  }
  return tables;
}
