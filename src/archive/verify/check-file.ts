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
import { knownSegment, rootHeight } from '#archive/content/known-segment.ts';
import { segmentLength } from '#archive/content/segments.ts';
import type { SegmentHasher } from '#archive/hash/segment-hasher.ts';
import { bytesEqual } from '#base/bytes.ts';
import { codeOf } from '#base/errors.ts';
import type { BlobRef } from '#base/ids.ts';
import type { Store } from '#store/store.ts';

/** One is hashed while the next is read. */
const SEGMENTS_AT_ONCE = 2;

/** A segment that is not there, or not as it was. */
export interface LostSegment {
  readonly ref: BlobRef;
  readonly fileId: number;
  /** From 0; -1 for the file's map. */
  readonly segment: number;
  /** In the file; nothing of it for a map. */
  readonly start: number;
  readonly end: number;
}

/** Someone who may have what was lost: another copy, the swarm. */
export interface Healer {
  readonly name: string;
  /** Any bytes, or undefined when it has none; they are verified by who asked. */
  segment(lost: LostSegment, signal: AbortSignal | undefined): Promise<Uint8Array | undefined>;
  /**
   * For a file whose map nobody has: makes all of it anew, in the store and in the catalogue, and gives the
   * map. Undefined when that is not possible.
   */
  file?(fileId: number, signal: AbortSignal | undefined): Promise<FileMap | undefined>;
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
  /** Undefined when it cannot be read. */
  readonly map: FileMap | undefined;
}

/** @throws StoreError when the store itself fails; the signal's reason */
export async function checkFile(world: CheckWorld, file: KeptFile): Promise<FileCheck> {
  const found = { bytes: 0, healed: 0, damage: [] as Damage[] };
  await world.pace?.(0);
  const { map, kind, isHealed } = await soundMap(world, file);
  if (isHealed) found.healed += 1;
  if (map === undefined) return { ...found, map, damage: [{ segment: -1, kind }] };
  const underWay: Promise<SegmentCheck>[] = [];
  try {
    for (let number = 0; number < mapSegmentCount(map); number++) {
      world.signal?.throwIfAborted();
      await world.pace?.(segmentLength(map, number));
      underWay.push(checkSegment(world, { file, map, number }));
      if (underWay.length === SEGMENTS_AT_ONCE) add(found, await underWay.shift());
    }
    while (underWay.length > 0) add(found, await underWay.shift());
  } finally {
    await Promise.allSettled(underWay);
  }
  return { ...found, map };
}

interface MapCheck {
  readonly map: FileMap | undefined;
  readonly kind: Damage['kind'];
  readonly isHealed: boolean;
}

/** From its blob, or from who has it, or made anew. */
async function soundMap(world: CheckWorld, file: KeptFile): Promise<MapCheck> {
  const bytes = await unlessLost(() => world.store.get(file.mapRef, { signal: world.signal }));
  const found = typeof bytes === 'string' ? undefined : decodeFileMap(bytes);
  if (found?.bytes === file.bytes) return { map: found, kind: 'corrupt', isHealed: false };
  const kind = bytes === 'missing' ? 'missing' : 'corrupt';
  const lost = { ref: file.mapRef, fileId: file.id, segment: -1, start: 0, end: 0 };
  const healed = await heal(world, lost);
  const map = healed && decodeFileMap(healed);
  if (map?.bytes === file.bytes) return { map, kind, isHealed: true };
  for (const healer of world.healers) {
    const made = await healer.file?.(file.id, world.signal);
    if (made !== undefined) return { map: made, kind, isHealed: true };
  }
  return { map: undefined, kind, isHealed: false };
}

interface SegmentCheck {
  /** Of the segment, when it is sound. */
  readonly bytes: number;
  readonly damage?: Damage;
  readonly isHealed: boolean;
}

interface Segment {
  readonly file: KeptFile;
  readonly map: FileMap;
  readonly number: number;
}

function add(
  found: { bytes: number; healed: number; readonly damage: Damage[] },
  check: SegmentCheck | undefined,
): void {
  found.bytes += check?.bytes ?? 0;
  if (check?.isHealed === true) found.healed += 1;
  if (check?.damage !== undefined) found.damage.push(check.damage);
}

async function checkSegment(world: CheckWorld, place: Segment): Promise<SegmentCheck> {
  const { file, map, number } = place;
  const ref = segmentRef(map, number);
  let root: Uint8Array | undefined;
  const sha256 = knownSegment(world.hasher, map, number, (found) => {
    root = found;
  });
  const { store, signal } = world;
  const read = await unlessLost(async () => {
    const bytes = await store.prove?.(ref, { signal, sha256 });
    if (bytes !== undefined && root !== undefined) return { bytes, root };
    const segment = await store.get(ref, { signal, sha256 });
    return { bytes: segment.length, root: root ?? (await rootOf(world, place, segment)) };
  });
  if (typeof read !== 'string') return verdict(place, { ...read, isHealed: false });
  const start = number * map.segmentBytes;
  const end = start + segmentLength(map, number);
  const lost = { ref, fileId: file.id, segment: number, start, end };
  const healed = await heal(world, lost);
  if (healed === undefined) {
    return { bytes: 0, damage: { segment: number, kind: read }, isHealed: false };
  }
  const proven = await rootOf(world, place, healed);
  return verdict(place, { bytes: healed.length, root: proven, isHealed: true });
}

/** The name proves the bytes, the root their place in the file: a map with swapped names is found. */
function verdict(
  { map, number }: Segment,
  read: {
    readonly bytes: number;
    readonly root: Uint8Array | undefined;
    readonly isHealed: boolean;
  },
): SegmentCheck {
  const { bytes, root, isHealed } = read;
  const isOfFile = root !== undefined && bytesEqual(root, segmentRoot(map, number));
  if (isOfFile) return { bytes, isHealed };
  return { bytes: 0, damage: { segment: number, kind: 'corrupt' }, isHealed };
}

/** Undefined of a length that is not the segment's. */
async function rootOf(
  { hasher }: CheckWorld,
  { map, number }: Segment,
  bytes: Uint8Array,
): Promise<Uint8Array | undefined> {
  if (bytes.length !== segmentLength(map, number)) return undefined;
  return await hasher.root(bytes, rootHeight(map));
}

/** What a store gives of a blob, or what is wrong with it. */
async function unlessLost<T>(read: () => Promise<T>): Promise<T | Damage['kind']> {
  try {
    return await read();
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
