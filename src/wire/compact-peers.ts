// Compact peers (BEP 23, BEP 7): an address and a port in network order, 6 bytes for IPv4 and 18
// for IPv6. Answers copy them as they are; text is made only for people and dictionary answers.

import { assert } from '#base/assert.ts';

/** IPv4 entries are 6 bytes, so these steps fit both families. */
const STEP_BYTES = 6;
const SOURCES_MAX = 4;

/**
 * Copies the first peers of a list into an answer by one call into the engine. That takes a view of
 * just these bytes; lists are used again and again, so the views of each length are kept.
 */
export class PeerCopier {
  readonly #sources: { readonly peers: Uint8Array; readonly starts: Uint8Array[] }[] = [];

  /** `length` bytes, a multiple of 6, from the start of `peers` to `at` in `into`, which has room. */
  copy(peers: Uint8Array, length: number, into: Uint8Array, at: number): void {
    if (length === 0) return;
    const starts = this.#startsOf(peers);
    const step = length / STEP_BYTES;
    const start = starts[step] ?? this.#cut(peers, starts, step);
    into.set(start, at);
  }

  #startsOf(peers: Uint8Array): Uint8Array[] {
    const sources = this.#sources;
    for (let at = 0; at < sources.length; at++) {
      if (sources[at]!.peers === peers) return sources[at]!.starts;
    }
    if (sources.length === SOURCES_MAX) sources.shift();
    const starts: Uint8Array[] = [];
    sources.push({ peers, starts });
    return starts;
  }

  /** All of them up to that one, so that the array has no holes. */
  #cut(peers: Uint8Array, starts: Uint8Array[], step: number): Uint8Array {
    assert(Number.isInteger(step) && step * STEP_BYTES <= peers.length, 'whole peers are copied');
    for (let count = starts.length; count <= step; count++) {
      starts.push(peers.subarray(0, count * STEP_BYTES));
    }
    return starts[step]!;
  }
}

/** `203.0.113.9` or `2001:db8:0:0:0:0:0:1`, from the 4 or 16 bytes at `at`. */
export function addressText(bytes: Uint8Array, at: number, family: 4 | 6): string {
  assert(at + (family === 4 ? 4 : 16) <= bytes.length, 'the address lies inside of its buffer');
  const parts: string[] = [];
  if (family === 4) {
    for (let index = 0; index < 4; index++) parts.push(String(bytes[at + index]));
    return parts.join('.');
  }
  for (let index = 0; index < 16; index += 2) {
    const group = ((bytes[at + index] ?? 0) << 8) | (bytes[at + index + 1] ?? 0);
    parts.push(group.toString(16));
  }
  return parts.join(':');
}
