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

/** A segment that is not there, or not as it was. */
export interface LostSegment {
  readonly ref: BlobRef;
  readonly fileId: number;
  /** In the file. */
  readonly start: number;
  readonly end: number;
}

/** Someone who may have what was lost: another copy, the swarm. */
export interface Healer {
  readonly name: string;
  /** Any bytes, or undefined when it has none; they are verified by who asked. */
  segment(lost: LostSegment, signal: AbortSignal | undefined): Promise<Uint8Array | undefined>;
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
  const bytes = await soundBlob(world, file.mapRef);
  const map = typeof bytes === 'string' ? undefined : decodeFileMap(bytes);
  if (map === undefined || map.bytes !== file.bytes) {
    const kind = bytes === 'missing' ? 'missing' : 'corrupt';
    return { ...found, damage: [{ segment: -1, kind }] };
  }
  for (let number = 0; number < mapSegmentCount(map); number++) {
    world.signal?.throwIfAborted();
    const length = segmentLength(map, number);
    await world.pace?.(length);
    const ref = segmentRef(map, number);
    let segment = await soundBlob(world, ref);
    if (typeof segment === 'string') {
      const start = number * map.segmentBytes;
      const lost = { ref, fileId: file.id, start, end: start + length };
      const healed = await heal(world, lost);
      if (healed !== undefined) found.healed += 1;
      segment = healed ?? segment;
    }
    if (typeof segment === 'string') found.damage.push({ segment: number, kind: segment });
    else if (await isOfFile(world, map, { number, segment })) found.bytes += segment.length;
    else found.damage.push({ segment: number, kind: 'corrupt' });
  }
  return found;
}

/** Its bytes, or what is wrong with it. */
async function soundBlob(
  { store, signal }: CheckWorld,
  ref: BlobRef,
): Promise<Uint8Array | Damage['kind']> {
  try {
    return await store.get(ref, signal === undefined ? {} : { signal });
  } catch (error) {
    const code = codeOf(error);
    if (code === 'STORE_BLOB_MISSING') return 'missing';
    if (code === 'STORE_CORRUPT_BLOB') return 'corrupt';
    throw error;
  }
}

/** The bytes, which are in the store again; undefined when nobody has them. */
async function heal(world: CheckWorld, lost: LostSegment): Promise<Uint8Array | undefined> {
  const { store, healers, signal } = world;
  for (const healer of healers) {
    const bytes = await healer.segment(lost, signal);
    if (bytes === undefined) continue;
    try {
      await store.put(bytes, { ref: lost.ref, ...(signal === undefined ? {} : { signal }) });
      return bytes;
    } catch (error) {
      // Another's bytes may be anything; the store tells, and the next one is asked.
      const code = codeOf(error);
      if (code !== 'STORE_WRONG_HASH' && code !== 'STORE_BLOB_TOO_LARGE') throw error;
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
