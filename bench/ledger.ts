// How many transfer records the ledger counts in a second, and how fast it is made anew. 10,000
// members, 50,000 torrents, a member in as many of them as the mix says, each announcing now and then,
// over two days: so days, totals and pairs are all written. Into SQLite in its own thread, on this
// machine's disk, and into a PostgreSQL server started for the run (by a UNIX socket, with the
// memory that it takes by itself, fsync off: it shows the cost of the statements, not of the disk).
//
// The records are made as they are read, so that ten million of them need no memory; that costs about
// half a microsecond each, which is in the numbers. By itself: node -C swarmkeep-src bench/ledger.ts;
// RECORDS=… and REBUILT_RECORDS=… make it shorter, DATABASE=SQLite or PostgreSQL takes only that one.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { accountingConfig } from '#accounting/config.ts';
import { Ledger } from '#accounting/ledger/ledger.ts';
import { rebuild } from '#accounting/ledger/rebuild.ts';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import { encodeTransfer, TRANSFER_RECORD_BYTES } from '#accounting/transfers/transfer-record.ts';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import type { Log, ReadOptions, ReadResult } from '#log/log.ts';
import { Registry } from '#metrics/registry.ts';
import { MemoryLog } from '#sim/memory-log.ts';
import { migrate } from '#sql/migrate.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import { openSql } from '#sql/open.ts';
import type { Sql } from '#sql/sql.ts';
import { postgresTestUrl } from '#sql/test-databases.ts';

const MEMBERS = 10_000;
const TORRENTS = 50_000;
const RECORDS = Number(process.env['RECORDS'] ?? 1_000_000);
const REBUILT_RECORDS = Number(process.env['REBUILT_RECORDS'] ?? 10_000_000);
/** One of both, when it is given. */
const DATABASE = process.env['DATABASE'];
/** Torrents that each member announces: all records over 50,000, or over 200,000 pairs. */
const MIXES = [5, 20] as const;
const REBUILT_MIX = 20;
const DAYS_MS = 2 * 86_400_000;
const PROGRESS_RECORDS = 2_000_000;

/** Prints a line for each database and mix, and one for the rebuild. */
export async function run(): Promise<void> {
  for (const perMember of MIXES) {
    const log = generatedLog(RECORDS, perMember);
    await withDatabases((name, sql) => count(name, sql, { log, perMember }));
  }
  const log = generatedLog(REBUILT_RECORDS, REBUILT_MIX);
  await withDatabases((name, sql) => makeAnew(name, sql, log));
}

