// A snapshot of baselines, version 2: the counters of clients that went silent, and of those that
// were active when it was made, with the place in the log from which on newer ones are. This file
// owns the format. Integers are little endian unless said otherwise.
//
//   header, 128 bytes
//      0  magic              8 bytes  "SWKBASE2"
//      8  log id            64 bytes  UTF-8, zeros after it
//     72  epoch              u64      of that log
//     80  next offset        u64      of the topic `transfers`: records from here on are newer
//     88  made at            u64      Unix milliseconds
//     96  entries            u64
//    104  reserved          20 zero bytes
//    124  checksum           u32      CRC-32C of bytes 0 to 123
//   entries, 76 bytes each
//      0  member             u32      big endian, so that keys compare as bytes
//      4  torrent            u32      big endian
//      8  peer id           20 bytes
//     28  announce key       u32
//     32  sequence           u32
//     36  flags              u32      1 completed, 2 passed; bits 4-7: how many streams follow
//     40  uploaded           u64
//     48  downloaded         u64
//     56  left               u64
//     64  higher counters    u32      Unix seconds of the last announce that carried them
//     68  last seen          u32      Unix seconds
//     72  checksum           u32      CRC-32C of bytes 0 to 71
//   streams (streams.ts), as many as the entry before says, in their order; each is an entry too, with
//   the same member, torrent, peer id and checksum, and
//     28  announce key       u32
//     32  ended at           u32      Unix seconds
//     36  flags              u32      bits 0-7: traits; bits 8-11: 1 for the first of them, 2, ...
//     40  uploaded           u64
//     48  downloaded         u64
//     56  uploaded gap       f64
//     64  downloaded gap     f64
//
// Version 1, "SWKBASE1", is the same without streams, and is read as such.
//
// Entries are in the order of (bucket, key): the bucket is the lowest 12 bits of the CRC-32C of the
// key's 28 bytes, keys compare as bytes. No key stands twice but with its streams. Buckets let the file
// be made piece by piece, without sorting all of it at once.
//
// A file is valid if and only if its header's checksum fits, its magic is this one and its length is
// 128 + 76 * entries, streams included. An entry whose checksum does not fit is left out by itself, and
// so is one that lacks a stream; its client's next announce is then a first sight, and credits nothing.

import { assert } from '#base/assert.ts';
import { utf8 } from '#base/bytes.ts';
import { crc32c } from '#log/segment/crc32c.ts';
import type { Baseline, BaselineKey } from './baseline.ts';
import { STREAM, STREAM_NUMBERS, STREAMS_MAX, type Streams, streamField } from './streams.ts';

export const BASELINE_HEADER_BYTES = 128;
export const BASELINE_ENTRY_BYTES = 76;
export const BASELINE_KEY_BYTES = 28;
export const BASELINE_BUCKETS = 4096;

/** An entry with the streams behind it. */
export const BASELINE_ENTRIES_MAX = 1 + STREAMS_MAX;

const MAGIC = utf8('SWKBASE2');
const MAGIC_1 = utf8('SWKBASE1');
const LOG_ID_BYTES_MAX = 64;
const U32_MAX = 0xffff_ffff;
const PEER_ID_AT = 8;
const AT = {
  logId: 8,
  epoch: 72,
  nextOffset: 80,
  madeAtMs: 88,
  entries: 96,
  headerChecksum: 124,
  key: 28,
  sequence: 32,
  flags: 36,
  uploaded: 40,
  downloaded: 48,
  left: 56,
  higherAt: 64,
  lastSeen: 68,
  checksum: 72,
} as const;
const STREAM_AT = { endedAt: 32, uploadedGap: 56, downloadedGap: 64 } as const;
const FLAG = { completed: 1, passed: 2 } as const;

type Writable<Type> = { -readonly [Field in keyof Type]: Type[Field] };

export interface BaselineHeader {
  readonly logId: string;
  readonly epoch: number;
  readonly nextOffset: number;
  readonly madeAtMs: number;
  readonly entries: number;
}

export function encodeBaselineHeader(header: BaselineHeader): Uint8Array {
  const bytes = new Uint8Array(BASELINE_HEADER_BYTES);
  const logId = utf8(header.logId);
  assert(logId.byteLength <= LOG_ID_BYTES_MAX, 'a log id has at most 64 bytes');
  bytes.set(MAGIC);
  bytes.set(logId, AT.logId);
  const view = viewOf(bytes);
  view.setBigUint64(AT.epoch, BigInt(header.epoch), true);
  view.setBigUint64(AT.nextOffset, BigInt(header.nextOffset), true);
  view.setBigUint64(AT.madeAtMs, BigInt(header.madeAtMs), true);
  view.setBigUint64(AT.entries, BigInt(header.entries), true);
  view.setUint32(AT.headerChecksum, crc32c(bytes, 0, AT.headerChecksum), true);
  return bytes;
}

