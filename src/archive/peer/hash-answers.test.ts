import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import { FileWriter } from '#archive/content/file-writer.ts';
import { InPlaceHasher } from '#archive/hash/segment-hasher.ts';
import { below, SeededRandom } from '#base/random.ts';
import { MemoryStore } from '#store/memory.ts';
import { uncleCount } from '#wire/hash-exchange.ts';
import { answerHashes, type HashedFile } from './hash-answers.ts';

const BLOCK = 16_384;
const SEGMENT_BYTES = 262_144;
const signal = new AbortController().signal;

async function fileOf(bytes: number, seed: number): Promise<[HashedFile, Uint8Array]> {
  const random = new SeededRandom(seed);
  const parts = Array.from({ length: Math.ceil(bytes / 60_000) }, () => random.bytes(60_000));
  const content = new Uint8Array(Buffer.concat(parts).subarray(0, bytes));
  const store = new MemoryStore();
  const hasher = new InPlaceHasher();
  const writer = new FileWriter({ store, hasher }, { bytes, segmentBytes: SEGMENT_BYTES });
  await writer.write(content);
  const { map } = await writer.finish();
  assert.ok(map !== undefined);
  return [{ map, segments: store, hasher }, content];
}

const pair = (left: Uint8Array, right: Uint8Array): Uint8Array =>
  createHash('sha256').update(left).update(right).digest();

/** Every row of the tree, the leaves first, as BEP 52 tells it: made the plain way. */
function treeOf(content: Uint8Array): Uint8Array[][] {
  const leaves: Uint8Array[] = [];
  for (let at = 0; at < content.length; at += BLOCK) {
    leaves.push(
      createHash('sha256')
        .update(content.subarray(at, at + BLOCK))
        .digest(),
    );
  }
  const width = 2 ** Math.ceil(Math.log2(leaves.length));
  while (leaves.length < width) leaves.push(new Uint8Array(32));
  const rows = [leaves];
  for (let row = leaves; row.length > 1; ) {
    row = row.flatMap((left, at) => (at % 2 === 0 ? [pair(left, row[at + 1] ?? left)] : []));
    rows.push(row);
  }
  return rows;
}

test('any part of any row is answered, and its uncles lead to the root', async () => {
  const random = new SeededRandom(3);
  for (const bytes of [16_385, 50_000, SEGMENT_BYTES, 3 * SEGMENT_BYTES + 40_000]) {
    const [file, content] = await fileOf(bytes, bytes);
    const rows = treeOf(content);
    for (let round = 0; round < 40; round++) {
      const baseLayer = below(random, rows.length - 1);
      const width = rows.length - 1 - baseLayer;
      const length = 2 ** (1 + below(random, width));
      const index = length * below(random, 2 ** width / length);
      const request = { root: file.map.root, baseLayer, index, length, proofLayers: width - 1 };
      const answer = await answerHashes(file, request, signal);
      const hashes = Array.from({ length: length + uncleCount(request) }, (_, at) =>
        answer?.subarray(at * 32, at * 32 + 32),
      );
      let own = hashes.slice(0, length) as Uint8Array[];
      assert.deepEqual(own.map(hex), rows[baseLayer]?.slice(index, index + length).map(hex));
      while (own.length > 1) {
        own = own.flatMap((left, at) => (at % 2 === 0 ? [pair(left, own[at + 1] ?? left)] : []));
      }
      let [node = new Uint8Array()] = own;
      let at = index / length;
      for (const uncle of hashes.slice(length) as Uint8Array[]) {
        node = at % 2 === 0 ? pair(node, uncle) : pair(uncle, node);
        at = Math.floor(at / 2);
      }
      assert.equal(hex(node), hex(file.map.root), `${bytes} ${baseLayer} ${index} ${length}`);
    }
  }
});

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

test('what lies beyond the tree is not answered, and proofs of fewer layers are', async () => {
  const [file, content] = await fileOf(3 * SEGMENT_BYTES, 1);
  const rows = treeOf(content);
  const asked = { root: file.map.root, baseLayer: 0, index: 0, length: 2, proofLayers: 0 };
  const answer = await answerHashes(file, asked, signal);
  assert.deepEqual(answer, new Uint8Array(Buffer.concat(rows[0]?.slice(0, 2) ?? [])));
  for (const wrong of [
    { index: 64 },
    { length: 128 },
    { baseLayer: 6 },
    { baseLayer: 5, length: 4 },
    { proofLayers: 6 },
    { baseLayer: 5, proofLayers: 1 },
  ]) {
    assert.equal(await answerHashes(file, { ...asked, ...wrong }, signal), undefined);
  }
});
