// A community of a thousand members in a world where everything fails (sim/tracker-world.ts), counted
// by the ledger in SQL, with the auditor as the oracle: what each member is credited is what its
// clients moved, to the byte, but for the last words of those that were killed, and for what
// docs/decisions/0009 says of those that go on as if they had not been.

import assert from 'node:assert/strict';
import { audit } from '#accounting/audit/audit.ts';
import { accountingConfig } from '#accounting/config.ts';
import { Ledger } from '#accounting/ledger/ledger.ts';
import type { LedgerTables } from '#accounting/ledger/ledger-tables.ts';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import { memberTotals } from '#accounting/totals.ts';
import { decodeTransfer, TRANSFERS_TOPIC } from '#accounting/transfers/transfer-record.ts';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { Registry } from '#metrics/registry.ts';
import { migrate } from '#sql/migrate.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import type { Sql } from '#sql/sql.ts';
import { openTestSqlite } from '#sql/test-databases.ts';
import { swarmConfig } from '#swarm/config.ts';
import { SeedTimeModel } from './seed-time-model.ts';
import { TrackerWorld, type WorldCounts } from './tracker-world.ts';

const ACCOUNTING = accountingConfig.parse({ batchRecordsMax: 200, recordsPendingMax: 600 });
const SWARM = swarmConfig.parse({
  peersMax: 32_768,
  torrentsMax: 256,
  membersMax: 4096,
  shards: 4,
  peersPerMemberTorrentMax: 12,
  peerAgeMsMax: 2_700_000,
  baselineSilentMs: 60_000,
});

/** @throws when a byte is missing or counted twice, with the seed that replays it */
export async function communityHolds(seed: number, members: number): Promise<WorldCounts> {
  try {
    const world = new TrackerWorld({
      seed,
      members,
      // One member in ten to five has two clients.
      clients: [Math.ceil(members * 1.1), Math.ceil(members * 1.2) + 1],
      torrents: Math.max(2, Math.ceil(members / 20)),
      waitingMax: 400,
      stallOneIn: 100,
      swarm: SWARM,
      accounting: ACCOUNTING,
    });
    await world.run();
    world.check();
    await countAndAudit(world);
    return world.counts;
  } catch (cause) {
    throw new Error(`seed ${seed}: replay with SWARMKEEP_SEED=${seed}`, { cause });
  }
}

async function countAndAudit(world: TrackerWorld): Promise<void> {
  const sql = await openTestSqlite();
  try {
    const clock = new SystemClock();
    await migrate(sql, [...sqlMigrations, ...accountingMigrations], { clock });
    const parts = { sql, log: world.log, clock, config: ACCOUNTING };
    const ledger = await Ledger.open({ ...parts, logger: silentLogger, metrics: new Registry() });
    while ((await ledger.applyOnce()) > 0);
    for (const [memberId, { up, down }] of world.credited()) {
      const totals = await memberTotals(sql, memberId);
      assert.deepEqual([totals.uploadedBytes, totals.downloadedBytes], [up, down]);
    }
    await checkSeedTimes(sql, world);
    const { differences, records } = await audit({ sql, log: world.log });
    assert.deepEqual(differences, []);
    assert.equal(records, world.counts.records);
  } finally {
    await sql.close();
  }
}

/** Of every member and torrent, by a model that sees all records at once. */
async function checkSeedTimes(sql: Sql, world: TrackerWorld): Promise<void> {
  const model = new SeedTimeModel();
  for (let from = 0; ; ) {
    const read = await world.log.read(TRANSFERS_TOPIC, { from, recordsMax: 4096 });
    for (const { value } of read.records) model.add(decodeTransfer(value)!);
    if (read.nextOffset === from) break;
    from = read.nextOffset;
  }
  const rows = await sql
    .read<LedgerTables>()
    .selectFrom('ledger_transfer')
    .select(['member_id', 'torrent_id', 'seed_seconds'])
    .execute();
  let together = 0;
  for (const { member_id, torrent_id, seed_seconds } of rows) {
    const said = `seed time of member ${member_id}, torrent ${torrent_id}`;
    assert.equal(seed_seconds, model.seconds(member_id, torrent_id), said);
    together += seed_seconds;
  }
  assert.ok(together <= model.secondsOfClients, 'two clients seed no longer than both');
}