/** The same header, of whichever version, in another epoch of its log. */
export function headerInEpoch(header: Uint8Array, epoch: number): Uint8Array {
  const bytes = Uint8Array.from(header);
  const view = viewOf(bytes);
  view.setBigUint64(AT.epoch, BigInt(epoch), true);
  view.setUint32(AT.headerChecksum, crc32c(bytes, 0, AT.headerChecksum), true);
  return bytes;
}

/** Undefined when these bytes do not begin a valid file of that size. */
export function decodeBaselineHeader(
  bytes: Uint8Array,
  sizeBytes: number,
): BaselineHeader | undefined {
  if (bytes.byteLength < BASELINE_HEADER_BYTES) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(AT.headerChecksum, true) !== crc32c(bytes, 0, AT.headerChecksum)) {
    return undefined;
  }
  const isOf = (magic: Uint8Array): boolean => magic.every((byte, at) => bytes[at] === byte);
  if (!isOf(MAGIC) && !isOf(MAGIC_1)) return undefined;
  const entries = Number(view.getBigUint64(AT.entries, true));
  if (sizeBytes !== BASELINE_HEADER_BYTES + entries * BASELINE_ENTRY_BYTES) return undefined;
  const logId = bytes.subarray(AT.logId, AT.logId + LOG_ID_BYTES_MAX);
  const end = logId.indexOf(0);
  return {
    logId: new TextDecoder().decode(end < 0 ? logId : logId.subarray(0, end)),
    epoch: Number(view.getBigUint64(AT.epoch, true)),
    nextOffset: Number(view.getBigUint64(AT.nextOffset, true)),
    madeAtMs: Number(view.getBigUint64(AT.madeAtMs, true)),
    entries,
  };
}

export function encodeBaselineKey(key: BaselineKey): Uint8Array {
  const bytes = new Uint8Array(BASELINE_KEY_BYTES);
  writeKey(bytes, viewOf(bytes), 0, key);
  return bytes;
}

/** How many entries a baseline takes. */
export function entriesOf(baseline: Baseline): number {
  return 1 + (baseline.streams?.count ?? 0);
}

/** How many entries the one at `bytes[at]` takes with the streams that follow it there. */
export function entriesAt(bytes: Uint8Array, at: number): number {
  let entries = 1;
  for (; entries < BASELINE_ENTRIES_MAX; entries++) {
    const next = at + entries * BASELINE_ENTRY_BYTES;
    if (next >= bytes.byteLength || streamAt(bytes, next) !== entries) break;
  }
  return entries;
}

/** 0 for a baseline's entry, 1 for its first stream's, and so on. */
export function streamAt(bytes: Uint8Array, at: number): number {
  return bytes[at + AT.flags + 1]! & 0xf;
}

/** Writes the entry's 76 bytes at `into[at]`, and its streams behind it. */
export function encodeBaseline(into: Uint8Array, at: number, baseline: Baseline): void {
  const view = viewOf(into);
  writeKey(into, view, at, baseline);
  view.setUint32(at + AT.key, baseline.key, true);
  view.setUint32(at + AT.sequence, baseline.sequence, true);
  const passed = baseline.passed === true ? FLAG.passed : 0;
  const flags = (baseline.completed ? FLAG.completed : 0) | passed;
  view.setUint32(at + AT.flags, flags | ((entriesOf(baseline) - 1) << 4), true);
  view.setBigUint64(at + AT.uploaded, BigInt(baseline.uploaded), true);
  view.setBigUint64(at + AT.downloaded, BigInt(baseline.downloaded), true);
  view.setBigUint64(at + AT.left, BigInt(baseline.left), true);
  view.setUint32(at + AT.higherAt, seconds(baseline.higherAtSeconds), true);
  view.setUint32(at + AT.lastSeen, seconds(baseline.lastSeenSeconds), true);
  view.setUint32(at + AT.checksum, crc32c(into, at, at + AT.checksum), true);
  for (let stream = 0; stream < entriesOf(baseline) - 1; stream++) {
    writeStream(into, view, at + (1 + stream) * BASELINE_ENTRY_BYTES, { baseline, stream });
  }
}