async function withDatabases(run: (name: string, sql: Sql) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-bench-'));
  try {
    if (DATABASE !== 'PostgreSQL') {
      await withTables(await openSql({ url: '', folder }), (sql) => run('SQLite', sql));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  if (DATABASE === 'SQLite') return;
  const url = await postgresTestUrl({ sharedBuffers: '128MB' });
  if (url === undefined) return;
  await withTables(await openSql({ url, folder: '' }), (sql) => run('PostgreSQL', sql));
}

async function withTables(sql: Sql, run: (sql: Sql) => Promise<void>): Promise<void> {
  try {
    await migrate(sql, [...sqlMigrations, ...accountingMigrations], { clock: new SystemClock() });
    await run(sql);
  } finally {
    await sql.close();
  }
}

async function count(
  name: string,
  sql: Sql,
  mix: { readonly log: Log; readonly perMember: number },
): Promise<void> {
  const ledger = await openLedger(sql, mix.log);
  const use = new Use(await serverOf(sql));
  while ((await ledger.applyOnce()) > 0);
  const pairs = (MEMBERS * mix.perMember).toLocaleString('en');
  say(`${name}, ${RECORDS.toLocaleString('en')} records over ${pairs} pairs: ${use.of(RECORDS)}`);
}

async function makeAnew(name: string, sql: Sql, log: Log): Promise<void> {
  const use = new Use(await serverOf(sql));
  let shown = 0;
  const result = await rebuild({
    log,
    sql,
    progress: (done, total) => {
      if (done - shown < PROGRESS_RECORDS) return;
      shown = done;
      process.stderr.write(`rebuild ${name}: ${done} of ${total}\n`);
    },
  });
  say(
    `rebuild, ${name}, ${result.records.toLocaleString('en')} records: ${use.of(result.records)}`,
  );
}

/** Each member has torrents of its own choice, and every torrent as many members as any other. */
function torrentOf(pair: number): number {
  const turn = Math.floor(pair / MEMBERS);
  return ((pair % MEMBERS) * 31 + turn * 10_007) % TORRENTS;
}

function openLedger(sql: Sql, log: Log): Promise<Ledger> {
  const world = { sql, log, clock: new SystemClock(), config: accountingConfig.parse({}) };
  return Ledger.open({ ...world, logger: silentLogger, metrics: new Registry() });
}

function say(line: string): void {
  process.stdout.write(`ledger: ${line}\n`);
}

/** The process of the PostgreSQL server behind this connection; 0 when it is SQLite. */
async function serverOf(database: Sql): Promise<number> {
  if (database.dialect === 'sqlite') return 0;
  const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(
    database.read(),
  );
  return parentOf(statOf(rows[0]!.pid));
}

/** Time and CPU since it was made: of this process, and of the server's. */
class Use {
  readonly #clock = new SystemClock();
  readonly #sinceMs = this.#clock.monotonicMs();
  readonly #cpu = process.cpuUsage();
  readonly #server: number;
  readonly #serverMs: number;

  constructor(server: number) {
    this.#server = server;
    this.#serverMs = serverCpuMs(server);
  }

  of(records: number): string {
    const seconds = (this.#clock.monotonicMs() - this.#sinceMs) / 1000;
    const { user, system } = process.cpuUsage(this.#cpu);
    const own = (user + system) / records;
    const server = ((serverCpuMs(this.#server) - this.#serverMs) * 1000) / records;
    const rate = Math.round(records / seconds).toLocaleString('en');
    const megabytes = Math.round(process.memoryUsage.rss() / 1e6);
    const more = server < 0.05 ? '' : ` and ${server.toFixed(1)} of the database's`;
    return `${rate} records/s, µs of CPU a record ${own.toFixed(1)}${more}, ${megabytes} MB resident at the end`;
  }
}

/** CPU time of a PostgreSQL server and of its processes, as the kernel counts it. */
function serverCpuMs(server: number): number {
  if (server === 0) return 0;
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const fields = statOf(Number(pid));
      if (Number(pid) !== server && parentOf(fields) !== server) continue;
      // utime and stime; of the server also those of its processes that have ended.
      const all = Number(pid) === server ? [11, 12, 13, 14] : [11, 12];
      ticks += all.reduce((sum, at) => sum + Number(fields[at]), 0);
    } catch {
      // It has ended meanwhile.
    }
  }
  return ticks * 10;
}

/** The kernel's line about a process, from its third field on. */
function statOf(pid: number): string[] {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function parentOf(fields: readonly string[]): number {
  return Number(fields[1]);
}

/** The n-th record is always the same: pairs in turn, so that every batch holds many of them. */
function generatedLog(records: number, perMember: number): Log {
  const pairs = MEMBERS * perMember;
  const log = new MemoryLog();
  const peerId = new Uint8Array(Buffer.from('-TR4050-bench-member'));
  const address = new Uint8Array([10, 77, 0, 1]);
  const read = async (_topic: string, options: ReadOptions): Promise<ReadResult> => {
    const from = Number(options.from);
    const next = Math.min(records, from + (options.recordsMax ?? 1000));
    const bytes = new Uint8Array((next - from) * TRANSFER_RECORD_BYTES);
    const read_ = [];
    for (let offset = from; offset < next; offset++) {
      const at = (offset - from) * TRANSFER_RECORD_BYTES;
      const pair = (offset * 7919) % pairs;
      const round = Math.floor(offset / pairs);
      encodeTransfer(bytes, at, {
        ...{ event: 0, flags: round === 0 ? 1 : 4, door: 0, family: 4, port: 6881, hashVersion: 1 },
        memberId: 1 + (pair % MEMBERS),
        torrentId: 1 + torrentOf(pair),
        peerId,
        key: 7,
        sequence: round + 1,
        elapsedSeconds: 1800,
        uploadedDelta: round === 0 ? 0 : 16_384,
        downloadedDelta: 0,
        uploaded: round * 16_384,
        downloaded: 0,
        left: 0,
        timeMs: 1_767_225_600_000 + Math.floor((offset / records) * DAYS_MS),
        address,
        uploadCreditPercent: 100,
        downloadCreditPercent: 50,
      });
      const value = bytes.subarray(at, at + TRANSFER_RECORD_BYTES);
      read_.push({ offset, timeMs: 0, value });
    }
    return { records: read_, nextOffset: next, gaps: [] };
  };
  const stats = async (name: string) => {
    const ends = { firstOffset: 0, nextOffset: records, durableOffset: records };
    return { name, ...ends, segments: 1, bytes: records * TRANSFER_RECORD_BYTES };
  };
  return Object.assign(log, { read, stats });
}

if (import.meta.main) await run();
