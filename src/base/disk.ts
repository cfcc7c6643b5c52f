// The disk, a seam of the world. log/ and store/ write through it, so that sim/disk.ts can tear,
// drop and reorder what was not synced. Semantics are POSIX's where durability is concerned:
// written bytes are safe only after `datasync`, a new or removed name only after `syncFolder`.
// Paths are absolute. All errors are Node's system errors with their `code` (`ENOENT`, `ENOSPC`).

import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  fdatasync,
  fstat,
  fstatSync,
  fsyncSync,
  ftruncate,
  mkdirSync,
  openSync,
  read,
  readdirSync,
  renameSync,
  statSync,
  unlinkSync,
  write,
  writeSync,
  writev,
} from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { codeOf } from '#base/errors.ts';

/** Writes up to this size are made in place; larger ones in libuv's pool. */
const IN_PLACE_BYTES_MAX = 256 * 1024;

export interface Disk {
  /** Opens an existing file. `write` is false: writing through it fails with EBADF. */
  open(path: string, mode: { readonly write: boolean }): Promise<DiskFile>;
  /** Makes a new file for reading and writing; EEXIST when the name is taken. */
  create(path: string): Promise<DiskFile>;
  /** Names (not paths) in a folder, sorted by code unit. ENOENT when there is no such folder. */
  list(folder: string): Promise<string[]>;
  /** Undefined when there is nothing of that name. */
  stat(path: string): Promise<DiskStat | undefined>;
  /** Makes the folder and its parents; fine when it exists. */
  makeFolder(folder: string): Promise<void>;
  /** Replaces `to` atomically. Durable after `syncFolder` of both folders. */
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes names in this folder durable. */
  syncFolder(folder: string): Promise<void>;
  /**
   * Takes the lock that this file stands for, which is made when it is missing and must be for nothing
   * else; undefined while another process has it, or another part of this one. It ends with the process.
   */
  lock(path: string): Promise<DiskLock | undefined>;
}

export interface DiskLock {
  /** Idempotent. */
  release(): void;
}

export interface DiskStat {
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  /** When its bytes, its name or its rights changed last; nobody can set it back. 0 where unknown. */
  readonly changedMs: number;
  /** Tells files of one file system apart; 0 where unknown. */
  readonly inode: number;
  readonly isFolder: boolean;
}

export interface DiskFile {
  /** Reads into `into` from `position`; returns how many bytes, fewer only at the end of the file. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Writes all of `bytes` at `position` or fails; on failure any part may have been written. */
  write(bytes: Uint8Array, position: number, how?: WriteHow): Promise<void>;
  /**
   * Where it can: as many `write`s with `isDirect`, one behind the other from `position` on, by one call of
   * the system. False: it may have written any part, and `write` must do.
   */
  writeDirectly?(parts: readonly Uint8Array[], position: number): Promise<boolean>;
  /** fdatasync: data and size are on disk when it resolves. After a failure nothing is known. */
  datasync(): Promise<void>;
  truncate(sizeBytes: number): Promise<void>;
  sizeBytes(): Promise<number>;
  /** An error of close counts as a failed write. Idempotent. */
  close(): Promise<void>;
  /** Only of a file of this machine that is open: what other calls of the system take it by. */
  readonly own?: OwnFile | undefined;
}

export interface WriteHow {
  /**
   * Past the system's cache, where it can: for much that is not read again soon. The bytes must begin and end
   * a page of 4 KiB in memory and in the file, and nobody may read those pages of the file meanwhile. Else,
   * and where there is no such way, it is a write like any other.
   */
  readonly isDirect?: boolean;
}

export interface OwnFile {
  /** Until the file is closed. */
  readonly descriptor: number;
  /** When its bytes, its name or its rights changed last, ns; nobody can set it back. */
  changedNs(): bigint;
}

/** The machine's own disk by node:fs. Data calls run in libuv's pool; names are made in place. */
export class SystemDisk implements Disk {
  async open(path: string, mode: { readonly write: boolean }): Promise<DiskFile> {
    return new SystemFile(openSync(path, mode.write ? constants.O_RDWR : constants.O_RDONLY));
  }

  async create(path: string): Promise<DiskFile> {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL;
    return new SystemFile(openSync(path, flags, 0o600));
  }

  async list(folder: string): Promise<string[]> {
    return readdirSync(folder).sort();
  }

  async stat(path: string): Promise<DiskStat | undefined> {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) return undefined;
    const { size: sizeBytes, mtimeMs: modifiedMs, ctimeMs: changedMs, ino: inode } = found;
    return { sizeBytes, modifiedMs, changedMs, inode, isFolder: found.isDirectory() };
  }

  async makeFolder(folder: string): Promise<void> {
    makeFolders(folder);
  }

  async rename(from: string, to: string): Promise<void> {
    renameSync(from, to);
  }

  async remove(path: string): Promise<void> {
    unlinkSync(path);
  }

  async syncFolder(folder: string): Promise<void> {
    const descriptor = openSync(folder, constants.O_RDONLY);
    try {
      fsyncSync(descriptor);
    } catch (error) {
      // File systems that are never written, as that of a CD, have no such way for folders.
      if (codeOf(error) !== 'EINVAL') throw error;
    } finally {
      closeSync(descriptor);
    }
  }

  async lock(path: string): Promise<DiskLock | undefined> {
    return lockFile(path);
  }
}

