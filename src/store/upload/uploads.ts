// Resumable uploads: files of any size that come in pieces, over days and restarts if need be, and become
// blobs of one size, the last one smaller. What was acknowledged is in the store and in the upload's
// journal before the answer. The bytes behind the last whole segment are a blob too, until they are
// part of one: nothing but the segment that is being filled is in memory.

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { toHex } from '#base/bytes.ts';
import type { Disk, DiskFile } from '#base/disk.ts';
import { makeDurableFolder } from '#base/durable-folder.ts';
import type { BlobRef } from '#base/ids.ts';
import type { Random } from '#base/random.ts';
import { cancelled } from '#store/calls.ts';
import { StoreError } from '#store/errors.ts';
import type { RootSource } from '#store/gc/roots.ts';
import type { BlobInfo } from '#store/store.ts';
import type { Caller, StoreDoor } from './door.ts';
import {
  headLine,
  readJournal,
  stepLine,
  type UploadHead,
  type UploadStep,
} from './upload-journal.ts';

const ID_BYTES = 16;
const NAME = /^([0-9a-f]{32})\.upload$/;
const SWEEP_MS = 60_000;

export interface UploadsWorld {
  readonly door: StoreDoor;
  readonly disk: Disk;
  readonly random: Random;
  readonly folder: string;
}

export interface Checksum {
  readonly algorithm: 'sha1' | 'sha256';
  /** In base64. */
  readonly digest: string;
}

export interface Part {
  readonly offset: number;
  readonly body: AsyncIterable<Uint8Array>;
  /** Of the part: with one, all of it is kept or nothing. */
  readonly checksum: Checksum | undefined;
  readonly signal: AbortSignal;
}

/** One upload as it stands. */
export class Upload {
  readonly id: string;
  readonly head: UploadHead;
  readonly segments: BlobInfo[] = [];
  tail: BlobInfo | undefined;
  atMs: number;
  journalBytes: number;
  /** The part that comes; a later one takes its place. */
  running: { readonly abort: AbortController; readonly ended: Promise<unknown> } | undefined;
  isGone = false;
  #wholeBytes = 0;

  constructor(id: string, head: UploadHead, journalBytes: number) {
    this.id = id;
    this.head = head;
    this.atMs = head.atMs;
    this.journalBytes = journalBytes;
  }

  get offset(): number {
    return this.#wholeBytes + (this.tail?.bytes ?? 0);
  }

  get isComplete(): boolean {
    return this.offset === this.head.length;
  }

  /** In the order of the file. */
  get refs(): readonly BlobInfo[] {
    return this.tail === undefined ? this.segments : [...this.segments, this.tail];
  }

  apply(step: UploadStep): void {
    for (const segment of step.segments) {
      this.segments.push(segment);
      this.#wholeBytes += segment.bytes;
    }
    this.tail = step.tail;
    this.atMs = step.atMs;
  }
}

export class Uploads implements RootSource {
  readonly name = 'uploads';
  readonly #world: UploadsWorld;
  readonly #uploads = new Map<string, Upload>();
  #opened: Promise<void> | undefined;
  #sweptMs = 0;

  constructor(world: UploadsWorld) {
    this.#world = world;
  }

