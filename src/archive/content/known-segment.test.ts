import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { InPlaceHasher } from '#archive/hash/segment-hasher.ts';
import { toHex } from '#base/bytes.ts';
import { SeededRandom } from '#base/random.ts';
import { MemoryStore } from '#store/memory.ts';
import { type FileMap, segmentName } from './file-map.ts';
import { FileWriter } from './file-writer.ts';
import { knownSegment } from './known-segment.ts';

const SEGMENT_BYTES = 256 * 1024;

/** Counts the hashes of whole segments. */
class CountingHasher extends InPlaceHasher {
  trees = 0;

  override tree(...words: Parameters<InPlaceHasher['tree']>): ReturnType<InPlaceHasher['tree']> {
    this.trees += 1;
    return super.tree(...words);
  }
}

async function mapOf(content: Uint8Array): Promise<FileMap> {
  const world = { store: new MemoryStore(), hasher: new InPlaceHasher() };
  const writer = new FileWriter(world, { bytes: content.length, segmentBytes: SEGMENT_BYTES });
  await writer.write(content);
  const { map } = await writer.finish();
  assert.ok(map !== undefined);
  return map;
}

function contentOf(bytes: number): Uint8Array {
  const random = new SeededRandom(5);
  return Buffer.concat(
    Array.from({ length: Math.ceil(bytes / 60_000) }, () => random.bytes(60_000)),
  ).subarray(0, bytes);
}

test('a segment is named by its root alone, and what is not that segment by its bytes', async () => {
  for (const size of [100, SEGMENT_BYTES, 2 * SEGMENT_BYTES + 20_001]) {
    const content = contentOf(size);
    const map = await mapOf(content);
    for (let start = 0, number = 0; start < size; start += SEGMENT_BYTES, number++) {
      const hasher = new CountingHasher();
      const roots: string[] = [];
      const name = knownSegment(hasher, map, number, (root) => roots.push(toHex(root)));
      const segment = content.slice(start, start + SEGMENT_BYTES);
      assert.equal(toHex(await name(segment)), toHex(segmentName(map, number)));
      assert.equal(hasher.trees, 0);
      for (const wrong of [flipped(segment), segment.subarray(1), new Uint8Array(0)]) {
        assert.equal(toHex(await name(wrong)), hash('sha256', wrong), `${wrong.length} bytes`);
      }
      assert.equal(new Set(roots).size, 2, 'of the right length: the right one and a wrong one');
    }
  }
});

test('the two hashes above two blocks are not taken for the blocks', async () => {
  const content = contentOf(32 * 1024);
  const map = await mapOf(content);
  const blocks = [content.subarray(0, 16 * 1024), content.subarray(16 * 1024)];
  const row = Buffer.concat(blocks.map((block) => hash('sha256', block, 'buffer')));
  assert.equal(hash('sha256', row), toHex(map.root), 'a block of 64 bytes with the root of 32 KiB');
  const name = await knownSegment(new InPlaceHasher(), map, 0)(row);
  assert.notEqual(toHex(name), toHex(segmentName(map, 0)));
});

function flipped(bytes: Uint8Array): Uint8Array {
  const wrong = bytes.slice();
  wrong[wrong.length - 1] = (wrong[wrong.length - 1] ?? 0) ^ 1;
  return wrong;
}
