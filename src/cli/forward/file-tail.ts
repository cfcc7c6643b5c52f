// Follows one path as a program writes and rotates it, and gives its lines with the position after
// each read. Rotation by rename: the old file is read to its end, wherever it was moved in its folder,
// then files born between, then the new one. By copy and truncate: what was not read yet is read from
// the copy, then the file from its beginning. A line without an end waits for it, unless its file is
// finished. A call gives what is there and does not wait.

import {
  closeSync,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  type Stats,
  statSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { codeOf } from '#base/errors.ts';
import type { FilePosition } from './forward-state.ts';

const HEAD_BYTES = 64;
const READ_BYTES = 64 * 1024;
/** Looks without news after which a file that has a follower is taken as finished. */
const QUIET_LOOKS = 3;
const LINE_FEED = 10;

export interface TailedLines {
  readonly lines: readonly Uint8Array[];
  /** To be kept with the lines: where to go on after them. */
  readonly position: FilePosition | undefined;
}

interface OpenFile {
  readonly descriptor: number;
  readonly device: number;
  readonly inode: number;
  readonly bornMs: number;
  offset: number;
  head: Buffer;
  quietLooks: number;
}

export class FileTail {
  readonly path: string;
  readonly #lineBytesMax: number;
  readonly #fromStart: boolean;
  #file: OpenFile | undefined;
  #start: FilePosition | undefined;
  /** Nobody has looked yet. */
  #isFirst = true;

  constructor(options: {
    readonly path: string;
    /** Longer lines are cut into pieces of this size. */
    readonly lineBytesMax: number;
    /** Where an earlier run stopped. */
    readonly position: FilePosition | undefined;
    /** Without a position: the whole file, or only what is added from now on. */
    readonly fromStart: boolean;
  }) {
    this.path = options.path;
    this.#lineBytesMax = options.lineBytesMax;
    this.#start = options.position;
    this.#fromStart = options.fromStart;
  }

  get position(): FilePosition | undefined {
    const file = this.#file;
    if (file === undefined) return this.#start;
    const { device, inode, bornMs, offset, head } = file;
    return { device, inode, bornMs, offset, head: head.toString('hex') };
  }

  /** Lines that are there, up to about `bytesMax` of them. Empty when there is nothing new. */
  read(bytesMax: number): TailedLines {
    const lines: Uint8Array[] = [];
    for (let left = bytesMax; left > 0; ) {
      if (this.#file === undefined && !this.#openFirst()) break;
      const file = this.#file;
      if (file === undefined) break;
      if (this.#wasTruncated(file)) {
        this.#goOnInCopy(file);
        continue;
      }
      const isFinished = file.quietLooks >= QUIET_LOOKS;
      const taken = this.#take(file, Math.min(left, READ_BYTES), isFinished, lines);
      left -= taken;
      if (taken > 0) {
        file.quietLooks = 0;
        continue;
      }
      if (isFinished && this.#openNext(file)) continue;
      if (this.#hasFollower(file)) file.quietLooks++;
      else file.quietLooks = 0;
      break;
    }
    return { lines, position: this.position };
  }

  /** Everything is read, the last line without an end as well: for a file that nobody writes any more. */
  readRest(): TailedLines {
    const lines: Uint8Array[] = [];
    const file = this.#file;
    if (file !== undefined) while (this.#take(file, READ_BYTES, true, lines) > 0) {}
    return { lines, position: this.position };
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file.descriptor);
    this.#file = undefined;
  }

  #openFirst(): boolean {
    const start = this.#start;
    if (start !== undefined) {
      const path = this.#findInode(start.device, start.inode);
      if (path !== undefined && this.#open(path, start.offset, start.head)) return true;
      const next = this.#bornAfter(start.bornMs, start.inode)[0] ?? this.path;
      return this.#open(next, 0);
    }
    const found = stat(this.path);
    if (found === undefined) {
      this.#isFirst = false;
      return false;
    }
    // What is there when nobody has ever looked is old; a file that comes later is new.
    const isOld = this.#isFirst && !this.#fromStart;
    return this.#open(this.path, isOld ? found.size : 0);
  }

  /** False when the file is not there any more. */
  #open(path: string, offset: number, head?: string): boolean {
    let descriptor: number;
    try {
      descriptor = openSync(path, 'r');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false;
      throw error;
    }
    const { dev, ino, birthtimeMs } = fstatSync(descriptor);
    this.close();
    this.#file = {
      descriptor,
      device: dev,
      inode: ino,
      bornMs: birthtimeMs,
      offset,
      head: head === undefined ? readHead(descriptor) : Buffer.from(head, 'hex'),
      quietLooks: 0,
    };
    return true;
  }

  /** Reads a piece and takes its whole lines; how many bytes it moved on. */
  #take(file: OpenFile, bytesMax: number, isFinished: boolean, lines: Uint8Array[]): number {
    let piece = Buffer.allocUnsafe(bytesMax);
    let length = readSync(file.descriptor, piece, 0, bytesMax, file.offset);
    if (length === 0) return 0;
    if (length === bytesMax && piece.indexOf(LINE_FEED) < 0) {
      // A long line: as much of it as one may have, and its end.
      piece = Buffer.allocUnsafe(this.#lineBytesMax + 1);
      length = readSync(file.descriptor, piece, 0, piece.byteLength, file.offset);
    }
    if (file.head.byteLength < HEAD_BYTES) file.head = readHead(file.descriptor);
    let at = 0;
    while (at < length) {
      const end = piece.indexOf(LINE_FEED, at);
      const isEnded = end >= 0 && end < length;
      const lineEnd = isEnded ? end : length;
      if (lineEnd - at > this.#lineBytesMax) {
        lines.push(piece.subarray(at, at + this.#lineBytesMax));
        at += this.#lineBytesMax;
        continue;
      }
      if (!isEnded && !isFinished) break;
      lines.push(withoutReturn(piece.subarray(at, lineEnd)));
      at = isEnded ? lineEnd + 1 : lineEnd;
    }
    file.offset += at;
    return at;
  }

  #wasTruncated(file: OpenFile): boolean {
    const size = fstatSync(file.descriptor).size;
    if (size < file.offset) return true;
    if (file.offset === 0 || file.head.byteLength === 0) return false;
    const now = Buffer.alloc(file.head.byteLength);
    const length = readSync(file.descriptor, now, 0, now.byteLength, 0);
    return length < now.byteLength || !now.equals(file.head);
  }

  /** Copy and truncate: the rest stands in the copy, which is taken as a finished file of its own. */
  #goOnInCopy(file: OpenFile): void {
    const { offset, head, inode } = file;
    const newest = (path: string): number => stat(path)?.birthtimeMs ?? 0;
    for (const path of this.#siblings().sort((a, b) => newest(b) - newest(a))) {
      const found = stat(path);
      if (found === undefined || found.ino === inode || found.size < offset) continue;
      const descriptor = openSync(path, 'r');
      const isCopy = readHead(descriptor, head.byteLength).equals(head) && head.byteLength > 0;
      closeSync(descriptor);
      if (isCopy && found.size > offset && this.#open(path, offset)) {
        // Nobody writes it; the original follows.
        if (this.#file !== undefined) this.#file.quietLooks = QUIET_LOOKS;
        return;
      }
    }
    file.offset = 0;
    file.head = readHead(file.descriptor);
  }

  #hasFollower(file: OpenFile): boolean {
    const found = stat(this.path);
    if (found !== undefined && found.ino === file.inode && found.dev === file.device) return false;
    return found !== undefined || this.#bornAfter(file.bornMs, file.inode).length > 0;
  }

  #openNext(file: OpenFile): boolean {
    const between = this.#bornAfter(file.bornMs, file.inode)[0];
    return this.#open(between ?? this.path, 0);
  }

  #findInode(device: number, inode: number): string | undefined {
    for (const path of [this.path, ...this.#siblings()]) {
      const found = stat(path);
      if (found !== undefined && found.ino === inode && found.dev === device) return path;
    }
    return undefined;
  }

  /** Rotated files that were made after that one, oldest first. */
  #bornAfter(bornMs: number, inode: number): string[] {
    const found: { readonly path: string; readonly bornMs: number }[] = [];
    for (const path of this.#siblings()) {
      const stats = stat(path);
      if (stats === undefined || stats.ino === inode || stats.birthtimeMs <= bornMs) continue;
      found.push({ path, bornMs: stats.birthtimeMs });
    }
    const live = stat(this.path)?.birthtimeMs ?? Infinity;
    return found
      .filter((one) => one.bornMs < live)
      .sort((a, b) => a.bornMs - b.bornMs)
      .map((one) => one.path);
  }

  /** Files of the folder that begin with this one's name; compressed ones cannot be followed. */
  #siblings(): string[] {
    const folder = dirname(this.path);
    const name = basename(this.path);
    return readdirSync(folder)
      .filter((one) => one !== name && one.startsWith(name) && !/\.(?:gz|xz|zst|bz2)$/.test(one))
      .map((one) => join(folder, one));
  }
}

function readHead(descriptor: number, length = HEAD_BYTES): Buffer {
  const head = Buffer.alloc(length);
  return head.subarray(0, readSync(descriptor, head, 0, length, 0));
}

function stat(path: string): Stats | undefined {
  return statSync(path, { throwIfNoEntry: false });
}

function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === 13 ? line.subarray(0, -1) : line;
}
