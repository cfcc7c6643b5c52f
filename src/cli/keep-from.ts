// A torrent of the catalogue taken into the archive from its files on this machine, whoever made it: every
// piece is compared with what the torrent says.

import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { keepTaken, unwantTorrent, wantTorrent } from '#archive/catalogue/wanted-torrents.ts';
import { folderPieces, type ReadPart } from '#archive/ingest/folder-pieces.ts';
import { PiecePlan } from '#archive/ingest/piece-plan.ts';
import { takeTorrent } from '#archive/ingest/take-torrent.ts';
import { codeOf } from '#base/errors.ts';
import { endInTurns } from '#base/steps.ts';
import { torrentFile } from '#site/catalogue/torrent-file.ts';
import { type Metainfo, parseInSteps } from '#wire/metainfo.ts';
import type { Output } from './command.ts';
import { CliError } from './errors.ts';
import type { Rooms } from './rooms.ts';

/**
 * `path`: the torrent's file, or the folder that its files lie in. Interrupted, it goes on with the file it
 * was at. @throws ArchiveError ARCHIVE_CONTENT_WRONG; CliError CLI_NOT_FOUND
 */
export async function keepFrom(
  rooms: Rooms,
  torrent: { readonly id: number; readonly path: string },
  output: Output,
): Promise<void> {
  const { sql, clock, archive } = rooms;
  const { id, path } = torrent;
  const bytes = await torrentFile(sql, id);
  const parsed = bytes && (await endInTurns(parseInSteps(bytes)));
  if (parsed?.ok !== true) throw new CliError('CLI_NOT_FOUND', 'The torrent has no file here');
  const { metainfo } = parsed;
  const plan = new PiecePlan(metainfo);
  const files = new FilesOf(metainfo, path);
  const isNew = await wantTorrent(sql, id, clock.nowMs());
  let done = 0;
  try {
    await takeTorrent(
      { ...archive, store: await archive.store() },
      {
        ...{ torrentId: id, plan, signal: output.signal },
        pieces: (needed, signal) => folderPieces({ plan, read: files.read }, needed, signal),
        onBytes(taken) {
          done += taken;
          output.progress({ what: 'bytes taken', done, total: plan.streamBytes });
        },
      },
    );
    await keepTaken(sql, { id, files: plan.fileBytes.length, nowMs: clock.nowMs() });
  } catch (error) {
    if (isNew && codeOf(error) === 'ARCHIVE_CONTENT_WRONG') {
      await unwantTorrent(sql, id, clock.nowMs());
    }
    throw error;
  } finally {
    files.close();
  }
}

/** The files of a torrent under a path; the one that was read last stays open. */
class FilesOf {
  readonly #paths: readonly string[];
  #open: { readonly position: number; readonly descriptor: number } | undefined;

  constructor(metainfo: Pick<Metainfo, 'files' | 'singleFile' | 'name'>, path: string) {
    const own = metainfo.files.filter((file) => !file.pad);
    const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
    const only = isFolder ? join(path, metainfo.name) : path;
    this.#paths = metainfo.singleFile ? [only] : own.map((file) => join(path, ...file.path));
  }

  readonly read: ReadPart = async (position, start, end) => {
    const bytes = new Uint8Array(end - start);
    const descriptor = this.#descriptor(position);
    let filled = 0;
    while (filled < bytes.length) {
      const count = readSync(descriptor, bytes, filled, bytes.length - filled, start + filled);
      if (count === 0) break;
      filled += count;
    }
    return bytes.subarray(0, filled);
  };

  close(): void {
    if (this.#open !== undefined) closeSync(this.#open.descriptor);
    this.#open = undefined;
  }

  #descriptor(position: number): number {
    if (this.#open?.position === position) return this.#open.descriptor;
    this.close();
    const path = this.#paths[position] ?? '';
    try {
      this.#open = { position, descriptor: openSync(path, 'r') };
      return this.#open.descriptor;
    } catch (cause) {
      throw new CliError('CLI_NOT_FOUND', `Cannot read "${path}" (${codeOf(cause)})`, { cause });
    }
  }
}
