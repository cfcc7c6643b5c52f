// Marks: since when a blob was not reachable, kept across restarts, and which of them were taken back
// because the blob was put again or asked for. All of it lies in one folder:
//
//   marks-<n>     one whole collection's result, n in ten digits
//                 head, 8 bytes      "SKMARKS1"
//                 record, 40 bytes   0 hash, 32 bytes   32 u64 Unix milliseconds; hashes ascend
//                 end, 73 bytes      0 u64 number of records   8 u8 1 when there is a place, else 0
//                                    9 the place, 32 bytes   41 SHA-256 of all before it
//   cleared-<n>   what was taken back since the collection that makes marks-<n> began
//                 record, 36 bytes   0 hash   32 the first four bytes of the hash's SHA-256
//
//   clock         what was seen of the clock, JSON (clock-jumps.ts); without it nothing was seen
//
// Numbers are little-endian. The valid marks are those of the highest `marks-<n>` that is whole, without
// what any `cleared-<m>` names, m >= n. Where there is doubt (a damaged file, a record that is none) no
// mark is valid: every blob's day begins anew, and nothing is lost but time. The place is where an
// interrupted collection goes on: the last name that it has seen. A part of a record at the end of a
// list was never synced, so nobody was answered, and it is passed over.

import { createHash } from 'node:crypto';
import { toHex } from '#base/bytes.ts';
import type { Disk, DiskFile } from '#base/disk.ts';
import { makeDurableFolder } from '#base/durable-folder.ts';
import { codeOf } from '#base/errors.ts';
import { StoreError } from '#store/errors.ts';
import { NameSet } from './name-set.ts';

const MAGIC = Buffer.from('SKMARKS1');
const RECORD_BYTES = 40;
const END_BYTES = 73;
const DIGEST_BYTES = 32;
const CLEARED_BYTES = 36;
const RECORDS_AT_ONCE = 4096;
const NAME = /^(marks|cleared)-(\d{10})$/;
const ASIDE = 'marks.new';
const CLOCK = 'clock';
const CLOCK_BYTES_MAX = 64 * 1024;

export interface Mark {
  readonly hash: Uint8Array;
  /** Unix milliseconds. */
  readonly sinceMs: number;
}

export interface MarksWorld {
  readonly folder: string;
  readonly disk: Disk;
}

interface MarkFile {
  readonly path: string;
  readonly records: number;
  readonly place: Uint8Array | undefined;
}

/** One list of what was taken back. */
interface ClearedFile {
  readonly path: string;
  readonly file: DiskFile;
  readonly names: NameSet;
  bytes: number;
}

export class Marks {
  readonly #world: MarksWorld;
  /** The highest number used so far. */
  #number: number;
  #file: MarkFile | undefined;
  /** May name more than the file: safe, an entry of `cleared` too many. */
  #marked: NameSet;
  /** Taken back before the newest list began. */
  #clearedBefore: NameSet;
  #cleared: ClearedFile | undefined;
  #run: MarkRun | undefined;
  #writing: Promise<void> = Promise.resolve();
  /** What is being taken back, by its hash in hex: in force, and not on the medium yet. */
  readonly #clearing = new Map<string, Promise<void>>();
  #waiting: { readonly hashes: Map<string, Uint8Array>; readonly done: Promise<void> } | undefined;

  private constructor(world: MarksWorld, found: Found) {
    this.#world = world;
    this.#number = found.number;
    this.#file = found.file;
    this.#marked = found.marked;
    this.#clearedBefore = found.cleared;
  }

  static async open(world: MarksWorld): Promise<Marks> {
    return new Marks(world, await find(world));
  }

  /** How many marks there are, those taken back among them. */
  get count(): number {
    return this.#file?.records ?? 0;
  }

  /** Where an interrupted collection goes on: the last name it has seen. */
  get place(): Uint8Array | undefined {
    return this.#file?.place;
  }

