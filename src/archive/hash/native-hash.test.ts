import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { type SegmentHashes, segmentHashes } from '#archive/content/segment-tree.ts';
import { toHex } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { findOrBuildAddon } from '#cli/addon-build.ts';
import { HashPool } from './hash-pool.ts';
import { hashBlocksBy } from './native-hash.ts';

const place = findOrBuildAddon();
const hashBlocks = hashBlocksBy(place);
const skip = hashBlocks === undefined ? 'no addon or no instructions for SHA-256 here' : false;
/** Around the ends of a block of SHA-256, of a block of the tree, and of a whole segment. */
const SIZES = [
  ...[1, 55, 56, 63, 64, 65, 119, 120, 128, 16_383, 16_384, 16_385, 16_439, 16_440],
  ...[32_768, 100_000, 262_143, 262_144],
];

test('the addon gives the hashes that Node gives, of every length', { skip }, () => {
  for (const size of SIZES) {
    const bytes = randomBytes(size + 3).subarray(3);
    for (const task of [
      { height: undefined, layerHeight: undefined },
      { height: 5, layerHeight: 2 },
    ]) {
      const expected = segmentHashes(bytes, task);
      assert.deepEqual(segmentHashes(bytes, task, hashBlocks), expected, `${size} bytes`);
    }
  }
});

test('a pool gives the same with the addon and without', async () => {
  const clock = new SystemClock();
  const task = { height: 5, layerHeight: 2 };
  const all = SIZES.map((size) => randomBytes(size));
  const given: unknown[] = [];
  for (const addon of [place, { why: 'to be hashed by Node' }]) {
    const pool = new HashPool({ threads: 2, clock, addon: () => addon });
    const hashes = await Promise.all(all.map((bytes) => pool.tree(bytes, task)));
    given.push(hashes.map(hexOf));
    await pool.close();
  }
  assert.deepEqual(given[0], given[1]);
  assert.deepEqual(
    given[1],
    all.map((bytes) => hexOf(segmentHashes(bytes, task))),
  );
});

function hexOf({ sha256, root, layer }: SegmentHashes): readonly string[] {
  return [sha256, root, layer ?? new Uint8Array()].map((part) => toHex(part));
}
