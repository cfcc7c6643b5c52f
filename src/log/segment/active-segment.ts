// The segment that a topic is writing: made or resumed, written at its end, synced, sealed, and
// after a failure cut back. Used by one writer, one call at a time.

import { assert } from '#base/assert.ts';
import type { DiskFile } from '#base/disk.ts';
import { codeOf } from '#base/errors.ts';
import type { FileLease } from '#base/open-files.ts';
import type { TopicWorld } from '#log/topic/topic-world.ts';
import { aligned } from './alignment.ts';
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, type Segment, segmentName } from './segment.ts';
import { SegmentScanner } from './segment-scanner.ts';
import { SparseIndex } from './sparse-index.ts';

const ZEROS = new Uint8Array(256 * 1024);
const PREALLOCATE_BYTES_MIN = 64 * 1024;
/** Zeros are written twice, and pay where at least so many writes find them. */
const WRITES_PREALLOCATED_MIN = 4;

/** A batch as it stands in the bytes given to `write`. */
export interface PlacedBatch {
  readonly firstOffset: number;
  readonly nextOffset: number;
  readonly timeMs: number;
  /** From the start of the bytes, to the end of the room it takes. */
  readonly start: number;
  readonly end: number;
}

export class ActiveSegment {
  readonly segment: Segment;
  readonly createdMs: number;
  readonly #world: TopicWorld;
  #lease: FileLease | undefined;
  /** Bytes of the file that are zeros, or data, already. */
  #allocated: number;
  #durableEnd: number;
  #syncFailed = false;

  private constructor(world: TopicWorld, segment: Segment, createdMs: number) {
    this.#world = world;
    this.segment = segment;
    this.createdMs = createdMs;
    this.#allocated = segment.endPosition;
    this.#durableEnd = segment.endPosition;
    segment.durableEnd = segment.endPosition;
  }

  /**
   * On disk, name and all, when it resolves. `isCut`: the one of that name was cut back to nothing by
   * this process; it is gone on with, because it may be all that tells the topic's next offset.
   * @throws the disk's error; nothing is left then
   */
  static async create(
    world: TopicWorld,
    { firstOffset, isCut }: { readonly firstOffset: number; readonly isCut: boolean },
  ): Promise<ActiveSegment> {
    const { disk, folder } = world;
    const createdMs = world.clock.nowMs();
    const path = `${folder}/${segmentName(firstOffset)}`;
    const { logId, epoch } = world;
    const header = encodeSegmentHeader({ logId, epoch, firstOffset, createdMs });
    // One that is there holds nothing: it failed while it was made, or was cut back to nothing.
    if ((await disk.stat(path)) !== undefined) {
      const place = { path, firstOffset, createdMs };
      if (isCut) return ActiveSegment.#begin(world, place, await disk.open(path, { write: true }));
      await disk.remove(path);
    }
    const file = await disk.create(path);
    try {
      await file.write(header, 0);
      await file.datasync();
      await disk.syncFolder(folder);
    } catch (error) {
      await file.close().catch(() => {});
      await disk.remove(path).catch(() => {});
      throw error;
    }
    return ActiveSegment.#begin(world, { path, firstOffset, createdMs }, file);
  }

