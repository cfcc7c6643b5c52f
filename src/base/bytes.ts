// Small operations on Uint8Array that the platform does not give us.

const encoder = new TextEncoder();

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

const SHORT_BYTES_MAX = 64;
/** Where short ones are copied to. Made when first needed: browsers load this file and have no Buffer. */
let room: Buffer | undefined;

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  // Asked for its buffer, a short array is given one outside of the heap, some hundred bytes, for good.
  if (bytes.length <= SHORT_BYTES_MAX) {
    room ??= Buffer.alloc(SHORT_BYTES_MAX);
    room.set(bytes);
    return room.toString('hex', 0, bytes.length);
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** Undefined unless `text` is an even number of hexadecimal digits, either case. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(text)) return undefined;
  return new Uint8Array(Buffer.from(text, 'hex'));
}

export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
