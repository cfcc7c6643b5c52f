import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { SeededRandom } from '#base/random.ts';
import { findOrBuildAddon } from '#cli/addon-build.ts';
import { loadAddon } from '#net/addon.ts';
import { crc32c, sumLongRunsBy } from './crc32c.ts';

const loaded = loadAddon(findOrBuildAddon());
const hasInstruction = 'addon' in loaded && loaded.addon.crc32c(new Uint8Array(1), 0, 1, 0) >= 0;
const skip = hasInstruction ? false : 'no instruction for CRC32C here';
const LENGTHS = [512, 513, 519, 520, 1023, 4096, 60_000];

describe('crc32c() by the processor', () => {
  // Other tests of the same process sum by themselves.
  afterEach(() => {
    sumLongRunsBy(() => -1);
  });

  it('is the same at every length, place and seed', { skip }, () => {
    assert.ok('addon' in loaded);
    const { addon } = loaded;
    const random = new SeededRandom(43);
    const bytes = random.bytes(61_000);
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.byteLength));
    shared.set(bytes);
    const asked = LENGTHS.map((length) => ({
      ...{ length, from: random.u32() % 900, seed: random.u32() },
    }));
    const sums = asked.map(({ from, length, seed }) => crc32c(bytes, from, from + length, seed));
    let calls = 0;
    const isTaken = sumLongRunsBy((run, from, to, seed) => {
      calls++;
      return addon.crc32c(run, from, to, seed);
    });
    assert.equal(isTaken, true);
    calls = 0;
    for (const [at, { from, length, seed }] of asked.entries()) {
      assert.equal(
        crc32c(bytes, from, from + length, seed),
        sums[at],
        `${length} bytes at ${from}`,
      );
      assert.equal(crc32c(shared, from, from + length, seed), sums[at], `${length} shared bytes`);
    }
    assert.equal(calls, 2 * asked.length);
  });

  it('is not taken from who sums wrongly, or has no instruction for it', () => {
    const bytes = new SeededRandom(44).bytes(5000);
    const before = crc32c(bytes);
    const wrong = [
      () => -1,
      () => 7,
      // Right for a whole run, wrong for one that goes on.
      (run: Uint8Array, from: number, to: number): number => crc32c(run, from, to),
    ];
    for (const sum of wrong) {
      assert.equal(sumLongRunsBy(sum), false);
      assert.equal(crc32c(bytes), before);
    }
  });
});
