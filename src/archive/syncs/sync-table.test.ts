import assert from 'node:assert/strict';
import test from 'node:test';
import { archiveMigrations } from '#archive/migrations/all.ts';
import { SimClock } from '#sim/clock.ts';
import { migrate } from '#sql/migrate.ts';
import { forEachDatabase } from '#sql/test-databases.ts';
import { refOf } from '#store/store.ts';
import { SyncTable } from './sync-table.ts';

const [a, b, c] = ['a', 'b', 'c'].map((text) => refOf(Buffer.from(text))).sort() as [
  ReturnType<typeof refOf>,
  ReturnType<typeof refOf>,
  ReturnType<typeof refOf>,
];

forEachDatabase((name, open) => {
  test(`the book of syncs on ${name}: failures are listed until they are acknowledged`, async () => {
    const sql = await open();
    try {
      const clock = new SimClock();
      await migrate(
        sql,
        archiveMigrations.filter((one) => one.name === '0640-syncs'),
        { clock },
      );
      const book = new SyncTable({ sql, clock });
      assert.equal((await book.state('far')).isOwed, true, 'a new sync compares first');
      await book.change('far', { isOwed: false, prefix: 7, failedPrefixes: [1, 200] });
      const { isOwed, prefix, failedPrefixes } = await book.state('far');
      assert.deepEqual([isOwed, prefix, failedPrefixes], [false, 7, [1, 200]]);
      await book.change('far', { prefix: undefined });
      assert.equal((await book.state('far')).prefix, undefined);

      const code = 'STORE_S3_REFUSED';
      await book.failed(
        'far',
        [a, b, c].map((ref) => ({ ref, code })),
      );
      await book.failed('far', [{ ref: a, code }]);
      await book.copied('far', [b]);
      const listed = await book.unacknowledged({ limit: 10 });
      assert.deepEqual(
        listed.map(({ ref, tries, isCopied }) => [ref, tries, isCopied]),
        [
          [a, 2, false],
          [b, 1, true],
          [c, 1, false],
        ],
      );
      const rest = await book.unacknowledged({ after: { sync: 'far', ref: a }, limit: 10 });
      assert.equal(rest.length, 2);
      assert.deepEqual(await book.uncopied('far', { limit: 10 }), [a, c]);

      assert.equal(await book.acknowledge([a]), 1);
      assert.equal(await book.acknowledge(undefined), 2);
      assert.equal(await book.unacknowledgedCount('far'), 0);
      assert.deepEqual(await book.uncopied('far', { limit: 10 }), [a, c], 'they are tried on');
      await book.failed('far', [
        { ref: a, code },
        { ref: c, code: 'STORE_CORRUPT_BLOB' },
      ]);
      const again = await book.unacknowledged({ limit: 10 });
      assert.deepEqual(
        again.map(({ ref }) => ref),
        [c],
        'another failure is listed again',
      );
      await book.copied('far', [a]);
      assert.deepEqual(await book.uncopied('far', { limit: 10 }), [c]);
    } finally {
      await sql.close();
    }
  });
});
