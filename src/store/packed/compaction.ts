// Gives back the space of what was removed. What lives in a pack is copied to the end of the newest
// through the writer's queue, in which it is decided, record by record and at the moment of writing,
// whether it still lives; only when the copies are synced is the old pack removed, and the removal synced
// before the next pack. So after a crash at any step a blob is found once or twice, never not at all. The
// removal of a blob is copied on too, unless the blob is back or no older pack is left in which it could
// be found.
//
// Packs are taken a few at a time, as many as hold a pack's worth of what lives: so the blobs of a series
// that came in over a long time are laid side by side again, and no more space is needed meanwhile.

import { assert } from '#base/assert.ts';
import { toHex } from '#base/bytes.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import { StoreError } from '#store/errors.ts';
import { verifyBlob } from '#store/store.ts';
import type { BlobIndex } from './blob-index.ts';
import { NO_SERIES, type PackRecord, scanPack } from './pack.ts';
import type { PackFiles } from './pack-files.ts';
import type { PackWriter } from './pack-writer.ts';

/** Smaller pieces are single blobs. */
const PIECE_BYTES_MIN = 16_384;
const INDEX_PAGE = 1000;

export interface CompactionParts {
  readonly files: PackFiles;
  readonly index: BlobIndex;
  readonly writer: PackWriter;
  /** Called between two blobs; throws when it is to end. */
  readonly enter: () => void;
  readonly onCorrupt: (ref: BlobRef) => void;
  /**
   * Packs with damage are written anew as well: what can be read of them, and a removal for each blob that
   * cannot, which this is told of. Without it they are left alone.
   */
  readonly onGivenUp?: ((ref: BlobRef) => void) | undefined;
}

interface Found {
  readonly pack: number;
  readonly record: PackRecord;
}

/**
 * Answers the packs that were left alone because something in them is damaged. Where there is too little
 * room to copy a set, its packs are emptied from their ends instead.
 */
export async function compactPacks(
  parts: CompactionParts,
  packs: readonly number[],
  bytesMax: number,
): Promise<number[]> {
  const { files } = parts;
  const kept: number[] = [];
  const isDead = (pack: number): boolean => files.liveBytes(pack) === 0;
  const dead = packs.filter(isDead);
  if (dead.length > 0) kept.push(...(await rewritePacks(parts, dead)));
  const sets = compactionSets(
    files,
    packs.filter((pack) => !isDead(pack)),
    bytesMax,
  );
  for (const set of sets) {
    parts.enter();
    const done = files.reserve.isTight ? undefined : await rewriteUnlessFull(parts, set);
    if (done === undefined) await files.reserve.giveUp();
    else kept.push(...done);
    const least = set.toSorted((a, b) => files.liveBytes(a) - files.liveBytes(b));
    for (const pack of done === undefined ? least : []) {
      if (!(await shrinkPack(parts, pack))) kept.push(pack);
    }
  }
  return kept;
}

/** Undefined when there was no room for it. */
async function rewriteUnlessFull(
  parts: CompactionParts,
  set: readonly number[],
): Promise<number[] | undefined> {
  try {
    return await rewritePacks(parts, set);
  } catch (error) {
    if (isWriteFailure(error)) return undefined;
    throw error;
  }
}

function isWriteFailure(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'STORE_WRITE_FAILED';
}

/** Packs in order, put together until what lives in them is a new pack. */
function compactionSets(files: PackFiles, packs: readonly number[], bytesMax: number) {
  const sets: number[][] = [];
  let room = 0;
  for (const pack of packs) {
    const live = files.liveBytes(pack);
    if (sets.length === 0 || live > room) {
      sets.push([]);
      room = bytesMax;
    }
    sets.at(-1)?.push(pack);
    room -= live;
  }
  return sets;
}

async function rewritePacks(parts: CompactionParts, packs: readonly number[]): Promise<number[]> {
  const { files, writer } = parts;
  const kept = new Set<number>();
  const found: Found[] = [];
  for (const pack of packs) {
    const records = await movable(parts, pack);
    if (records === undefined) kept.add(pack);
    else for (const record of records) found.push({ pack, record });
  }
  const waits: Promise<void>[] = [];
  for (const one of inSeries(found)) {
    parts.enter();
    if (!kept.has(one.pack) && !(await carry(parts, one, waits))) kept.add(one.pack);
  }
  await written(writer, waits);
  for (const pack of packs) {
    if (kept.has(pack)) continue;
    assert(files.liveBytes(pack) === 0, 'a pack that is removed holds nothing that lives');
    await files.removePack(pack);
  }
  return [...kept];
}

/**
 * For a full disk: what lives at the end of the pack is copied and the pack cut there, a piece at a time,
 * so that hardly more room is needed than each piece gives back. False when it is damaged.
 */
