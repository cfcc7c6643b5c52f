import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { SystemDisk } from '#base/disk.ts';
import type { BlobRef } from '#base/ids.ts';
import { SeededRandom } from '#base/random.ts';
import { SimClock } from '#sim/clock.ts';
import { SimDisk } from '#sim/disk.ts';
import { storeConfig } from '#store/config.ts';
import { MemoryStore } from '#store/memory.ts';
import { PlacedStore } from '#store/several/placed.ts';
import { byHash } from '#store/several/placement.ts';
import { ReplicaStore } from '#store/several/replica.ts';
import { refOf } from '#store/store.ts';
import { PackedStore } from './packed.ts';

const BYTES = 300_000;
const MINUTE = { verifiedMsMax: 60_000 };

interface Lending {
  readonly folder: string;
  readonly store: PackedStore;
  readonly clock: SimClock;
  /** Of a new blob, that was not read yet. */
  put(bytes?: number): Promise<{ readonly ref: BlobRef; readonly content: Buffer }>;
}

async function withLending(run: (lending: Lending) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-lend-'));
  const clock = new SimClock();
  const store = await PackedStore.open({
    ...{ folder, disk: new SystemDisk(), clock, random: new SeededRandom(1) },
    config: storeConfig.parse({ packBytesMax: 1024 * 1024 }),
  });
  const put = async (bytes = BYTES) => {
    const content = randomBytes(bytes);
    return { ref: (await store.put(content.slice())).ref, content };
  };
  try {
    await run({ folder, store, clock, put });
  } finally {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A byte of the newest pack, that another program writes; at a later time by the file's own clock. */
function damage(folder: string, position: number): void {
  const name =
    readdirSync(folder)
      .filter((one) => one.endsWith('.pack'))
      .at(-1) ?? '';
  const path = join(folder, name);
  const before = statSync(path, { bigint: true }).ctimeNs;
  const file = openSync(path, 'r+');
  while (statSync(path, { bigint: true }).ctimeNs === before) {
    writeSync(file, Buffer.from([7, 7, 7]), 0, 3, position);
  }
  closeSync(file);
}

test('a blob that was read is lent for a while: its bytes lie where it says', () =>
  withLending(async ({ store, clock, put }) => {
    const { ref, content } = await put();
    assert.equal(await store.lend(ref, MINUTE), undefined, 'nobody has read it');
    await store.get(ref);
    const lent = await store.lend(ref, MINUTE);
    assert.equal(lent?.bytes, BYTES);
    const bytes = Buffer.alloc(BYTES);
    readSync(lent?.descriptor ?? -1, bytes, 0, BYTES, lent?.position ?? 0);
    assert.ok(bytes.equals(content));
    lent?.release();
    clock.advance(60_001);
    assert.equal(await store.lend(ref, MINUTE), undefined);
    await store.get(ref);
    assert.ok(await store.lend(ref, MINUTE).then((one) => one?.release() === undefined));
    const small = await put(1000);
    await store.get(small.ref);
    assert.equal(await store.lend(small.ref, MINUTE), undefined);
    await store.remove([ref]);
    await assert.rejects(store.lend(ref, MINUTE), { code: 'STORE_BLOB_MISSING' });
  }));

test('who brings a hash has it verified now, once for all that ask at once, and never wrong bytes', () =>
  withLending(async ({ folder, store, clock, put }) => {
    const { ref, content } = await put();
    let hashed = 0;
    const sha256 = async (bytes: Uint8Array): Promise<Uint8Array> => {
      hashed += 1;
      return hash('sha256', bytes, 'buffer');
    };
    const asked = { ...MINUTE, sha256 };
    const all = await Promise.all([1, 2, 3].map(() => store.lend(ref, asked)));
    assert.equal(hashed, 1);
    for (const lent of all) {
      const bytes = Buffer.alloc(BYTES);
      readSync(lent?.descriptor ?? -1, bytes, 0, BYTES, lent?.position ?? 0);
      assert.ok(bytes.equals(content));
      lent?.release();
    }
    const large = await put(5_000_000);
    const position = (await store.lend(large.ref, asked).then((lent) => {
      lent?.release();
      return lent?.position;
    })) as number;
    assert.equal(hashed, 2);
    clock.advance(60_001);
    damage(folder, position + 4_900_000);
    await assert.rejects(store.lend(large.ref, asked), { code: 'STORE_CORRUPT_BLOB' });
  }));

test('what the store writes itself takes nothing back, what anybody else writes does', () =>
  withLending(async ({ folder, store, put }) => {
    const { ref } = await put();
    await store.get(ref);
    await put();
    const lent = await store.lend(ref, MINUTE);
    assert.ok(lent !== undefined);
    lent.release();
    damage(folder, lent.position + 100);
    assert.equal(await store.lend(ref, MINUTE), undefined);
    await assert.rejects(store.get(ref), { code: 'STORE_CORRUPT_BLOB' });
    assert.equal(await store.lend(ref, MINUTE), undefined);
  }));

test('a change by others is not hidden by an append of the store after it', () =>
  withLending(async ({ folder, store, put }) => {
    const { ref } = await put();
    await store.get(ref);
    const lent = await store.lend(ref, MINUTE);
    assert.ok(lent !== undefined);
    lent.release();
    damage(folder, lent.position + 100);
    await put();
    assert.equal(await store.lend(ref, MINUTE), undefined);
  }));

test('a blob that compaction took elsewhere is read again before it is lent', () =>
  withLending(async ({ folder, store, put }) => {
    const all = [await put(), await put(), await put(), await put(), await put()];
    const [kept, ...others] = all;
    assert.ok(kept !== undefined);
    await store.get(kept.ref);
    const lent = await store.lend(kept.ref, MINUTE);
    await store.remove(others.slice(0, 3).map(({ ref }) => ref));
    await store.compact();
    assert.ok(!readdirSync(folder).includes('0000000001.pack'));
    // Whoever was lent it reads on, whatever became of the file's name.
    const bytes = Buffer.alloc(BYTES);
    readSync(lent?.descriptor ?? -1, bytes, 0, BYTES, lent?.position ?? 0);
    assert.ok(bytes.equals(kept.content));
    lent?.release();
    assert.equal(await store.lend(kept.ref, MINUTE), undefined);
    await store.get(kept.ref);
    assert.ok(await store.lend(kept.ref, MINUTE).then((one) => one?.release() === undefined));
  }));

test('where there is no file of this machine nothing is lent', async () => {
  const clock = new SimClock();
  const random = new SeededRandom(1);
  const disk = new SimDisk({ random });
  const config = storeConfig.parse({});
  const store = await PackedStore.open({ folder: '/store', disk, clock, random, config });
  const { ref } = await store.put(randomBytes(BYTES));
  await store.get(ref);
  assert.equal(await store.lend(ref, MINUTE), undefined);
  await store.close();
});

test('a store of several lends what one of them does, and what guards against garbage lends it on', () =>
  withLending(async ({ store, put }) => {
    const { ref } = await put();
    await store.get(ref);
    const clock = new SimClock();
    const away = new MemoryStore();
    const placed = [away, store].map((one, at) => ({
      ...{ name: String(at), store: one, freeBytes: async () => 1 },
    }));
    const several = [
      new ReplicaStore([away, store], {
        clock,
        writesMin: 1,
        raceMs: 1,
        onTrouble: () => undefined,
      }),
      new PlacedStore(placed, byHash),
    ];
    for (const each of several) {
      const lent = await each.lend(ref, MINUTE);
      assert.equal(lent?.bytes, BYTES);
      lent?.release();
    }
    assert.equal(await several[0]?.lend(refOf(new Uint8Array(3)), MINUTE), undefined);
  }));

test('a blob is proven without being given, by the hash that was brought', () =>
  withLending(async ({ folder, store, put }) => {
    const { ref, content } = await put();
    const seen: string[] = [];
    const sha256 = async (bytes: Uint8Array): Promise<Uint8Array> => {
      seen.push(hash('sha256', bytes));
      return hash('sha256', bytes, 'buffer');
    };
    assert.equal(await store.prove(ref, { sha256 }), BYTES);
    assert.equal(await store.prove(ref), BYTES);
    assert.deepEqual(seen, [hash('sha256', content)]);
    const lent = await store.lend(ref, MINUTE);
    lent?.release();
    damage(folder, (lent?.position ?? 0) + 5);
    await assert.rejects(store.prove(ref), { code: 'STORE_CORRUPT_BLOB' });
    await store.remove([ref]);
    await assert.rejects(store.prove(ref), { code: 'STORE_BLOB_MISSING' });
  }));
