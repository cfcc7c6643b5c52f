import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { type SegmentHashes, segmentHashes } from '#archive/content/segment-tree.ts';
import { toHex } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { findOrBuildAddon } from '#cli/addon-build.ts';
import { loadAddon } from '#net/addon.ts';
import { ChosenHasher } from './chosen-hasher.ts';
import { NativeHasher } from './native-hasher.ts';

const place = findOrBuildAddon();
const loaded = loadAddon(place);
const canHash = 'addon' in loaded && NativeHasher.canHash(loaded.addon);
const skip = canHash ? false : 'no addon or no instructions for SHA-256 here';
/** Around the ends of a block of SHA-256, of a block of the tree, and of a whole segment. */
const SIZES = [
  ...[1, 55, 56, 63, 64, 65, 119, 120, 128, 16_383, 16_384, 16_385, 16_439, 16_440],
  ...[32_767, 32_768, 32_769, 49_152, 65_536, 65_599, 100_000, 262_143, 262_144],
];
const TASKS = [
  { height: undefined, layerHeight: undefined },
  { height: 5, layerHeight: undefined },
  { height: 5, layerHeight: 0 },
  { height: 5, layerHeight: 2 },
  { height: 7, layerHeight: 7 },
];

test('the addon gives the hashes that Node gives, of every length', { skip }, async () => {
  assert.ok('addon' in loaded);
  const hasher = new NativeHasher(loaded.addon, 2);
  await Promise.all(
    SIZES.map(async (size) => {
      const bytes = randomBytes(size + 3).subarray(3);
      for (const task of TASKS) {
        const expected = hexOf(segmentHashes(bytes, task));
        assert.deepEqual(hexOf(await hasher.tree(bytes, task)), expected, `${size} bytes`);
        assert.equal(toHex(await hasher.root(bytes, task.height)), expected[1], `${size} bytes`);
      }
    }),
  );
});

test('the same comes with the addon and without', async () => {
  const clock = new SystemClock();
  const task = { height: 5, layerHeight: 2 };
  const all = SIZES.map((size) => randomBytes(size));
  const given: unknown[] = [];
  for (const addon of [place, { why: 'to be hashed by Node' }]) {
    const hasher = new ChosenHasher({ threads: 2, clock, addon: () => addon });
    const hashes = await Promise.all(all.map((bytes) => hasher.tree(bytes, task)));
    const roots = await Promise.all(all.map((bytes) => hasher.root(bytes, task.height)));
    assert.deepEqual(
      roots.map(toHex),
      hashes.map(({ root }) => toHex(root)),
    );
    given.push(hashes.map(hexOf));
    await hasher.close();
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