async function shrinkPack(parts: CompactionParts, pack: number): Promise<boolean> {
  const { files } = parts;
  let left = await movable(parts, pack);
  let pieceBytes = files.reserve.bytes >>> 2;
  while (left !== undefined && left.length > 0) {
    parts.enter();
    try {
      if (!(await shrinkOnce(parts, { pack, left, pieceBytes }))) return false;
    } catch (error) {
      if (!isWriteFailure(error) || pieceBytes === 1) throw error;
      pieceBytes = pieceBytes > PIECE_BYTES_MIN ? pieceBytes >>> 1 : 1;
      left = await movable(parts, pack);
    }
  }
  if (left === undefined) return false;
  assert(files.liveBytes(pack) === 0, 'a pack that is removed holds nothing that lives');
  await files.removePack(pack);
  return true;
}

/** Takes the last of what is left, at least one; the pack ends before it then. */
async function shrinkOnce(
  parts: CompactionParts,
  piece: { readonly pack: number; readonly left: PackRecord[]; readonly pieceBytes: number },
): Promise<boolean> {
  const { pack, left, pieceBytes } = piece;
  const waits: Promise<void>[] = [];
  let cutAt = 0;
  for (let room = pieceBytes; room > 0 && left.length > 0; ) {
    const record = left.pop() as PackRecord;
    if (!(await carry(parts, { pack, record }, waits))) return false;
    cutAt = record.position;
    room -= record.bytes;
  }
  await written(parts.writer, waits);
  await parts.files.cutPack(pack, cutAt);
  return true;
}

/** Throws what the first failed with, but only when nothing of it is under way any more. */
async function written(writer: PackWriter, waits: readonly Promise<void>[]): Promise<void> {
  writer.hurry();
  await Promise.allSettled(waits);
  await Promise.all(waits);
}

/** What has to be copied; undefined when the pack is damaged, and to be left alone then. */
async function movable(
  { files, index, onGivenUp }: CompactionParts,
  pack: number,
): Promise<PackRecord[] | undefined> {
  if (files.isDamaged(pack) && onGivenUp === undefined) return undefined;
  const records: PackRecord[] = [];
  const seed = files.seedOf(pack);
  // Nothing is in it, or nothing that can be read.
  if (seed === undefined) return records;
  // Where nothing is older, a removal has nothing left to hide.
  const isOldest = files.oldest() === pack;
  const onRecord = (record: PackRecord): void => {
    const place = index.get(record.hash);
    const lives =
      record.kind === 'blob' && place?.pack === pack && place.position === record.position;
    if (lives || (record.kind === 'removal' && !isOldest)) records.push(record);
  };
  const scan = await files.use(pack, (file) => scanPack(file, seed, onRecord));
  if (scan.damage.length === 0) return records;
  return onGivenUp === undefined ? undefined : [...records, ...unseen(index, pack, records)];
}

/** What the index knows in a pack though its record cannot be told any more. */
function unseen(index: BlobIndex, pack: number, records: readonly PackRecord[]): PackRecord[] {
  const seen = new Set(records.map(({ position }) => position));
  const found: PackRecord[] = [];
  for (let after: Uint8Array | undefined; ; ) {
    const page = index.page(after, INDEX_PAGE);
    for (const { hash, place } of page) {
      const { position, bytes } = place;
      if (place.pack !== pack || seen.has(position)) continue;
      found.push({ kind: 'blob', hash, bytes, position, durable: 0, series: NO_SERIES });
    }
    after = page.at(-1)?.hash;
    if (after === undefined) return found.sort((a, b) => a.position - b.position);
  }
}

/** A series stands where its first was found, in its order; all else as it was found. */
function inSeries(found: readonly Found[]): Found[] {
  const firstOf = new Map<number, number>();
  const placed = found.map((one, at) => {
    const { key, order } = one.record.series;
    if (key !== 0 && !firstOf.has(key)) firstOf.set(key, at);
    return { one, at, first: key === 0 ? at : (firstOf.get(key) as number), order };
  });
  placed.sort((a, b) => a.first - b.first || a.order - b.order || a.at - b.at);
  return placed.map(({ one }) => one);
}

/** False when the blob is corrupt and not given up: then its pack stays, and nothing is lost for good. */
async function carry(
  parts: CompactionParts,
  { pack, record }: Found,
  waits: Promise<void>[],
): Promise<boolean> {
  const { files, index, writer } = parts;
  const { hash, series } = record;
  let { kind } = record;
  const ref = blobRef(`sha256-${toHex(hash)}`) as BlobRef;
  const place = kind === 'blob' ? index.get(hash) : undefined;
  let body: Uint8Array | undefined;
  if (kind === 'blob') {
    // Removed or put again since it was found.
    if (place?.pack !== pack || place.position !== record.position) return true;
    body = await files.readBody(place);
    try {
      await verifyBlob(ref, body);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (parts.onGivenUp === undefined) {
        parts.onCorrupt(ref);
        return false;
      }
      parts.onGivenUp(ref);
      body = undefined;
      kind = 'removal';
    }
  }
  while (!writer.hasRoom(body?.byteLength ?? 0)) await writer.room();
  const wanted = { ref, hash, series, carriedFrom: place, ...(body !== undefined && { body }) };
  const { done } = writer.carry({ kind: kind === 'blob' ? 'blob' : 'removal', ...wanted });
  // Told when all are waited for.
  done.catch(() => {});
  waits.push(done);
  return true;
}
