// A record of the log topic `transfers`, version 1: one announce that was admitted, with what it
// moved. This file owns the format. Integers are little endian. A record is 128 bytes:
//
//    0  version            u8   1
//    1  event              u8   0 none, 1 completed, 2 started, 3 stopped, 4 paused (BEP 15, BEP 21)
//    2  flags              u16  see RECORD_FLAG
//    4  door               u8   0 UDP, 1 HTTP, 2 WebSocket
//    5  family             u8   4, 6, or 0 when the address was left out or removed
//    6  port               u16  0 when the address was left out or removed
//    8  member             u32  0 when nobody was named
//   12  torrent            u32
//   16  peer id            20 bytes
//   36  announce key       u32  the client's own random key, 0 when it sent none
//   40  sequence           u32  1 for the first record of a baseline, then without gap or repeat
//   44  elapsed            u32  seconds since the baseline's last record; 0 on first sight, after `stopped`
//   48  uploaded delta     u64  real bytes this record proves; 0 on first sight and on reset
//   56  downloaded delta   u64
//   64  uploaded           u64  the client's counter, the baseline from here on
//   72  downloaded         u64
//   80  left               u64  2^53-1 when unknown
//   88  time               u64  Unix milliseconds of the announce
//   96  address            16 bytes, IPv4 in the first four; zeros when left out or removed
//  112  upload credit      u16  percent of the delta that is credited (100; 0 to 65,535)
//  114  download credit    u16
//  116  info hash version  u8   1 or 2: the hash it came by
//  117  reserved           11 zero bytes
//
// A record is valid if and only if its length is 128, its version is 1, event, door, family and info
// hash version hold one of the values above, every u64 is below 2^53, both deltas are at most their
// counters, and reserved bytes are zero. The baseline key is (member,
// torrent, peer id). The chain rule: sequence is the previous record's + 1 and each counter minus
// its delta equals the previous record's counter, unless the record is marked `first` (sequence 1)
// or `reset` (deltas 0), or `resumed`: then each counter minus its delta is what another stream of the
// baseline had to pass, as it follows from the records before (delta.ts). Addresses stand at fixed
// places and outside of any sum, so that a job can blank them in old records without touching anything
// else (A17).

import { assert } from '#base/assert.ts';

/** The log topic these records are appended to. */
export const TRANSFERS_TOPIC = 'transfers';

export const TRANSFER_RECORD_BYTES = 128;

/** BEP 15's numbers. `paused` is BEP 21's. */
export const TRANSFER_EVENT = { none: 0, completed: 1, started: 2, stopped: 3, paused: 4 } as const;
export type TransferEvent = (typeof TRANSFER_EVENT)[keyof typeof TRANSFER_EVENT];

export const RECORD_FLAG = {
  /** First sight of this key: founds a baseline, credits nothing. */
  first: 1,
  /** A counter went down and the lower one is the new baseline; credits nothing. */
  reset: 2,
  /** `left` was 0 in the baseline's last record: the elapsed time was seed time. */
  seededBefore: 4,
  /** This record is the one that completed the torrent for this member, as the tracker saw it. */
  completes: 8,
  /** The address was left out because the member is protected, or blanked by age. */
  addressRemoved: 16,
  /** A counter stood lower than the baseline, which was kept: credits nothing (late announce). */
  late: 32,
  /** It belongs to another stream than the record before it, and is measured from that one's. */
  resumed: 64,
  /** On a reset that only silence explains: the counters before it may come back (`resumed`). */
  overlaps: 128,
} as const;

