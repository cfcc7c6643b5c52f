// A file or folder of this machine as content to make a torrent of: every regular file below it, in any
// order. Links and devices are left out and counted: a torrent has none.

import { lstatSync, readdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { codeOf } from '#base/errors.ts';
import { METAINFO_LIMITS } from '#wire/metainfo.ts';
import type { ContentFile } from '#wire/metainfo-maker.ts';
import { CliError } from './errors.ts';

const CHUNK_BYTES = 1024 * 1024;
const DEPTH_MAX = 100;

export interface ContentFolder {
  readonly name: string;
  readonly singleFile: boolean;
  readonly files: readonly ContentFile[];
  readonly sizeBytes: number;
  /** Links, sockets, devices. */
  readonly leftOut: number;
}

/** @throws CliError CLI_NOT_FOUND, CLI_REFUSED */
export function readContentFolder(path: string): ContentFolder {
  const found: ContentFile[] = [];
  const state = { leftOut: 0 };
  const kind = kindOf(path);
  if (kind === 'other') throw new CliError('CLI_REFUSED', `"${path}" is no file or folder`);
  if (kind === 'file') found.push(contentFile(path, [basename(path)]));
  else walk(path, [], { found, state });
  const sizeBytes = found.reduce((sum, file) => sum + file.sizeBytes, 0);
  return {
    ...{ name: basename(path), singleFile: kind === 'file', files: found, sizeBytes },
    leftOut: state.leftOut,
  };
}

interface Walk {
  readonly found: ContentFile[];
  readonly state: { leftOut: number };
}

function walk(folder: string, below: readonly string[], to: Walk): void {
  if (below.length > DEPTH_MAX) {
    throw new CliError('CLI_REFUSED', `"${folder}" is deeper than ${DEPTH_MAX} folders`);
  }
  for (const name of namesIn(folder)) {
    const path = join(folder, name);
    const kind = kindOf(path);
    if (kind === 'folder') walk(path, [...below, name], to);
    else if (kind === 'file') to.found.push(contentFile(path, [...below, name]));
    else to.state.leftOut += 1;
    if (to.found.length > METAINFO_LIMITS.filesMax) {
      const message = `"${path}" is one file more than the ${METAINFO_LIMITS.filesMax} of a torrent`;
      throw new CliError('CLI_REFUSED', message);
    }
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    throw new CliError('CLI_NOT_FOUND', `Cannot read "${folder}" (${codeOf(cause)})`, { cause });
  }
}

function kindOf(path: string): 'file' | 'folder' | 'other' {
  try {
    const stat = lstatSync(path);
    return stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : 'other';
  } catch (cause) {
    throw new CliError('CLI_NOT_FOUND', `Cannot read "${path}" (${codeOf(cause)})`, { cause });
  }
}

function contentFile(path: string, inTorrent: readonly string[]): ContentFile {
  const sizeBytes = lstatSync(path).size;
  return { path: inTorrent, sizeBytes, read: () => chunksOf(path, sizeBytes) };
}

/** A chunk is good until the next one is asked for. */
async function* chunksOf(path: string, sizeBytes: number): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r');
  try {
    // One byte more than the file has tells that it has grown.
    const room = new Uint8Array(Math.min(CHUNK_BYTES, sizeBytes + 1));
    for (;;) {
      const { bytesRead } = await file.read(room, 0, room.length);
      if (bytesRead === 0) return;
      yield room.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