function writeStream(
  into: Uint8Array,
  view: DataView,
  at: number,
  { baseline, stream }: { readonly baseline: Baseline; readonly stream: number },
): void {
  const streams = baseline.streams!;
  const field = (name: number): number => streamField(streams, stream, name);
  writeKey(into, view, at, baseline);
  view.setUint32(at + AT.key, field(STREAM.key), true);
  view.setUint32(at + STREAM_AT.endedAt, seconds(field(STREAM.endedAt)), true);
  view.setUint32(at + AT.flags, field(STREAM.traits) | ((1 + stream) << 8), true);
  view.setBigUint64(at + AT.uploaded, BigInt(field(STREAM.uploaded)), true);
  view.setBigUint64(at + AT.downloaded, BigInt(field(STREAM.downloaded)), true);
  view.setFloat64(at + STREAM_AT.uploadedGap, field(STREAM.uploadedGap), true);
  view.setFloat64(at + STREAM_AT.downloadedGap, field(STREAM.downloadedGap), true);
  view.setUint32(at + AT.checksum, crc32c(into, at, at + AT.checksum), true);
}

/** Undefined when a gap is no number. */
function readStreams(bytes: Uint8Array, at: number, count: number): Streams | undefined {
  const view = viewOf(bytes);
  const numbers = new Float64Array(STREAMS_MAX * STREAM_NUMBERS);
  for (let stream = 0; stream < count; stream++) {
    const from = at + (1 + stream) * BASELINE_ENTRY_BYTES;
    const first = stream * STREAM_NUMBERS;
    numbers[first + STREAM.key] = view.getUint32(from + AT.key, true);
    numbers[first + STREAM.uploaded] = Number(view.getBigUint64(from + AT.uploaded, true));
    numbers[first + STREAM.downloaded] = Number(view.getBigUint64(from + AT.downloaded, true));
    numbers[first + STREAM.uploadedGap] = view.getFloat64(from + STREAM_AT.uploadedGap, true);
    numbers[first + STREAM.downloadedGap] = view.getFloat64(from + STREAM_AT.downloadedGap, true);
    numbers[first + STREAM.endedAt] = view.getUint32(from + STREAM_AT.endedAt, true);
    numbers[first + STREAM.traits] = view.getUint32(from + AT.flags, true) & 0xff;
  }
  return numbers.every(Number.isFinite) ? { count, numbers } : undefined;
}

/** For fillBaseline(). */
export function newBaseline(): Baseline {
  return {
    memberId: 0,
    torrentId: 0,
    peerId: new Uint8Array(BASELINE_KEY_BYTES - PEER_ID_AT),
    ...{ key: 0, sequence: 0, uploaded: 0, downloaded: 0, left: 0 },
    ...{ completed: false, passed: false, higherAtSeconds: 0, lastSeenSeconds: 0 },
  };
}

/**
 * readBaseline() of one without streams into an object that is used again: two million of them at a
 * start are a second for the collector else. False when a counter is 2^53 or more.
 */
export function fillBaseline(into: Baseline, bytes: Uint8Array, at: number): boolean {
  const fields = into as Writable<Baseline>;
  const flags = bytes[at + AT.flags]!;
  fields.memberId = readU32BigEndian(bytes, at);
  fields.torrentId = torrentAt(bytes, at);
  const { peerId } = into;
  for (let byte = 0; byte < peerId.length; byte++) peerId[byte] = bytes[at + PEER_ID_AT + byte]!;
  fields.key = readU32(bytes, at + AT.key);
  fields.sequence = sequenceAt(bytes, at);
  fields.uploaded = readU64(bytes, at + AT.uploaded);
  fields.downloaded = readU64(bytes, at + AT.downloaded);
  fields.left = readU64(bytes, at + AT.left);
  fields.completed = (flags & FLAG.completed) !== 0;
  fields.passed = (flags & FLAG.passed) !== 0;
  fields.higherAtSeconds = readU32(bytes, at + AT.higherAt);
  fields.lastSeenSeconds = lastSeenAt(bytes, at);
  return Math.max(into.uploaded, into.downloaded, into.left) <= Number.MAX_SAFE_INTEGER;
}

/** Undefined when a checksum, its own or a stream's, does not fit or a counter is 2^53 or more. */
export function decodeBaseline(bytes: Uint8Array, at: number): Baseline | undefined {
  return isBaselineIntact(bytes, at) ? readBaseline(bytes, at) : undefined;
}

