// Which encrypted parts each blob of an encrypted store has, in memory: 86 bytes a blob, and the hash of
// a second part in a map beside it, which only blobs of nearly 16 MiB have.

import { toHex } from '#base/bytes.ts';
import { HashTable } from '#store/packed/hash-table.ts';
import type { StoreKey } from './key-file.ts';
import type { ManifestEntry } from './manifest.ts';
import { keyIdOf, type Part } from './sealed-blob.ts';

const AT = { size: 0, parts: 4, key: 5, found: 6, sequence: 8, part: 16 } as const;
const PAYLOAD_BYTES = 48;
const KEY_UNKNOWN = 255;

export interface SealedBlob {
  readonly size: number;
  readonly sequence: number;
  /** Empty when the key file has it no longer. */
  readonly keyId: string;
  readonly parts: readonly Uint8Array[];
}

export class SealedIndex {
  readonly #table = new HashTable(PAYLOAD_BYTES);
  readonly #second = new Map<string, Uint8Array>();
  readonly #keys: readonly StoreKey[];
  #bytes = 0;

  constructor(keys: readonly StoreKey[]) {
    this.#keys = keys;
  }

  get count(): number {
    return this.#table.count;
  }

  get blobBytes(): number {
    return this.#bytes;
  }

  get memoryBytes(): number {
    return this.#table.memoryBytes;
  }

  get(hash: Uint8Array): SealedBlob | undefined {
    const payload = this.#table.get(hash);
    return payload === undefined ? undefined : this.#blobOf(hash, payload);
  }

  /** The entry of the highest sequence stays. A removal stays as one without parts until `settle`. */
  apply(entry: ManifestEntry): void {
    const old = this.#table.get(entry.hash);
    if (old !== undefined) {
      if (Number(old.readBigUInt64LE(AT.sequence)) >= entry.sequence) return;
      this.#bytes -= old.readUInt32LE(AT.size);
    }
    const payload = this.#table.claim(entry.hash);
    payload.writeUInt32LE(entry.size, AT.size);
    payload[AT.parts] = entry.parts.length;
    const slot = this.#keys.findIndex(({ id }) => id === entry.keyId);
    payload[AT.key] = slot < 0 ? KEY_UNKNOWN : slot;
    payload.writeBigUInt64LE(BigInt(entry.sequence), AT.sequence);
    const [first, second] = entry.parts;
    if (first !== undefined) payload.set(first, AT.part);
    if (second === undefined) this.#second.delete(toHex(entry.hash));
    else this.#second.set(toHex(entry.hash), second);
    this.#bytes += entry.size;
  }

  /** Once all entries were applied: forgets the removals. */
  settle(): void {
    for (const { hash, payload } of this.#pages()) {
      if (payload[AT.parts] === 0) this.#table.delete(hash);
    }
  }

  delete(hash: Uint8Array): void {
    const payload = this.#table.get(hash);
    if (payload === undefined) return;
    this.#bytes -= payload.readUInt32LE(AT.size);
    this.#second.delete(toHex(hash));
    this.#table.delete(hash);
  }

  page(after: Uint8Array | undefined, limit: number): { hash: Uint8Array; size: number }[] {
    const found = this.#table.page(after, limit);
    return found.map(({ hash, payload }) => ({ hash, size: payload.readUInt32LE(AT.size) }));
  }

  /** The hashes of all encrypted parts. */
  partHashes(): HashTable {
    const hashes = new HashTable(0);
    for (const { hash, payload } of this.#pages()) {
      for (const part of this.#blobOf(hash, payload).parts) hashes.claim(part);
    }
    return hashes;
  }

  /** A part that was found while the manifest is made anew. */
  applyPart(
    found: Part & {
      readonly ref: Uint8Array;
      readonly sealed: Uint8Array;
      readonly sequence: number;
    },
  ): void {
    const { hash, size, part, parts, sequence } = found;
    const known = this.get(hash)?.parts ?? [];
    const none = new Uint8Array(32);
    const all = Array.from({ length: parts }, (_, at) =>
      at === part ? found.ref : (known[at] ?? none),
    );
    const had = this.#table.get(hash)?.[AT.found] ?? 0;
    const isNew = this.#table.get(hash) === undefined;
    const own = keyIdOf(found.sealed);
    // Parts of two keys, as an interrupted reencryption leaves them: neither key is the blob's, so that
    // it is encrypted anew before one of them goes.
    const other = isNew || parts === 1 ? own : this.get(hash)?.keyId;
    this.apply({ hash, size, sequence, keyId: other === own ? own : '', parts: all });
    (this.#table.get(hash) as Buffer)[AT.found] = (isNew ? 0 : had) | (1 << part);
  }

  /** Entries of the blobs of which every part was found, up to `limit` at a time. */
  *whole(limit: number): Generator<ManifestEntry[]> {
    let entries: ManifestEntry[] = [];
    for (const { hash, payload } of this.#pages()) {
      const blob = this.#blobOf(hash, payload);
      if (payload[AT.found] !== (1 << blob.parts.length) - 1) continue;
      entries.push({ hash, ...blob });
      if (entries.length < limit) continue;
      yield entries;
      entries = [];
    }
    if (entries.length > 0) yield entries;
  }

  *#pages(): Generator<{ hash: Uint8Array; payload: Buffer }> {
    let after: Uint8Array | undefined;
    for (;;) {
      const page = this.#table.page(after, 1000);
      yield* page;
      after = page.at(-1)?.hash;
      if (after === undefined) return;
    }
  }

  #blobOf(hash: Uint8Array, payload: Buffer): SealedBlob {
    const parts: Uint8Array[] = [Uint8Array.from(payload.subarray(AT.part, PAYLOAD_BYTES))];
    if (payload[AT.parts] === 2) parts.push(this.#second.get(toHex(hash)) as Uint8Array);
    return {
      size: payload.readUInt32LE(AT.size),
      sequence: Number(payload.readBigUInt64LE(AT.sequence)),
      keyId: this.#keys[payload.readUInt8(AT.key)]?.id ?? '',
      parts: payload[AT.parts] === 0 ? [] : parts,
    };
  }
}
