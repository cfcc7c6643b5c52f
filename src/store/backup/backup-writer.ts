// Puts the files of a backup as blobs, and then its index and manifest. The bytes of a file are cut at
// fixed places: those of a log only grow, and those of a database change in pages, so that most pieces
// are there from the backup before. Whoever is interrupted leaves blobs that the next backup uses.

import type { BlobRef } from '#base/ids.ts';
import { Slots } from '#base/slots.ts';
import { throwIfCancelled } from '#store/calls.ts';
import { type BlobInfo, type CallOptions, type Store, statSound } from '#store/store.ts';
import { contentLists } from './content-list.ts';
import { encodeIndex, type IndexedFile } from './manifest.ts';

const CHUNK_BYTES = { log: 4 * 1024 * 1024, page: 256 * 1024 } as const;
const PUTS_AT_ONCE = 4;
const STAT_AT_ONCE = 500;
/** A file this small is alone on its way, and would wait for others in vain. */
const RUSH_BYTES_MAX = 65_536;

/** A file as it is at one moment: its first `bytes` bytes do not change while it is read. */
export interface BackupFile {
  /** In the data folder: `log/control/00000000000000000000.log`. */
  readonly path: string;
  readonly bytes: number;
  /**
   * Where an earlier backup has the same path, mark and length, the bytes are the same and are not read
   * again. Undefined: they are read in any case.
   */
  readonly mark?: string | undefined;
  /** `page` for files that change in many places. */
  readonly cut: 'log' | 'page';
  open(): Promise<ReadableFile>;
}

export interface ReadableFile {
  read(into: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}

/** Thrown when a file has fewer bytes than was said: another file has taken its name. */
export class FileChanged extends Error {}

export interface WrittenCounts {
  readonly files: number;
  readonly bytes: number;
  readonly newBlobs: number;
  readonly newBytes: number;
}

export class BackupWriter {
  readonly #store: Store;
  readonly #options: CallOptions;
  readonly #earlier: ReadonlyMap<string, IndexedFile>;
  readonly #slots = new Slots(PUTS_AT_ONCE);
  readonly #files = new Map<string, IndexedFile>();
  #newBlobs = 0;
  #newBytes = 0;

  /** `earlier`: the files of the newest backup of this place. */
  constructor(store: Store, earlier: readonly IndexedFile[], options: CallOptions = {}) {
    this.#store = store;
    this.#options = options;
    this.#earlier = new Map(earlier.map((file) => [file.path, file]));
  }

  get counts(): WrittenCounts {
    let bytes = 0;
    for (const file of this.#files.values()) bytes += file.bytes;
    const [newBlobs, newBytes] = [this.#newBlobs, this.#newBytes];
    return { files: this.#files.size, bytes, newBlobs, newBytes };
  }

  /** Takes the place of a file of the same path. @throws FileChanged, and the disk's errors */
  async file(file: BackupFile, onBytes: (bytes: number) => void = () => {}): Promise<void> {
    const { path, bytes, mark } = file;
    const chunks = (await this.#knownChunks(file)) ?? (await this.#chunks(file, onBytes));
    this.#files.set(path, { path, bytes, ...(mark === undefined ? {} : { mark }), chunks });
  }

  /** Forgets what was written under a folder, `log/transfers/`, to write it anew. */
  forget(folder: string): void {
    for (const path of [...this.#files.keys()]) {
      if (path.startsWith(folder)) this.#files.delete(path);
    }
  }

  /** The index as the manifest names it. */
  async index(): Promise<{ readonly bytes: number; readonly chunks: BlobRef[] }> {
    const files = [...this.#files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
    const bytes = encodeIndex(files);
    const chunks: BlobRef[] = [];
    for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES.log) {
      chunks.push(await this.#put(bytes.slice(at, at + CHUNK_BYTES.log)));
    }
    return { bytes: bytes.byteLength, chunks };
  }

  /** `infos` in ascending order. */
  async content(infos: AsyncIterable<BlobInfo>) {
    const sums = { blobs: 0, bytes: 0 };
    async function* counted(): AsyncGenerator<BlobInfo> {
      for await (const info of infos) {
        sums.blobs++;
        sums.bytes += info.bytes;
        yield info;
      }
    }
    const lists: BlobRef[] = [];
    for await (const list of contentLists(counted())) lists.push(await this.#put(list));
    return { ...sums, lists };
  }

  async #knownChunks(file: BackupFile): Promise<BlobRef[] | undefined> {
    const known = this.#earlier.get(file.path);
    if (file.mark === undefined || known?.mark !== file.mark) return undefined;
    if (known.bytes !== file.bytes) return undefined;
    for (let at = 0; at < known.chunks.length; at += STAT_AT_ONCE) {
      const some = [...new Set(known.chunks.slice(at, at + STAT_AT_ONCE))];
      const there = await statSound(this.#store, some, this.#options);
      if (there.length < some.length) return undefined;
    }
    return known.chunks;
  }

  async #chunks(file: BackupFile, onBytes: (bytes: number) => void): Promise<BlobRef[]> {
    const size = CHUNK_BYTES[file.cut];
    const puts: Promise<BlobRef>[] = [];
    const source = await file.open();
    try {
      for (let at = 0; at < file.bytes; at += size) {
        throwIfCancelled(this.#options.signal);
        const bytes = new Uint8Array(Math.min(size, file.bytes - at));
        if ((await source.read(bytes, at)) < bytes.byteLength) {
          throw new FileChanged(`"${file.path}" is shorter than it was`);
        }
        const put = this.#slots.use(() => this.#put(bytes));
        put.catch(() => {});
        puts.push(put);
        // No more of the file is in memory than what is on its way.
        if (puts.length >= PUTS_AT_ONCE) await puts[puts.length - PUTS_AT_ONCE];
        onBytes(bytes.byteLength);
      }
      return await Promise.all(puts);
    } finally {
      await Promise.allSettled(puts);
      await source.close();
    }
  }

  async #put(bytes: Uint8Array): Promise<BlobRef> {
    const noRush = bytes.byteLength >= RUSH_BYTES_MAX;
    const result = await this.#store.put(bytes, { noRush, ...this.#options });
    if (result.new) {
      this.#newBlobs++;
      this.#newBytes += result.bytes;
    }
    return result.ref;
  }
}