/** Not by `recursive`: under a folder that takes no names, as /proc, that one never comes back. */
function makeFolders(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return;
  const parent = dirname(folder);
  if (parent !== folder) makeFolders(parent);
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    // Somebody else may have made it meanwhile.
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) throw error;
  }
}

/** A lock of SQLite's on an empty database: the operating system's own, of which Node gives no other. */
function lockFile(path: string): DiskLock | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    database.exec('pragma locking_mode = exclusive; begin exclusive; commit');
    chmodSync(path, 0o600);
  } catch (error) {
    database?.close();
    if (error instanceof Error && /locked|busy/i.test(error.message)) return undefined;
    throw readOnlyError(dirname(path)) ?? error;
  }
  const held = database;
  return {
    release(): void {
      if (held.isOpen) held.close();
    },
  };
}

/** The system's error, of a folder on a file system that can only be read: SQLite has one for all. */
function readOnlyError(folder: string): unknown {
  try {
    accessSync(folder, constants.W_OK);
    return undefined;
  } catch (error) {
    return codeOf(error) === 'EROFS' ? error : undefined;
  }
}

/** Some file systems have no such way, others' kernels no such path. */
function openDirectly(descriptor: number): number | 'none' {
  if (constants.O_DIRECT === undefined) return 'none';
  try {
    return openSync(`/proc/self/fd/${descriptor}`, constants.O_RDWR | constants.O_DIRECT);
  } catch {
    return 'none';
  }
}

class SystemFile implements DiskFile {
  readonly own: OwnFile;
  readonly #descriptor: number;
  /** The same file, past the system's cache; opened when it is first written so. */
  #direct: number | 'none' | undefined;
  #open = true;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
    const changedNs = (): bigint => fstatSync(descriptor, { bigint: true }).ctimeNs;
    this.own = { descriptor, changedNs };
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      let filled = 0;
      const next = (): void => {
        const room = into.byteLength - filled;
        read(this.#descriptor, into, filled, room, position + filled, (error, count) => {
          if (error !== null) reject(error);
          else if (count === 0 || filled + count === into.byteLength) resolve(filled + count);
          else {
            filled += count;
            next();
          }
        });
      };
      next();
    });
  }

  async write(bytes: Uint8Array, position: number, how: WriteHow = {}): Promise<void> {
    if (how.isDirect === true && (await this.writeDirectly([bytes], position))) return;
    await this.#write(bytes, position);
  }

  writeDirectly(parts: readonly Uint8Array[], position: number): Promise<boolean> {
    this.#direct ??= openDirectly(this.#descriptor);
    const descriptor = this.#direct;
    if (descriptor === 'none') return Promise.resolve(false);
    const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0);
    return new Promise((resolve, reject) => {
      writev(descriptor, [...parts], position, (error, count) => {
        // A disk that writes larger sectors at once, or memory that lies otherwise.
        if (error?.code === 'EINVAL') resolve(false);
        else if (error !== null) reject(error);
        else resolve(count === bytes);
      });
    });
  }

  #write(bytes: Uint8Array, position: number): Promise<void> {
    return new Promise((resolve, reject) => {
      let done = 0;
      if (bytes.byteLength <= IN_PLACE_BYTES_MAX) {
        // Into the page cache, as the memory it is: a trip through the pool would cost more.
        while (done < bytes.byteLength) {
          done += writeSync(
            this.#descriptor,
            bytes,
            done,
            bytes.byteLength - done,
            position + done,
          );
        }
        resolve();
        return;
      }
      const next = (): void => {
        const left = bytes.byteLength - done;
        write(this.#descriptor, bytes, done, left, position + done, (error, count) => {
          if (error !== null) reject(error);
          else if (done + count >= bytes.byteLength) resolve();
          else {
            done += count;
            next();
          }
        });
      };
      next();
    });
  }

  datasync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fdatasync(this.#descriptor, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  truncate(sizeBytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      ftruncate(this.#descriptor, sizeBytes, (error) =>
        error === null ? resolve() : reject(error),
      );
    });
  }

  sizeBytes(): Promise<number> {
    return new Promise((resolve, reject) => {
      fstat(this.#descriptor, (error, stats) =>
        error === null ? resolve(stats.size) : reject(error),
      );
    });
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    if (typeof this.#direct === 'number') closeSync(this.#direct);
    closeSync(this.#descriptor);
  }
}
