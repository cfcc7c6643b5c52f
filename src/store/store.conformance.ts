// What every Store must do, whatever is behind it. A backend's test calls `describeStore`.

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import { blobRef } from '#base/ids.ts';
import { SeededRandom } from '#base/random.ts';
import { BLOB_BYTES_MAX, readStore, refOf, type Store, walkStore } from './store.ts';

export interface StoreUnderTest {
  readonly store: Store;
  /** Ends it in order and opens what is left again; undefined where nothing outlives the store. */
  readonly reopen: (() => Promise<Store>) | undefined;
  dispose(): Promise<void>;
}

export interface SuiteOptions {
  /** True for a server that takes 20 ms and more for a blob: what is done with many, is done with fewer. */
  readonly isSlow?: boolean;
}

export function describeStore(
  name: string,
  open: () => Promise<StoreUnderTest>,
  { isSlow = false }: SuiteOptions = {},
): void {
  describe(name, () => {
    const tests: StoreUnderTest[] = [];
    afterEach(async () => {
      for (const test of tests.splice(0)) {
        await test.store.close().catch(() => {});
        await test.dispose();
      }
    });
    async function fresh(): Promise<StoreUnderTest> {
      const test = await open();
      tests.push(test);
      return test;
    }

    it('gives back what was put, from nothing to 16 MiB, also opened again', async () => {
      const { store, reopen } = await fresh();
      const random = new SeededRandom(1);
      const blobs = [0, 1, 7, 8, 511, 512, 513, 65_536].map((size) => random.bytes(size));
      blobs.push(new Uint8Array(BLOB_BYTES_MAX).fill(7));
      for (const blob of blobs) {
        const answer = await store.put(blob);
        assert.deepEqual(answer, { ref: refOf(blob), bytes: blob.byteLength, new: true });
        assert.equal((await store.put(blob)).new, false);
      }
      for (const blob of blobs) assert.ok(Buffer.from(blob).equals(await store.get(refOf(blob))));
      if (reopen === undefined) return;
      const again = await reopen();
      for (const blob of blobs) assert.ok(Buffer.from(blob).equals(await again.get(refOf(blob))));
      assert.equal((await again.stats()).blobs, blobs.length);
      await again.close();
    });

    it('refuses wrong bytes and too many bytes, and keeps nothing of them', async () => {
      const { store } = await fresh();
      const ref = refOf(utf8('right'));
      await assert.rejects(store.put(utf8('wrong'), { ref }), { code: 'STORE_WRONG_HASH' });
      const part = new Uint8Array(1024 * 1024);
      let given = 0;
      async function* endless() {
        for (;;) {
          given++;
          yield part;
        }
      }
      await assert.rejects(store.put(endless()), { code: 'STORE_BLOB_TOO_LARGE' });
      assert.equal(given, 17, 'it reads no further than it must');
      const huge = new Uint8Array(BLOB_BYTES_MAX + 1);
      await assert.rejects(store.put(huge), { code: 'STORE_BLOB_TOO_LARGE' });
      assert.deepEqual(await store.list(), []);
    });

    it('passes on the error of a source and keeps nothing', async () => {
      const { store } = await fresh();
      async function* breaking() {
        yield utf8('half');
        throw new RangeError('source broke');
      }
      await assert.rejects(store.put(breaking()), RangeError);
      assert.deepEqual(await store.list(), []);
    });

    it('takes a source that uses one buffer again and again', async () => {
      const { store } = await fresh();
      async function* reusing() {
        const buffer = new Uint8Array(1);
        for (const byte of utf8('swarm')) {
          buffer[0] = byte;
          yield buffer;
        }
      }
      const { ref } = await store.put(reusing());
      assert.equal(ref, refOf(utf8('swarm')));
    });

    it('gives each reader bytes of its own, and keeps none of the writer, Buffers too', async () => {
      const { store } = await fresh();
      const given = Buffer.from('0123456789');
      const { ref } = await store.put(given);
      given.fill(0);
      const first = await store.get(ref);
      const second = await store.get(ref);
      const range = await store.getRange(ref, { start: 0, end: 5 });
      first.fill(1);
      range.fill(2);
      assert.equal(Buffer.from(second).toString(), '0123456789');
      assert.equal(Buffer.from(await store.get(ref)).toString(), '0123456789');
      async function* reusing() {
        const buffer = Buffer.alloc(1);
        for (const byte of utf8('buffer')) {
          buffer[0] = byte;
          yield buffer;
        }
      }
      assert.equal((await store.put(reusing())).ref, refOf(utf8('buffer')));
    });

    it('answers ranges, cut at the end, and refuses impossible ones', async () => {
      const { store } = await fresh();
      const { ref } = await store.put(utf8('0123456789'));
      const range = async (start: number, end: number) =>
        Buffer.from(await store.getRange(ref, { start, end })).toString();
      assert.equal(await range(2, 5), '234');
      assert.equal(await range(8, 100), '89');
      assert.equal(await range(10, 10), '');
      for (const [start, end] of [
        [11, 12],
        [-1, 2],
        [3, 2],
        [0.5, 2],
      ] as const) {
        await assert.rejects(range(start, end), { code: 'STORE_RANGE_INVALID' });
      }
    });

    it('tells a missing blob by stat without, by get with an error', async () => {
      const { store } = await fresh();
      const { ref } = await store.put(utf8('here'));
      const gone = refOf(utf8('gone'));
      assert.deepEqual(await store.stat([gone, ref]), [{ ref, bytes: 4 }]);
      await assert.rejects(store.get(gone), { code: 'STORE_BLOB_MISSING' });
      assert.equal(await store.remove([gone]), 0);
    });

    it('stores one blob once, however many put it at the same time', async () => {
      const { store } = await fresh();
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, n) => store.put(utf8('same'), { noRush: n % 2 === 0 })),
      );
      assert.equal(answers.filter((answer) => answer.new).length, 1);
      assert.deepEqual(await store.stats().then(({ blobs, bytes }) => [blobs, bytes]), [1, 4]);
    });

    it('answers the next put, however soon after the answer before it comes', async () => {
      const { store } = await fresh();
      for (let turns = 0; turns < 12; turns++) {
        await store.put(utf8(`first ${turns}`));
        for (let turn = 0; turn < turns; turn++) await Promise.resolve();
        const next = store.put(utf8(`next ${turns}`));
        const late = new Promise((resolve) => setTimeout(resolve, 20_000, 'late').unref());
        assert.notEqual(await Promise.race([next, late]), 'late', `${turns} turns later`);
      }
    });

    it('lists in order, by pages, from any name on, also while blobs come', async () => {
      const { store } = await fresh();
      const put = (n: number) => store.put(utf8(`blob ${n}`), { noRush: true });
      const length = isSlow ? 110 : 300;
      await Promise.all(Array.from({ length }, (_, n) => put(n)));
      const sorted = Array.from({ length }, (_, n) => refOf(utf8(`blob ${n}`))).sort();
      assert.deepEqual(
        (await store.list({ limit: length })).map(({ ref }) => ref),
        sorted,
      );
      assert.deepEqual(
        (await store.list({ limit: 3, after: sorted[99]! })).map(({ ref }) => ref),
        sorted.slice(100, 103),
      );
      const between = blobRef(`${sorted[50]!.slice(0, -1)}g`.replace(/g$/, 'f'))!;
      assert.equal((await store.list({ limit: 1, after: between }))[0]?.ref, sorted[51]);
      const seen: string[] = [];
      for await (const { ref } of walkStore(store, { limit: 7 })) {
        seen.push(ref);
        if (seen.length % 10 === 0) await put(1000 + seen.length);
      }
      assert.deepEqual([...seen].sort(), seen);
      assert.equal(new Set(seen).size, seen.length);
      for (const ref of sorted) assert.ok(seen.includes(ref));
    });

    it('reads every blob with its bytes, and goes on from any token, also opened again', async () => {
      const { store, reopen } = await fresh();
      const blobs = Array.from({ length: isSlow ? 15 : 40 }, (_, n) => utf8(`blob ${n}`));
      for (const blob of blobs) await store.put(blob, { noRush: true });
      await store.remove([refOf(blobs[7]!)]);
      const refs = blobs.map(refOf).filter((ref) => ref !== refOf(blobs[7]!));
      const tokens: string[] = [];
      const order: string[] = [];
      for await (const { ref, bytes, body, token } of readStore(store)) {
        assert.equal(refOf(body!), ref);
        assert.equal(body!.byteLength, bytes);
        order.push(ref);
        tokens.push(token);
      }
      assert.deepEqual([...order].sort(), refs.sort());
      const again = reopen === undefined ? store : await reopen();
      for (const [at, after] of tokens.entries()) {
        const rest: string[] = [];
        for await (const { ref } of readStore(again, { after })) rest.push(ref);
        assert.deepEqual(rest, order.slice(at + 1));
      }
      const controller = new AbortController();
      await assert.rejects(
        async () => {
          for await (const _ of readStore(again, { signal: controller.signal })) controller.abort();
        },
        { code: 'STORE_CANCELLED' },
      );
      await assert.rejects(readStore(again, { after: '../x' }).next(), {
        code: 'STORE_TOKEN_INVALID',
      });
      if (again !== store) await again.close();
    });

    it('removes for good, and takes the same blob again', async () => {
      const { store, reopen } = await fresh();
      const { ref } = await store.put(utf8('a'));
      const { ref: other } = await store.put(utf8('b'));
      assert.equal(await store.remove([ref, ref]), 1);
      await assert.rejects(store.get(ref), { code: 'STORE_BLOB_MISSING' });
      assert.equal((await store.put(utf8('a'))).new, true);
      assert.equal(await store.remove([other]), 1);
      if (reopen === undefined) return;
      const again = await reopen();
      assert.deepEqual(await again.list(), [{ ref, bytes: 1 }]);
      await again.close();
    });

    it('can be cancelled before, while the source stands still, and while it waits', async () => {
      const { store } = await fresh();
      const { ref } = await store.put(utf8('there'));
      const signal = AbortSignal.abort();
      const cancelled = { code: 'STORE_CANCELLED' };
      await assert.rejects(store.put(utf8('x'), { signal }), cancelled);
      await assert.rejects(store.get(ref, { signal }), cancelled);
      await assert.rejects(store.list({ signal }), cancelled);
      await assert.rejects(store.stat([ref], { signal }), cancelled);
      await assert.rejects(store.remove([ref], { signal }), cancelled);
      const still = new AbortController();
      async function* standing() {
        yield utf8('y');
        still.abort();
        await new Promise(() => {});
      }
      await assert.rejects(store.put(standing(), { signal: still.signal }), cancelled);
      assert.deepEqual(await store.list(), [{ ref, bytes: 5 }]);
    });

    it('answers what waits when it is closed, and nothing after', async () => {
      const { store } = await fresh();
      const waiting = store.put(utf8('waiting'), { noRush: true });
      await new Promise((resolve) => setImmediate(resolve));
      await store.close();
      assert.equal((await waiting).new, true);
      await assert.rejects(store.get(refOf(utf8('waiting'))), { code: 'STORE_CLOSED' });
      await store.close();
    });
  });
}
