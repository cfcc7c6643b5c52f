import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HashPool } from '#archive/hash/hash-pool.ts';
import { InPlaceHasher, type SegmentHasher } from '#archive/hash/segment-hasher.ts';
import { toHex } from '#base/bytes.ts';
import { SystemClock } from '#base/clock.ts';
import { below, SeededRandom } from '#base/random.ts';
import { MemoryStore } from '#store/memory.ts';
import type { PutOptions } from '#store/store.ts';
import { BLOCK_BYTES, MerkleHasher } from '#wire/merkle.ts';
import { decodeFileMap, segmentRef } from './file-map.ts';
import { readFileRange } from './file-reader.ts';
import { FileWriter, type WrittenFile } from './file-writer.ts';

const KIB = 1024;
const SEGMENT_BYTES = 256 * KIB;

function randomBytes(random: SeededRandom, bytes: number): Uint8Array {
  const made = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65_536) {
    made.set(random.bytes(Math.min(65_536, bytes - at)), at);
  }
  return made;
}

interface Writing {
  readonly store: MemoryStore;
  readonly hasher?: SegmentHasher;
  readonly pieceLength?: number;
  readonly random?: SeededRandom;
}

async function write(bytes: Uint8Array, writing: Writing): Promise<WrittenFile> {
  const { store, hasher = new InPlaceHasher(), pieceLength, random } = writing;
  const piece = pieceLength === undefined ? {} : { pieceLength };
  const file = { bytes: bytes.length, segmentBytes: SEGMENT_BYTES, ...piece };
  const writer = new FileWriter({ store, hasher }, file);
  for (let at = 0; at < bytes.length; ) {
    const length = random === undefined ? 100_000 : 1 + below(random, 400_000);
    await writer.write(bytes.subarray(at, at + length));
    at += length;
  }
  return writer.finish();
}

async function read(store: MemoryStore, file: WrittenFile, start: number, end: number) {
  assert.ok(file.map !== undefined);
  const parts: Uint8Array[] = [];
  for await (const part of readFileRange(store, file.map, { start, end })) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}