/** The same of one that isBaselineIntact() was asked about already. */
export function readBaseline(bytes: Uint8Array, at: number): Baseline | undefined {
  const flags = readU32(bytes, at + AT.flags);
  const count = streamsAfter(bytes, at);
  const streams = count === 0 ? undefined : readStreams(bytes, at, count);
  if (count > 0 && streams === undefined) return undefined;
  const uploaded = readU64(bytes, at + AT.uploaded);
  const downloaded = readU64(bytes, at + AT.downloaded);
  const left = readU64(bytes, at + AT.left);
  if (Math.max(uploaded, downloaded, left) > Number.MAX_SAFE_INTEGER) return undefined;
  const completed = (flags & FLAG.completed) !== 0;
  const passed = (flags & FLAG.passed) !== 0;
  const baseline = {
    memberId: readU32BigEndian(bytes, at),
    torrentId: torrentAt(bytes, at),
    // Copied: the caller's buffer is used again for the next entries.
    peerId: bytes.slice(at + PEER_ID_AT, at + BASELINE_KEY_BYTES),
    key: readU32(bytes, at + AT.key),
    sequence: readU32(bytes, at + AT.sequence),
    ...{ uploaded, downloaded, left, completed, passed },
    higherAtSeconds: readU32(bytes, at + AT.higherAt),
    lastSeenSeconds: readU32(bytes, at + AT.lastSeen),
  };
  return streams === undefined ? baseline : { ...baseline, streams };
}

/** Fields that are looked at in every entry, without decoding the rest. */
export function torrentAt(bytes: Uint8Array, at: number): number {
  return readU32BigEndian(bytes, at + 4);
}

export function sequenceAt(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + AT.sequence);
}

export function lastSeenAt(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + AT.lastSeen);
}

export function isEntryIntact(bytes: Uint8Array, at: number): boolean {
  return readU32(bytes, at + AT.checksum) === crc32c(bytes, at, at + AT.checksum);
}

/** Whether a baseline's entry stands there and all of its streams behind it. */
export function isBaselineIntact(bytes: Uint8Array, at: number): boolean {
  if (!isEntryIntact(bytes, at) || streamAt(bytes, at) !== 0) return false;
  const count = streamsAfter(bytes, at);
  if (count > STREAMS_MAX || entriesAt(bytes, at) < 1 + count) return false;
  for (let stream = 1; stream <= count; stream++) {
    const from = at + stream * BASELINE_ENTRY_BYTES;
    if (!isEntryIntact(bytes, from) || compareKeys(bytes, at, bytes, from) !== 0) return false;
  }
  return true;
}

/** As many streams as the entry says follow it. */
export function streamsAfter(bytes: Uint8Array, at: number): number {
  return bytes[at + AT.flags]! >>> 4;
}

/** The bucket of the key at `bytes[at]`. */
export function bucketAt(bytes: Uint8Array, at: number): number {
  return crc32c(bytes, at, at + BASELINE_KEY_BYTES) & (BASELINE_BUCKETS - 1);
}

/** Below 0, 0 or above 0, as the key at `one[oneAt]` stands before, at or behind the other. */
export function compareKeys(
  one: Uint8Array,
  oneAt: number,
  other: Uint8Array,
  otherAt: number,
): number {
  for (let at = 0; at < BASELINE_KEY_BYTES; at++) {
    const difference = one[oneAt + at]! - other[otherAt + at]!;
    if (difference !== 0) return difference;
  }
  return 0;
}

function writeKey(into: Uint8Array, view: DataView, at: number, key: BaselineKey): void {
  assert(key.peerId.byteLength === 20, 'a peer id has 20 bytes');
  view.setUint32(at, key.memberId, false);
  view.setUint32(at + 4, key.torrentId, false);
  into.set(key.peerId, at + PEER_ID_AT);
}

/** A clock that stands before 1970 or behind 2106 is wrong anyway. */
function seconds(value: number): number {
  return Math.min(Math.max(Math.floor(value), 0), U32_MAX);
}

// Byte by byte where millions are read at a start: a DataView each costs more than all the rest.

function readU32(bytes: Uint8Array, at: number): number {
  const low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
  return (low | (bytes[at + 3]! << 24)) >>> 0;
}

function readU32BigEndian(bytes: Uint8Array, at: number): number {
  const low = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8);
  return (low | bytes[at + 3]!) >>> 0;
}

/** Inexact above 2^53, but never below it then. */
function readU64(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at + 4) * 2 ** 32 + readU32(bytes, at);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
