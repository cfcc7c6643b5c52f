// Packs on a file system that takes nothing.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { utf8 } from '#base/bytes.ts';
import type { Disk } from '#base/disk.ts';
import { SeededRandom } from '#base/random.ts';
import { SimClock } from '#sim/clock.ts';
import { SimDisk } from '#sim/disk.ts';
import { storeConfig } from '#store/config.ts';
import { type BlobInfo, refOf, walkStore } from '#store/store.ts';
import { PackedStore } from './packed.ts';

const SEEDS = 10;
const clock = new SimClock();
const CHANGES = new Set([
  'create',
  'rename',
  'remove',
  'syncFolder',
  'write',
  'truncate',
  'datasync',
]);

async function open(disk: Disk): Promise<PackedStore> {
  const random = new SeededRandom(5);
  // Several packs.
  const config = storeConfig.parse({ packBytesMax: '1 MiB' });
  return await PackedStore.open({ folder: '/store', disk, clock, random, config });
}

/** As a system mounts it for reading: what would change something fails with EROFS. */
function mountedReadOnly(disk: SimDisk): Disk {
  disk.onOperation = (operation, path) =>
    CHANGES.has(operation) && path.startsWith('/store') ? 'EROFS' : undefined;
  return new Proxy(disk, {
    get(target, key) {
      if (key === 'lock') {
        return () => Promise.reject(Object.assign(new Error('read-only'), { code: 'EROFS' }));
      }
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

async function blobsOf(store: PackedStore): Promise<readonly BlobInfo[]> {
  const found: BlobInfo[] = [];
  for await (const info of walkStore(store)) {
    assert.equal(refOf(await store.get(info.ref)), info.ref);
    found.push(info);
  }
  return found;
}

for (const end of ['ended in order', 'was killed'] as const) {
  it(`a store that ${end} is read where nothing can be written, and refuses in words`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) await readWhereReadOnly(end, seed);
  });
}

async function readWhereReadOnly(
  end: 'ended in order' | 'was killed',
  seed: number,
): Promise<void> {
  let disk = new SimDisk({ random: new SeededRandom(seed) });
  const store = await open(disk);
  for (let n = 0; n < 40; n++) await store.put(new Uint8Array(100_000).fill(n));
  const { ref } = await store.put(utf8('one more'));
  await store.remove([refOf(new Uint8Array(100_000).fill(7))]);
  if (end === 'was killed') {
    // Never answered: what of them is there is cut, or found, in both ways alike.
    for (let n = 50; n < 55; n++) void store.put(new Uint8Array(100_000).fill(n));
    for (let turn = 0; turn < seed * 3; turn++) await new Promise((go) => setImmediate(go));
    disk = disk.crash();
  } else await store.close();
  const readOnly = mountedReadOnly(disk);
  const again = await open(readOnly);
  const found = await blobsOf(again);
  assert.ok(found.length >= 40 && (found.length === 40 || end === 'was killed'), `seed ${seed}`);
  const refused = { code: 'STORE_WRITE_FAILED', message: /their file system can only be read/ };
  await assert.rejects(again.put(utf8('new')), refused);
  await assert.rejects(again.remove([ref]), refused);
  await assert.rejects(again.compact(), refused);
  await again.close();
  // Where it can be written again it is as it was.
  disk.onOperation = undefined;
  const written = await open(disk);
  assert.deepEqual(await blobsOf(written), found, `seed ${seed}`);
  await written.close();
}