  /** @throws StoreError STORE_UPLOAD_TOO_LARGE, STORE_UPLOADS_FULL */
  async create(caller: Caller, length: number, metadata: string): Promise<Upload> {
    await this.#open();
    await this.#sweep();
    const { door, disk, random, folder } = this.#world;
    const { uploadBytesMax, uploadsPerMemberMax, segmentBytes } = door.config;
    if (length > uploadBytesMax) {
      throw new StoreError(
        'STORE_UPLOAD_TOO_LARGE',
        `An upload of ${length} bytes, expected at most ${uploadBytesMax}`,
      );
    }
    const owner = caller.budget;
    const own = [...this.#uploads.values()].filter((one) => one.head.owner === owner);
    if (own.length >= uploadsPerMemberMax) {
      throw new StoreError('STORE_UPLOADS_FULL', `${own.length} uploads are kept for this member`);
    }
    const id = toHex(random.bytes(ID_BYTES));
    const head = { owner, length, metadata, segmentBytes, atMs: door.clock.nowMs() };
    const line = headLine(head);
    const upload = new Upload(id, head, line.byteLength);
    // Taken before the first wait: many at once must not pass the bound together.
    this.#uploads.set(id, upload);
    try {
      const file = await disk.create(this.#path(id));
      await writeAndClose(file, line, 0);
      await disk.syncFolder(folder);
    } catch (error) {
      this.#uploads.delete(id);
      throw error;
    }
    return upload;
  }

  /** Undefined for what is of somebody else, too. Ends a part that is still coming: its line was lost. */
  async find(caller: Caller, id: string): Promise<Upload | undefined> {
    await this.#open();
    await this.#sweep();
    const upload = this.#uploads.get(id);
    if (upload === undefined || upload.head.owner !== caller.budget) return undefined;
    upload.running?.abort.abort();
    await upload.running?.ended;
    return upload.isGone ? undefined : upload;
  }

  /**
   * Takes a part; resolves with the new offset when it is on disk. What came of a part that broke is
   * kept as well, unless it had a checksum.
   * @throws StoreError STORE_UPLOAD_OFFSET, STORE_UPLOAD_TOO_LARGE, STORE_UPLOAD_CHECKSUM,
   * STORE_CANCELLED, STORE_TIMED_OUT; and what the store and the body throw
   */
  async append(upload: Upload, part: Part): Promise<number> {
    if (part.offset !== upload.offset) {
      throw new StoreError(
        'STORE_UPLOAD_OFFSET',
        `The part begins at ${part.offset}, the upload ends at ${upload.offset}`,
      );
    }
    const abort = new AbortController();
    const signal = AbortSignal.any([abort.signal, part.signal]);
    const appending = this.#append(upload, { ...part, signal });
    const running = { abort, ended: appending.catch(() => undefined) };
    upload.running = running;
    try {
      return await appending;
    } finally {
      if (upload.running === running) upload.running = undefined;
    }
  }

  async remove(upload: Upload): Promise<void> {
    upload.isGone = true;
    this.#uploads.delete(upload.id);
    await this.#world.disk.remove(this.#path(upload.id));
    await this.#world.disk.syncFolder(this.#world.folder);
  }

  /** Until when it is kept, in Unix milliseconds. */
  expiresMs(upload: Upload): number {
    return upload.atMs + this.#world.door.config.uploadAgeMsMax;
  }

  async *refs(signal: AbortSignal): AsyncGenerator<BlobRef> {
    await this.#open();
    for (const upload of [...this.#uploads.values()]) {
      signal.throwIfAborted();
      for (const { ref } of upload.refs) yield ref;
    }
  }

  async #append(upload: Upload, part: Part): Promise<number> {
    const { budget } = this.#world.door;
    const { segmentBytes, owner } = upload.head;
    await budget.wait(owner, segmentBytes, part.signal);
    try {
      const filling = new Filling(this.#world.door, upload, (step) => this.#write(upload, step));
      await filling.begin();
      const hash = part.checksum && createHash(part.checksum.algorithm);
      filling.isHeldBack = hash !== undefined;
      try {
        for await (const bytes of this.#timely(part)) {
          hash?.update(bytes);
          await filling.take(bytes);
        }
      } catch (error) {
        // What has arrived is worth keeping, whatever ended the line.
        if (hash === undefined) await filling.end();
        throw error;
      }
      if (hash !== undefined && hash.digest('base64') !== part.checksum?.digest) {
        throw new StoreError('STORE_UPLOAD_CHECKSUM', 'The part is not what its checksum says');
      }
      await filling.end();
      return upload.offset;
    } finally {
      budget.give(owner, segmentBytes);
    }
  }

  /** The body, given up when it stands still or is taken back. */
  async *#timely({ body, signal }: Part): AsyncGenerator<Uint8Array> {
    const { clock, config } = this.#world.door;
    const iterator = body[Symbol.asyncIterator]();
    const ended = Promise.withResolvers<never>();
    ended.promise.catch(() => undefined);
    const abort = (): void => ended.reject(cancelled());
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    let isDone = false;
    try {
      for (;;) {
        const timer = clock.after(config.stallMsMax, () =>
          ended.reject(new StoreError('STORE_TIMED_OUT', 'The rest of the part did not come')),
        );
        const next = await Promise.race([iterator.next(), ended.promise]).finally(() =>
          timer.cancel(),
        );
        isDone = next.done === true;
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      signal.removeEventListener('abort', abort);
      // Not awaited: a body that stands still ends when it can.
      if (!isDone) iterator.return?.()?.then(undefined, () => undefined);
    }
  }

  async #write(upload: Upload, step: UploadStep): Promise<void> {
    if (upload.isGone) throw new StoreError('STORE_UPLOAD_MISSING', 'The upload was ended');
    const line = stepLine(step);
    const file = await this.#world.disk.open(this.#path(upload.id), { write: true });
    await writeAndClose(file, line, upload.journalBytes);
    upload.journalBytes += line.byteLength;
    upload.apply(step);
  }

  #open(): Promise<void> {
    this.#opened ??= this.#load().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  async #load(): Promise<void> {
    const { disk, folder } = this.#world;
    await makeDurableFolder(disk, folder);
    for (const name of await disk.list(folder)) {
      const id = NAME.exec(name)?.[1];
      if (id === undefined) continue;
      const file = await disk.open(join(folder, name), { write: true });
      try {
        const bytes = new Uint8Array(await file.sizeBytes());
        await file.read(bytes, 0);
        const journal = readJournal(bytes);
        if (journal === undefined) continue;
        if (journal.bytes < bytes.byteLength) await file.truncate(journal.bytes);
        const upload = new Upload(id, journal.head, journal.bytes);
        for (const step of journal.steps) upload.apply(step);
        this.#uploads.set(id, upload);
      } finally {
        await file.close();
      }
    }
  }

  /** Forgets what expired, now and then. */
  async #sweep(): Promise<void> {
    const nowMs = this.#world.door.clock.nowMs();
    const isDue = nowMs - this.#sweptMs >= SWEEP_MS || nowMs < this.#sweptMs;
    const late = [...this.#uploads.values()].filter(
      (one) => one.running === undefined && this.expiresMs(one) <= nowMs,
    );
    if (!isDue && late.length === 0) return;
    this.#sweptMs = nowMs;
    for (const upload of late) await this.remove(upload);
  }

