// CRC32C (Castagnoli polynomial, RFC 3720 appendix B.4), sixteen or eight bytes a step by as many
// tables. Node's own zlib.crc32 is the other polynomial; this one finds more errors at our lengths,
// and is what disks, file systems and Kafka use, so that other tools can check our files.
//
// Most processors have an instruction for it, which the addon calls; who starts a thread that sums much
// gives it here. It takes a tenth of the time, and the sum is the same.

const POLYNOMIAL = 0x82f63b78;
/** Below it, making a view or a call into the addon costs more than the longer steps save. */
const LONG_BYTES = 512;
/** The sum of "123456789", which every description of a checksum gives. */
const CHECK = 0xe306_9283;
const tables = makeTables(16);
const T0 = tables[0]!;
const T1 = tables[1]!;
const T2 = tables[2]!;
const T3 = tables[3]!;
const T4 = tables[4]!;
const T5 = tables[5]!;
const T6 = tables[6]!;
const T7 = tables[7]!;
const T8 = tables[8]!;
const T9 = tables[9]!;
const T10 = tables[10]!;
const T11 = tables[11]!;
const T12 = tables[12]!;
const T13 = tables[13]!;
const T14 = tables[14]!;
const T15 = tables[15]!;
/** For each power of two: what that many zero bytes do to each byte of a remainder. */
const zeros: Int32Array[] = [];

/** As crc32c(), of any length. Below 0: there is no such instruction here. */
export type Crc32cSum = (bytes: Uint8Array, from: number, to: number, seed: number) => number;

let nativeSum: Crc32cSum | undefined;

/** From here on this thread sums long runs of bytes by `sum`; false when that is not what it says. */
export function sumLongRunsBy(sum: Crc32cSum): boolean {
  const known = new Uint8Array([...'x123456789x'].map((digit) => digit.charCodeAt(0)));
  const isRight =
    sum(known, 1, 10, 0) === CHECK && sum(known, 5, 10, sum(known, 1, 5, 0)) === CHECK;
  nativeSum = isRight ? sum : undefined;
  return isRight;
}

/** Checksum of `bytes[from, to)` as an unsigned number; `seed` continues an earlier checksum. */
export function crc32c(
  bytes: Uint8Array,
  from = 0,
  to: number = bytes.byteLength,
  seed = 0,
): number {
  let crc = ~seed;
  let at = from;
  if (to - from >= LONG_BYTES) {
    if (nativeSum !== undefined) return nativeSum(bytes, from, to, seed);
    at = from + ((to - from) & ~15);
    crc = sixteens(new DataView(bytes.buffer, bytes.byteOffset + from, at - from), crc);
  }
  const eights = to - 7;
  while (at < eights) {
    const low =
      crc ^ (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    crc =
      T7[low & 0xff]! ^
      T6[(low >>> 8) & 0xff]! ^
      T5[(low >>> 16) & 0xff]! ^
      T4[low >>> 24]! ^
      T3[bytes[at + 4]!]! ^
      T2[bytes[at + 5]!]! ^
      T1[bytes[at + 6]!]! ^
      T0[bytes[at + 7]!]!;
    at += 8;
  }
  while (at < to) crc = T0[(crc ^ bytes[at++]!) & 0xff]! ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** The checksum of two runs of bytes behind one another, from theirs and the length of the second. */
export function crc32cJoined(first: number, second: number, secondBytes: number): number {
  let crc = first;
  for (let power = 0; secondBytes >>> power > 0; power++) {
    if (((secondBytes >>> power) & 1) === 0) continue;
    crc = shifted(zeros[power] ?? zerosOf(power), crc);
  }
  return (crc ^ second) >>> 0;
}

function sixteens(view: DataView, start: number): number {
  let crc = start;
  const end = view.byteLength;
  for (let at = 0; at < end; at += 16) {
    const a = crc ^ view.getInt32(at, true);
    const b = view.getInt32(at + 4, true);
    const c = view.getInt32(at + 8, true);
    const d = view.getInt32(at + 12, true);
    crc =
      T15[a & 0xff]! ^
      T14[(a >>> 8) & 0xff]! ^
      T13[(a >>> 16) & 0xff]! ^
      T12[a >>> 24]! ^
      T11[b & 0xff]! ^
      T10[(b >>> 8) & 0xff]! ^
      T9[(b >>> 16) & 0xff]! ^
      T8[b >>> 24]! ^
      T7[c & 0xff]! ^
      T6[(c >>> 8) & 0xff]! ^
      T5[(c >>> 16) & 0xff]! ^
      T4[c >>> 24]! ^
      T3[d & 0xff]! ^
      T2[(d >>> 8) & 0xff]! ^
      T1[(d >>> 16) & 0xff]! ^
      T0[d >>> 24]!;
  }
  return crc;
}

/** Four tables of 256 in one: the remainder's lowest byte first. */
function shifted(table: Int32Array, crc: number): number {
  return (
    table[crc & 0xff]! ^
    table[256 + ((crc >>> 8) & 0xff)]! ^
    table[512 + ((crc >>> 16) & 0xff)]! ^
    table[768 + (crc >>> 24)]!
  );
}

/** Made when first wanted: a shift by twice as much is the shift done twice. */
function zerosOf(power: number): Int32Array {
  const half = power === 0 ? undefined : (zeros[power - 1] ?? zerosOf(power - 1));
  const table = new Int32Array(1024);
  for (let at = 0; at < 1024; at++) {
    const crc = (at & 0xff) << ((at >>> 8) * 8);
    table[at] =
      half === undefined ? T0[crc & 0xff]! ^ (crc >>> 8) : shifted(half, shifted(half, crc));
  }
  zeros[power] = table;
  return table;
}

function makeTables(count: number): Int32Array[] {
  const made: Int32Array[] = [];
  for (let table = 0; table < count; table++) made.push(new Int32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    made[0]![byte] = crc;
  }
  for (let byte = 0; byte < 256; byte++) {
    let crc = made[0]![byte]!;
    for (let table = 1; table < count; table++) {
      crc = made[0]![crc & 0xff]! ^ (crc >>> 8);
      made[table]![byte] = crc;
    }
  }
  return made;
}
