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
import { type PackRecord, scanPack } from './pack.ts';
import type { PackFiles } from './pack-files.ts';
import type { PackWriter } from './pack-writer.ts';

export interface CompactionParts {
  readonly files: PackFiles;
  readonly index: BlobIndex;
  readonly writer: PackWriter;
  /** Called between two blobs; throws when it is to end. */
  readonly enter: () => void;
  readonly onCorrupt: (ref: BlobRef) => void;
}

interface Found {
  readonly pack: number;
  readonly record: PackRecord;
}

/** Packs in order, put together until what lives in them is a new pack. */
export function compactionSets(files: PackFiles, packs: readonly number[], bytesMax: number) {
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

/** Answers the packs that were left alone because something in them is damaged. */
export async function rewritePacks(
  parts: CompactionParts,
  packs: readonly number[],
): Promise<number[]> {
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
  writer.hurry();
  await Promise.all(waits);
  for (const pack of packs) {
    if (kept.has(pack)) continue;
    assert(files.liveBytes(pack) === 0, 'a pack that is removed holds nothing that lives');
    await files.removePack(pack);
  }
  return [...kept];
}

/** What has to be copied; undefined when the pack is damaged. */
async function movable(
  { files, index }: CompactionParts,
  pack: number,
): Promise<PackRecord[] | undefined> {
  if (files.damage.some((damage) => damage.pack === pack)) return undefined;
  const records: PackRecord[] = [];
  // Where nothing is older, a removal has nothing left to hide.
  const isOldest = files.oldest() === pack;
  const onRecord = (record: PackRecord): void => {
    const place = index.get(record.hash);
    const lives =
      record.kind === 'blob' && place?.pack === pack && place.position === record.position;
    if (lives || (record.kind === 'removal' && !isOldest)) records.push(record);
  };
  const scan = await files.use(pack, (file) => scanPack(file, files.seed, onRecord));
  return scan.damage.length > 0 ? undefined : records;
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

/** False when the blob is corrupt: then its pack stays, so that nothing of it is lost for good. */
async function carry(
  { files, index, writer, onCorrupt }: CompactionParts,
  { pack, record }: Found,
  waits: Promise<void>[],
): Promise<boolean> {
  const { kind, hash, series } = record;
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
      onCorrupt(ref);
      return false;
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
