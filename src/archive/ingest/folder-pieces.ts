// The pieces of a torrent that somebody else made, from its files as they lie on a disk: a v1 piece goes over
// the borders of files, and is given only when it is what the torrent says.

import { ArchiveError } from '#archive/errors.ts';
import type { PiecePlan } from './piece-plan.ts';
import type { Piece } from './swarm-download.ts';

/** Those bytes of a file, by its position; fewer when the file ends before. */
export type ReadPart = (position: number, start: number, end: number) => Promise<Uint8Array>;

/** In that order. @throws ArchiveError ARCHIVE_CONTENT_WRONG at the first piece that is another one */
export async function* folderPieces(
  { plan, read }: { readonly plan: PiecePlan; readonly read: ReadPart },
  needed: readonly number[],
  signal: AbortSignal,
): AsyncGenerator<Piece> {
  for (const piece of needed) {
    signal.throwIfAborted();
    const bytes = new Uint8Array(plan.pieceBytes(piece));
    const files: number[] = [];
    for (const { position, start, end } of plan.spansOf(piece)) {
      // Of a pad the zeros are there already.
      if (position === undefined) continue;
      const from = piece * plan.pieceLength + start - (plan.startOf(position) ?? 0);
      const part = await read(position, from, from + end - start);
      bytes.set(part.subarray(0, end - start), start);
      files.push(position);
    }
    if (!plan.isPiece(piece, bytes)) throw wrongPiece(piece, files);
    yield { piece, bytes };
  }
}

function wrongPiece(piece: number, files: readonly number[]): ArchiveError {
  const [first = 0, last = first] = [files[0], files.at(-1)];
  const which = first === last ? `file ${first + 1}` : `files ${first + 1} to ${last + 1}`;
  const message = `Piece ${piece}, of ${which} of the torrent, is another one on the disk`;
  return new ArchiveError('ARCHIVE_CONTENT_WRONG', message);
}
