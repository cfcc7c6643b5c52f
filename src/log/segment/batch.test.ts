import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { fromHex, toHex, utf8 } from '#base/bytes.ts';
import { below, SeededRandom } from '#base/random.ts';
import type { LogRecord, ReadRecord } from '#log/log.ts';
import {
  BATCH_HEADER_BYTES,
  type BatchFields,
  isBatchIntact,
  readBatchHeader,
  readRecords,
  sealBatch,
} from './batch.ts';
import { crc32c, crc32cJoined } from './crc32c.ts';
import { PackedRecords, RecordPacker, unpacked, viewOf } from './packed-records.ts';

const FIELDS: BatchFields = {
  firstOffset: 2 ** 33 + 5,
  records: 2,
  span: 2,
  epoch: 3,
  timeMs: 1_700_000_000_000,
  durableOffset: 2 ** 33 + 1,
  producerId: 2 ** 40,
  producerSequence: 9,
};
const RECORDS: LogRecord[] = [
  { key: utf8('k'), value: utf8('hello') },
  { key: utf8('gone'), value: new Uint8Array(0), tombstone: true },
];

// Written out by hand from the table in batch.ts; a change of these bytes is a new version.
const GOLDEN = [
  '534b4231', // magic
  '42468986', // checksum
  '62000000', // length 98
  '01', // version
  '00', // codec
  '0000', // flags
  '0500000002000000', // first offset 2^33 + 5
  '02000000', // records
  '02000000', // span
  '22000000', // raw length 34
  '03000000', // epoch
  '0068e5cf8b010000', // time
  '0000000000010000', // producer id 2^40
  '09000000', // producer sequence
  '04000000', // durable lag
  '0000000001000000050000006b68656c6c6f', // delta 0, key 1, value 5, "k", "hello"
  '0100000004000000ffffffff676f6e65', // delta 1, key 4, no value, "gone"
].join('');

function encode(records: readonly LogRecord[], fields: Partial<BatchFields> = {}): Uint8Array {
  const body = PackedRecords.of(records);
  const bytes = new Uint8Array(BATCH_HEADER_BYTES + body.bytes.byteLength);
  bytes.set(body.bytes, BATCH_HEADER_BYTES);
  const { length } = records;
  sealBatch(bytes, 0, bytes.byteLength, { ...FIELDS, records: length, span: length, ...fields });
  return bytes;
}

function decode(bytes: Uint8Array): ReadRecord[] | undefined {
  const header = readBatchHeader(bytes, 0);
  if (header === undefined || header.length !== bytes.byteLength) return undefined;
  if (!isBatchIntact(bytes, 0, header)) return undefined;
  const records: ReadRecord[] = [];
  const limits = { from: header.firstOffset, recordsMax: header.records };
  return readRecords(bytes, header, limits, records) ? records : undefined;
}

describe('crc32c()', () => {
  it('gives the values of RFC 3720 appendix B.4', () => {
    const ascending = Uint8Array.from({ length: 32 }, (_, at) => at);
    assert.equal(crc32c(utf8('123456789')), 0xe3069283);
    assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
    assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
    assert.equal(crc32c(ascending), 0x46dd794e);
    assert.equal(crc32c(ascending.toReversed()), 0x113fdb5c);
  });

  it('continues from a seed', () => {
    const bytes = new SeededRandom(1).bytes(1000);
    assert.equal(crc32c(bytes, 313, 1000, crc32c(bytes, 0, 313)), crc32c(bytes));
  });

  it('is the same at every length and place, however many bytes it takes a step', () => {
    const random = new SeededRandom(41);
    const bytes = random.bytes(2100);
    for (let length = 0; length < 1100; length += 7) {
      const from = below(random, 900);
      let expected = 0;
      for (const byte of bytes.subarray(from, from + length)) {
        expected = crc32c(Uint8Array.of(byte), 0, 1, expected);
      }
      assert.equal(crc32c(bytes, from, from + length), expected, `${length} bytes at ${from}`);
    }
  });

  it('joins the sums of two runs of bytes', () => {
    const bytes = new SeededRandom(42).bytes(60_000);
    for (const cut of [0, 1, 56, 511, 512, 4096, 59_999, 60_000]) {
      const [first, second] = [crc32c(bytes, 0, cut), crc32c(bytes, cut)];
      assert.equal(crc32cJoined(first, second, bytes.byteLength - cut), crc32c(bytes));
    }
  });
});