  get memoryBytes(): number {
    const sets = [this.#marked, this.#clearedBefore, this.#cleared?.names, this.#run?.names];
    return sets.reduce((sum, set) => sum + (set?.memoryBytes ?? 0), 0);
  }

  /** True when `clear` must be called for its day to begin anew; sometimes when it need not. */
  isMarked(hash: Uint8Array): boolean {
    if (!this.#marked.has(hash) && this.#run?.names.has(hash) !== true) return false;
    return this.#cleared?.names.has(hash) !== true;
  }

  /** True when an older mark of it is not valid any more; sometimes when it is. */
  isCleared(hash: Uint8Array): boolean {
    if (this.#clearedBefore.has(hash) || this.#cleared?.names.has(hash) === true) return true;
    return this.#clearing.size > 0 && this.#clearing.has(toHex(hash));
  }

  /**
   * Takes marks back: in force at once, durable when it resolves. Calls that wait share a sync.
   * @throws StoreError STORE_WRITE_FAILED
   */
  async clear(hashes: readonly Uint8Array[]): Promise<void> {
    const waits = new Set<Promise<void>>();
    for (const hash of hashes) {
      const name = toHex(hash);
      const known = this.#clearing.get(name);
      if (known !== undefined) waits.add(known);
      else waits.add(this.#clearLater(name, hash));
    }
    await Promise.all(waits);
  }

  /** Begins the next marks; one at a time. @throws StoreError STORE_WRITE_FAILED */
  async begin(): Promise<MarkRun> {
    const list = this.#writing.then(() => this.#newList());
    this.#writing = list.then(
      () => {},
      () => {},
    );
    await list;
    const { folder, disk } = this.#world;
    const aside = `${folder}/${ASIDE}`;
    this.#run = await written(async () => {
      if ((await disk.stat(aside)) !== undefined) await disk.remove(aside);
      return await MarkRun.begin(await disk.create(aside));
    });
    return this.#run;
  }

  /** Those of the last whole file, ascending, also those taken back. @throws STORE_READ_FAILED */
  async *read(): AsyncGenerator<Mark> {
    if (this.#file === undefined) return;
    const { path, records } = this.#file;
    const file = await this.#world.disk.open(path, { write: false });
    try {
      for await (const page of pagesOf(file, records)) {
        for (let at = 0; at < page.byteLength; at += RECORD_BYTES) yield markAt(page, at);
      }
    } finally {
      await file.close();
    }
  }

  /** The run's marks are the valid ones when it resolves. @throws StoreError STORE_WRITE_FAILED */
  async finish(run: MarkRun, place: Uint8Array | undefined): Promise<void> {
    const { folder, disk } = this.#world;
    // Should it fail it is unknown which file a restart finds: what either names is taken back.
    this.#marked.addAll(run.names);
    await written(async () => {
      await run.end(place);
      const path = `${folder}/marks-${digits(this.#number)}`;
      await disk.rename(`${folder}/${ASIDE}`, path);
      await disk.syncFolder(folder);
      this.#file = { path, records: run.count, place };
    });
    this.#marked = run.names;
    this.#clearedBefore = new NameSet();
    this.#run = undefined;
    // What is left lying is passed over, and removed the next time.
    await this.#removeOld().catch(() => {});
  }

  /** The marks stay as they were. */
  async abandon(run: MarkRun): Promise<void> {
    this.#run = undefined;
    // What it would have marked counts from the next time on.
    await run.close().catch(() => {});
  }

  /** What `writeClock` wrote; undefined when there is nothing, or it cannot be read. */
  async readClock(): Promise<string | undefined> {
    const { folder, disk } = this.#world;
    const path = `${folder}/${CLOCK}`;
    try {
      if ((await disk.stat(path)) === undefined) return undefined;
      return await withFile(disk, path, async (file) => {
        const bytes = Buffer.alloc(Math.min(await file.sizeBytes(), CLOCK_BYTES_MAX));
        return bytes.toString('utf8', 0, await file.read(bytes, 0));
      });
    } catch {
      return undefined;
    }
  }

  /** After `begin`, which makes the folder. @throws StoreError STORE_WRITE_FAILED */
  async writeClock(text: string): Promise<void> {
    const { folder, disk } = this.#world;
    const aside = `${folder}/${CLOCK}.new`;
    await written(async () => {
      if ((await disk.stat(aside)) !== undefined) await disk.remove(aside);
      const file = await disk.create(aside);
      try {
        await file.write(Buffer.from(text), 0);
        await file.datasync();
      } finally {
        await file.close();
      }
      await disk.rename(aside, `${folder}/${CLOCK}`);
      await disk.syncFolder(folder);
    });
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#cleared?.file.close();
    this.#cleared = undefined;
  }

  #clearLater(name: string, hash: Uint8Array): Promise<void> {
    if (this.#waiting === undefined) {
      const hashes = new Map<string, Uint8Array>();
      const done = this.#writing.then(async () => {
        this.#waiting = undefined;
        try {
          await this.#append([...hashes.values()]);
        } finally {
          for (const each of hashes.keys()) this.#clearing.delete(each);
        }
      });
      this.#waiting = { hashes, done };
      this.#writing = done.catch(() => {});
    }
    const { hashes, done } = this.#waiting;
    hashes.set(name, hash);
    this.#clearing.set(name, done);
    return done;
  }

  async #append(hashes: readonly Uint8Array[]): Promise<void> {
    const list = this.#cleared ?? (await this.#newList());
    const bytes = Buffer.concat(hashes.flatMap((hash) => [hash, checkOf(hash)]));
    await written(async () => {
      await list.file.write(bytes, list.bytes);
      await list.file.datasync();
    });
    list.bytes += bytes.byteLength;
    // Not before: whoever finds a name here is answered without waiting.
    for (const hash of hashes) list.names.add(hash);
  }

  async #newList(): Promise<ClearedFile> {
    const { folder, disk } = this.#world;
    return await written(async () => {
      await makeDurableFolder(disk, folder);
      const path = `${folder}/cleared-${digits(this.#number + 1)}`;
      const file = await disk.create(path);
      this.#number++;
      await disk.syncFolder(folder);
      const old = this.#cleared;
      const list = { path, file, names: new NameSet(), bytes: 0 };
      this.#cleared = list;
      if (old !== undefined) {
        this.#clearedBefore.addAll(old.names);
        await old.file.close();
      }
      return list;
    });
  }

  async #removeOld(): Promise<void> {
    const { folder, disk } = this.#world;
    for (const name of await disk.list(folder)) {
      const number = NAME.exec(name)?.[2];
      if (number !== undefined && Number(number) < this.#number) {
        await disk.remove(`${folder}/${name}`);
      }
    }
  }
}

