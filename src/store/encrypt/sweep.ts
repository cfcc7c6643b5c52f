// The parts of an encrypted store that no manifest names. A crash leaves such parts: of a put that had no
// entry yet, or of a removal whose parts were still there. But a manifest that vanished below, without a
// word, leaves them as well, and nothing tells the two apart. So a part is removed only when that is
// proven right: an entry says that it was removed, or its blob is there, and can be read, in other parts. Of
// all else the blob is named again: who lost its name has it back, and what nobody wants goes as garbage.

import type { BlobRef } from '#base/ids.ts';
import { StoreError } from '#store/errors.ts';
import { HashTable } from '#store/packed/hash-table.ts';
import { type CallOptions, hashOf, refOfHash, type Store, walkStore } from '#store/store.ts';
import type { StoreKey } from './key-file.ts';
import type { ManifestEntry } from './manifest.ts';
import { decodePart, open } from './sealed-blob.ts';
import { SealedIndex } from './sealed-index.ts';

const AT_ONCE = 1000;

export interface Swept {
  /** Parts. */
  readonly removed: number;
  /** Blobs that were named again. */
  readonly named: number;
  /** Parts that cannot be decrypted with any key of the file, or not be read: they stay. */
  readonly unreadable: number;
}

interface SweepParts {
  readonly parts: Store;
  readonly keys: readonly StoreKey[];
  /** Everything that manifests name. */
  readonly index: SealedIndex;
  /** Parts that an entry says were removed, and that were not seen gone yet. */
  readonly garbage: HashTable;
  /** Puts that were under way have ended when it resolves. */
  readonly idle: () => Promise<void>;
  /**
   * Names the blob by this entry, unless it is there and can be read, or was removed meanwhile: false then.
   * @throws StoreError STORE_CORRUPT_BLOB when the parts of the entry are not the blob
   */
  readonly adopt: (entry: ManifestEntry) => Promise<boolean>;
  /** Whether a blob that is named can be read. */
  readonly isSound: (ref: BlobRef) => Promise<boolean>;
}

/**
 * Parts that nothing names, in order of name. Only parts that are there at the beginning: those of puts that
 * were under way then have their entries when it looks for them, or have failed; no part is made twice.
 */
export async function* unnamedParts(
  { parts, index, idle }: Pick<SweepParts, 'parts' | 'index' | 'idle'>,
  options: CallOptions,
): AsyncGenerator<Uint8Array> {
  const found = new HashTable(0);
  for await (const { ref } of walkStore(parts, { signal: options.signal })) {
    found.claim(hashOf(ref));
  }
  await idle();
  const named = index.partHashes();
  for (let after: Uint8Array | undefined; ; ) {
    const page = found.page(after, AT_ONCE);
    after = page.at(-1)?.hash;
    if (after === undefined) return;
    for (const { hash } of page) if (named.get(hash) === undefined) yield hash;
  }
}

export async function sweepParts(work: SweepParts, options: CallOptions): Promise<Swept> {
  const { parts, keys, garbage } = work;
  const gone: BlobRef[] = [];
  const known = garbage.page(undefined, garbage.count);
  const orphans = new SealedIndex(keys);
  /** The blob of each part, by the part. */
  const blobOf = new HashTable(32);
  let unreadable = 0;
  let sequence = 0;
  for await (const hash of unnamedParts(work, options)) {
    if (garbage.get(hash) !== undefined) {
      gone.push(refOfHash(hash));
      continue;
    }
    const part = await readPart(parts, keys, hash, options);
    if (part === undefined) {
      unreadable++;
      continue;
    }
    orphans.applyPart({ ...part, ref: hash, sequence: ++sequence });
    blobOf.claim(hash).set(part.hash);
  }
  let named = 0;
  for (const entries of orphans.whole(AT_ONCE)) {
    for (const entry of entries) {
      try {
        if (await work.adopt(entry)) named++;
      } catch (error) {
        if (!(error instanceof StoreError) || error.code !== 'STORE_CORRUPT_BLOB') throw error;
        unreadable++;
      }
    }
  }
  gone.push(...(await superfluous(work, blobOf, unreadable === 0)));
  let removed = 0;
  for (let at = 0; at < gone.length; at += AT_ONCE) {
    removed += await parts.remove(gone.slice(at, at + AT_ONCE), options);
  }
  // What an entry had said was removed is gone now, or was before.
  for (const { hash } of known) garbage.delete(hash);
  return { removed, named, unreadable };
}

/** Of what was read: parts of blobs that are named by others, and halves of what has no other half. */
async function superfluous(
  { index, garbage, isSound }: SweepParts,
  blobOf: HashTable,
  isAllRead: boolean,
): Promise<BlobRef[]> {
  const named = index.partHashes();
  const sound = new HashTable(0);
  const gone: BlobRef[] = [];
  for (const { hash, payload } of blobOf.page(undefined, blobOf.count)) {
    if (named.get(hash) !== undefined) continue;
    if (index.get(payload) === undefined) {
      // The other half may be what cannot be read today.
      if (isAllRead || garbage.get(hash) !== undefined) gone.push(refOfHash(hash));
      continue;
    }
    const isKnown = sound.get(payload) !== undefined;
    if (!isKnown && !(await isSound(refOfHash(payload)))) continue;
    sound.claim(payload);
    gone.push(refOfHash(hash));
  }
  return gone;
}

async function readPart(
  parts: Store,
  keys: readonly StoreKey[],
  hash: Uint8Array,
  options: CallOptions,
) {
  try {
    const sealed = await parts.get(refOfHash(hash), options);
    const { bytes: _, ...part } = decodePart(open(sealed, 'part', keys));
    // Its header alone: what is kept until the end must not be the part itself.
    return { ...part, bytes: new Uint8Array(0), sealed: Uint8Array.from(sealed.subarray(0, 64)) };
  } catch (error) {
    if (error instanceof StoreError && READ_CODES.has(error.code)) return undefined;
    throw error;
  }
}

const READ_CODES: ReadonlySet<string> = new Set([
  ...['STORE_CORRUPT_BLOB', 'STORE_BLOB_MISSING', 'STORE_KEY_MISSING'],
]);
