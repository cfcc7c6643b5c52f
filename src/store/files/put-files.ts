// Puts files of the disk, in segments, without hurry: reads run ahead, so that reading, hashing and
// writing take each their turn at the same time. Segments of a file are a series of the store, and the
// files of a folder that have one segment are another. With `seen` (seen-files.ts) an unchanged file whose
// blobs are all there is not read.

import type { Clock } from '#base/clock.ts';
import type { Disk, DiskFile, DiskStat } from '#base/disk.ts';
import type { BlobRef } from '#base/ids.ts';
import { Slots } from '#base/slots.ts';
import { cancelled, throwIfCancelled } from '#store/calls.ts';
import { StoreError } from '#store/errors.ts';
import {
  type CallOptions,
  type PutResult,
  type Series,
  type Store,
  statSound,
} from '#store/store.ts';
import type { SeenFiles } from './seen-files.ts';

export const SEGMENT_BYTES = 4 * 1024 * 1024;
const BYTES_AHEAD = 64 * 1024 * 1024;
const FILES_AHEAD = 2048;
const FILES_READING = 16;
/** Below it a buffer of its own is cheaper than the place it takes in a large one. */
const POOLED_BYTES_MIN = 2 * 1024 * 1024;
const STAT_AT_ONCE = 500;

export interface PutFilesParts {
  readonly store: Store;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly seen?: SeenFiles | undefined;
}

export interface FilePut {
  readonly path: string;
  readonly bytes: number;
  /** Of its segments, in order. */
  readonly refs: readonly BlobRef[];
  /** Blobs that the store did not have. */
  readonly newBlobs: number;
  readonly newBytes: number;
  /** True when it was not read, because nothing of it had changed. */
  readonly isUnread: boolean;
}

/**
 * In the order of `paths`, each once all of it is on the medium. @throws what the disk and the store throw;
 * STORE_FILE_CHANGED when a file changed while it was read
 */
export async function* putFiles(
  parts: PutFilesParts,
  paths: Iterable<string> | AsyncIterable<string>,
  options: CallOptions = {},
): AsyncGenerator<FilePut> {
  const work = new PutFiles(parts, options);
  const ahead: Promise<FilePut>[] = [];
  try {
    for await (const path of paths) {
      throwIfCancelled(options.signal);
      const put = work.put(path);
      // Told when its turn comes.
      put.catch(() => {});
      ahead.push(put);
      if (ahead.length >= FILES_AHEAD) yield await (ahead.shift() as Promise<FilePut>);
    }
    for (let put = ahead.shift(); put !== undefined; put = ahead.shift()) yield await put;
  } finally {
    work.stop();
    await Promise.allSettled(ahead);
  }
}

class PutFiles {
  readonly #parts: PutFilesParts;
  readonly #options: CallOptions;
  readonly #room = new Room(BYTES_AHEAD);
  readonly #reading = new Slots(FILES_READING);
  readonly #buffers: Buffer[] = [];
  /** How many files of one segment a folder has given. */
  readonly #inFolder = new Map<string, number>();
  #isStopped = false;

