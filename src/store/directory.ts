// The store in a directory: a file for each blob, `<folder>/<2 digits>/<ref>`, where the digits are the
// first two of the hash. For those who want to see and copy their blobs with other tools; a put costs
// three syncs (file, name), so many small blobs are the packed store's business.
//
// A put writes `<ref>.<n>.new` beside the file, syncs it, renames it and syncs the folder. What a crash
// leaves behind ends in `.new` and is removed when the store is opened; other files that are no blobs are
// left alone and not seen. There is no index: names are the index.
//
// A blob whose bytes are found wrong gets an empty file `<ref>.wrong` beside it, until it is put again,
// removed, or read well: so that whoever opens the store next puts it again, too.

import type { Disk } from '#base/disk.ts';
import { makeDurableFolder } from '#base/durable-folder.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import { Slots } from '#base/slots.ts';
import { Gate, throwIfCancelled, unlessCancelled } from './calls.ts';
import { StoreError } from './errors.ts';
import { takePlace } from './place.ts';
import {
  assertBlob,
  BLOB_BYTES_MAX,
  type BlobInfo,
  type BlobSource,
  type CallOptions,
  type ListOptions,
  missing,
  type PutOptions,
  type PutResult,
  readVerified,
  type Store,
  type StoreStats,
  sliceRange,
  walkStore,
} from './store.ts';
import { Turns } from './turns.ts';

/** Files open at once. */
const FILES_MAX = 16;
const HASH_AT = 'sha256-'.length;
const WRONG = '.wrong';
const LEFT_BEHIND = /^sha256-[0-9a-f]{64}\.[0-9]+\.new$/;

export interface DirectoryWorld {
  readonly folder: string;
  readonly disk: Disk;
  /** Files that somebody else keeps in the same folder. */
  readonly beside?: readonly string[];
}

export class DirectoryStore implements Store {
  readonly #world: DirectoryWorld;
  readonly #gate = new Gate();
  readonly #slots = new Slots(FILES_MAX);
  readonly #turns = new Turns();
  readonly #folders: Set<string>;
  /** Names whose file is not to be trusted: a put of one writes it again. */
  readonly #doubtful = new Set<BlobRef>();
  /** Blobs that were found wrong. */
  readonly #wrong: Set<BlobRef>;
  #counter = 0;

  private constructor(world: DirectoryWorld, found: Found) {
    this.#world = world;
    this.#folders = found.folders;
    this.#wrong = new Set(found.wrong);
  }

  /** Makes the folder when there is none; else clears what a crash left. One process at a time. */
  static async open(world: DirectoryWorld): Promise<DirectoryStore> {
    try {
      return new DirectoryStore(world, await recover(world));
    } catch (error) {
      if (error instanceof StoreError) throw error;
      throw new StoreError('STORE_READ_FAILED', `Cannot open "${world.folder}"`, { cause: error });
    }
  }

  async put(source: BlobSource, options: PutOptions = {}): Promise<PutResult> {
    this.#gate.enter(options.signal);
    const { ref, bytes } = await readVerified(source, options);
    this.#gate.enter(options.signal);
    const done = this.#change(ref, () => this.#write(ref, bytes, options.signal));
    return { ref, bytes: bytes.byteLength, new: await unlessCancelled(done, options.signal) };
  }

