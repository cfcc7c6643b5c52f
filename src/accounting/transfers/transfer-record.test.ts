import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { toHex } from '#base/bytes.ts';
import {
  creditOf,
  decodeTransfer,
  encodeTransfer,
  encodeTransferWords,
  RECORD_FLAG,
  TRANSFER_RECORD_BYTES,
  TransferReader,
  type TransferRecord,
} from './transfer-record.ts';

const EXAMPLE: TransferRecord = {
  event: 1,
  flags: 12,
  door: 1,
  family: 4,
  port: 51413,
  memberId: 7,
  torrentId: 0xffff_fffe,
  peerId: new Uint8Array(Buffer.from('-TR4050-0123456789ab')),
  key: 0xdead_beef,
  sequence: 3,
  elapsedSeconds: 1800,
  uploadedDelta: 2 ** 40 + 5,
  downloadedDelta: 16_384,
  uploaded: Number.MAX_SAFE_INTEGER,
  downloaded: 16_384,
  left: 0,
  timeMs: 1_763_700_000_123,
  address: new Uint8Array([10, 77, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
  uploadCreditPercent: 200,
  downloadCreditPercent: 0,
  hashVersion: 2,
};

/** Field by field, as the header of transfer-record.ts lists them. */
const GOLDEN = [
  '01 01 0c00 01 04 d5c8 07000000 feffffff',
  '2d5452343035302d303132333435363738396162 efbeadde 03000000 08070000',
  '0500000000010000 0040000000000000 ffffffffffff1f00 0040000000000000',
  '0000000000000000 7b45b6a49a010000',
  '0a4d0001000000000000000000000000 c800 0000 02 0000000000000000000000',
]
  .join('')
  .replaceAll(' ', '');

function encoded(record: TransferRecord): Uint8Array {
  const bytes = new Uint8Array(TRANSFER_RECORD_BYTES).fill(0xee);
  encodeTransfer(bytes, 0, record);
  return bytes;
}

const u53 = fc.maxSafeNat();
const u32 = fc.nat(0xffff_ffff);
const records: fc.Arbitrary<TransferRecord> = fc
  .record({
    event: fc.constantFrom(0, 1, 2, 3, 4),
    flags: fc.nat(0xffff),
    door: fc.constantFrom(0, 1, 2),
    family: fc.constantFrom(0, 4, 6),
    port: fc.nat(0xffff),
    memberId: u32,
    torrentId: u32,
    peerId: fc.uint8Array({ minLength: 20, maxLength: 20 }),
    key: u32,
    sequence: u32,
    elapsedSeconds: u32,
    uploaded: u53,
    downloaded: u53,
    left: u53,
    timeMs: u53,
    address: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    uploadCreditPercent: fc.nat(0xffff),
    downloadCreditPercent: fc.nat(0xffff),
    hashVersion: fc.constantFrom(1, 2),
    part: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ part, ...record }) => ({
    ...record,
    uploadedDelta: Math.floor(record.uploaded * part),
    downloadedDelta: Math.floor(record.downloaded * part),
  })) as fc.Arbitrary<TransferRecord>;

test('a record has these 128 bytes and no others', () => {
  assert.equal(toHex(encoded(EXAMPLE)), GOLDEN);
});

test('decodeTransfer() gives back what encodeTransfer() was given', () => {
  fc.assert(
    fc.property(records, (record) => {
      assert.deepEqual(decodeTransfer(encoded(record)), record);
    }),
  );
});

test('a reader of many records tells each like decodeTransfer(), whatever it read before', () => {
  const reader = new TransferReader();
  fc.assert(
    fc.property(records, fc.nat(TRANSFER_RECORD_BYTES - 1), fc.nat(255), (record, at, byte) => {
      // Among others, as in a batch, where none of its fields is looked for in a neighbour's place;
      // and where words are not read in place.
      for (const place of [TRANSFER_RECORD_BYTES, TRANSFER_RECORD_BYTES + 1]) {
        const among = new Uint8Array(TRANSFER_RECORD_BYTES * 3).fill(0xee);
        const bytes = among.subarray(place, place + TRANSFER_RECORD_BYTES);
        bytes.set(encoded(record));
        const read = (length = TRANSFER_RECORD_BYTES) => reader.read(among, place, length);
        assert.deepEqual({ ...read() }, { ...decodeTransfer(bytes) });
        assert.equal(read(TRANSFER_RECORD_BYTES - 1), undefined);
        bytes[at] = byte;
        assert.deepEqual({ ...read() }, { ...decodeTransfer(bytes) });
        const words = new Uint32Array(bytes.slice().buffer);
        assert.deepEqual({ ...reader.readWords(words, 0) }, { ...decodeTransfer(bytes) });
      }
    }),
  );
});

/** As the tracker has a record's parts before there is a record. */
function encodeInParts(into: Uint32Array, at: number, record: TransferRecord): void {
  const { uploadedDelta, downloadedDelta, ...next } = record;
  encodeTransferWords(into, at, record, {
    ...record,
    delta: { uploadedDelta, downloadedDelta, next },
  });
}

test('a record is the same bytes when it is written as words, and touches nothing beside', () => {
  const bytesEach = TRANSFER_RECORD_BYTES;
  const nowhere = { family: 0, port: 0, address: new Uint8Array(16) } as const;
  fc.assert(
    fc.property(records, (record) => {
      const words = new Uint32Array((bytesEach * 3) / 4).fill(0xeeee_eeee);
      encodeInParts(words, bytesEach / 4, record);
      const bytes = new Uint8Array(words.buffer);
      const isLeftOut = (record.flags & RECORD_FLAG.addressRemoved) !== 0;
      const expected = isLeftOut ? { ...record, ...nowhere } : record;
      assert.equal(toHex(bytes.subarray(bytesEach, bytesEach * 2)), toHex(encoded(expected)));
      const beside = [...bytes.subarray(0, bytesEach), ...bytes.subarray(bytesEach * 2)];
      assert.ok(beside.every((byte) => byte === 0xee));
    }),
  );
});

test('encodeTransferWords() ends the process for what no record can hold', () => {
  const encode = (change: Partial<TransferRecord>) => () =>
    encodeInParts(new Uint32Array(words), 0, { ...EXAMPLE, ...change });
  const words = TRANSFER_RECORD_BYTES / 4;
  const wrong: Partial<TransferRecord>[] = [
    { downloadedDelta: 16_385 },
    { left: 2 ** 53 },
    { timeMs: -1 },
    { memberId: -1 },
    { torrentId: 2 ** 32 },
    { flags: 0x1_0000 },
    { port: -1 },
    { elapsedSeconds: 2 ** 32 },
    { peerId: new Uint8Array(19) },
    { address: new Uint8Array(15) },
    { uploadCreditPercent: 0x1_0000 },
  ];
  for (const change of wrong) assert.throws(encode(change), { name: 'AssertionFailure' });
});

test('encodeTransfer() touches nothing outside its 128 bytes', () => {
  const bytes = new Uint8Array(TRANSFER_RECORD_BYTES * 3).fill(0xee);
  encodeTransfer(bytes, TRANSFER_RECORD_BYTES, EXAMPLE);
  assert.ok(bytes.subarray(0, TRANSFER_RECORD_BYTES).every((byte) => byte === 0xee));
  assert.ok(bytes.subarray(TRANSFER_RECORD_BYTES * 2).every((byte) => byte === 0xee));
});

test('encodeTransfer() ends the process for a delta above its counter or a counter above 2^53-1', () => {
  assert.throws(() => encoded({ ...EXAMPLE, downloadedDelta: 16_385 }), {
    name: 'AssertionFailure',
  });
  assert.throws(() => encoded({ ...EXAMPLE, left: 2 ** 53 }), { name: 'AssertionFailure' });
  assert.throws(() => encoded({ ...EXAMPLE, memberId: -1 }), { name: 'AssertionFailure' });
});

test('decodeTransfer() refuses every break of the validity rule', () => {
  const breaks: readonly [sentence: string, at: number, value: number][] = [
    ['another version', 0, 2],
    ['an unknown event', 1, 5],
    ['an unknown door', 4, 3],
    ['an unknown family', 5, 5],
    ['an unknown hash version', 116, 3],
    ['hash version 0', 116, 0],
    ['a counter of 2^53 or more', 71, 0x20],
    ['a delta above its counter', 58, 1],
    ['a reserved byte', 127, 1],
  ];
  for (const [sentence, at, value] of breaks) {
    const bytes = encoded(EXAMPLE);
    bytes[at] = value;
    assert.equal(decodeTransfer(bytes), undefined, sentence);
    assert.equal(new TransferReader().read(bytes, 0, bytes.byteLength), undefined, sentence);
  }
  assert.equal(decodeTransfer(encoded(EXAMPLE).subarray(1)), undefined, 'too short');
  assert.equal(decodeTransfer(new Uint8Array(129)), undefined, 'too long');
});

test('decodeTransfer() never throws, and what it accepts it writes back the same', () => {
  const near = fc
    .tuple(records, fc.array(fc.tuple(fc.nat(127), fc.nat(255)), { maxLength: 3 }))
    .map(([record, changes]) => {
      const bytes = encoded(record);
      for (const [at, value] of changes) bytes[at] = value;
      return bytes;
    });
  fc.assert(
    fc.property(fc.oneof(near, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      const record = decodeTransfer(bytes);
      if (record !== undefined) assert.deepEqual(encoded(record), bytes);
    }),
    { numRuns: 2000 },
  );
});

test('creditOf() rounds down and is exact for every delta and percent', () => {
  fc.assert(
    fc.property(u53, fc.nat(0xffff), (delta, percent) => {
      const exact = (BigInt(delta) * BigInt(percent)) / 100n;
      const held = exact > BigInt(Number.MAX_SAFE_INTEGER);
      assert.equal(BigInt(creditOf(delta, percent)), held ? 2n ** 53n - 1n : exact);
    }),
    { numRuns: 1000 },
  );
});
