import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { toHex } from '#base/bytes.ts';
import { below, SeededRandom } from '#base/random.ts';
import { BLOCK_BYTES, MerkleHasher } from '#wire/merkle.ts';
import { decodeFileMap, encodeFileMap, type FileMap, makeFileMap, segmentRef } from './file-map.ts';
import { segmentTree } from './segment-tree.ts';
import { SEGMENT_BYTES_MAX, SEGMENTS_MAX, segmentBytesFor, segmentHeight } from './segments.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Bytes that follow from their place: the same on every machine. */
function content(bytes: number): Uint8Array {
  const made = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at++) made[at] = (at * 2_654_435_761) >>> 24;
  return made;
}

function mapOf(bytes: Uint8Array, segmentBytes: number): FileMap {
  const entries: Uint8Array[] = [];
  const isAlone = bytes.length <= segmentBytes;
  for (let at = 0; at < bytes.length; at += segmentBytes) {
    const segment = bytes.subarray(at, at + segmentBytes);
    const height = isAlone ? undefined : segmentHeight(segmentBytes);
    entries.push(createHash('sha256').update(segment).digest());
    entries.push(segmentTree(segment, { height, layerHeight: undefined }).root);
  }
  return makeFileMap({
    bytes: bytes.length,
    segmentBytes,
    segments: new Uint8Array(Buffer.concat(entries)),
  });
}

describe('the map of a file', () => {
  it('has the pieces root of BEP 52 as its root, however the file is cut', () => {
    const random = new SeededRandom(7);
    const sizes = [
      1,
      BLOCK_BYTES,
      BLOCK_BYTES + 1,
      256 * KIB,
      256 * KIB + 1,
      3 * MIB,
      5 * MIB + 17,
    ];
    for (let at = 0; at < 10; at++) sizes.push(1 + below(random, 4 * MIB));
    for (const size of sizes) {
      const bytes = content(size);
      const whole = new MerkleHasher(64 * KIB);
      whole.update(bytes);
      const root = toHex(whole.finish().root ?? new Uint8Array());
      for (const segmentBytes of [256 * KIB, MIB, 16 * MIB]) {
        assert.equal(
          toHex(mapOf(bytes, segmentBytes).root),
          root,
          `${size} bytes by ${segmentBytes}`,
        );
      }
    }
  });

  it('is these bytes in version 1', () => {
    const map = mapOf(content(600 * KIB), 256 * KIB);
    const golden = readFileSync(new URL('../golden/file-map-1.hex', import.meta.url), 'utf8');
    assert.equal(toHex(encodeFileMap(map)), golden.trim());
    assert.deepEqual(decodeFileMap(encodeFileMap(map)), map);
  });

  it('is refused when any of its bytes is another', () => {
    const good = encodeFileMap(mapOf(content(600 * KIB), 256 * KIB));
    for (let at = 0; at < good.length; at++) {
      // Names of blobs, and how far the last one reaches, are proven when the blobs are read.
      const isProvenElsewhere = (at >= 64 && (at - 64) % 64 < 32) || (at >= 16 && at <= 18);
      const changed = good.slice();
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.equal(decodeFileMap(changed) === undefined, !isProvenElsewhere, `byte ${at}`);
    }
    for (let length = 0; length < good.length; length++) {
      assert.equal(decodeFileMap(good.subarray(0, length)), undefined, `${length} bytes`);
    }
  });

  it('names the blob of each segment', () => {
    const bytes = content(300 * KIB);
    const map = mapOf(bytes, 256 * KIB);
    const last = createHash('sha256')
      .update(bytes.subarray(256 * KIB))
      .digest('hex');
    assert.equal(segmentRef(map, 1), `sha256-${last}`);
  });
});

describe('segments', () => {
  it('grow until the map of their file fits a blob', () => {
    assert.equal(segmentBytesFor(1, 4 * MIB), 4 * MIB);
    assert.equal(segmentBytesFor(4 * MIB * SEGMENTS_MAX, 4 * MIB), 4 * MIB);
    assert.equal(segmentBytesFor(4 * MIB * SEGMENTS_MAX + 1, 4 * MIB), 8 * MIB);
    assert.equal(segmentBytesFor(SEGMENT_BYTES_MAX * SEGMENTS_MAX, 4 * MIB), 16 * MIB);
  });

  it('give the layer of every piece size that is not larger', () => {
    for (const size of [1, 3 * BLOCK_BYTES, 256 * KIB - 1, 256 * KIB]) {
      const bytes = content(size);
      for (let pieceBytes = BLOCK_BYTES; pieceBytes <= 256 * KIB; pieceBytes *= 2) {
        const hasher = new MerkleHasher(pieceBytes);
        hasher.update(bytes);
        const { layer } = hasher.finish();
        const layerHeight = Math.log2(pieceBytes / BLOCK_BYTES);
        const tree = segmentTree(bytes, { height: 4, layerHeight });
        if (layer !== undefined) assert.equal(toHex(tree.layer ?? layer), toHex(layer));
        const plain = segmentTree(bytes, { height: 4, layerHeight: undefined });
        assert.equal(toHex(tree.root), toHex(plain.root));
      }
    }
  });
});
