// The writer, the baselines and the ledger over the real log on a real disk, as serve joins them.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { audit } from '#accounting/audit/audit.ts';
import { BaselineStore } from '#accounting/baselines/baseline-store.ts';
import { Ledger } from '#accounting/ledger/ledger.ts';
import { TransferWriter } from '#accounting/transfers/transfer-writer.ts';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { silentLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { logConfig } from '#log/config.ts';
import { LocalLog } from '#log/local-log.ts';
import { Registry } from '#metrics/registry.ts';
import { migrate } from '#sql/migrate.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import { openTestSqlite } from '#sql/test-databases.ts';
import { accountingConfig } from './config.ts';
import { accountingMigrations } from './migrations/all.ts';
import { peerIdOf, TestAnnounces } from './test-announces.ts';
import { memberTotals } from './totals.ts';

test('what is pushed is on disk, counted, audited, and measured against after a restart', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-accounting-'));
  const sql = await openTestSqlite();
  const clock = new SystemClock();
  const config = accountingConfig.parse({});
  const shared = { clock, config, logger: silentLogger, metrics: new Registry() };
  const openLog = (): Promise<LocalLog> =>
    LocalLog.open({
      ...{ disk: new SystemDisk(), folder: join(folder, 'log'), clock, random: new SystemRandom() },
      ...{ logger: silentLogger, metrics: shared.metrics, config: logConfig.parse({}) },
      onFatal: (error: unknown) => assert.fail(String(error)),
    });
  const openBaselines = (log: LocalLog): Promise<BaselineStore> =>
    BaselineStore.open({
      ...shared,
      ...{ log, disk: new SystemDisk(), folder: join(folder, 'baselines') },
    });
  try {
    await migrate(sql, [...sqlMigrations, ...accountingMigrations], { clock });
    const log = await openLog();
    const ledger = await Ledger.open({ ...shared, sql, log });
    const baselines = await openBaselines(log);
    const writer = new TransferWriter({
      ...shared,
      log,
      onLost: () => assert.fail('nothing is lost'),
    });
    const announces = new TestAnnounces();
    const startSeconds = (clock.nowMs() - Date.UTC(2026, 0, 1)) / 1000;
    const push = (step: number): number =>
      writer.push(
        announces.announce({
          memberId: 1 + (step % 3),
          event: step < 3 ? 'started' : 'none',
          uploaded: Math.floor(step / 3) * 100,
          at: Math.floor(startSeconds) + step,
        }),
      );
    for (let step = 0; step < 300; step++) push(step);
    await writer.settled();
    const snapshot = baselines.beginSnapshot(writer);
    for (const baseline of announces.baselines.values()) snapshot.add(baseline);
    assert.equal(await snapshot.commit(), true);
    for (let step = 300; step < 600; step++) push(step);
    await writer.close();
    while ((await ledger.applyOnce()) > 0);
    assert.equal((await memberTotals(sql, 2)).uploadedBytes, 19_900);
    const proof = await audit({ log, sql });
    assert.deepEqual(proof, { records: 600, members: 3, differences: [], notes: [] });
    await baselines.close();
    await log.close();

    const again = await openLog();
    const restored = await openBaselines(again);
    const found = await restored.find({ memberId: 2, torrentId: 1, peerId: peerIdOf('a') });
    assert.deepEqual([found?.uploaded, found?.sequence], [19_900, 200]);
    const next = await Ledger.open({ ...shared, sql, log: again });
    assert.deepEqual([next.position(), next.lag], [600, 0]);
    await restored.close();
    await again.close();
  } finally {
    await sql.close();
    rmSync(folder, { recursive: true });
  }
});
