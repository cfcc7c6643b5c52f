// PostgreSQL's binary form of an array, as it is sent for a parameter: a third of the work of the text
// form on either side. All numbers are big-endian.
//
//   offset  bytes
//   0       4      dimensions: 1
//   4       4      1 when there are nulls: 0
//   8       4      type of the elements, by its number in the server's catalogue
//   12      4      elements
//   16      4      number of the first element: 1
//   20      …      of each element its length in 4 bytes, then its bytes
//
// Source: array_recv() of PostgreSQL's array_userfuncs, int8recv(), textrecv() and bytearecv().

import { assert } from '#base/assert.ts';

const BYTEA = 17;
const INT8 = 20;
const TEXT = 25;
const HEADER_BYTES = 20;
const INT8_BYTES = 12;

/** Of safe integers. */
export function bigintArray(values: Float64Array): Buffer {
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + values.length * INT8_BYTES);
  const view = header(bytes, INT8, values.length);
  let at = HEADER_BYTES;
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    assert(Number.isSafeInteger(value), 'a bigint is sent from a safe integer');
    view.setInt32(at, 8);
    view.setInt32(at + 4, Math.floor(value / 2 ** 32));
    view.setUint32(at + 8, value >>> 0);
    at += INT8_BYTES;
  }
  return bytes;
}

/** Of texts without NUL. */
export function textArray(values: readonly string[]): Buffer {
  let length = HEADER_BYTES;
  for (const value of values) length += 4 + Buffer.byteLength(value);
  const bytes = Buffer.allocUnsafe(length);
  const view = header(bytes, TEXT, values.length);
  let at = HEADER_BYTES;
  for (const value of values) {
    const written = bytes.write(value, at + 4);
    view.setInt32(at, written);
    at += 4 + written;
  }
  assert(at === length, 'every text was written whole');
  return bytes;
}

/** Of bytes. */
export function bytesArray(values: readonly Uint8Array[]): Buffer {
  let length = HEADER_BYTES;
  for (const value of values) length += 4 + value.byteLength;
  const bytes = Buffer.allocUnsafe(length);
  const view = header(bytes, BYTEA, values.length);
  let at = HEADER_BYTES;
  for (const value of values) {
    view.setInt32(at, value.byteLength);
    bytes.set(value, at + 4);
    at += 4 + value.byteLength;
  }
  return bytes;
}

function header(bytes: Buffer, elementType: number, elements: number): DataView {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setInt32(0, 1);
  view.setInt32(4, 0);
  view.setInt32(8, elementType);
  view.setInt32(12, elements);
  view.setInt32(16, 1);
  return view;
}
