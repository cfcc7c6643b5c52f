// Bugs that a log may have, planted at the disk's seam: the log is the real one, and the disk behaves
// to it as if the log's own code had the bug. So the product has no switch for it, and what a checker
// finds is what it would find if somebody broke that rule.
//
//   answer-before-sync    segments are never synced
//   failed-sync-retried   a sync that fails is done again, and its success is believed
//   no-checksums          any checksum of a batch fits: every batch is given the one it should have
//   index-trusted         an index is believed as it stands, whatever became of it
//   torn-tail-kept        while the log is opened nothing is cut
//   folder-not-synced     names in a topic's folder are never made durable

import type { Disk, DiskFile, DiskLock, DiskStat } from '#base/disk.ts';
import { ALIGNMENT } from '#log/segment/alignment.ts';
import { BATCH_HEADER_BYTES, readBatchHeader, setU64 } from '#log/segment/batch.ts';
import { crc32c } from '#log/segment/crc32c.ts';
import { viewOf } from '#log/segment/packed-records.ts';
import { SEGMENT_HEADER_BYTES, segmentOffset } from '#log/segment/segment.ts';

export type PlantedBug =
  | 'answer-before-sync'
  | 'failed-sync-retried'
  | 'no-checksums'
  | 'index-trusted'
  | 'torn-tail-kept'
  | 'folder-not-synced';

const INDEX_MAGIC = 0x31494b53;
const INDEX_HEADER_BYTES = 48;
const INDEX_ENTRY_BYTES = 24;

export class PlantedDisk implements Disk {
  /** Whoever opens a log on it says so: recovery is where a torn tail is cut. */
  isOpening = false;
  readonly #disk: Disk;
  readonly #bug: PlantedBug;
  readonly #logFolder: string;

  constructor(disk: Disk, bug: PlantedBug, logFolder: string) {
    this.#disk = disk;
    this.#bug = bug;
    this.#logFolder = logFolder;
  }

  async open(path: string, mode: { readonly write: boolean }): Promise<DiskFile> {
    return this.#wrap(await this.#disk.open(path, mode), path);
  }

  async create(path: string): Promise<DiskFile> {
    return this.#wrap(await this.#disk.create(path), path);
  }

  list(folder: string): Promise<string[]> {
    return this.#disk.list(folder);
  }

  stat(path: string): Promise<DiskStat | undefined> {
    return this.#disk.stat(path);
  }

  makeFolder(folder: string): Promise<void> {
    return this.#disk.makeFolder(folder);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#disk.rename(from, to);
  }

  remove(path: string): Promise<void> {
    return this.#disk.remove(path);
  }

  async syncFolder(folder: string): Promise<void> {
    const isTopics = folder.startsWith(`${this.#logFolder}/`);
    if (this.#bug === 'folder-not-synced' && isTopics) return;
    await this.#disk.syncFolder(folder);
  }

  lock(path: string): Promise<DiskLock | undefined> {
    return this.#disk.lock(path);
  }

  #wrap(file: DiskFile, path: string): DiskFile {
    if (path.endsWith('.index')) {
      return this.#bug === 'index-trusted' ? this.#trustedIndex(file, path) : file;
    }
    if (!path.endsWith('.log')) return file;
    if (this.#bug === 'no-checksums') return { ...plain(file), read: readForged(file) };
    if (this.#bug === 'answer-before-sync') return { ...plain(file), datasync: async () => {} };
    if (this.#bug === 'failed-sync-retried') {
      return { ...plain(file), datasync: () => file.datasync().catch(() => file.datasync()) };
    }
    if (this.#bug !== 'torn-tail-kept') return file;
    const truncate = async (sizeBytes: number): Promise<void> => {
      if (!this.isOpening) await file.truncate(sizeBytes);
    };
    return { ...plain(file), truncate };
  }

  /** Cut to whole entries, and with everything in its header that its reader asks for. */
  #trustedIndex(file: DiskFile, path: string): DiskFile {
    const sizeBytes = async (): Promise<number> => {
      const entries = Math.floor(
        ((await file.sizeBytes()) - INDEX_HEADER_BYTES) / INDEX_ENTRY_BYTES,
      );
      return entries < 0 ? 0 : INDEX_HEADER_BYTES + entries * INDEX_ENTRY_BYTES;
    };
    const read = async (into: Uint8Array, position: number): Promise<number> => {
      const count = await file.read(into, position);
      if (position !== 0 || count < INDEX_HEADER_BYTES) return count;
      const segment = path.replace(/\.index$/, '.log');
      const end = (await this.#disk.stat(segment))?.sizeBytes ?? 0;
      const view = viewOf(into);
      view.setUint32(0, INDEX_MAGIC, true);
      view.setUint32(8, 1, true);
      view.setUint32(12, (count - INDEX_HEADER_BYTES) / INDEX_ENTRY_BYTES, true);
      setU64(view, 16, segmentOffset(segment.slice(segment.lastIndexOf('/') + 1)) ?? 0);
      setU64(view, 32, end);
      view.setUint32(4, crc32c(into, 8, count), true);
      return count;
    };
    return { ...plain(file), sizeBytes, read };
  }
}

/** The methods of a file as an object of their own, of which some may be replaced. */
function plain(file: DiskFile): DiskFile {
  return {
    read: (into, position) => file.read(into, position),
    write: (bytes, position) => file.write(bytes, position),
    datasync: () => file.datasync(),
    truncate: (sizeBytes) => file.truncate(sizeBytes),
    sizeBytes: () => file.sizeBytes(),
    close: () => file.close(),
  };
}

/** Gives every batch whose header is legal, and that is all there, the checksum that fits it. */
function readForged(file: DiskFile): DiskFile['read'] {
  return async (into, position) => {
    const count = await file.read(into, position);
    const first = Math.max(SEGMENT_HEADER_BYTES, Math.ceil(position / ALIGNMENT) * ALIGNMENT);
    for (let at = first - position; at + BATCH_HEADER_BYTES <= count; at += ALIGNMENT) {
      const header = readBatchHeader(into.subarray(0, count), at);
      if (header === undefined) continue;
      let batch = into.subarray(at, at + header.length);
      if (at + header.length > count) {
        batch = new Uint8Array(header.length);
        if ((await file.read(batch, position + at)) < header.length) continue;
      }
      viewOf(into).setUint32(at + 4, crc32c(batch, 8, header.length), true);
    }
    return count;
  };
}
