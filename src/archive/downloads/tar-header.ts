// Headers of a tar in the POSIX form of 2001 ("pax"): blocks of 512 bytes of ustar, and before those of
// what ustar cannot say a header of type `x` with records of its own. This file owns the format. Pure.
//
//   0    100  name, ended by zero when shorter        257  6  "ustar\0"
//   100  8    mode, octal digits and a zero           263  2  "00"
//   108  8    owner: 0                                265  32 owner's name: empty
//   116  8    group: 0                                297  32 group's name: empty
//   124  12   bytes of what follows, octal            329  16 device: zero
//   136  12   time of change, seconds, octal          345  155 prefix: empty
//   148  8    sum of all bytes, this field as blanks  500  12 zero
//   156  1    type: 0 file, 5 folder, x extended header
//   157  100  name of a link: empty
//
// A record of an extended header is `<bytes of the record> <key>=<value>\n`. It stands for what the next
// header says: `path` when the name is longer than 100 bytes or not ASCII, `size` from 8 GiB on. What
// follows a header is filled up with zeros to a whole block; two blocks of zeros end the archive.
// Source: IEEE Std 1003.1-2001, pax, "ustar Interchange Format" and "pax Extended Header".

import { assert } from '#base/assert.ts';

export const TAR_BLOCK_BYTES = 512;
const NAME_BYTES_MAX = 100;
/** Eleven octal digits. */
const SIZE_MAX = 8 ** 11 - 1;
const END_BYTES = 2 * TAR_BLOCK_BYTES;

export interface TarEntry {
  /** Names joined by `/`, a folder's ended by one. */
  readonly path: string;
  /** 0 of a folder. */
  readonly bytes: number;
  /** Unix milliseconds. */
  readonly changedMs: number;
}

/** All headers of one entry. */
export function tarHeader(entry: TarEntry): Uint8Array {
  const { path, bytes, changedMs } = entry;
  const isFolder = path.endsWith('/');
  assert(!isFolder || bytes === 0, 'a folder has no bytes of its own');
  const seconds = Math.min(SIZE_MAX, Math.max(0, Math.floor(changedMs / 1000)));
  const records = recordsOf(entry);
  const own = header({
    // Who does not know extended headers sees the beginning of the name.
    name: Buffer.from(asciiOf(path).slice(0, NAME_BYTES_MAX), 'latin1'),
    bytes: bytes > SIZE_MAX ? 0 : bytes,
    seconds,
    type: isFolder ? '5' : '0',
  });
  if (records.length === 0) return own;
  const extended = Buffer.concat(records);
  const before = header({
    name: Buffer.from('pax-header', 'latin1'),
    bytes: extended.length,
    seconds,
    type: 'x',
  });
  return Buffer.concat([before, extended, new Uint8Array(tarPadding(extended.length)), own]);
}

/** How many bytes `tarHeader` gives, without making them. */
export function tarHeaderBytes(entry: TarEntry): number {
  const extended = recordsOf(entry).reduce((sum, { length }) => sum + length, 0);
  return extended === 0 ? TAR_BLOCK_BYTES : 2 * TAR_BLOCK_BYTES + extended + tarPadding(extended);
}

/** Of an extended header; none when it needs none. */
function recordsOf({ path, bytes }: TarEntry): readonly Uint8Array[] {
  // What is plain has a byte a character.
  const isPlain = path.length <= NAME_BYTES_MAX && /^[\x20-\x7e]*$/.test(path);
  return [
    ...(isPlain ? [] : [record('path', path)]),
    ...(bytes > SIZE_MAX ? [record('size', String(bytes))] : []),
  ];
}

/** Zeros that follow so many bytes of content. */
export function tarPadding(bytes: number): number {
  return (TAR_BLOCK_BYTES - (bytes % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES;
}

/** What ends an archive. */
export function tarEnd(): Uint8Array {
  return new Uint8Array(END_BYTES);
}

interface Header {
  readonly name: Uint8Array;
  readonly bytes: number;
  readonly seconds: number;
  readonly type: '0' | '5' | 'x';
}

function header({ name, bytes, seconds, type }: Header): Uint8Array {
  const block = Buffer.alloc(TAR_BLOCK_BYTES);
  block.set(name);
  block.write(type === '5' ? '0000755\0' : '0000644\0', 100, 'latin1');
  block.write('0000000\0', 108, 'latin1');
  block.write('0000000\0', 116, 'latin1');
  block.write(`${octal(bytes, 11)}\0`, 124, 'latin1');
  block.write(`${octal(seconds, 11)}\0`, 136, 'latin1');
  block.write('        ', 148, 'latin1');
  block.write(type, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148, 'latin1');
  return block;
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, '0');
}

/** Its length counts the digits of its length. */
function record(key: string, value: string): Uint8Array {
  const rest = Buffer.byteLength(` ${key}=${value}\n`, 'utf8');
  let length = rest + String(rest).length;
  if (rest + String(length).length > length) length += 1;
  return Buffer.from(`${length} ${key}=${value}\n`, 'utf8');
}

function asciiOf(path: string): string {
  return path.replaceAll(/[^\x20-\x7e]/gu, '_');
}