/** Bytes, counters and `left` are safe integers, 0 to 2^53-1. */
export interface TransferRecord {
  readonly event: TransferEvent;
  /** Bits of RECORD_FLAG. */
  readonly flags: number;
  /** 0 UDP, 1 HTTP, 2 WebSocket. */
  readonly door: 0 | 1 | 2;
  /** 0 when the address was left out or removed; then `address` is zeros. */
  readonly family: 0 | 4 | 6;
  readonly port: number;
  readonly memberId: number;
  readonly torrentId: number;
  /** 20 bytes. A decoded record's is a view of the bytes it was read from. */
  readonly peerId: Uint8Array;
  readonly key: number;
  readonly sequence: number;
  readonly elapsedSeconds: number;
  readonly uploadedDelta: number;
  readonly downloadedDelta: number;
  readonly uploaded: number;
  readonly downloaded: number;
  readonly left: number;
  /** Unix milliseconds. */
  readonly timeMs: number;
  /** 16 bytes, of which family 4 uses the first four. A view, like `peerId`. */
  readonly address: Uint8Array;
  readonly uploadCreditPercent: number;
  readonly downloadCreditPercent: number;
  readonly hashVersion: 1 | 2;
}

/** Where a field stands in a record; for the writers and jobs that touch one field in place. */
export const TRANSFER_AT = {
  version: 0,
  event: 1,
  flags: 2,
  door: 4,
  family: 5,
  port: 6,
  memberId: 8,
  torrentId: 12,
  peerId: 16,
  key: 36,
  sequence: 40,
  elapsedSeconds: 44,
  uploadedDelta: 48,
  downloadedDelta: 56,
  uploaded: 64,
  downloaded: 72,
  left: 80,
  timeMs: 88,
  address: 96,
  uploadCreditPercent: 112,
  downloadCreditPercent: 114,
  hashVersion: 116,
  reserved: 117,
} as const;

const VERSION = 1;
const U32 = 0x1_0000_0000;
const HIGH_WORD_MAX = 0x1f_ffff;
const RESERVED_BYTES = TRANSFER_RECORD_BYTES - TRANSFER_AT.reserved;

/**
 * Writes the record's 128 bytes at `into[at]`. Every byte is written, so the buffer need not be
 * clean. An address of fewer than 16 bytes is followed by zeros. Fields out of their range are our
 * own fault and end the process.
 */
export function encodeTransfer(into: Uint8Array, at: number, record: TransferRecord): void {
  assert(at >= 0 && at + TRANSFER_RECORD_BYTES <= into.byteLength, 'the record fits the buffer');
  assert(record.peerId.byteLength === 20, 'a peer id has 20 bytes');
  assert(record.address.byteLength <= 16, 'an address has at most 16 bytes');
  assert(record.uploadedDelta <= record.uploaded, 'the upload delta is at most its counter');
  assert(record.downloadedDelta <= record.downloaded, 'the download delta is at most its counter');
  into[at] = VERSION;
  into[at + TRANSFER_AT.event] = record.event;
  writeU16(into, at + TRANSFER_AT.flags, record.flags);
  into[at + TRANSFER_AT.door] = record.door;
  into[at + TRANSFER_AT.family] = record.family;
  writeU16(into, at + TRANSFER_AT.port, record.port);
  writeU32(into, at + TRANSFER_AT.memberId, record.memberId);
  writeU32(into, at + TRANSFER_AT.torrentId, record.torrentId);
  writeBytes(into, at + TRANSFER_AT.peerId, record.peerId, 20);
  writeU32(into, at + TRANSFER_AT.key, record.key);
  writeU32(into, at + TRANSFER_AT.sequence, record.sequence);
  writeU32(into, at + TRANSFER_AT.elapsedSeconds, record.elapsedSeconds);
  writeU64(into, at + TRANSFER_AT.uploadedDelta, record.uploadedDelta);
  writeU64(into, at + TRANSFER_AT.downloadedDelta, record.downloadedDelta);
  writeU64(into, at + TRANSFER_AT.uploaded, record.uploaded);
  writeU64(into, at + TRANSFER_AT.downloaded, record.downloaded);
  writeU64(into, at + TRANSFER_AT.left, record.left);
  writeU64(into, at + TRANSFER_AT.timeMs, record.timeMs);
  writeBytes(into, at + TRANSFER_AT.address, record.address, 16);
  writeU16(into, at + TRANSFER_AT.uploadCreditPercent, record.uploadCreditPercent);
  writeU16(into, at + TRANSFER_AT.downloadCreditPercent, record.downloadCreditPercent);
  into[at + TRANSFER_AT.hashVersion] = record.hashVersion;
  for (let byte = 0; byte < RESERVED_BYTES; byte++) into[at + TRANSFER_AT.reserved + byte] = 0;
}

