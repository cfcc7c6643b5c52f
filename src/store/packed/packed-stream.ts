// All blobs of a packed store in the order of the medium. Headers of one pack are read at a time, then
// the bodies of what still lives there, a few of them ahead of who listens: so one is read while another
// is hashed.
//
// A token is `<pack>:<position>` of the record it came with. Compaction moves what lives in a pack to
// the end of the newest, so a stream that began before goes on until it has read all that stood there
// when nothing had been moved for a whole round: a blob may come twice, never not at all. What is put
// meanwhile does not make it longer otherwise.

import { throwIfCancelled } from '#store/calls.ts';
import { invalidToken, type StreamedBlob, type StreamOptions } from '#store/store.ts';
import { type PackRecord, scanPack } from './pack.ts';
import type { PackFiles } from './pack-files.ts';

const AHEAD_BYTES = 16 * 1024 * 1024;
const AHEAD_BLOBS = 64;

interface Place {
  readonly pack: number;
  readonly position: number;
}

export interface StreamParts {
  readonly files: PackFiles;
  /** Counts the blobs that compaction has moved, each before it is found in its new place. */
  readonly moves: () => number;
  /** The blob of this record, unless it lives elsewhere or was removed. */
  readonly read: (
    record: PackRecord,
    pack: number,
  ) => Promise<Omit<StreamedBlob, 'token'> | undefined>;
}

interface Ahead {
  readonly place: Place;
  readonly bytes: number;
  readonly blob: Promise<Omit<StreamedBlob, 'token'> | undefined>;
}

export async function* streamPacks(
  parts: StreamParts,
  options: StreamOptions,
): AsyncGenerator<StreamedBlob> {
  const { files } = parts;
  let seen = options.after === undefined ? { pack: 0, position: 0 } : placeOf(options.after);
  for (let moved = -1; moved !== parts.moves(); ) {
    moved = parts.moves();
    const last = { pack: files.active.number, position: files.active.end };
    for await (const { place, blob } of readAhead(parts, { seen, last })) {
      throwIfCancelled(options.signal);
      seen = place;
      if (blob !== undefined) yield { ...blob, token: `${place.pack}:${place.position}` };
    }
  }
}

/** In order, what lies behind `seen` and before `last`. */
async function* readAhead(
  parts: StreamParts,
  { seen, last }: { readonly seen: Place; readonly last: Place },
): AsyncGenerator<{ readonly place: Place; readonly blob: Awaited<Ahead['blob']> }> {
  const ahead: Ahead[] = [];
  let aheadBytes = 0;
  const oldest = async () => {
    const { place, bytes, blob } = ahead.shift() as Ahead;
    aheadBytes -= bytes;
    return { place, blob: await blob };
  };
  try {
    for (const pack of parts.files.numbers()) {
      if (pack < seen.pack || pack > last.pack) continue;
      for (const record of await headersOf(parts.files, pack)) {
        const place = { pack, position: record.position };
        if (!isBefore(seen, place) || !isBefore(place, last)) continue;
        while (ahead.length >= AHEAD_BLOBS || (ahead.length > 0 && aheadBytes >= AHEAD_BYTES)) {
          yield await oldest();
        }
        const blob = parts.read(record, pack);
        // Told when its turn comes.
        blob.catch(() => {});
        ahead.push({ place, bytes: record.bytes, blob });
        aheadBytes += record.bytes;
      }
    }
    while (ahead.length > 0) yield await oldest();
  } finally {
    // Who stops listening may close the store: nothing of it is in use then.
    await Promise.allSettled(ahead.map(({ blob }) => blob));
  }
}

async function headersOf(files: PackFiles, pack: number): Promise<readonly PackRecord[]> {
  const records: PackRecord[] = [];
  // Compaction may have taken it away since the numbers were listed: what lived there moved on.
  const seed = files.seedOf(pack);
  if (seed === undefined) return records;
  const onRecord = (record: PackRecord): void => {
    if (record.kind === 'blob') records.push(record);
  };
  try {
    await files.use(pack, (file) => scanPack(file, seed, onRecord));
  } catch (error) {
    if (files.numbers().includes(pack)) throw error;
  }
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
