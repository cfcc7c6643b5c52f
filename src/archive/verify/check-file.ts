// Proves one file of the archive: reads every segment and compares it with its name, its length and its
// place in the file's hash tree. What is wrong is asked for from whoever may have it, and what comes is
// taken only when it is exactly what was lost.

import type { Damage } from '#archive/catalogue/archive-health.ts';
import type { KeptFile } from '#archive/catalogue/kept-torrents.ts';
import {
  decodeFileMap,
  type FileMap,
  mapSegmentCount,
  segmentRef,
  segmentRoot,
} from '#archive/content/file-map.ts';
import { segmentHeight, segmentLength } from '#archive/content/segments.ts';
import type { SegmentHasher } from '#archive/hash/segment-hasher.ts';
import { bytesEqual } from '#base/bytes.ts';
import { codeOf } from '#base/errors.ts';
import type { BlobRef } from '#base/ids.ts';
import type { Store } from '#store/store.ts';

/** Someone who may have what was lost: another copy, the swarm. */
export interface Healer {
  readonly name: string;
  /** Any bytes, or undefined when it has none; they are verified by who asked. */
  blob(ref: BlobRef, signal: AbortSignal | undefined): Promise<Uint8Array | undefined>;
}

export interface CheckWorld {
  readonly store: Store;
  readonly hasher: SegmentHasher;
  readonly healers: readonly Healer[];
  /** Before each blob is read, with the bytes it has. */
  readonly pace?: (bytes: number) => Promise<void>;
  readonly signal?: AbortSignal;
}

export interface FileCheck {
  readonly bytes: number;
  /** What is still wrong. */
  readonly damage: readonly Damage[];
  /** Blobs that were wrong or missing and are there again. */
  readonly healed: number;
}

/** @throws StoreError when the store itself fails; the signal's reason */
export async function checkFile(world: CheckWorld, file: KeptFile): Promise<FileCheck> {
  const found = { bytes: 0, healed: 0, damage: [] as Damage[] };
  await world.pace?.(0);
  const bytes = await soundBlob(world, file.mapRef, found);
  const map = typeof bytes === 'string' ? undefined : decodeFileMap(bytes);
  if (map === undefined || map.bytes !== file.bytes) {
    const kind = bytes === 'missing' ? 'missing' : 'corrupt';
    return { ...found, damage: [{ segment: -1, kind }] };
  }
  for (let number = 0; number < mapSegmentCount(map); number++) {
    world.signal?.throwIfAborted();
    await world.pace?.(segmentLength(map, number));
    const segment = await soundBlob(world, segmentRef(map, number), found);
    if (typeof segment === 'string') found.damage.push({ segment: number, kind: segment });
    else if (await isOfFile(world, map, { number, segment })) found.bytes += segment.length;
    else found.damage.push({ segment: number, kind: 'corrupt' });
  }
  return found;
}

/** Its bytes, those of a healer when it was wrong; or what is wrong with it. */
async function soundBlob(
  world: CheckWorld,
  ref: BlobRef,
  found: { healed: number },
): Promise<Uint8Array | Damage['kind']> {
  const { store, signal } = world;
  const options = signal === undefined ? {} : { signal };
  try {
    return await store.get(ref, options);
  } catch (error) {
    const code = codeOf(error);
    if (code !== 'STORE_BLOB_MISSING' && code !== 'STORE_CORRUPT_BLOB') throw error;
    const bytes = await heal(world, ref);
    if (bytes === undefined) return code === 'STORE_BLOB_MISSING' ? 'missing' : 'corrupt';
    found.healed += 1;
    return bytes;
  }
}

async function heal({ store, healers, signal }: CheckWorld, ref: BlobRef) {
  for (const healer of healers) {
    const bytes = await healer.blob(ref, signal);
    if (bytes === undefined) continue;
    try {
      await store.put(bytes, { ref, ...(signal === undefined ? {} : { signal }) });
      return bytes;
    } catch (error) {
      // Another's bytes may be anything; the store tells, and the next one is asked.
      if (codeOf(error) !== 'STORE_WRONG_HASH' && codeOf(error) !== 'STORE_BLOB_TOO_LARGE')
        throw error;
    }
  }
  return undefined;
}

/** The name proves the bytes, the root their place in the file: a map with swapped names is found. */
async function isOfFile(
  { hasher }: CheckWorld,
  map: FileMap,
  { number, segment }: { readonly number: number; readonly segment: Uint8Array },
): Promise<boolean> {
  if (segment.length !== segmentLength(map, number)) return false;
  const isAlone = mapSegmentCount(map) === 1;
  const height = isAlone ? undefined : segmentHeight(map.segmentBytes);
  const { root } = await hasher.tree(segment, { height, layerHeight: undefined });
  return bytesEqual(root, segmentRoot(map, number));
}