/** The marks that a collection makes. They hold only when `Marks.finish` has resolved. */
export class MarkRun {
  readonly names = new NameSet();
  readonly #file: DiskFile;
  readonly #digest = createHash('sha256');
  readonly #page = Buffer.alloc(RECORDS_AT_ONCE * RECORD_BYTES);
  #filled = 0;
  #hasFailed = false;
  #position = 0;
  #count = 0;

  private constructor(file: DiskFile) {
    this.#file = file;
  }

  static async begin(file: DiskFile): Promise<MarkRun> {
    const run = new MarkRun(file);
    await run.#write(MAGIC);
    return run;
  }

  get count(): number {
    return this.#count;
  }

  /** Hashes ascend. The mark is in force for `isMarked` before the first turn of the loop. */
  async add({ hash, sinceMs }: Mark): Promise<void> {
    this.names.add(hash);
    this.#page.set(hash, this.#filled);
    this.#page.writeBigUInt64LE(BigInt(sinceMs), this.#filled + DIGEST_BYTES);
    this.#filled += RECORD_BYTES;
    this.#count++;
    if (this.#filled === this.#page.byteLength) await this.#flush();
  }

  async end(place: Uint8Array | undefined): Promise<void> {
    await this.#flush();
    const end = Buffer.alloc(END_BYTES - DIGEST_BYTES);
    end.writeBigUInt64LE(BigInt(this.#count), 0);
    end[8] = place === undefined ? 0 : 1;
    if (place !== undefined) end.set(place, 9);
    await this.#write(end);
    await this.#file.write(this.#digest.digest(), this.#position);
    await this.#file.datasync();
    await this.#file.close();
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #flush(): Promise<void> {
    if (this.#filled > 0) await this.#write(this.#page.subarray(0, this.#filled));
    this.#filled = 0;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    if (this.#hasFailed) throw new StoreError('STORE_WRITE_FAILED', 'Some marks were not written');
    this.#digest.update(bytes);
    this.#hasFailed = true;
    await written(() => this.#file.write(bytes, this.#position));
    this.#hasFailed = false;
    this.#position += bytes.byteLength;
  }
}

interface Found {
  readonly number: number;
  readonly file: MarkFile | undefined;
  readonly marked: NameSet;
  readonly cleared: NameSet;
}

async function find({ folder, disk }: MarksWorld): Promise<Found> {
  const names = await disk.list(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw new StoreError('STORE_READ_FAILED', `Cannot list "${folder}"`, { cause: error });
  });
  const files = names.flatMap((name) => {
    const [, kind, number] = NAME.exec(name) ?? [];
    return number === undefined ? [] : [{ name, kind, number: Number(number) }];
  });
  const number = files.reduce((most, file) => Math.max(most, file.number), 0);
  const nothing = { number, file: undefined, marked: new NameSet(), cleared: new NameSet() };
  const newest = files.filter(({ kind }) => kind === 'marks').at(-1);
  if (newest === undefined) return nothing;
  const marked = new NameSet();
  const cleared = new NameSet();
  const file = await readMarks(disk, `${folder}/${newest.name}`, marked);
  if (file === undefined) return nothing;
  for (const list of files) {
    if (list.kind !== 'cleared' || list.number < newest.number) continue;
    if (!(await readCleared(disk, `${folder}/${list.name}`, cleared))) return nothing;
  }
  return { number, file, marked, cleared };
}

/** Undefined when it is not whole. */
async function readMarks(disk: Disk, path: string, names: NameSet): Promise<MarkFile | undefined> {
  return await withFile(disk, path, async (file) => {
    const records = ((await file.sizeBytes()) - MAGIC.byteLength - END_BYTES) / RECORD_BYTES;
    if (!Number.isInteger(records) || records < 0) return undefined;
    const digest = createHash('sha256');
    const head = Buffer.alloc(MAGIC.byteLength);
    await file.read(head, 0);
    digest.update(head);
    for await (const page of pagesOf(file, records)) {
      digest.update(page);
      for (let at = 0; at < page.byteLength; at += RECORD_BYTES) {
        names.add(page.subarray(at, at + DIGEST_BYTES));
      }
    }
    const end = Buffer.alloc(END_BYTES);
    await file.read(end, MAGIC.byteLength + records * RECORD_BYTES);
    const told = end.subarray(0, END_BYTES - DIGEST_BYTES);
    digest.update(told);
    const isWhole =
      head.equals(MAGIC) &&
      Number(end.readBigUInt64LE(0)) === records &&
      digest.digest().equals(end.subarray(END_BYTES - DIGEST_BYTES));
    if (!isWhole) return undefined;
    const place = told[8] === 1 ? Uint8Array.from(told.subarray(9)) : undefined;
    return { path, records, place };
  });
}

/** False when something in it is no record. */
async function readCleared(disk: Disk, path: string, names: NameSet): Promise<boolean> {
  return await withFile(disk, path, async (file) => {
    const records = Math.floor((await file.sizeBytes()) / CLEARED_BYTES);
    const page = Buffer.alloc(RECORDS_AT_ONCE * CLEARED_BYTES);
    for (let first = 0; first < records; first += RECORDS_AT_ONCE) {
      const some = page.subarray(0, Math.min(RECORDS_AT_ONCE, records - first) * CLEARED_BYTES);
      await file.read(some, first * CLEARED_BYTES);
      for (let at = 0; at < some.byteLength; at += CLEARED_BYTES) {
        const hash = some.subarray(at, at + DIGEST_BYTES);
        if (!checkOf(hash).equals(some.subarray(at + DIGEST_BYTES, at + CLEARED_BYTES)))
          return false;
        names.add(hash);
      }
    }
    return true;
  });
}

/** The records, a page at a time; the page is good until the next. */
async function* pagesOf(file: DiskFile, records: number): AsyncGenerator<Buffer> {
  const page = Buffer.alloc(Math.min(records, RECORDS_AT_ONCE) * RECORD_BYTES);
  for (let first = 0; first < records; first += RECORDS_AT_ONCE) {
    const some = page.subarray(0, Math.min(RECORDS_AT_ONCE, records - first) * RECORD_BYTES);
    const read = await file.read(some, MAGIC.byteLength + first * RECORD_BYTES);
    if (read < some.byteLength) throw new StoreError('STORE_READ_FAILED', 'A file became shorter');
    yield some;
  }
}

async function withFile<Result>(
  disk: Disk,
  path: string,
  use: (file: DiskFile) => Promise<Result>,
): Promise<Result> {
  try {
    const file = await disk.open(path, { write: false });
    try {
      return await use(file);
    } finally {
      await file.close();
    }
  } catch (cause) {
    if (cause instanceof StoreError) throw cause;
    throw new StoreError('STORE_READ_FAILED', `Cannot read "${path}"`, { cause });
  }
}

async function written<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof StoreError) throw cause;
    throw new StoreError('STORE_WRITE_FAILED', 'Cannot write the marks of garbage', { cause });
  }
}

function markAt(page: Buffer, at: number): Mark {
  const hash = Uint8Array.from(page.subarray(at, at + DIGEST_BYTES));
  return { hash, sinceMs: Number(page.readBigUInt64LE(at + DIGEST_BYTES)) };
}

function checkOf(hash: Uint8Array): Buffer {
  return createHash('sha256')
    .update(hash)
    .digest()
    .subarray(0, CLEARED_BYTES - DIGEST_BYTES);
}

function digits(number: number): string {
  return String(number).padStart(10, '0');
}