/** What a record tells of an announce as it came; see TransferRecord. */
export type AnnouncedFields = Pick<
  TransferRecord,
  'event' | 'door' | 'port' | 'memberId' | 'torrentId' | 'peerId' | 'key' | 'address'
> & { readonly family: number; readonly hashVersion: number };

/** What a record tells of what was made of it. */
export type CountedFields = Pick<
  TransferRecord,
  'flags' | 'elapsedSeconds' | 'timeMs' | 'uploadCreditPercent' | 'downloadCreditPercent'
> & {
  readonly delta: Pick<TransferRecord, 'uploadedDelta' | 'downloadedDelta'> & {
    readonly next: Pick<TransferRecord, 'sequence' | 'uploaded' | 'downloaded' | 'left'>;
  };
};

/**
 * The same into words, of which the record is 32 from `at` on, for the path of every announce: straight
 * from where its parts stand, since to bring them together in one object takes as long as to write them.
 * Family, port and address are left out where `flags` say so. Written as encodeTransfer() writes it, on
 * whatever machine.
 */
export function encodeTransferWords(
  into: Uint32Array,
  at: number,
  announced: AnnouncedFields,
  counted: CountedFields,
): void {
  if (!IS_LITTLE_ENDIAN) {
    const bytes = new Uint8Array(into.buffer, into.byteOffset, into.byteLength);
    encodeTransfer(bytes, at * 4, recordOf(announced, counted));
    return;
  }
  const { peerId, memberId, torrentId, key, hashVersion } = announced;
  const { delta, flags, elapsedSeconds } = counted;
  const { next } = delta;
  const { sequence } = next;
  assert(at >= 0 && at + TRANSFER_RECORD_BYTES / 4 <= into.length, 'the record fits the memory');
  assert(delta.uploadedDelta <= next.uploaded, 'the upload delta is at most its counter');
  assert(delta.downloadedDelta <= next.downloaded, 'the download delta is at most its counter');
  assert(memberId >= 0 && memberId < U32 && torrentId >= 0 && torrentId < U32, 'ids fit 32 bits');
  assert(key >= 0 && key < U32 && sequence >= 0 && sequence < U32, 'key and sequence fit 32 bits');
  assert(elapsedSeconds >= 0 && elapsedSeconds < U32, 'the elapsed time fits 32 bits');
  assert(
    flags >>> 16 === 0 && (hashVersion === 1 || hashVersion === 2),
    'flags and version are known',
  );
  assert(peerId.length === 20, 'a peer id has 20 bytes');
  into[at] = VERSION | (announced.event << 8) | (flags << 16);
  into[at + 2] = memberId;
  into[at + 3] = torrentId;
  for (let word = 0; word < 5; word++) into[at + 4 + word] = wordOf(peerId, word * 4);
  into[at + 9] = key;
  into[at + 10] = sequence;
  into[at + 11] = elapsedSeconds;
  writeU64Words(into, at + 12, delta.uploadedDelta);
  writeU64Words(into, at + 14, delta.downloadedDelta);
  writeU64Words(into, at + 16, next.uploaded);
  writeU64Words(into, at + 18, next.downloaded);
  writeU64Words(into, at + 20, next.left);
  writeU64Words(into, at + 22, counted.timeMs);
  writeAddressWords(into, at, announced, (flags & RECORD_FLAG.addressRemoved) !== 0);
  const { uploadCreditPercent, downloadCreditPercent } = counted;
  assert((uploadCreditPercent | downloadCreditPercent) >>> 16 === 0, 'percentages fit 16 bits');
  into[at + 28] = uploadCreditPercent | (downloadCreditPercent << 16);
  into[at + 29] = hashVersion;
  into[at + 30] = 0;
  into[at + 31] = 0;
}

