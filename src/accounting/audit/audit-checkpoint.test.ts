import assert from 'node:assert/strict';
import test from 'node:test';
import { sql as raw } from 'kysely';
import { appendMany, benchOver } from '#accounting/ledger/test-ledger-bench.ts';
import { accountingMigrations } from '#accounting/migrations/all.ts';
import { SystemClock } from '#base/clock.ts';
import type { Log } from '#log/log.ts';
import { migrate } from '#sql/migrate.ts';
import { sqlMigrations } from '#sql/migrations/all.ts';
import { openTestSqlite } from '#sql/test-databases.ts';
import { audit } from './audit.ts';
import { type AuditCheckpoint, decodeWalk } from './audit-checkpoint.ts';

/** A checkpoint in memory. */
function kept(): AuditCheckpoint & { bytes: Uint8Array | undefined } {
  return {
    bytes: undefined,
    async load() {
      return this.bytes;
    },
    async save(bytes) {
      this.bytes = Uint8Array.from(bytes);
    },
    async clear() {
      this.bytes = undefined;
    },
  };
}

/** The log, whose reads are of a few records each and noted; `ends` is aborted at the so-manieth. */
function walked(log: Log, endsAt = Number.POSITIVE_INFINITY) {
  const froms: number[] = [];
  const ends = new AbortController();
  const slow = new Proxy(log, {
    get(target, key) {
      if (key === 'read') {
        return (topic: string, options: { from: number }) => {
          froms.push(options.from);
          if (froms.length === endsAt) ends.abort(new Error('ended'));
          return target.read(topic, { ...options, recordsMax: 37 });
        };
      }
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  return { log: slow, froms, signal: ends.signal };
}

test('an audit that was ended goes on where it was, and finds what a whole one finds', async () => {
  const sql = await openTestSqlite();
  try {
    await migrate(sql, [...sqlMigrations, ...accountingMigrations], { clock: new SystemClock() });
    const bench = await benchOver(sql);
    await appendMany(bench, 600);
    while ((await (await bench.open()).applyOnce()) > 0);
    await sql.transaction((transaction) =>
      raw`update ledger_transfer set uploaded_bytes = uploaded_bytes + 1 where torrent_id = 2`.execute(
        transaction,
      ),
    );
    const whole = await audit({ log: bench.log, sql });
    assert.ok(whole.differences.length > 0);
    for (const endsAt of [1, 2, 9, 16]) {
      const checkpoint = kept();
      const first = walked(bench.log, endsAt);
      await assert.rejects(audit({ ...first, sql, checkpoint }), /ended/);
      const second = walked(bench.log);
      const progress: number[] = [];
      const result = await audit({
        ...{ log: second.log, sql, checkpoint },
        progress: (done, total) => {
          assert.equal(total, 600);
          progress.push(done);
        },
      });
      assert.deepEqual(result, whole);
      assert.equal(second.froms[0], endsAt * 37, 'nothing is read twice');
      assert.equal(progress.at(-1), 600);
      assert.equal(checkpoint.bytes, undefined, 'the next one is another audit');
    }
    // What the ledger counted meanwhile is in the second half.
    const checkpoint = kept();
    await assert.rejects(audit({ ...walked(bench.log, 5), sql, checkpoint }), /ended/);
    const saved = Uint8Array.from(checkpoint.bytes!);
    for (let at = 0; at < 50; at++) {
      await bench.append({ torrentId: 9, uploaded: at * 10, left: 0, at: 20_000 + at });
    }
    while ((await (await bench.open()).applyOnce()) > 0);
    const grown = await audit({ log: bench.log, sql });
    assert.deepEqual(await audit({ log: bench.log, sql, checkpoint }), grown);
    // Torn, or of another log, it is no checkpoint.
    const identity = {
      ...{ logId: bench.log.id, epoch: bench.log.epoch, firstOffset: 0, baseOffset: 0 },
      baselinesMax: 1_000_000,
    };
    assert.equal(decodeWalk(saved, identity)?.from, 5 * 37);
    assert.equal(decodeWalk(saved, { ...identity, logId: 'other' }), undefined);
    for (const torn of [saved.subarray(0, 10), saved.subarray(0, -1), new Uint8Array(0)]) {
      assert.equal(decodeWalk(torn, identity), undefined);
    }
  } finally {
    await sql.close();
  }
});
