// Damages bytes the way the world does, from a seed: for fuzz tests of everything that reads what
// comes from outside. A test prints its seed; the same seed gives the same cases.

import { below, type Random } from '#base/random.ts';

/** One damaged copy of `golden`: bits flipped, parts cut, doubled, moved, overwritten or inserted. */
export function mutate(golden: Uint8Array, random: Random): Uint8Array {
  let bytes = new Uint8Array(golden);
  const times = 1 + below(random, 4);
  for (let time = 0; time < times; time++) bytes = mutateOnce(bytes, random);
  return bytes;
}

/** Numbers at which readers tend to err. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x2d, 0x30, 0x39, 0x3a, 0x65, 0x25, 0x26, 0x3d, 0x0a, 0x0d];

function mutateOnce(bytes: Uint8Array<ArrayBuffer>, random: Random): Uint8Array<ArrayBuffer> {
  if (bytes.length === 0) return new Uint8Array(random.bytes(1 + below(random, 8)));
  const at = below(random, bytes.length);
  const length = Math.min(bytes.length - at, 1 + below(random, 16));
  switch (below(random, 8)) {
    case 0:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << below(random, 8));
      return bytes;
    case 1:
      bytes[at] = random.u32() & 0xff;
      return bytes;
    case 2:
      bytes[at] = EDGES[below(random, EDGES.length)] ?? 0;
      return bytes;
    case 3:
      return bytes.slice(0, at);
    case 4:
      return join(bytes.slice(0, at), bytes.slice(at + length));
    case 5:
      return join(bytes.slice(0, at + length), bytes.slice(at));
    case 6:
      return join(bytes.slice(0, at), random.bytes(length), bytes.slice(at));
    default:
      return bytes.fill(random.u32() & 0xff, at, at + length);
  }
}

function join(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts));
}
