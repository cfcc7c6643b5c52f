// A process that puts blobs and prints each name once it is acknowledged, removes some, each printed
// behind a minus before it begins to, and compacts, until it is killed. Arguments: the store's folder and
// a seed.

import { writeSync } from 'node:fs';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import type { BlobRef } from '#base/ids.ts';
import { below, SeededRandom } from '#base/random.ts';
import { storeConfig } from '#store/config.ts';
import { PackedStore } from '#store/packed/packed.ts';

const [folder = '', seed = '0'] = process.argv.slice(2);
const random = new SeededRandom(Number(seed), 77);
const store = await PackedStore.open({
  folder,
  disk: new SystemDisk(),
  clock: new SystemClock(),
  random,
  config: storeConfig.parse({ packBytesMax: 128 * 1024, compactDeadPercent: 10 }),
});

async function putForEver(noRush: boolean): Promise<never> {
  const own: BlobRef[] = [];
  for (;;) {
    const { ref } = await store.put(random.bytes(below(random, 40_000)), { noRush });
    writeSync(1, `${ref}\n`);
    own.push(ref);
    if (below(random, 2) === 0) continue;
    const [gone] = own.splice(below(random, own.length), 1);
    writeSync(1, `-${gone}\n`);
    await store.remove([gone!]);
  }
}

async function compactForEver(): Promise<never> {
  for (;;) {
    await store.compact();
    await store.flush();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

await Promise.all([putForEver(false), putForEver(false), putForEver(true), compactForEver()]);