  static async #begin(
    world: TopicWorld,
    place: { readonly path: string; readonly firstOffset: number; readonly createdMs: number },
    file: DiskFile,
  ): Promise<ActiveSegment> {
    const { path, firstOffset, createdMs } = place;
    const endPosition = SEGMENT_HEADER_BYTES;
    const index = new SparseIndex(firstOffset, endPosition);
    const segment = { path, firstOffset, endPosition, index, timeMsMax: undefined };
    const active = new ActiveSegment(world, segment, createdMs);
    active.#lease = await world.files.adopt(path, file);
    return active;
  }

  /** Goes on in the last segment that recovery found; everything in it is on disk. */
  static resume(world: TopicWorld, segment: Segment, createdMs: number): ActiveSegment {
    assert(segment.index !== undefined, 'recovery has indexed the last segment');
    return new ActiveSegment(world, segment, createdMs);
  }

  get isEmpty(): boolean {
    return this.segment.endPosition === SEGMENT_HEADER_BYTES;
  }

  get isDurable(): boolean {
    return this.#durableEnd === this.segment.endPosition;
  }

  /** Since the last good sync nothing in the file can be trusted. */
  get hasSyncFailed(): boolean {
    return this.#syncFailed;
  }

  /** Writes whole batches, aligned, at the end. @throws the disk's error: then cut() must follow */
  async write(bytes: Uint8Array, batches: readonly PlacedBatch[]): Promise<void> {
    const { segment } = this;
    const start = segment.endPosition;
    assert(aligned(start) === start, 'batches begin at a multiple of the alignment');
    const file = await this.#file();
    await file.write(bytes, start);
    for (const batch of batches) {
      segment.index?.add({
        firstOffset: batch.firstOffset,
        nextOffset: batch.nextOffset,
        position: start + batch.start,
        endPosition: start + batch.end,
        timeMs: batch.timeMs,
      });
    }
    segment.endPosition = start + bytes.byteLength;
    await this.#preallocate(bytes.byteLength);
  }

  /** @throws the disk's error: then cut() must follow */
  async sync(): Promise<void> {
    const { clock, metrics } = this.#world;
    const end = this.segment.endPosition;
    const startedMs = clock.monotonicMs();
    const file = await this.#file();
    try {
      await file.datasync();
    } catch (error) {
      this.#syncFailed = true;
      throw error;
    }
    metrics.syncSeconds.observe((clock.monotonicMs() - startedMs) / 1000);
    this.#durableEnd = end;
    this.segment.durableEnd = end;
  }

  /** Trims the zeros, syncs, closes, and leaves the index beside it. @throws as sync */
  async seal(): Promise<void> {
    await this.trim();
    const { segment } = this;
    await this.#lease?.discard();
    this.#lease = undefined;
    assert(segment.index !== undefined, 'the active segment has its index');
    await this.#world.indexes.seal(segment, segment.index);
  }

  /** Gives the preallocated room back and syncs. @throws as sync */
  async trim(): Promise<void> {
    const end = this.segment.endPosition;
    if (this.#allocated > end) {
      const file = await this.#file();
      await file.truncate(end);
      this.#allocated = end;
    } else if (this.isDurable) {
      return;
    }
    await this.sync();
  }

  /**
   * After a failed write or sync: cuts back durably and proves it by reading. To where the last
   * write that succeeded ended, or, when a sync failed and nothing after the last good one can be
   * trusted, to there. The segment is sealed then. `offset` is the one that it must end at.
   * @throws the disk's error, or an Error that says what was read: the topic has failed
   */
  async cut(offset: number): Promise<void> {
    const { disk } = this.#world;
    const { segment } = this;
    // This file's state is unknown to the kernel as well; a new handle starts from what is there.
    await this.#lease?.discard();
    this.#lease = undefined;
    const end = this.#syncFailed ? this.#durableEnd : segment.endPosition;
    const file = await disk.open(segment.path, { write: true });
    try {
      await file.truncate(end);
      await file.datasync();
      await this.#prove(file, end, offset);
    } finally {
      await file.close();
    }
    await this.#world.files.forget(segment.path);
    segment.endPosition = end;
    this.#durableEnd = end;
    segment.durableEnd = end;
    segment.index = undefined;
  }

  /** Nothing is wanted of it for now: the file may be closed. */
  rest(): void {
    if (!this.isDurable) return;
    this.#lease?.release();
    this.#lease = undefined;
  }

  async #prove(file: FileLease['file'], end: number, offset: number): Promise<void> {
    const sizeBytes = await file.sizeBytes();
    if (sizeBytes !== end) throw new Error(`the file has ${sizeBytes} bytes, expected ${end}`);
    const from = this.segment.index?.find(Math.max(0, offset - 1));
    const scanner = new SegmentScanner({
      file,
      position: from?.position ?? SEGMENT_HEADER_BYTES,
      end,
      offset: from?.offset ?? this.segment.firstOffset,
    });
    while ((await scanner.next()) !== undefined) {}
    if (scanner.offset !== offset) {
      throw new Error(`the file ends at offset ${scanner.offset}, expected ${offset}`);
    }
  }

  /**
   * Writes zeros ahead of the data, after a write of so many bytes. A failure is none of the append's: the
   * data stands already.
   */
  async #preallocate(written: number): Promise<void> {
    const { preallocateBytes, segmentBytesMax } = this.#world.config;
    const end = this.segment.endPosition;
    if (end <= this.#allocated) return;
    this.#allocated = end;
    if (written * WRITES_PREALLOCATED_MIN > preallocateBytes) return;
    const step = Math.min(preallocateBytes, Math.max(PREALLOCATE_BYTES_MIN, end));
    const to = aligned(Math.min(end + step, segmentBytesMax));
    const file = await this.#file();
    for (let at = end; at < to; at += ZEROS.byteLength) {
      const zeros = ZEROS.subarray(0, Math.min(ZEROS.byteLength, to - at));
      try {
        await file.write(zeros, at);
      } catch (error) {
        const code = codeOf(error);
        this.#world.logger.debug('Cannot write ahead of the data', {
          path: this.segment.path,
          code,
        });
        // Some of the zeros may stand; seal and trim cut them all.
        this.#allocated = at + zeros.byteLength;
        return;
      }
      this.#allocated = at + zeros.byteLength;
    }
  }

  async #file(): Promise<FileLease['file']> {
    this.#lease ??= await this.#world.files.lease(this.segment.path, { write: true });
    return this.#lease.file;
  }
}
