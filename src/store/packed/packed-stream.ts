// All blobs of a packed store in the order of the medium. Headers of one pack are read at a time, then
// the bodies of what still lives there.
//
// A token is `<pack>:<position>` of the record it came with. Compaction moves what lives in a pack to
// the end of the newest, so a stream that began before goes on until it has read what stood there when
// no more was moved: a blob may come twice, never not at all. What is put meanwhile does not make it
// longer otherwise.

import { throwIfCancelled } from '#store/calls.ts';
import { invalidToken, type StreamedBlob, type StreamOptions } from '#store/store.ts';
import { type PackRecord, scanPack } from './pack.ts';
import type { PackFiles } from './pack-files.ts';

interface Place {
  readonly pack: number;
  readonly position: number;
}

export interface StreamParts {
  readonly files: PackFiles;
  /** Counts the packs that compaction has taken away. */
  readonly compactions: () => number;
  /** The blob of this record, unless it lives elsewhere or was removed. */
  readonly read: (
    record: PackRecord,
    pack: number,
  ) => Promise<Omit<StreamedBlob, 'token'> | undefined>;
}

export async function* streamPacks(
  parts: StreamParts,
  options: StreamOptions,
): AsyncGenerator<StreamedBlob> {
  const { files } = parts;
  let seen = options.after === undefined ? { pack: 0, position: 0 } : placeOf(options.after);
  for (let moved = -1; moved !== parts.compactions(); ) {
    moved = parts.compactions();
    const last = { pack: files.active.number, position: files.active.end };
    for (const pack of files.numbers()) {
      if (pack < seen.pack || pack > last.pack) continue;
      for (const record of await headersOf(files, pack)) {
        const place = { pack, position: record.position };
        if (!isBefore(seen, place) || !isBefore(place, last)) continue;
        throwIfCancelled(options.signal);
        const blob = await parts.read(record, pack);
        seen = place;
        if (blob !== undefined) yield { ...blob, token: `${pack}:${record.position}` };
      }
    }
  }
}

async function headersOf(files: PackFiles, pack: number): Promise<readonly PackRecord[]> {
  const records: PackRecord[] = [];
  // Compaction may have taken it away since the numbers were listed: what lived there moved on.
  if (!files.numbers().includes(pack)) return records;
  await files.use(pack, (file) =>
    scanPack(file, files.seed, (record) => {
      if (record.kind === 'blob') records.push(record);
    }),
  );
  return records;
}

function placeOf(token: string): Place {
  const found = /^([0-9]{1,10}):([0-9]{1,16})$/.exec(token);
  if (found === null) throw invalidToken(token);
  return { pack: Number(found[1]), position: Number(found[2]) };
}

function isBefore(a: Place, b: Place): boolean {
  return a.pack < b.pack || (a.pack === b.pack && a.position < b.position);
}
