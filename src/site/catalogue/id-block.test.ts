import assert from 'node:assert/strict';
import { test } from 'node:test';
import { below, type Random, SeededRandom } from '#base/random.ts';
import { testSeed } from '#sim/seed.ts';
import { BLOCK_IDS, IdBlock } from './id-block.ts';

/** None, few, so many that a bit for each takes less, and nearly all. */
const COUNTS = [0, 1, 5, 511, 513, 4095, 4096, 4097, 30_000, 60_000];

function some(random: Random): Set<number> {
  const count = COUNTS[below(random, COUNTS.length)] ?? 0;
  return new Set(Array.from({ length: count }, () => below(random, BLOCK_IDS)));
}

function ascending(numbers: Iterable<number>): number[] {
  return [...numbers].sort((a, b) => a - b);
}

/** Through its bytes, as a database gives them back: a Buffer at any place in memory. */
function stored(block: IdBlock): IdBlock {
  const bytes = block.bytes();
  const moved = Buffer.alloc(bytes.byteLength + 1);
  moved.set(bytes, 1);
  return IdBlock.read(moved.subarray(1));
}

test('blocks of numbers are what sets of them are, also through their bytes', (context) => {
  const random = new SeededRandom(testSeed(context, 5));
  for (let round = 0; round < 12; round++) {
    const [a, b, c] = [some(random), some(random), some(random)];
    const [one, two, three] = [a, b, c].map((all) => stored(IdBlock.of([...all])));
    assert.ok(one !== undefined && two !== undefined && three !== undefined);
    const isSame = (block: IdBlock, all: ReadonlySet<number>): void => {
      assert.equal(block.count, all.size);
      assert.deepEqual([...block.descending()], ascending(all).reverse());
      assert.ok(block.bytes().byteLength <= BLOCK_IDS / 8);
      assert.deepEqual(stored(block).descending(), block.descending());
    };
    isSame(one, a);
    isSame(one.and(two), new Set([...a].filter((number) => b.has(number))));
    isSame(one.inAny([two, three]), new Set([...a].filter((one) => b.has(one) || c.has(one))));
    isSame(one.inAny([]), new Set());
    isSame(one.without(two), new Set([...a].filter((number) => !b.has(number))));
    isSame(IdBlock.union([one, two, three]), new Set([...a, ...b, ...c]));
    for (let at = 0; at < 20; at++) {
      const number = below(random, BLOCK_IDS);
      assert.equal(one.has(number), a.has(number));
    }
    // None of it changed what it was made of.
    isSame(one, a);
    isSame(two, b);
  }
  assert.equal(IdBlock.union([]).count, 0);
  assert.deepEqual([...IdBlock.of([7, 7, 0, 65_535]).descending()], [65_535, 7, 0]);
});