function writeAddressWords(
  into: Uint32Array,
  at: number,
  { door, family, port, address }: AnnouncedFields,
  isLeftOut: boolean,
): void {
  if (isLeftOut) {
    into[at + 1] = door;
    for (let word = 24; word < 28; word++) into[at + word] = 0;
    return;
  }
  assert(port >>> 16 === 0 && address.length === 16, 'port and address have their length');
  into[at + 1] = door | (family << 8) | (port << 16);
  for (let word = 0; word < 4; word++) into[at + 24 + word] = wordOf(address, word * 4);
}

const NO_ADDRESS: Uint8Array = new Uint8Array(16);

function recordOf(announced: AnnouncedFields, counted: CountedFields): TransferRecord {
  const { uploadedDelta, downloadedDelta, next } = counted.delta;
  const isLeftOut = (counted.flags & RECORD_FLAG.addressRemoved) !== 0;
  return {
    ...announced,
    ...counted,
    ...next,
    uploadedDelta,
    downloadedDelta,
    family: isLeftOut ? 0 : (announced.family as TransferRecord['family']),
    port: isLeftOut ? 0 : announced.port,
    address: isLeftOut ? NO_ADDRESS : announced.address,
    hashVersion: announced.hashVersion as TransferRecord['hashVersion'],
  };
}

const IS_LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1;

