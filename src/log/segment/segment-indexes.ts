// The indexes of sealed segments: loaded when first wanted, made again when the cache beside the
// segment is missing or does not fit, and dropped, the longest unused first, beyond `indexesMax`.

import type { Disk } from '#base/disk.ts';
import { messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { OpenFiles } from '#base/open-files.ts';
import { readWhole } from './checkpoint.ts';
import { SEGMENT_HEADER_BYTES, type Segment } from './segment.ts';
import { SegmentScanner } from './segment-scanner.ts';
import { SparseIndex } from './sparse-index.ts';

const INDEX_BYTES_MAX = 16 * 1024 * 1024;

export class SegmentIndexes {
  readonly #disk: Disk;
  readonly #files: OpenFiles;
  readonly #logger: Logger;
  readonly #indexesMax: number;
  /** Sealed segments whose index is in memory, in order of last use. */
  readonly #loaded = new Set<Segment>();
  readonly #loading = new Map<Segment, Promise<SparseIndex>>();

  constructor(world: {
    readonly disk: Disk;
    readonly files: OpenFiles;
    readonly logger: Logger;
    readonly indexesMax: number;
  }) {
    this.#disk = world.disk;
    this.#files = world.files;
    this.#logger = world.logger;
    this.#indexesMax = world.indexesMax;
  }

  /** @throws the disk's error */
  async of(segment: Segment): Promise<SparseIndex> {
    if (segment.index !== undefined) {
      // The active segment is never in the set: its index is not a copy of anything.
      if (this.#loaded.delete(segment)) this.#loaded.add(segment);
      return segment.index;
    }
    let loading = this.#loading.get(segment);
    if (loading === undefined) {
      loading = this.#load(segment).finally(() => this.#loading.delete(segment));
      this.#loading.set(segment, loading);
    }
    return loading;
  }

  /** The segment was sealed: its index is written beside it and may now be dropped. */
  async seal(segment: Segment, index: SparseIndex): Promise<void> {
    this.#admit(segment, index);
    await this.#store(segment, index);
  }

  /** Nothing is being read or written for it any more. It is stale: nothing will be written again. */
  async settled(segment: Segment): Promise<void> {
    await this.#loading.get(segment)?.catch(() => undefined);
  }

  /** The segment is gone, or has become the active one. */
  forget(segment: Segment): void {
    this.#loaded.delete(segment);
  }

  async #load(segment: Segment): Promise<SparseIndex> {
    const bytes = await readWhole(this.#disk, indexPath(segment), INDEX_BYTES_MAX);
    let index = bytes === undefined ? undefined : SparseIndex.decode(bytes, segment);
    if (index === undefined) {
      index = await this.#rebuild(segment);
      await this.#store(segment, index);
    }
    this.#admit(segment, index);
    return index;
  }

  async #rebuild(segment: Segment): Promise<SparseIndex> {
    const lease = await this.#files.lease(segment.path, { write: false });
    try {
      const index = new SparseIndex(segment.firstOffset, SEGMENT_HEADER_BYTES);
      const scanner = new SegmentScanner({
        file: lease.file,
        position: SEGMENT_HEADER_BYTES,
        end: segment.endPosition,
        offset: segment.firstOffset,
      });
      for (;;) {
        const item = await scanner.next();
        if (item === undefined) break;
        if (item.kind === 'bad') continue;
        const { firstOffset, timeMs } = item.header;
        const { position } = item;
        const nextOffset = scanner.offset;
        index.add({ firstOffset, nextOffset, position, endPosition: scanner.position, timeMs });
      }
      // The whole file belongs to it, also what is damaged at its end.
      index.endPosition = segment.endPosition;
      return index;
    } finally {
      lease.release();
    }
  }

  /** It is a cache: not synced, and a failure costs the next start a scan. */
  async #store(segment: Segment, index: SparseIndex): Promise<void> {
    if (segment.isStale === true) return;
    const path = indexPath(segment);
    try {
      if ((await this.#disk.stat(path)) !== undefined) await this.#disk.remove(path);
      const file = await this.#disk.create(path);
      try {
        await file.write(index.encode(segment.firstOffset), 0);
      } finally {
        await file.close();
      }
    } catch (error) {
      this.#logger.warn('Cannot write an index; it is made again when it is wanted', {
        path,
        error: messageOf(error),
      });
    }
  }

  #admit(segment: Segment, index: SparseIndex): void {
    segment.index = index;
    segment.timeMsMax = index.timeMsMax;
    this.#loaded.delete(segment);
    this.#loaded.add(segment);
    for (const oldest of this.#loaded) {
      if (this.#loaded.size <= this.#indexesMax) return;
      this.#loaded.delete(oldest);
      oldest.index = undefined;
    }
  }
}

export function indexPath(segment: { readonly path: string }): string {
  return segment.path.replace(/\.log$/, '.index');
}
