// How many transfer records the ledger counts in a second: from a log in memory into SQLite in its
// own thread, on this machine's disk, and into a PostgreSQL server started for the run (by a UNIX
// socket, fsync off: it shows the cost of the statements, not of the disk). Two mixes: every record of
// another member and torrent, the worst case, and 20 announces for each.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { accountingConfig } from '#accounting/config.ts';
import { Ledger } from '#accounting/ledger.ts';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import {
  encodeTransfer,
  TRANSFER_RECORD_BYTES,
  TRANSFERS_TOPIC,
} from '#accounting/transfer-record.ts';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { Registry } from '#metrics/registry.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import { migrate } from '#sql/migrate.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import { openSql } from '#sql/open.ts';
import type { Sql } from '#sql/sql.ts';
import { postgresTestUrl } from '#sql/test-databases.ts';

const RECORDS = 200_000;

/** Prints a line for each database and mix. */
export async function run(): Promise<void> {
  for (const perPair of [1, 20]) {
    const log = await filledLog(perPair);
    const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-bench-'));
    try {
      await measure('sqlite', await openSql({ url: '', folder }), { log, perPair });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    const url = await postgresTestUrl();
    if (url === undefined) continue;
    await measure('postgres (fsync off)', await openSql({ url, folder: '' }), { log, perPair });
  }
}

async function measure(
  name: string,
  sql: Sql,
  mix: { readonly log: MemoryLog; readonly perPair: number },
): Promise<void> {
  const clock = new SystemClock();
  try {
    await migrate(sql, [...sqlMigrations, ...accountingMigrations], { clock });
    const ledger = await Ledger.open({
      ...{ sql, log: mix.log, clock, config: accountingConfig.parse({}) },
      logger: silentLogger,
      metrics: new Registry(),
    });
    const sinceMs = clock.monotonicMs();
    const cpuBefore = process.cpuUsage();
    while ((await ledger.applyOnce()) > 0);
    const seconds = (clock.monotonicMs() - sinceMs) / 1000;
    const cpu = process.cpuUsage(cpuBefore);
    const rate = Math.round(RECORDS / seconds).toLocaleString('en');
    const cpuMicros = ((cpu.user + cpu.system) / RECORDS).toFixed(1);
    process.stdout.write(
      `ledger: ${name}, ${mix.perPair} records a pair: ${rate} records/s, ` +
        `${cpuMicros} µs of CPU a record in this process\n`,
    );
  } finally {
    await sql.close();
  }
}

async function filledLog(perPair: number): Promise<MemoryLog> {
  const log = new MemoryLog();
  await log.createTopic(TRANSFERS_TOPIC);
  const pairs = RECORDS / perPair;
  const records = Array.from({ length: RECORDS }, (_, at) => {
    const pair = at % pairs;
    const round = Math.floor(at / pairs);
    const value = new Uint8Array(TRANSFER_RECORD_BYTES);
    encodeTransfer(value, 0, {
      ...{ event: 0, flags: round === 0 ? 1 : 4, door: 0, family: 4, port: 6881, hashVersion: 1 },
      memberId: 1 + (pair % 5000),
      torrentId: 1 + Math.floor(pair / 5000) + (pair % 7) * 1000,
      peerId: new Uint8Array(Buffer.from(`-TR4050-${String(pair).padStart(12, '0')}`)),
      key: 7,
      sequence: round + 1,
      elapsedSeconds: 1800,
      uploadedDelta: round === 0 ? 0 : 16_384,
      downloadedDelta: 0,
      uploaded: round * 16_384,
      downloaded: 0,
      left: 0,
      timeMs: 1_767_225_600_000 + at,
      address: new Uint8Array([10, 77, 0, 1]),
      uploadCreditPercent: 100,
      downloadCreditPercent: 50,
    });
    return { value };
  });
  await log.append(TRANSFERS_TOPIC, records);
  return log;
}

if (import.meta.main) await run();
