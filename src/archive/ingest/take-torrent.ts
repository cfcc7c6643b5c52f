// Takes a whole torrent into the archive: verified pieces, in order, become files. A file that is whole is
// written down at once, so that what was interrupted goes on with the file it was at. Zeros of pad files
// are left out.

import { saveTaken, takenFiles } from '#archive/catalogue/wanted-torrents.ts';
import type { ArchiveConfig } from '#archive/config.ts';
import { FileWriter, type FileWriterWorld } from '#archive/content/file-writer.ts';
import { ArchiveError } from '#archive/errors.ts';
import { bytesEqual } from '#base/bytes.ts';
import type { Clock } from '#base/clock.ts';
import type { Sql } from '#sql/sql.ts';
import type { PiecePlan } from './piece-plan.ts';
import type { Piece } from './swarm-download.ts';

export interface TakeWorld extends FileWriterWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly config: ArchiveConfig;
}

export interface Taking {
  readonly torrentId: number;
  readonly plan: PiecePlan;
  /** Gives those pieces in that order. */
  readonly pieces: (needed: readonly number[], signal: AbortSignal) => AsyncIterable<Piece>;
  readonly signal: AbortSignal;
  /** Told as pieces are taken. */
  readonly onBytes?: (bytes: number) => void;
}

/**
 * Every file is stored and written down when it resolves. @throws ArchiveError ARCHIVE_CONTENT_WRONG when a
 * hybrid torrent's v1 pieces are not the files that its roots name; StoreError; the signal's reason
 */
export async function takeTorrent(world: TakeWorld, taking: Taking): Promise<void> {
  const { torrentId, plan, signal } = taking;
  const taken = await takenFiles(world.sql, torrentId);
  const isWanted = (position: number): boolean => !taken.has(position);
  for (const [position, bytes] of plan.fileBytes.entries()) {
    if (bytes === 0 && isWanted(position)) await finishFile(world, taking, { position });
  }
  const needed = [...plan.piecesOf(isWanted)];
  let open: OpenFile | undefined;
  try {
    for await (const { piece, bytes } of taking.pieces(needed, signal)) {
      for (const { position, start, end } of plan.spansOf(piece)) {
        if (position === undefined || !isWanted(position)) continue;
        open ??= openFile(world, taking, position);
        await open.writer.write(bytes.subarray(start, end));
        open.left -= end - start;
        if (open.left > 0) continue;
        await finishFile(world, taking, open);
        open = undefined;
      }
      taking.onBytes?.(bytes.length);
    }
  } finally {
    await open?.writer.abandon();
  }
}

interface OpenFile {
  readonly position: number;
  readonly writer: FileWriter;
  left: number;
}

function openFile(world: TakeWorld, taking: Taking, position: number): OpenFile {
  const { torrentId, plan, signal } = taking;
  const bytes = plan.fileBytes[position] ?? 0;
  const { segmentBytes } = world.config;
  const place = { folder: `torrent ${torrentId}`, name: `${position}`, order: position };
  const writer = new FileWriter(world, { bytes, segmentBytes, place, signal });
  return { position, writer, left: bytes };
}

async function finishFile(
  world: TakeWorld,
  { torrentId, plan }: Taking,
  file: { readonly position: number; readonly writer?: FileWriter },
): Promise<void> {
  const written = await file.writer?.finish();
  const { position } = file;
  const root = plan.rootOf(position);
  if (root !== undefined && !bytesEqual(root, written?.map?.root ?? new Uint8Array(0))) {
    throw new ArchiveError('ARCHIVE_CONTENT_WRONG', `File ${position} has not the root it should`);
  }
  await saveTaken(world.sql, { torrentId, position, written, nowMs: world.clock.nowMs() });
}
