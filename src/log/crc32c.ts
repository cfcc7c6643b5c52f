// CRC32C (Castagnoli polynomial, RFC 3720 appendix B.4), eight bytes a step by eight tables.
// Node's own zlib.crc32 is the other polynomial; this one finds more errors at our lengths, and is
// what disks, file systems and Kafka use, so that other tools can check our files.

const POLYNOMIAL = 0x82f63b78;
const tables = makeTables();
const T0 = tables[0]!;
const T1 = tables[1]!;
const T2 = tables[2]!;
const T3 = tables[3]!;
const T4 = tables[4]!;
const T5 = tables[5]!;
const T6 = tables[6]!;
const T7 = tables[7]!;

/** Checksum of `bytes[from, to)` as an unsigned number; `seed` continues an earlier checksum. */
export function crc32c(
  bytes: Uint8Array,
  from = 0,
  to: number = bytes.byteLength,
  seed = 0,
): number {
  let crc = ~seed;
  let at = from;
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

function makeTables(): Int32Array[] {
  const made: Int32Array[] = [];
  for (let table = 0; table < 8; table++) made.push(new Int32Array(256));
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    made[0]![byte] = crc;
  }
  for (let byte = 0; byte < 256; byte++) {
    let crc = made[0]![byte]!;
    for (let table = 1; table < 8; table++) {
      crc = made[0]![crc & 0xff]! ^ (crc >>> 8);
      made[table]![byte] = crc;
    }
  }
  return made;
}