describe('a batch', () => {
  it('has the bytes that its file says', () => {
    assert.equal(toHex(encode(RECORDS)), GOLDEN);
  });

  it('is read back from those bytes', () => {
    const bytes = fromHex(GOLDEN)!;
    const header = readBatchHeader(bytes, 0);
    assert.deepEqual(header, {
      length: 98,
      codec: 0,
      isGap: false,
      firstOffset: FIELDS.firstOffset,
      records: 2,
      span: 2,
      rawLength: 34,
      epoch: 3,
      timeMs: FIELDS.timeMs,
      producerId: 2 ** 40,
      producerSequence: 9,
      durableOffset: FIELDS.durableOffset,
    });
    const [first, second] = decode(bytes)!;
    assert.deepEqual(
      { ...first, key: toHex(first!.key!), value: toHex(first!.value) },
      {
        offset: 2 ** 33 + 5,
        timeMs: FIELDS.timeMs,
        key: toHex(utf8('k')),
        value: toHex(utf8('hello')),
      },
    );
    assert.equal(second?.tombstone, true);
    assert.equal(second?.offset, 2 ** 33 + 6);
  });

  it('may have holes in its offsets, as compaction leaves them', () => {
    const body = PackedRecords.of(RECORDS);
    const bytes = new Uint8Array(BATCH_HEADER_BYTES + body.bytes.byteLength);
    bytes.set(body.bytes, BATCH_HEADER_BYTES);
    viewOf(bytes).setUint32(BATCH_HEADER_BYTES + 18, 6, true);
    sealBatch(bytes, 0, bytes.byteLength, { ...FIELDS, span: 10 });
    assert.deepEqual(
      decode(bytes)?.map(({ offset }) => offset - FIELDS.firstOffset),
      [0, 6],
    );
  });

  it('is opened when it was compressed', () => {
    const plain = encode(RECORDS);
    const body = plain.subarray(BATCH_HEADER_BYTES);
    for (const [codec, stored] of [
      [1, zstdCompressSync(body)],
      [2, gzipSync(body)],
    ] as const) {
      const bytes = new Uint8Array(BATCH_HEADER_BYTES + stored.byteLength);
      bytes.set(plain.subarray(0, BATCH_HEADER_BYTES));
      bytes.set(stored, BATCH_HEADER_BYTES);
      const view = viewOf(bytes);
      view.setUint32(8, bytes.byteLength, true);
      view.setUint8(13, codec);
      view.setUint32(4, crc32c(bytes, 8), true);
      assert.deepEqual(
        decode(bytes)?.map((r) => toHex(r.value)),
        decode(plain)?.map((r) => toHex(r.value)),
      );
    }
  });

  it('with any one bit changed is not valid', () => {
    const bytes = encode(RECORDS);
    for (let bit = 0; bit < bytes.byteLength * 8; bit++) {
      const at = bit >> 3;
      bytes[at] = bytes[at]! ^ (1 << (bit & 7));
      assert.equal(decode(bytes), undefined, `bit ${bit}`);
      bytes[at] = bytes[at]! ^ (1 << (bit & 7));
    }
    assert.notEqual(decode(bytes), undefined);
  });

  it('made of random bytes, or changed under a good checksum, never throws', () => {
    const random = new SeededRandom(20_260_101);
    for (let round = 0; round < 20_000; round++) {
      const bytes = encode(RECORDS);
      for (let many = 1 + below(random, 4); many > 0; many--) {
        bytes[below(random, bytes.byteLength)] = random.u32() & 0xff;
      }
      if (round % 2 === 0) viewOf(bytes).setUint32(0, 0x31424b53, true);
      viewOf(bytes).setUint32(4, crc32c(bytes, 8), true);
      try {
        decode(bytes);
      } catch (error) {
        assert.match(String(error), /LogError: Cannot open the compressed batch/);
      }
    }
  });
});

describe('RecordPacker', () => {
  it('packed records are taken apart again as they were', () => {
    const records = [...RECORDS, { value: utf8('no key') }, { value: new Uint8Array(0) }];
    assert.deepEqual(unpacked(PackedRecords.of(records)), records);
    assert.equal(unpacked(records), records);
  });

  it('lays records out as PackedRecords does, and refuses what does not fit', () => {
    const packer = new RecordPacker(60);
    assert.equal(packer.add(RECORDS[0]!), true);
    assert.equal(packer.add(RECORDS[1]!), true);
    assert.equal(packer.add({ value: new Uint8Array(60) }), false);
    assert.equal(packer.count, 2);
    assert.deepEqual(packer.take(), PackedRecords.of(RECORDS));
    assert.equal(packer.count, 0);
    assert.equal(packer.byteLength, 0);
  });
});
