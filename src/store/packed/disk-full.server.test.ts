// A real file system of a few MiB is filled, again and again: what does not fit is refused with the right
// error, what was acknowledged is there, and removing makes room. As root only; elsewhere it steps aside.

import assert from 'node:assert/strict';
import { statfsSync } from 'node:fs';
import { it } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import { codeOf } from '#base/errors.ts';
import type { BlobRef } from '#base/ids.ts';
import { below, SeededRandom } from '#base/random.ts';

import { storeConfig } from '#store/config.ts';
import { StoreError } from '#store/errors.ts';
import { refOf, walkStore } from '#store/store.ts';
import { PackedStore } from './packed.ts';
import { SmallDisk } from './test-small-disk.ts';

const DISK_BYTES = 24 * 1024 * 1024;
const PASSES = 3;
const IN_FLIGHT = 6;
/** Smaller than a sector, so that the last free block goes too. */
const SMALLEST_BYTES = 16;

class FilledStore {
  store: PackedStore;
  readonly #open: () => Promise<PackedStore>;
  readonly #random: SeededRandom;
  readonly #there = new Set<BlobRef>();

  constructor(store: PackedStore, open: () => Promise<PackedStore>, random: SeededRandom) {
    this.store = store;
    this.#open = open;
    this.#random = random;
  }

  /** Puts until nothing fits any more, not even the smallest. How many were acknowledged. */
  async fill(): Promise<number> {
    let count = 0;
    const putUntilFull = async (bytesMax: number): Promise<void> => {
      for (;;) {
        const bytes = this.#random.bytes(SMALLEST_BYTES + below(this.#random, bytesMax));
        try {
          const { ref } = await this.store.put(bytes, { noRush: below(this.#random, 2) === 0 });
          this.#there.add(ref);
          count++;
        } catch (error) {
          assert.ok(error instanceof StoreError, String(error));
          assert.equal(error.code, 'STORE_WRITE_FAILED');
          assert.equal(codeOf(error.cause), 'ENOSPC');
          return;
        }
      }
    };
    for (const bytesMax of [60_000, 1]) {
      await Promise.all(Array.from({ length: IN_FLIGHT }, () => putUntilFull(bytesMax)));
    }
    return count;
  }

  /** Removes about so much of a hundred. */
  async remove(percent: number): Promise<void> {
    const gone = [...this.#there].filter(() => below(this.#random, 100) < percent);
    for (let at = 0; at < gone.length; at += 100) {
      const part = gone.slice(at, at + 100);
      assert.equal(await this.store.remove(part), part.length);
      for (const ref of part) this.#there.delete(ref);
    }
  }

  /** Every acknowledged blob is there with its bytes, and nothing else. */
  async check(): Promise<void> {
    const listed: BlobRef[] = [];
    for await (const { ref } of walkStore(this.store)) listed.push(ref);
    assert.deepEqual(listed, [...this.#there].sort());
    for (const ref of listed) assert.equal(refOf(await this.store.get(ref)), ref);
  }

  async reopen(): Promise<void> {
    await this.store.close();
    this.store = await this.#open();
    assert.deepEqual([...this.store.damage], []);
  }
}

it('a full disk refuses what does not fit, keeps what it took, and goes on when room is made', async (t) => {
  const disk = SmallDisk.make(DISK_BYTES);
  if (typeof disk === 'string') {
    t.skip(disk);
    return;
  }
  const random = new SeededRandom(11);
  const open = (): Promise<PackedStore> =>
    PackedStore.open({
      ...{
        folder: `${disk.mount}/store`,
        disk: new SystemDisk(),
        clock: new SystemClock(),
        random,
      },
      config: storeConfig.parse({ packBytesMax: 1024 * 1024, writeBytesMax: 256 * 1024 }),
    });
  let filled: FilledStore | undefined;
  try {
    filled = new FilledStore(await open(), open, random);
    for (let pass = 0; pass < PASSES; pass++) {
      const count = await filled.fill();
      const { bavail, bsize } = statfsSync(disk.mount);
      t.diagnostic(`${disk.kind}: ${count} blobs more, then ${bavail * bsize} bytes were free`);
      assert.ok(count > 100, `pass ${pass} took only ${count}`);
      if (pass % 2 === 0) await filled.check();
      else await filled.reopen();
      await filled.remove(70);
      const { freedBytes } = await filled.store.compact();
      assert.ok(freedBytes > DISK_BYTES / 4, `${freedBytes} bytes were given back`);
      await filled.check();
    }
    await filled.reopen();
    await filled.check();
  } finally {
    await filled?.store.close().catch(() => {});
    disk.remove();
  }
});