  #path(id: string): string {
    return join(this.#world.folder, `${id}.upload`);
  }
}

/** The segment of an upload that is being filled, and what is done when it is full. */
class Filling {
  readonly #door: StoreDoor;
  readonly #upload: Upload;
  readonly #write: (step: UploadStep) => Promise<void>;
  readonly #buffer: Uint8Array;
  /** Stored, and not in the journal yet. */
  #segments: BlobInfo[] = [];
  #filled = 0;
  #total: number;
  #isChanged = false;
  /** True: nothing counts before the end. */
  isHeldBack = false;

  constructor(door: StoreDoor, upload: Upload, write: (step: UploadStep) => Promise<void>) {
    this.#door = door;
    this.#upload = upload;
    this.#write = write;
    this.#buffer = new Uint8Array(upload.head.segmentBytes);
    this.#total = upload.offset;
  }

  async begin(): Promise<void> {
    const { tail } = this.#upload;
    if (tail === undefined) return;
    const store = await this.#door.store();
    this.#buffer.set(await store.get(tail.ref));
    this.#filled = tail.bytes;
  }

  async take(bytes: Uint8Array): Promise<void> {
    this.#total += bytes.byteLength;
    if (this.#total > this.#upload.head.length) {
      this.#total -= bytes.byteLength;
      throw new StoreError(
        'STORE_UPLOAD_TOO_LARGE',
        `The upload said that it has ${this.#upload.head.length} bytes, and more came`,
      );
    }
    this.#door.counts.received(bytes.byteLength);
    for (let at = 0; at < bytes.byteLength; ) {
      const count = Math.min(bytes.byteLength - at, this.#buffer.byteLength - this.#filled);
      this.#buffer.set(bytes.subarray(at, at + count), this.#filled);
      this.#filled += count;
      this.#isChanged = true;
      at += count;
      if (this.#filled === this.#buffer.byteLength) await this.#store();
    }
  }

  /** Makes all that came durable. */
  async end(): Promise<void> {
    if (!this.#isChanged) return;
    this.isHeldBack = false;
    const tail = this.#filled === 0 ? undefined : await this.#put();
    await this.#commit(tail);
  }

  async #store(): Promise<void> {
    this.#segments.push(await this.#put());
    this.#filled = 0;
    if (!this.isHeldBack) await this.#commit(undefined);
  }

  async #put(): Promise<BlobInfo> {
    const store = await this.#door.store();
    // Bytes of its own: the store keeps them until the answer, and the buffer is filled again.
    const { ref, bytes } = await store.put(this.#buffer.slice(0, this.#filled));
    return { ref, bytes };
  }

  async #commit(tail: BlobInfo | undefined): Promise<void> {
    const segments = this.#segments;
    await this.#write({ atMs: this.#door.clock.nowMs(), segments, tail });
    this.#segments = [];
    this.#isChanged = false;
  }
}

async function writeAndClose(file: DiskFile, bytes: Uint8Array, at: number): Promise<void> {
  try {
    await file.write(bytes, at);
    await file.datasync();
  } finally {
    await file.close();
  }
}
