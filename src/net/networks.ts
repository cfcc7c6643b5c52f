// Networks of IP addresses: `203.0.113.0/24`, `2001:db8::/32`, a single address. As text they are what
// people write; in a table they are found by an address without allocating, however many there are.

import { BytesMap } from '#base/bytes-map.ts';
import { type Family, formatIp, parseIp } from './ip-address.ts';

export interface Network {
  readonly family: Family;
  /** 16 bytes, of which the first 4 or 16 count; zero behind the prefix. */
  readonly address: Uint8Array;
  /** 0 to 32 or 128 bits. */
  readonly prefixBits: number;
}

/** Undefined when the text is no network. Bits behind the prefix are dropped. */
export function parseNetwork(text: string): Network | undefined {
  const [words = '', bits, ...rest] = text.trim().split('/');
  const address = new Uint8Array(16);
  const family = parseIp(words, address);
  if (family === 0 || rest.length > 0) return undefined;
  const isMapped = family === 4 && words.includes(':');
  const longest = family === 4 ? 32 : 128;
  if (bits !== undefined && !/^\d{1,3}$/.test(bits)) return undefined;
  const prefixBits = bits === undefined ? longest : Number(bits) - (isMapped ? 96 : 0);
  if (prefixBits < 0 || prefixBits > longest) return undefined;
  mask(address, prefixBits);
  return { family, address, prefixBits };
}

/** What `parseNetwork` reads back, in one way of writing it. */
export function formatNetwork({ family, address, prefixBits }: Network): string {
  return `${formatIp(address, family)}/${prefixBits}`;
}

const KEY_BYTES = 18;

/** Values by network; of several networks that an address lies in, the narrowest answers. */
export class NetworkTable<Value> {
  /** Family, prefix and address to the value. */
  readonly #values = new BytesMap<Value>(KEY_BYTES);
  /** How many networks there are of each prefix, by family. */
  readonly #counts = { 4: new Uint32Array(33), 6: new Uint32Array(129) };
  readonly #key = new Uint8Array(KEY_BYTES);
  readonly #address = this.#key.subarray(2);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Of exactly this network. */
  get({ family, prefixBits, address }: Network): Value | undefined {
    this.#fill(family, prefixBits, address);
    return this.#values.get(this.#key);
  }

  set(network: Network, value: Value): void {
    const { family, prefixBits } = network;
    if (this.get(network) === undefined) {
      this.#counts[family][prefixBits] = (this.#counts[family][prefixBits] ?? 0) + 1;
      this.#size += 1;
    }
    this.#values.set(this.#key, value);
  }

  delete(network: Network): void {
    const { family, prefixBits } = network;
    if (this.get(network) === undefined) return;
    this.#values.delete(this.#key);
    this.#counts[family][prefixBits] = (this.#counts[family][prefixBits] ?? 1) - 1;
    this.#size -= 1;
  }

  /** `address` holds 4 or 16 bytes at its start, in wire order. */
  find(address: Uint8Array, family: Family): Value | undefined {
    if (this.#size === 0) return undefined;
    const counts = this.#counts[family];
    for (let bits = counts.length - 1; bits >= 0; bits--) {
      if (counts[bits] === 0) continue;
      this.#fill(family, bits, address);
      const found = this.#values.get(this.#key);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  clear(): void {
    this.#values.clear();
    this.#counts[4].fill(0);
    this.#counts[6].fill(0);
    this.#size = 0;
  }

  #fill(family: Family, bits: number, address: Uint8Array): void {
    const length = family === 4 ? 4 : 16;
    this.#key[0] = family;
    this.#key[1] = bits;
    for (let at = 0; at < 16; at++) this.#address[at] = at < length ? (address[at] ?? 0) : 0;
    mask(this.#address, bits);
  }
}

function mask(address: Uint8Array, prefixBits: number): void {
  for (let at = 0; at < 16; at++) {
    const bits = Math.min(8, Math.max(0, prefixBits - at * 8));
    address[at] = (address[at] ?? 0) & ((0xff << (8 - bits)) & 0xff);
  }
}