describe('the content of a file', () => {
  it('comes back as it was given, in any range', async () => {
    const random = new SeededRandom(11);
    for (const size of [1, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 900_000]) {
      const store = new MemoryStore();
      const bytes = randomBytes(random, size);
      const file = await write(bytes, { store, random });
      for (let at = 0; at < 20; at++) {
        const start = below(random, size + 1);
        const end = start + below(random, size - start + 1);
        assert.deepEqual(await read(store, file, start, end), bytes.slice(start, end));
      }
      assert.deepEqual(await read(store, file, 0, size), bytes);
    }
  });

  it('has the root and the piece layer that BEP 52 gives it, for every piece size', async () => {
    const random = new SeededRandom(12);
    for (const size of [1, 40 * KIB, 300 * KIB, 1_300_000]) {
      const bytes = randomBytes(random, size);
      for (let pieceLength = BLOCK_BYTES; pieceLength <= 2048 * KIB; pieceLength *= 2) {
        const hasher = new MerkleHasher(pieceLength);
        hasher.update(bytes);
        const expected = hasher.finish();
        const file = await write(bytes, { store: new MemoryStore(), pieceLength });
        const hex = (part: Uint8Array | undefined): string => (part ? toHex(part) : 'none');
        assert.equal(hex(file.map?.root), hex(expected.root));
        assert.equal(hex(file.layer), hex(expected.layer), `${size} bytes by ${pieceLength}`);
      }
    }
  });

  it('is the same hashed in threads', async () => {
    const pool = new HashPool({ threads: 2, clock: new SystemClock() });
    try {
      const bytes = randomBytes(new SeededRandom(13), 2_000_000);
      const here = await write(bytes, { store: new MemoryStore(), pieceLength: 32 * KIB });
      const there = await write(bytes, {
        store: new MemoryStore(),
        hasher: pool,
        pieceLength: 32 * KIB,
      });
      assert.deepEqual(there, here);
    } finally {
      await pool.close();
    }
  });

  it('is stored once, also its map', async () => {
    const store = new MemoryStore();
    const bytes = randomBytes(new SeededRandom(14), 700_000);
    const first = await write(bytes, { store });
    const { blobs } = await store.stats();
    const second = await write(bytes, { store });
    assert.equal(first.newBytes, 700_000);
    assert.equal(second.newBytes, 0);
    assert.equal((await store.stats()).blobs, blobs);
    assert.equal(second.mapRef, first.mapRef);
  });

  it('can be found again from its map alone', async () => {
    const store = new MemoryStore();
    const file = await write(randomBytes(new SeededRandom(15), 700_000), { store });
    assert.ok(file.mapRef !== undefined && file.map !== undefined);
    assert.deepEqual(decodeFileMap(await store.get(file.mapRef)), file.map);
  });

  it('of no bytes needs neither map nor blob', async () => {
    const store = new MemoryStore();
    const file = await write(new Uint8Array(), { store });
    assert.equal(file.map, undefined);
    assert.equal((await store.stats()).blobs, 0);
  });

  it('that grows or shrinks while it is read is refused', async () => {
    const world = { store: new MemoryStore(), hasher: new InPlaceHasher() };
    const file = { bytes: 300_000, segmentBytes: SEGMENT_BYTES };
    const longer = new FileWriter(world, file);
    await assert.rejects(longer.write(new Uint8Array(300_001)), { code: 'ARCHIVE_FILE_CHANGED' });
    const shorter = new FileWriter(world, file);
    await shorter.write(new Uint8Array(299_999));
    await assert.rejects(shorter.finish(), { code: 'ARCHIVE_FILE_CHANGED' });
  });

  it('is not given when a segment is missing or shorter than the map says', async () => {
    const store = new MemoryStore();
    const bytes = randomBytes(new SeededRandom(16), 700_000);
    const file = await write(bytes, { store });
    assert.ok(file.map !== undefined);
    const longer = { ...file, map: { ...file.map, bytes: 700_001 } };
    await assert.rejects(read(store, longer, 0, 700_001), { code: 'ARCHIVE_MAP_INVALID' });
    await store.remove([segmentRef(file.map, 1)]);
    await assert.rejects(read(store, file, 0, 700_000), { code: 'STORE_BLOB_MISSING' });
    assert.equal((await read(store, file, 0, 10)).length, 10);
  });

  it('fails as the store fails, and does not go on', async () => {
    const store = new MemoryStore();
    const full = new Error('no space');
    store.put = () => Promise.reject(full);
    const writer = new FileWriter(
      { store, hasher: new InPlaceHasher() },
      { bytes: 100 * SEGMENT_BYTES, segmentBytes: SEGMENT_BYTES },
    );
    let segments = 0;
    const writing = async (): Promise<void> => {
      for (; segments < 100; segments++) await writer.write(new Uint8Array(SEGMENT_BYTES));
    };
    await assert.rejects(writing(), full);
    assert.ok(segments < 8);
    await writer.abandon();
  });

  it('says where its segments are read: those of a file, or the files of one segment of a folder', async () => {
    const random = new SeededRandom(17);
    const series: unknown[] = [];
    const store = new MemoryStore();
    const told = {
      put: (bytes: Uint8Array, options: PutOptions) => {
        if (options.series !== undefined) series.push({ ...options.series });
        return store.put(bytes, options);
      },
    } as unknown as MemoryStore;
    const at = (name: string, order: number) => ({ folder: 'torrent/folder', name, order });
    for (const [size, place] of [
      [SEGMENT_BYTES * 2 + 1, at('large', 7)],
      [10, at('small', 8)],
      [10, undefined],
    ] as const) {
      const file = { bytes: size, segmentBytes: SEGMENT_BYTES, ...(place && { place }) };
      const writer = new FileWriter({ store: told, hasher: new InPlaceHasher() }, file);
      await writer.write(randomBytes(random, size));
      await writer.finish();
    }
    assert.deepEqual(series, [
      ...[0, 1, 2].map((order) => ({ name: 'torrent/folder/large', order })),
      { name: 'torrent/folder', order: 8 },
    ]);
  });
});