  async get(ref: BlobRef, options: CallOptions = {}): Promise<Uint8Array> {
    this.#gate.enter(options.signal);
    const bytes = await this.#slots.use(() => this.#read(ref));
    throwIfCancelled(options.signal);
    try {
      assertBlob(ref, bytes);
    } catch (error) {
      await this.#change(ref, () => this.#mark(ref, true));
      throw error;
    }
    if (this.#wrong.has(ref)) await this.#change(ref, () => this.#mark(ref, false));
    return bytes;
  }

  isKnownCorrupt(ref: BlobRef): boolean {
    return this.#wrong.has(ref);
  }

  async getRange(
    ref: BlobRef,
    range: { readonly start: number; readonly end: number },
    options: CallOptions = {},
  ): Promise<Uint8Array> {
    return sliceRange(await this.get(ref, options), range);
  }

  async stat(refs: readonly BlobRef[], options: CallOptions = {}): Promise<BlobInfo[]> {
    const found: BlobInfo[] = [];
    for (const ref of refs) {
      this.#gate.enter(options.signal);
      const stat = await this.#world.disk.stat(this.#path(ref));
      if (stat !== undefined) found.push({ ref, bytes: stat.sizeBytes });
    }
    return found;
  }

  async list(options: ListOptions = {}): Promise<BlobInfo[]> {
    this.#gate.enter(options.signal);
    const { after, limit = 1000 } = options;
    const from = after === undefined ? '' : digitsOf(after);
    const found: BlobInfo[] = [];
    for (const digits of [...this.#folders].sort()) {
      if (digits < from) continue;
      const refs = await this.#names(digits);
      const wanted = after === undefined ? refs : refs.filter((ref) => ref > after);
      // One that is removed between its listing and its stat leaves its place to the next.
      for (let at = 0; at < wanted.length && found.length < limit; at += limit) {
        found.push(...(await this.stat(wanted.slice(at, at + limit - found.length), options)));
      }
      if (found.length >= limit) break;
    }
    return found;
  }

  async remove(refs: readonly BlobRef[], options: CallOptions = {}): Promise<number> {
    this.#gate.enter(options.signal);
    const results = await Promise.allSettled(
      [...new Set(refs)].map((ref) => this.#change(ref, () => this.#unlink(ref))),
    );
    let removed = 0;
    for (const result of results) {
      if (result.status === 'rejected') throw result.reason;
      if (result.value) removed++;
    }
    return removed;
  }

  async stats(): Promise<StoreStats> {
    this.#gate.enter();
    let blobs = 0;
    let total = 0;
    for await (const { bytes } of walkStore(this)) {
      blobs++;
      total += bytes;
    }
    return { blobs, bytes: total, storedBytes: total };
  }

  async flush(): Promise<void> {
    this.#gate.enter();
    await this.#turns.idle();
  }

  close(): Promise<void> {
    return this.#gate.close(() => this.#turns.idle());
  }

  #change<T>(ref: BlobRef, work: () => Promise<T>): Promise<T> {
    return this.#turns.take(ref, () => this.#slots.use(work));
  }

  /** True when it wrote, false when the blob was there. */
  async #write(ref: BlobRef, bytes: Uint8Array, signal?: AbortSignal): Promise<boolean> {
    throwIfCancelled(signal);
    const { disk } = this.#world;
    const path = this.#path(ref);
    const made = `${path}.${++this.#counter}.new`;
    let isRenamed = false;
    try {
      const isThere = (await disk.stat(path))?.sizeBytes === bytes.byteLength;
      if (isThere && !this.#doubtful.has(ref) && !this.#wrong.has(ref)) return false;
      await this.#makeFolder(digitsOf(ref));
      const file = await disk.create(made);
      try {
        await file.write(bytes, 0);
        await file.datasync();
      } finally {
        await file.close();
      }
      // Until its name is synced. If the removal below fails too, the next put writes it again.
      this.#doubtful.add(ref);
      await disk.rename(made, path);
      isRenamed = true;
      await disk.syncFolder(this.#folder(digitsOf(ref)));
    } catch (error) {
      // So that what was refused is not found; a blob that was there stays.
      await disk.remove(isRenamed ? path : made).catch(() => {});
      throw writeFailed(`Cannot write "${path}"`, error);
    }
    this.#doubtful.delete(ref);
    await this.#mark(ref, false);
    return true;
  }

  /** Known to this process in any case, and to the next if the disk takes it. */
  async #mark(ref: BlobRef, isWrong: boolean): Promise<void> {
    const { disk } = this.#world;
    const path = `${this.#path(ref)}${WRONG}`;
    if (this.#wrong.has(ref) === isWrong) return;
    if (isWrong) this.#wrong.add(ref);
    else this.#wrong.delete(ref);
    try {
      if (isWrong) await (await disk.create(path)).close();
      else await disk.remove(path);
      await disk.syncFolder(this.#folder(digitsOf(ref)));
    } catch {
      // A disk that is full, or for reading only: what was found is told all the same.
    }
  }

  async #unlink(ref: BlobRef): Promise<boolean> {
    const { disk } = this.#world;
    const path = this.#path(ref);
    try {
      if ((await disk.stat(path)) === undefined) return false;
      await disk.remove(path);
      await disk.syncFolder(this.#folder(digitsOf(ref)));
    } catch (error) {
      throw writeFailed(`Cannot remove "${path}"`, error);
    }
    this.#doubtful.delete(ref);
    await this.#mark(ref, false);
    return true;
  }

  async #read(ref: BlobRef): Promise<Uint8Array> {
    const { disk } = this.#world;
    const path = this.#path(ref);
    try {
      const file = await disk.open(path, { write: false });
      try {
        // A longer file is none of ours: what is read of it has another hash.
        const size = Math.min(await file.sizeBytes(), BLOB_BYTES_MAX + 1);
        const bytes = Buffer.allocUnsafeSlow(size);
        return bytes.subarray(0, size === 0 ? 0 : await file.read(bytes, 0));
      } finally {
        await file.close();
      }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') throw missing(ref);
      throw new StoreError('STORE_READ_FAILED', `Cannot read "${path}"`, { cause: error });
    }
  }

  async #makeFolder(digits: string): Promise<void> {
    if (this.#folders.has(digits)) return;
    await makeDurableFolder(this.#world.disk, this.#folder(digits));
    this.#folders.add(digits);
  }

  async #names(digits: string): Promise<BlobRef[]> {
    const names = await this.#world.disk.list(this.#folder(digits));
    return names
      .map(blobRef)
      .filter((ref) => ref !== undefined)
      .filter((ref) => digitsOf(ref) === digits);
  }

  #folder(digits: string): string {
    return `${this.#world.folder}/${digits}`;
  }

  #path(ref: BlobRef): string {
    return `${this.#folder(digitsOf(ref))}/${ref}`;
  }
}

interface Found {
  readonly folders: Set<string>;
  /** Blobs that were found wrong. */
  readonly wrong: readonly BlobRef[];
}

/** What is there. A name that is seen must not be undone by a later loss of power. */
async function recover({ disk, folder, beside = [] }: DirectoryWorld): Promise<Found> {
  const isOwn = async (found: readonly string[]): Promise<boolean> => {
    if (found.some((name) => beside.includes(name))) return true;
    const digits = found.filter(isDigits);
    // Emptied by removals, all of them; else a blob is in one. Others have such folders too.
    let isEmpty = digits.length > 0;
    for (const name of digits) {
      const inside = await disk.list(`${folder}/${name}`);
      if (inside.some((one) => one.startsWith('sha256-'))) return true;
      isEmpty &&= inside.length === 0;
    }
    return isEmpty;
  };
  const names = await takePlace({ disk, folder, kind: 'directory', isOwn });
  const folders = names.filter(isDigits);
  const wrong: BlobRef[] = [];
  for (const digits of folders) {
    const path = `${folder}/${digits}`;
    for (const name of await disk.list(path)) {
      if (LEFT_BEHIND.test(name)) await unlessReadOnly(disk.remove(`${path}/${name}`));
      const ref = name.endsWith(WRONG) ? blobRef(name.slice(0, -WRONG.length)) : undefined;
      if (ref !== undefined) wrong.push(ref);
    }
    await unlessReadOnly(disk.syncFolder(path));
  }
  await unlessReadOnly(disk.syncFolder(folder));
  return { folders: new Set(folders), wrong };
}

function writeFailed(words: string, cause: unknown): StoreError {
  const why = codeOf(cause) === 'EROFS' ? ': its file system can only be read' : '';
  return new StoreError('STORE_WRITE_FAILED', `${words}${why}`, { cause });
}

/** Where the file system can only be read nothing needs to be cleared, and no name can be undone. */
async function unlessReadOnly(done: Promise<void>): Promise<void> {
  try {
    await done;
  } catch (error) {
    if (codeOf(error) !== 'EROFS') throw error;
  }
}

function isDigits(name: string): boolean {
  return /^[0-9a-f]{2}$/.test(name);
}

function digitsOf(ref: BlobRef): string {
  return ref.slice(HASH_AT, HASH_AT + 2);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
