import assert from 'node:assert/strict';
import test from 'node:test';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { SystemClock } from '#base/clock.ts';
import type { BlobRef } from '#base/ids.ts';
import { migrate } from '#sql/migrate.ts';
import type { Sql } from '#sql/sql.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { refOf } from '#store/store.ts';
import type { PinTables } from './pin-tables.ts';
import { Pins } from './pins.ts';

const REFS = Array.from({ length: 1234 }, (_, at) => refOf(Buffer.from(`${at}`))).sort();
const clock = new SystemClock();

async function openPins(sql: Sql): Promise<Pins> {
  await migrate(sql, archiveMigrations, { clock });
  return new Pins({ sql, clock });
}

async function rootsOf(pins: Pins, signal = new AbortController().signal): Promise<BlobRef[]> {
  const refs: BlobRef[] = [];
  for await (const ref of pins.refs(signal)) refs.push(ref);
  return refs;
}

forEachDatabase((name, open) => {
  test(`pins on ${name}: what is pinned is a root once until it is unpinned`, async () => {
    const sql = await open();
    try {
      const pins = await openPins(sql);
      assert.equal(await pins.pin([...REFS, REFS[0]!], 'first'), REFS.length);
      assert.equal(await pins.pin(REFS.slice(0, 10), 'second'), 0);
      assert.equal((await pins.list({ limit: 1 }))[0]?.note, 'first');
      assert.deepEqual(await rootsOf(pins), REFS);
      assert.equal(await pins.unpin(REFS.slice(600)), REFS.length - 600);
      assert.equal(await pins.unpin(REFS.slice(600)), 0);
      assert.deepEqual(await rootsOf(pins), REFS.slice(0, 600));
    } finally {
      await sql.close();
    }
  });
});

forEachDatabase((name, open) => {
  test(`pins on ${name}: a row that names no blob, and a signal, end the reading with an error`, async () => {
    const sql = await open();
    try {
      const pins = await openPins(sql);
      await pins.pin(REFS.slice(0, 3), '');
      const stopped = AbortSignal.abort(new Error('stop'));
      await assert.rejects(rootsOf(pins, stopped), /stop/);
      await sql.transaction<PinTables, unknown>((transaction) =>
        transaction
          .insertInto('store_pin')
          .values({ ref: 'sha256-zz', note: '', pinned_ms: 0 })
          .execute(),
      );
      await assert.rejects(rootsOf(pins), /which is no blob/);
    } finally {
      await sql.close();
    }
  });
});

forEachDatabase((name, open) => {
  test(`pins on ${name}: calls that come at once share a transaction, and each is told its own count`, async () => {
    const sql = await open();
    try {
      await openPins(sql);
      let transactions = 0;
      const counted = new Proxy(sql, {
        get(target, key) {
          if (key === 'transaction') transactions++;
          const value: unknown = Reflect.get(target, key, target);
          return typeof value === 'function' ? (value.bind(target) as unknown) : value;
        },
      });
      const pins = new Pins({ sql: counted, clock });
      await pins.pin([REFS[3]!], 'before');
      const calls = REFS.slice(0, 300).map((ref, at) => pins.pin([ref, REFS[0]!], `${at}`));
      const counts = await Promise.all(calls);
      assert.equal(transactions, 2);
      assert.deepEqual(counts, [1, 1, 1, 0, ...Array.from({ length: 296 }, () => 1)]);
      const pinned = await pins.list({ limit: 5 });
      assert.deepEqual(
        pinned.map(({ note }) => note),
        ['0', '1', '2', 'before', '4'],
      );
    } finally {
      await sql.close();
    }
  });
});
