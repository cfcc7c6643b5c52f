// A file or folder of this machine as content to make a torrent of: every regular file below it, in any
// order. Links and devices are left out and counted: a torrent has none.

import { lstatSync, opendirSync, type Stats } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { SystemDisk } from '#base/disk.ts';
import { codeOf } from '#base/errors.ts';
import { othersTurn } from '#base/steps.ts';
import { METAINFO_LIMITS } from '#wire/metainfo.ts';
import type { ContentFile, ContentReader } from '#wire/metainfo-maker.ts';
import { CliError } from './errors.ts';
import { printable } from './printable.ts';

const CHUNK_BYTES = 1024 * 1024;
const DEPTH_MAX = 100;
const FILES_A_TURN = 500;
const DISK = new SystemDisk();

export interface FolderFile extends ContentFile {
  /** Unix milliseconds, with fractions. */
  readonly modifiedMs: number;
}

export interface ContentFolder {
  readonly name: string;
  readonly singleFile: boolean;
  readonly files: readonly FolderFile[];
  readonly sizeBytes: number;
  /** Links, sockets, devices. */
  readonly leftOut: number;
}

/** Lets others have their turns while it looks. @throws CliError CLI_NOT_FOUND, CLI_REFUSED */
export async function readContentFolder(path: string): Promise<ContentFolder> {
  const found: FolderFile[] = [];
  const state = { leftOut: 0 };
  const stat = statOf(path);
  if (stat.isDirectory()) await walk(path, [], { found, state });
  else if (stat.isFile()) found.push(new FileOnDisk(dirname(path), [basename(path)], stat));
  else throw new CliError('CLI_REFUSED', `"${printable(path)}" is no file or folder`);
  const sizeBytes = found.reduce((sum, file) => sum + file.sizeBytes, 0);
  return {
    ...{ name: basename(path), singleFile: stat.isFile(), files: found, sizeBytes },
    leftOut: state.leftOut,
  };
}

interface Walk {
  readonly found: FolderFile[];
  readonly state: { leftOut: number };
}

async function walk(folder: string, below: readonly string[], to: Walk): Promise<void> {
  if (below.length > DEPTH_MAX) {
    throw new CliError('CLI_REFUSED', `"${printable(folder)}" is deeper than ${DEPTH_MAX} folders`);
  }
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    const stat = entryOf(path, name);
    if (stat.isDirectory()) await walk(path, [...below, name], to);
    // By `concat`, which makes room for no more than is there.
    else if (stat.isFile()) to.found.push(new FileOnDisk(folder, below.concat(name), stat));
    else to.state.leftOut += 1;
    if (to.found.length > METAINFO_LIMITS.filesMax) {
      const message = `"${printable(path)}" is one file more than the ${METAINFO_LIMITS.filesMax} of a torrent`;
      throw new CliError('CLI_REFUSED', message);
    }
    if (to.found.length % FILES_A_TURN === 0) await othersTurn();
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    using entries = opendirSync(folder, { bufferSize: FILES_A_TURN });
    for (let entry = entries.readSync(); entry !== null; entry = entries.readSync()) {
      names.push(entry.name);
      if (names.length % FILES_A_TURN === 0) await othersTurn();
    }
    return names;
  } catch (cause) {
    const message = `Cannot read "${printable(folder)}" (${codeOf(cause)})`;
    throw new CliError('CLI_NOT_FOUND', message, { cause });
  }
}

/** A name that is no UTF-8 is told with marks in its place, by which nothing is found. */
function entryOf(path: string, name: string): Stats {
  if (name.includes('\ufffd') && lstatSync(path, { throwIfNoEntry: false }) === undefined) {
    const message = `"${printable(path)}" is no UTF-8 on the disk, as names in a torrent are: rename it`;
    throw new CliError('CLI_REFUSED', message);
  }
  return statOf(path);
}

function statOf(path: string): Stats {
  try {
    return lstatSync(path);
  } catch (cause) {
    const message = `Cannot read "${printable(path)}" (${codeOf(cause)})`;
    throw new CliError('CLI_NOT_FOUND', message, { cause });
  }
}

/** One of hundreds of thousands: a class, so that each has no functions and no whole path of its own. */
class FileOnDisk implements FolderFile {
  readonly path: readonly string[];
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  readonly #folder: string;

  constructor(folder: string, path: readonly string[], stat: Stats) {
    this.#folder = folder;
    this.path = path;
    this.sizeBytes = stat.size;
    this.modifiedMs = stat.mtimeMs;
  }

  read(): AsyncIterable<Uint8Array> {
    return chunksOf(() => this.open(), this.sizeBytes);
  }

  open(): Promise<ContentReader> {
    return DISK.open(join(this.#folder, this.path.at(-1) ?? ''), { write: false });
  }
}

/** A chunk is good until the next one is asked for. */
async function* chunksOf(
  opened: () => Promise<ContentReader>,
  sizeBytes: number,
): AsyncGenerator<Uint8Array> {
  const file = await opened();
  try {
    // One byte more than the file has tells that it has grown.
    const room = new Uint8Array(Math.min(CHUNK_BYTES, sizeBytes + 1));
    for (let position = 0; ; ) {
      const read = await file.read(room, position);
      if (read === 0) return;
      position += read;
      yield room.subarray(0, read);
    }
  } finally {
    await file.close();
  }
}
