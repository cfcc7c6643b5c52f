// A process that puts blobs and prints each name once it is acknowledged, until it is killed.
// Arguments: the store's folder and a seed.

import { writeSync } from 'node:fs';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
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
  config: storeConfig.parse({ packBytesMax: 1024 * 1024 }),
});

async function putForEver(noRush: boolean): Promise<never> {
  for (;;) {
    const { ref } = await store.put(random.bytes(below(random, 40_000)), { noRush });
    writeSync(1, `${ref}\n`);
  }
}

await Promise.all([putForEver(false), putForEver(false), putForEver(true)]);
