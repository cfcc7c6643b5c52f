// A snapshot of baselines that is open for looking up one client or for reading all of it.

import { AccountingError } from '#accounting/errors.ts';
import type { Disk, DiskFile } from '#base/disk.ts';
import type { Baseline, BaselineKey } from './baseline.ts';
import {
  BASELINE_ENTRIES_MAX,
  BASELINE_ENTRY_BYTES,
  BASELINE_HEADER_BYTES,
  type BaselineHeader,
  bucketAt,
  compareKeys,
  decodeBaseline,
  decodeBaselineHeader,
  encodeBaselineKey,
  streamAt,
} from './baseline-file.ts';

/** Entries read at once when a search has come this close. */
const SEARCH_ENTRIES = 64;
const CHUNK_ENTRIES = 1024;
/** A chunk of ownChunks() has at most 2^14 entries, about a megabyte. */
export const CHUNK_ENTRIES_BITS = 14;

export class BaselineReader {
  readonly path: string;
  readonly header: BaselineHeader;
  readonly #file: DiskFile;
  #users = 0;
  #retired = false;

  private constructor(path: string, header: BaselineHeader, file: DiskFile) {
    this.path = path;
    this.header = header;
    this.#file = file;
  }

  /** @throws AccountingError BASELINES_SNAPSHOT_INVALID; the disk's errors */
  static async open(disk: Disk, path: string): Promise<BaselineReader> {
    const file = await disk.open(path, { write: false });
    try {
      const bytes = new Uint8Array(BASELINE_HEADER_BYTES);
      const count = await file.read(bytes, 0);
      const header = decodeBaselineHeader(bytes.subarray(0, count), await file.sizeBytes());
      if (header === undefined) {
        throw new AccountingError('BASELINES_SNAPSHOT_INVALID', `"${path}" is no valid snapshot`);
      }
      return new BaselineReader(path, header, file);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Undefined when there is no such entry, or a damaged one. @throws AccountingError */
  async find(key: BaselineKey): Promise<Baseline | undefined> {
    return await this.#using(() => this.#search(encodeBaselineKey(key)));
  }

  /**
   * All entries in the file's order, in chunks of whole entries, each with its streams, that are lent
   * until the next. Damaged entries are in it: look at isEntryIntact. @throws AccountingError
   */
  async *chunks(): AsyncGenerator<Uint8Array> {
    this.#users++;
    try {
      const { entries } = this.header;
      const buffer = new Uint8Array(Math.min(CHUNK_ENTRIES, entries) * BASELINE_ENTRY_BYTES);
      for (let first = 0; first < entries; ) {
        const count = Math.min(CHUNK_ENTRIES, entries - first);
        const chunk = buffer.subarray(0, count * BASELINE_ENTRY_BYTES);
        await this.#read(chunk, first);
        const whole = first + count === entries ? count : wholeEntries(chunk, count);
        yield chunk.subarray(0, whole * BASELINE_ENTRY_BYTES);
        first += whole;
      }
    } finally {
      await this.#unuse();
    }
  }

  /**
   * As chunks(), but larger, and each is its reader's own; the next one is read while it is looked at.
   * @throws AccountingError
   */
  async *ownChunks(): AsyncGenerator<Uint8Array> {
    this.#users++;
    let next: Promise<Uint8Array> | undefined;
    try {
      const { entries } = this.header;
      if (entries > 0) next = this.#own(0);
      for (let first = 0; next !== undefined; ) {
        const chunk: Uint8Array = await next;
        first += chunk.byteLength / BASELINE_ENTRY_BYTES;
        next = first < entries ? this.#own(first) : undefined;
        yield chunk;
      }
    } finally {
      // What is still being read when its reader has enough must not outlive the file.
      await next?.catch(() => undefined);
      await this.#unuse();
    }
  }

  async #own(first: number): Promise<Uint8Array> {
    const left = this.header.entries - first;
    const count = Math.min(1 << CHUNK_ENTRIES_BITS, left);
    const chunk = new Uint8Array(count * BASELINE_ENTRY_BYTES);
    await this.#read(chunk, first);
    const whole = count === left ? count : wholeEntries(chunk, count);
    return chunk.subarray(0, whole * BASELINE_ENTRY_BYTES);
  }

  /** Closes the file when nobody reads from it any more. */
  async retire(): Promise<void> {
    this.#retired = true;
    if (this.#users === 0) await this.#file.close();
  }

  async #search(key: Uint8Array): Promise<Baseline | undefined> {
    const bucket = bucketAt(key, 0);
    const entry = new Uint8Array(BASELINE_ENTRY_BYTES);
    let low = 0;
    let high = this.header.entries;
    while (high - low > SEARCH_ENTRIES) {
      const middle = (low + high) >>> 1;
      await this.#read(entry, middle);
      // A damaged key leads astray; then the client is not found, as if it were lost alone.
      if (isBefore(entry, 0, bucket, key)) low = middle + 1;
      else high = middle + 1;
    }
    // With the streams of the last of them.
    const until = Math.min(high + BASELINE_ENTRIES_MAX, this.header.entries);
    const near = new Uint8Array((until - low) * BASELINE_ENTRY_BYTES);
    await this.#read(near, low);
    for (let at = 0; at < near.byteLength; at += BASELINE_ENTRY_BYTES) {
      if (compareKeys(near, at, key, 0) !== 0) continue;
      return decodeBaseline(near, at);
    }
    return undefined;
  }

  async #read(into: Uint8Array, firstEntry: number): Promise<void> {
    const position = BASELINE_HEADER_BYTES + firstEntry * BASELINE_ENTRY_BYTES;
    let count: number;
    try {
      count = await this.#file.read(into, position);
    } catch (error) {
      throw new AccountingError('BASELINES_READ_FAILED', `Cannot read "${this.path}"`, {
        cause: error,
      });
    }
    if (count !== into.byteLength) {
      throw new AccountingError(
        'BASELINES_READ_FAILED',
        `"${this.path}" became shorter than ${position + into.byteLength} bytes`,
      );
    }
  }

  async #using<Result>(run: () => Promise<Result>): Promise<Result> {
    this.#users++;
    try {
      return await run();
    } finally {
      await this.#unuse();
    }
  }

  async #unuse(): Promise<void> {
    this.#users--;
    if (this.#retired && this.#users === 0) await this.#file.close();
  }
}

/** Without the last one and its streams, of which more may follow. */
function wholeEntries(chunk: Uint8Array, count: number): number {
  for (let back = 1; back <= BASELINE_ENTRIES_MAX && back < count; back++) {
    if (streamAt(chunk, (count - back) * BASELINE_ENTRY_BYTES) === 0) return count - back;
  }
  return count;
}

function isBefore(entries: Uint8Array, at: number, bucket: number, key: Uint8Array): boolean {
  const difference = bucketAt(entries, at) - bucket;
  return difference < 0 || (difference === 0 && compareKeys(entries, at, key, 0) < 0);
}
