// The end of the newest pack after a process or the power went away. Above `durable` (pack.ts) nothing was
// promised before all of it was synced, so what is not whole there is cut: most often the torn end of a
// group that nobody was answered. But the group before it may have been answered, and a bit of it may have
// rotted: so whole records behind the first that is not are saved, into a pack of their own, before
// anything is cut, and unless the end is torn beyond doubt its bytes are kept aside in
// `<pack>-<position>.tail`, as they were, of which the newest four stay.

import type { Disk, DiskFile } from '#base/disk.ts';
import { refOf, refOfHash } from '#store/store.ts';
import type { BlobIndex } from './blob-index.ts';
import { type PackRecord, type PackScan, RECORD_HEADER_BYTES, recordIn } from './pack.ts';
import type { PackFiles } from './pack-files.ts';
import type { PackWriter } from './pack-writer.ts';

const ASIDE = /^[0-9]{10}-[0-9]{15}\.tail$/;
const ASIDE_MAX = 4;
const PIECE_BYTES = 1024 * 1024;

export interface PackTail {
  readonly pack: number;
  /** Where the first begins that is not whole. */
  readonly start: number;
  readonly end: number;
  /** Stretches, and records with wrong bytes, that are lost by the cut. */
  readonly lost: number;
  /** Whole records behind `start`, in order. */
  readonly saved: readonly PackRecord[];
  /** Nothing but a write that did not come to its end: a header promises more than the file has. */
  readonly isTorn: boolean;
  /** The file that has the bytes now; undefined when they are a torn write, or there was no room. */
  readonly aside: string | undefined;
}

interface TailPlace {
  readonly disk: Disk;
  readonly folder: string;
}

export function isAsideName(name: string): boolean {
  return ASIDE.test(name);
}

/** Undefined when the pack ends with a whole record; zeros behind it are room. `records`: of the pack. */
export async function readTail(
  file: DiskFile,
  seed: number,
  scan: PackScan,
  records: readonly PackRecord[],
): Promise<Omit<PackTail, 'pack' | 'aside'> | undefined> {
  const torn = scan.damage.filter(({ start }) => start >= scan.durable);
  let start = Math.min(...torn.map((damage) => damage.start));
  let lost = torn.length;
  const whole: PackRecord[] = [];
  for (const record of records) {
    if (record.position < scan.durable) continue;
    if (await isWhole(file, record)) whole.push(record);
    else {
      start = Math.min(start, record.position);
      lost++;
    }
  }
  if (lost === 0) return undefined;
  const saved = whole.filter(({ position, kind }) => position >= start && kind !== 'mark');
  const end = await file.sizeBytes();
  const isTorn = saved.length === 0 && lost === 1 && (await promisesMore(file, seed, start, end));
  return { start, end, lost, saved, isTorn };
}

async function promisesMore(
  file: DiskFile,
  seed: number,
  start: number,
  end: number,
): Promise<boolean> {
  if (end - start < RECORD_HEADER_BYTES) return true;
  const header = Buffer.alloc(RECORD_HEADER_BYTES);
  await file.read(header, start);
  const record = recordIn(header, start, seed);
  return record !== undefined && start + RECORD_HEADER_BYTES + record.bytes > end;
}

/** Copies what is to be cut; the file's name. Undefined when it is torn, and where there is no room. */
export async function keepAside(
  place: TailPlace,
  file: DiskFile,
  tail: Omit<PackTail, 'aside'>,
): Promise<string | undefined> {
  if (tail.isTorn) return undefined;
  const { disk, folder } = place;
  const number = String(tail.pack).padStart(10, '0');
  const name = `${number}-${String(tail.start).padStart(15, '0')}.tail`;
  const path = `${folder}/${name}`;
  try {
    if ((await disk.stat(path)) !== undefined) await disk.remove(path);
    await copyRange(disk, file, { path, start: tail.start, end: tail.end });
    const kept = (await disk.list(folder)).filter(isAsideName).sort();
    for (const old of kept.slice(0, -ASIDE_MAX)) await disk.remove(`${folder}/${old}`);
    await disk.syncFolder(folder);
    return name;
  } catch {
    // The disk is full: the store opens all the same, and says that nothing was kept.
    await disk.remove(path).catch(() => {});
    return undefined;
  }
}

/** Writes the whole records behind the first that is not again, in order, and then cuts them off. */
export async function saveTail(parts: {
  readonly files: PackFiles;
  readonly index: BlobIndex;
  readonly writer: PackWriter;
}): Promise<void> {
  const { files, index, writer } = parts;
  const { tail } = files;
  if (tail === undefined || tail.saved.length === 0) return;
  for (const { kind, hash, bytes, position, series } of tail.saved) {
    const wanted = { ref: refOfHash(hash), hash, series };
    if (kind === 'blob') {
      const body = await files.readBody({ pack: tail.pack, position, bytes });
      writer.add({ kind, ...wanted, body });
    } else writer.add({ kind: 'removal', ...wanted });
  }
  try {
    await writer.flush();
  } catch {
    files.bearTail(index, tail);
    return;
  }
  await files.cutTail(tail);
}

async function copyRange(
  disk: Disk,
  from: DiskFile,
  range: { readonly path: string; readonly start: number; readonly end: number },
): Promise<void> {
  const into = await disk.create(range.path);
  try {
    const piece = Buffer.alloc(PIECE_BYTES);
    for (let at = range.start; at < range.end; ) {
      const part = piece.subarray(0, Math.min(PIECE_BYTES, range.end - at));
      const read = await from.read(part, at);
      if (read === 0) break;
      await into.write(part.subarray(0, read), at - range.start);
      at += read;
    }
    await into.datasync();
  } finally {
    await into.close();
  }
}

async function isWhole(file: DiskFile, record: PackRecord): Promise<boolean> {
  if (record.kind !== 'blob') return true;
  const body = Buffer.allocUnsafeSlow(record.bytes);
  const read =
    body.byteLength === 0 ? 0 : await file.read(body, record.position + RECORD_HEADER_BYTES);
  return refOf(body.subarray(0, read)) === refOfHash(record.hash);
}