function wordOf(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

function writeU64Words(into: Uint32Array, at: number, value: number): void {
  assert(value >= 0 && value <= Number.MAX_SAFE_INTEGER, 'the value is a safe integer');
  into[at] = value;
  into[at + 1] = value / U32;
}

/** `count` bytes, zeros behind the end of `bytes`. A loop costs less than a call for so few. */
function writeBytes(into: Uint8Array, at: number, bytes: Uint8Array, count: number): void {
  const there = bytes.byteLength;
  for (let byte = 0; byte < count; byte++) into[at + byte] = byte < there ? bytes[byte]! : 0;
}

/** The record these bytes hold, or undefined when the validity rule above does not hold. */
export function decodeTransfer(bytes: Uint8Array): TransferRecord | undefined {
  if (!isTransferValid(bytes)) return undefined;
  return readFields(bytes, 0, {
    peerId: bytes.subarray(TRANSFER_AT.peerId, TRANSFER_AT.peerId + 20),
    address: bytes.subarray(TRANSFER_AT.address, TRANSFER_AT.address + 16),
  } as MutableTransfer);
}

/** Decodes one record after another into the same object, for who looks at each only once. */
export class TransferReader {
  readonly #record = { peerId: new Uint8Array(20), address: new Uint8Array(16) } as MutableTransfer;
  readonly #peerWords = new Uint32Array(this.#record.peerId.buffer);
  readonly #addressWords = new Uint32Array(this.#record.address.buffer);
  /** Of the memory that was read last: mostly the next record is in the same. */
  #words: Uint32Array = new Uint32Array(0);

  /**
   * As decodeTransfer() says of the `length` bytes from `at` on; the record holds until the next call,
   * and its bytes are its own.
   */
  read(bytes: Uint8Array, at: number, length: number): TransferRecord | undefined {
    if (length !== TRANSFER_RECORD_BYTES) return undefined;
    const place = bytes.byteOffset + at;
    if ((place & 3) === 0 && IS_LITTLE_ENDIAN) {
      const { buffer } = bytes;
      if (this.#words.buffer !== buffer) {
        this.#words = new Uint32Array(buffer, 0, buffer.byteLength >>> 2);
      }
      return this.readWords(this.#words, place >>> 2);
    }
    if (!isValidAt(bytes, at)) return undefined;
    const record = this.#record;
    record.peerId.set(bytes.subarray(at + TRANSFER_AT.peerId, at + TRANSFER_AT.peerId + 20));
    record.address.set(bytes.subarray(at + TRANSFER_AT.address, at + TRANSFER_AT.address + 16));
    return readFields(bytes, at, record);
  }

  /** The same of 32 words from `at` on, as encodeTransferWords() has written them. */
  readWords(words: Uint32Array, at: number): TransferRecord | undefined {
    if (!IS_LITTLE_ENDIAN) {
      const place = words.byteOffset + at * 4;
      return decodeTransfer(new Uint8Array(words.buffer, place, TRANSFER_RECORD_BYTES).slice());
    }
    if (!areWordsValid(words, at)) return undefined;
    const record = this.#record;
    for (let word = 0; word < 5; word++) this.#peerWords[word] = words[at + 4 + word]!;
    for (let word = 0; word < 4; word++) this.#addressWords[word] = words[at + 24 + word]!;
    return readWordFields(words, at, record);
  }
}

type MutableTransfer = { -readonly [Field in keyof TransferRecord]: TransferRecord[Field] };

function readFields(bytes: Uint8Array, at: number, record: MutableTransfer): TransferRecord {
  record.event = bytes[at + TRANSFER_AT.event] as TransferEvent;
  record.flags = readU16(bytes, at + TRANSFER_AT.flags);
  record.door = bytes[at + TRANSFER_AT.door] as TransferRecord['door'];
  record.family = bytes[at + TRANSFER_AT.family] as TransferRecord['family'];
  record.port = readU16(bytes, at + TRANSFER_AT.port);
  record.memberId = readU32(bytes, at + TRANSFER_AT.memberId);
  record.torrentId = readU32(bytes, at + TRANSFER_AT.torrentId);
  record.key = readU32(bytes, at + TRANSFER_AT.key);
  record.sequence = readU32(bytes, at + TRANSFER_AT.sequence);
  record.elapsedSeconds = readU32(bytes, at + TRANSFER_AT.elapsedSeconds);
  record.uploadedDelta = readU64(bytes, at + TRANSFER_AT.uploadedDelta);
  record.downloadedDelta = readU64(bytes, at + TRANSFER_AT.downloadedDelta);
  record.uploaded = readU64(bytes, at + TRANSFER_AT.uploaded);
  record.downloaded = readU64(bytes, at + TRANSFER_AT.downloaded);
  record.left = readU64(bytes, at + TRANSFER_AT.left);
  record.timeMs = readU64(bytes, at + TRANSFER_AT.timeMs);
  record.uploadCreditPercent = readU16(bytes, at + TRANSFER_AT.uploadCreditPercent);
  record.downloadCreditPercent = readU16(bytes, at + TRANSFER_AT.downloadCreditPercent);
  record.hashVersion = bytes[at + TRANSFER_AT.hashVersion] as TransferRecord['hashVersion'];
  return record;
}

function readWordFields(words: Uint32Array, at: number, record: MutableTransfer): TransferRecord {
  const first = words[at]!;
  const second = words[at + 1]!;
  const credit = words[at + 28]!;
  record.event = ((first >>> 8) & 0xff) as TransferEvent;
  record.flags = first >>> 16;
  record.door = (second & 0xff) as TransferRecord['door'];
  record.family = ((second >>> 8) & 0xff) as TransferRecord['family'];
  record.port = second >>> 16;
  record.memberId = words[at + 2]!;
  record.torrentId = words[at + 3]!;
  record.key = words[at + 9]!;
  record.sequence = words[at + 10]!;
  record.elapsedSeconds = words[at + 11]!;
  record.uploadedDelta = u64At(words, at + 12);
  record.downloadedDelta = u64At(words, at + 14);
  record.uploaded = u64At(words, at + 16);
  record.downloaded = u64At(words, at + 18);
  record.left = u64At(words, at + 20);
  record.timeMs = u64At(words, at + 22);
  record.uploadCreditPercent = credit & 0xffff;
  record.downloadCreditPercent = credit >>> 16;
  record.hashVersion = words[at + 29]! as TransferRecord['hashVersion'];
  return record;
}

/** The validity rule above, of words. */
function areWordsValid(words: Uint32Array, at: number): boolean {
  const first = words[at]!;
  const second = words[at + 1]!;
  const family = (second >>> 8) & 0xff;
  if ((first & 0xff) !== VERSION || ((first >>> 8) & 0xff) > 4 || (second & 0xff) > 2) return false;
  if (family !== 4 && family !== 6 && family !== 0) return false;
  // With the bytes behind it, which are zero.
  const hashVersion = words[at + 29]!;
  if (hashVersion !== 1 && hashVersion !== 2) return false;
  if ((words[at + 30]! | words[at + 31]!) !== 0) return false;
  for (let high = at + 13; high <= at + 23; high += 2) {
    if (words[high]! > HIGH_WORD_MAX) return false;
  }
  if (u64At(words, at + 12) > u64At(words, at + 16)) return false;
  return u64At(words, at + 14) <= u64At(words, at + 18);
}

function u64At(words: Uint32Array, at: number): number {
  return words[at + 1]! * U32 + words[at]!;
}

/** The validity rule above. */
export function isTransferValid(bytes: Uint8Array): boolean {
  return bytes.byteLength === TRANSFER_RECORD_BYTES && isValidAt(bytes, 0);
}

function isValidAt(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== VERSION) return false;
  const family = bytes[at + TRANSFER_AT.family];
  const hashVersion = bytes[at + TRANSFER_AT.hashVersion];
  if (bytes[at + TRANSFER_AT.event]! > 4 || bytes[at + TRANSFER_AT.door]! > 2) return false;
  if (family !== 4 && family !== 6 && family !== 0) return false;
  if (hashVersion !== 1 && hashVersion !== 2) return false;
  for (let field = TRANSFER_AT.uploadedDelta; field <= TRANSFER_AT.timeMs; field += 8) {
    if (readU32(bytes, at + field + 4) > HIGH_WORD_MAX) return false;
  }
  const uploaded = readU64(bytes, at + TRANSFER_AT.uploaded);
  if (readU64(bytes, at + TRANSFER_AT.uploadedDelta) > uploaded) return false;
  const downloaded = readU64(bytes, at + TRANSFER_AT.downloaded);
  if (readU64(bytes, at + TRANSFER_AT.downloadedDelta) > downloaded) return false;
  for (let byte = 0; byte < RESERVED_BYTES; byte++) {
    if (bytes[at + TRANSFER_AT.reserved + byte] !== 0) return false;
  }
  return true;
}

/** What is credited for `delta` bytes at `percent`: rounded down, exact for every safe integer. */
export function creditOf(delta: number, percent: number): number {
  // What nearly every record says.
  if (percent === 100) return delta;
  // Split, because delta * percent may pass 2^53. A credit that itself would is held there.
  const hundreds = Math.floor(delta / 100);
  const credit = hundreds * percent + Math.floor(((delta - hundreds * 100) * percent) / 100);
  return Math.min(credit, Number.MAX_SAFE_INTEGER);
}

// Bytes are stored one by one: a DataView for each record costs an allocation on the announce path.

function writeU16(into: Uint8Array, at: number, value: number): void {
  assert(value >= 0 && value <= 0xffff, 'the value fits 16 bits');
  into[at] = value;
  into[at + 1] = value >>> 8;
}

function writeU32(into: Uint8Array, at: number, value: number): void {
  assert(value >= 0 && value < U32, 'the value fits 32 bits');
  into[at] = value;
  into[at + 1] = value >>> 8;
  into[at + 2] = value >>> 16;
  into[at + 3] = value >>> 24;
}

function writeU64(into: Uint8Array, at: number, value: number): void {
  assert(Number.isSafeInteger(value) && value >= 0, 'the value is a safe integer');
  writeU32(into, at, value >>> 0);
  writeU32(into, at + 4, Math.floor(value / U32));
}

function readU16(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

function readU32(bytes: Uint8Array, at: number): number {
  const low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  return low >>> 0;
}

function readU64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + 4) * U32 + readU32(bytes, at);
}