  constructor(parts: PutFilesParts, options: CallOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** No more is read. */
  stop(): void {
    this.#isStopped = true;
  }

  async put(path: string): Promise<FilePut> {
    const { disk, clock, seen } = this.#parts;
    const nowMs = clock.nowMs();
    const stat = await disk.stat(path);
    if (stat === undefined) throw changed(path, 'is gone');
    const seriesOf = this.#seriesFor(path, stat);
    const known = seen?.get(path, stat);
    if (known !== undefined && (await this.#areThere(known))) {
      const none = { newBlobs: 0, newBytes: 0, isUnread: true };
      return { path, bytes: stat.sizeBytes, refs: known, ...none };
    }
    const puts = await Promise.all(await this.#read(path, stat, seriesOf));
    const after = await disk.stat(path);
    if (after?.sizeBytes !== stat.sizeBytes || after.changedMs !== stat.changedMs) {
      throw changed(path, 'was written to');
    }
    const refs = puts.map(({ ref }) => ref);
    seen?.set(path, { stat, nowMs }, refs);
    const fresh = puts.filter((put) => put.new);
    const newBytes = fresh.reduce((sum, { bytes }) => sum + bytes, 0);
    const counts = { newBlobs: fresh.length, newBytes, isUnread: false };
    return { path, bytes: stat.sizeBytes, refs, ...counts };
  }

  async #areThere(refs: readonly BlobRef[]): Promise<boolean> {
    for (let at = 0; at < refs.length; at += STAT_AT_ONCE) {
      const asked = new Set(refs.slice(at, at + STAT_AT_ONCE));
      const found = await statSound(this.#parts.store, [...asked], this.#options);
      if (found.length < asked.size) return false;
    }
    return true;
  }

  /** Resolves when it has been read, with what is still to be stored. */
  #read(path: string, stat: DiskStat, seriesOf: (order: number) => Series) {
    return this.#reading.use(async () => {
      const file = await this.#parts.disk.open(path, { write: false });
      const reads: Promise<Buffer>[] = [];
      const puts: Promise<PutResult>[] = [];
      try {
        // A file without bytes is one blob without bytes.
        for (let at = 0; at < Math.max(1, stat.sizeBytes); at += SEGMENT_BYTES) {
          const bytes = Math.min(SEGMENT_BYTES, stat.sizeBytes - at);
          await this.#room.take(bytes);
          if (this.#isStopped || this.#options.signal?.aborted === true) {
            this.#room.give(bytes);
            throw cancelled();
          }
          const read = this.#readSegment({ path, file, at, bytes });
          const put = this.#putSegment(read, seriesOf(at / SEGMENT_BYTES));
          const free = (): void => this.#room.give(bytes);
          put.then(free, free);
          reads.push(read);
          puts.push(put);
        }
        await Promise.all(reads);
        return puts;
      } finally {
        await Promise.allSettled(reads);
        await file.close();
      }
    });
  }

  async #readSegment(part: {
    readonly path: string;
    readonly file: DiskFile;
    readonly at: number;
    readonly bytes: number;
  }): Promise<Buffer> {
    const { path, file, at, bytes } = part;
    const buffer =
      bytes >= POOLED_BYTES_MIN
        ? (this.#buffers.pop() ?? Buffer.allocUnsafeSlow(SEGMENT_BYTES)).subarray(0, bytes)
        : Buffer.allocUnsafeSlow(bytes);
    if (bytes > 0 && (await file.read(buffer, at)) < bytes) throw changed(path, 'was cut');
    return buffer;
  }

  async #putSegment(read: Promise<Buffer>, series: Series): Promise<PutResult> {
    const segment = await read;
    const put = await this.#parts.store.put(segment, {
      ...{ noRush: true, series, signal: this.#options.signal },
    });
    // One whose put was given up may still be in use.
    if (segment.byteLength >= POOLED_BYTES_MIN) this.#buffers.push(Buffer.from(segment.buffer));
    return put;
  }

  #seriesFor(path: string, stat: DiskStat): (order: number) => Series {
    if (stat.sizeBytes > SEGMENT_BYTES) return (order) => ({ name: path, order });
    const folder = path.slice(0, path.lastIndexOf('/') + 1);
    const order = this.#inFolder.get(folder) ?? 0;
    this.#inFolder.set(folder, order + 1);
    return () => ({ name: folder, order });
  }
}

/** Bytes that may be held at once; who comes first is served first. */
class Room {
  #free: number;
  readonly #waits: { readonly bytes: number; readonly go: () => void }[] = [];

  constructor(bytes: number) {
    this.#free = bytes;
  }

  take(bytes: number): Promise<void> {
    if (this.#waits.length === 0 && this.#free > 0) {
      this.#free -= bytes;
      return Promise.resolve();
    }
    return new Promise((go) => this.#waits.push({ bytes, go }));
  }

  give(bytes: number): void {
    this.#free += bytes;
    for (let next = this.#waits[0]; next !== undefined && this.#free > 0; next = this.#waits[0]) {
      this.#waits.shift();
      this.#free -= next.bytes;
      next.go();
    }
  }
}

function changed(path: string, what: string): StoreError {
  return new StoreError('STORE_FILE_CHANGED', `Cannot put "${path}": it ${what} meanwhile`);
}
