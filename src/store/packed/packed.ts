// The store in packs (format: pack.ts), the default. Puts and removals queue; one group at a time is
// laid out, written with one call and synced once, then all in it are answered. The index is in
// memory (blob-index.ts) and made from the packs alone when the store is opened. A group that fails is
// cut off again, so what was refused is not found later.

import type { Clock, Timer } from '#base/clock.ts';
import type { Disk, DiskFile } from '#base/disk.ts';
import { codeOf } from '#base/errors.ts';
import type { BlobRef } from '#base/ids.ts';
import type { Random } from '#base/random.ts';
import { Gate, throwIfCancelled, unlessCancelled } from '#store/calls.ts';
import type { StoreConfig } from '#store/config.ts';
import { StoreError } from '#store/errors.ts';
import {
  type BlobInfo,
  type BlobSource,
  type CallOptions,
  hashOf,
  type LendOptions,
  type LentBlob,
  type ListOptions,
  missing,
  type PutOptions,
  type PutResult,
  readVerified,
  refOfHash,
  type Sha256,
  type Store,
  type StoreStats,
  type StreamedBlob,
  type StreamOptions,
  sliceRange,
  verifyBlob,
} from '#store/store.ts';
import { BlobIndex, type BlobPlace } from './blob-index.ts';
import { compactPacks } from './compaction.ts';
import { isAt, type Wrong } from './corrupt-list.ts';
import { checkHeaders } from './header-check.ts';
import { OverlayDisk, refuseReadOnly } from './overlay-disk.ts';
import { type Damage, type PackRecord, RECORD_HEADER_BYTES, seriesPlace } from './pack.ts';
import { PackFiles } from './pack-files.ts';
import { type PackTail, saveTail } from './pack-tail.ts';
import { type Operation, PackWriter } from './pack-writer.ts';
import { streamPacks } from './packed-stream.ts';
import { VerifiedPlaces } from './verified-places.ts';
import { type Verified, verifyPacks } from './verify-packs.ts';

/** Smaller ones are read as quickly as they are lent. */
const LENT_BYTES_MIN = 64 * 1024;
/** A usual segment; what is larger is read into memory of its own. */
const ROOM_BYTES = 4 * 1024 * 1024;
const ROOMS_MAX = 4;

interface ReadHow {
  readonly sha256?: Sha256 | undefined;
  /** Where to, at least as long as the blob. */
  readonly room?: Uint8Array;
}

export interface PackedWorld {
  readonly folder: string;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly config: StoreConfig;
  /** Of the list of what is wrong (corrupt-list.ts); fewer in tests. */
  readonly corruptBlobsMax?: number;
}

export interface PackDamage extends Damage {
  readonly pack: number;
}

export interface Compacted {
  readonly packs: number;
  readonly freedBytes: number;
  /** Packs left alone because something in them is damaged. */
  readonly kept: readonly number[];
  /** Blobs that could not be read and are none any more; only with `givesUp`. */
  readonly givenUp: readonly BlobRef[];
}

export interface CompactOptions extends CallOptions {
  /** Also packs with damage: what cannot be read of them is lost for good. */
  readonly givesUp?: boolean;
}

export class PackedStore implements Store {
  readonly #world: PackedWorld;
  readonly #index: BlobIndex;
  readonly #files: PackFiles;
  readonly #writer: PackWriter;
  readonly #verified: VerifiedPlaces;
  readonly #verifying = new Map<BlobRef, Promise<void>>();
  readonly #rooms: Uint8Array[] = [];
  readonly #gate = new Gate();
  #timer: Timer | undefined;
  #compacting: { readonly givesUp: boolean; readonly done: Promise<Compacted> } | undefined;

  private constructor(world: PackedWorld, files: PackFiles, index: BlobIndex) {
    this.#world = world;
    this.#files = files;
    this.#index = index;
    this.#verified = new VerifiedPlaces(world.clock);
    this.#writer = new PackWriter({ world, files, index, verified: this.#verified });
  }

  /**
   * Makes the store when there is none; else recovers it. Where the file system can only be read it is
   * recovered in memory, and takes nothing. @throws StoreError STORE_LOCKED while somebody else has it open,
   * in this process or another
   */
  static async open(world: PackedWorld): Promise<PackedStore> {
    try {
      return await PackedStore.#open(world);
    } catch (error) {
      // Of the lock alone, which is taken before anything else is changed.
      if (codeOf(error) !== 'EROFS') throw error;
      return await PackedStore.#open({ ...world, disk: new OverlayDisk(world.disk) });
    }
  }

  static async #open(world: PackedWorld): Promise<PackedStore> {
    const index = new BlobIndex();
    const files = await PackFiles.open(world, index);
    const store = new PackedStore(world, files, index);
    try {
      await saveTail({ files, index, writer: store.#writer });
    } catch (error) {
      await files.close();
      throw error;
    }
    return store;
  }

  get indexBytes(): number {
    return this.#index.memoryBytes;
  }

  /** Packs that are open at this moment. */
  get openPacks(): number {
    return this.#files.openCount;
  }

  /** What was found damaged when it was opened, or by the last `checkHeaders`. */
  get damage(): readonly PackDamage[] {
    return this.#files.damage;
  }

  /** What the newest pack ended with when it was opened, if that was not whole. */
  get tail(): PackTail | undefined {
    return this.#files.tail;
  }

  /** As PackFiles. */
  asides(): Promise<string[]> {
    return this.#files.asides();
  }

  isKnownCorrupt(ref: BlobRef): boolean {
    return this.#files.corrupt.isFull || this.#files.corrupt.has(ref);
  }

  /** How many blobs are known to be wrong. */
  get corruptCount(): number {
    return this.#files.corrupt.count;
  }

  async put(source: BlobSource, options: PutOptions = {}): Promise<PutResult> {
    this.#gate.enter(options.signal);
    const { ref, bytes } = await readVerified(source, options);
    this.#gate.enter(options.signal);
    refuseReadOnly(this.#world);
    const hash = hashOf(ref);
    let isWrong = false;
    for (;;) {
      const pending = this.#writer.lastOf(ref);
      const known =
        pending === undefined ? this.#index.get(hash) !== undefined : pending.kind === 'blob';
      if (known && pending === undefined && !isWrong && !this.#files.corrupt.has(ref)) {
        isWrong = this.#files.corrupt.isFull && (await this.#isWrong(ref));
        if (isWrong) continue;
        return { ref, bytes: bytes.byteLength, new: false };
      }
      if (known && pending !== undefined) {
        if (options.noRush !== true) this.#writer.hurry();
        await this.#wait(pending, options.signal);
        return { ref, bytes: bytes.byteLength, new: false };
      }
      if (this.#writer.hasRoom(bytes.byteLength)) break;
      await unlessCancelled(this.#writer.room(), options.signal);
      this.#gate.enter(options.signal);
    }
    const operation = this.#writer.add({
      ...{ kind: 'blob', ref, hash, body: bytes, series: seriesPlace(options.series) },
    });
    if (options.noRush === true) this.#wakeLater();
    else this.#writer.hurry();
    await this.#wait(operation, options.signal);
    this.#files.corrupt.delete(ref);
    return { ref, bytes: bytes.byteLength, new: true };
  }

  async get(ref: BlobRef, options: CallOptions = {}): Promise<Uint8Array> {
    this.#gate.enter(options.signal);
    const place = this.#index.get(hashOf(ref));
    if (place === undefined) throw missing(ref);
    const bytes = await this.#readBlob(ref, place, { sha256: options.sha256 });
    throwIfCancelled(options.signal);
    return bytes;
  }

  async prove(ref: BlobRef, options: CallOptions = {}): Promise<number> {
    this.#gate.enter(options.signal);
    const place = this.#index.get(hashOf(ref));
    if (place === undefined) throw missing(ref);
    await this.#verify(ref, place, options.sha256);
    throwIfCancelled(options.signal);
    return place.bytes;
  }

  async lend(ref: BlobRef, options: LendOptions): Promise<LentBlob | undefined> {
    this.#gate.enter();
    const { verifiedMsMax, sha256 } = options;
    const lent = await this.#lendVerified(ref, verifiedMsMax);
    if (lent !== undefined || sha256 === undefined) return lent;
    const place = this.#index.get(hashOf(ref));
    if (place === undefined || place.bytes < LENT_BYTES_MIN) return undefined;
    let verifying = this.#verifying.get(ref);
    if (verifying === undefined) {
      verifying = this.#verify(ref, place, sha256).finally(() => this.#verifying.delete(ref));
      this.#verifying.set(ref, verifying);
    }
    await verifying;
    return await this.#lendVerified(ref, verifiedMsMax);
  }

  /** By memory that is used again: new memory costs as much as reading. */
  async #verify(ref: BlobRef, place: BlobPlace, sha256: Sha256 | undefined): Promise<void> {
    const room = this.#rooms.pop() ?? Buffer.allocUnsafeSlow(ROOM_BYTES);
    try {
      await this.#readBlob(ref, place, { sha256, ...(place.bytes <= room.length && { room }) });
    } finally {
      if (this.#rooms.length < ROOMS_MAX) this.#rooms.push(room);
    }
  }

  async #lendVerified(ref: BlobRef, verifiedMsMax: number): Promise<LentBlob | undefined> {
    const place = this.#index.get(hashOf(ref));
    if (place === undefined) throw missing(ref);
    const verified = this.#verified.has(ref, place, verifiedMsMax);
    if (verified === undefined) return undefined;
    const lease = await this.#files.lease(place.pack).catch(() => undefined);
    const descriptor = lease?.file.own?.descriptor;
    const epoch = lease && this.#verified.epochOf(place.pack, lease.file);
    if (lease === undefined || descriptor === undefined || epoch !== verified.epoch) {
      lease?.release();
      return undefined;
    }
    const position = place.position + RECORD_HEADER_BYTES;
    return { descriptor, position, bytes: place.bytes, release: lease.release };
  }

  async getRange(
    ref: BlobRef,
    range: { readonly start: number; readonly end: number },
    options: CallOptions = {},
  ): Promise<Uint8Array> {
    return sliceRange(await this.get(ref, options), range);
  }

  async stat(refs: readonly BlobRef[], options: CallOptions = {}): Promise<BlobInfo[]> {
    this.#gate.enter(options.signal);
    return refs.flatMap((ref) => {
      const place = this.#index.get(hashOf(ref));
      return place === undefined ? [] : [{ ref, bytes: place.bytes }];
    });
  }

  async list(options: ListOptions = {}): Promise<BlobInfo[]> {
    this.#gate.enter(options.signal);
    const after = options.after === undefined ? undefined : hashOf(options.after);
    return this.#index
      .page(after, options.limit ?? 1000)
      .map(({ hash, place }) => ({ ref: refOfHash(hash), bytes: place.bytes }));
  }

  async remove(refs: readonly BlobRef[], options: CallOptions = {}): Promise<number> {
    this.#gate.enter(options.signal);
    refuseReadOnly(this.#world);
    const waits: Promise<void>[] = [];
    let removed = 0;
    for (const ref of new Set(refs)) {
      const hash = hashOf(ref);
      const pending = this.#writer.lastOf(ref);
      if (pending?.kind === 'removal') waits.push(pending.done);
      else if (pending !== undefined || this.#index.get(hash) !== undefined) {
        removed++;
        waits.push(this.#writer.add({ kind: 'removal', ref, hash }).done);
      }
    }
    this.#writer.hurry();
    const results = await Promise.allSettled(waits);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    for (const ref of refs) this.#files.corrupt.delete(ref);
    return removed;
  }

  async *stream(options: StreamOptions = {}): AsyncGenerator<StreamedBlob> {
    this.#gate.enter(options.signal);
    const parts = {
      files: this.#files,
      moves: () => this.#writer.moves,
      read: async (record: PackRecord, pack: number) => {
        this.#gate.enter(options.signal);
        const place = this.#index.get(record.hash);
        if (place?.pack !== pack || place.position !== record.position) return undefined;
        const ref = refOfHash(record.hash);
        const body = await this.#readBlob(ref, place).catch(undefinedIfCorrupt);
        return { ref, bytes: place.bytes, body };
      },
    };
    yield* streamPacks(parts, options);
  }

  async stats(): Promise<StoreStats> {
    this.#gate.enter();
    return {
      blobs: this.#index.count,
      bytes: this.#index.blobBytes,
      storedBytes: this.#files.storedBytes(),
    };
  }

  async flush(): Promise<void> {
    this.#gate.enter();
    await this.#writer.flush();
  }

  /**
   * Reads the headers of all records again, and renews `damage`. Answers the blobs whose records are damaged:
   * they are still read, and lost by the next opening unless they are put again.
   */
  async checkHeaders(options: CallOptions = {}): Promise<BlobRef[]> {
    const enter = (): void => this.#gate.enter(options.signal);
    const { damage, lost } = await checkHeaders(this.#files, this.#index, enter);
    this.#files.renewDamage(damage);
    const { corrupt } = this.#files;
    const refs = new Set(lost.map(refOfHash));
    for (const { ref, what } of [...corrupt.blobs()]) {
      if (what === 'record' && !refs.has(ref)) corrupt.delete(ref);
    }
    corrupt.beginCheck();
    for (const ref of refs) this.#noteCorrupt(ref, 'record');
    await corrupt.saved();
    return [...refs];
  }

  /** Every blob was read since `checkHeaders`: what was found is on the medium when it resolves. */
  async endCheck(): Promise<void> {
    this.#files.corrupt.endCheck();
    await this.#files.corrupt.saved();
  }

  /** Reads and hashes everything; cancelled between two blobs. */
  verify(options: CallOptions = {}): Promise<Verified> {
    return verifyPacks(this, options);
  }

  /** Gives back the space of removed blobs. One at a time: a second call joins one that does as much. */
  async compact(options: CompactOptions = {}): Promise<Compacted> {
    const { givesUp = false } = options;
    while (this.#compacting !== undefined && givesUp && !this.#compacting.givesUp) {
      await this.#compacting.done.catch(() => {});
    }
    if (this.#compacting === undefined) {
      const done = this.#compact(options).finally(() => {
        this.#compacting = undefined;
      });
      this.#compacting = { givesUp, done };
    }
    return this.#compacting.done;
  }

  close(): Promise<void> {
    return this.#gate.close(() => this.#end());
  }

  async #end(): Promise<void> {
    this.#timer?.cancel();
    await this.#compacting?.done.catch(() => {});
    const isWhole = await this.#writer.close();
    await this.#files.corrupt.saved();
    if (isWhole && !(this.#world.disk instanceof OverlayDisk)) {
      await this.#files.leaveCheckpoint(this.#index).catch(() => {});
    }
    await this.#files.close();
  }

  async #compact(options: CompactOptions): Promise<Compacted> {
    this.#gate.enter(options.signal);
    refuseReadOnly(this.#world);
    const { packBytesMax, compactDeadPercent } = this.#world.config;
    const givenUp: BlobRef[] = [];
    const { givesUp = false } = options;
    const parts = {
      ...{ files: this.#files, index: this.#index, writer: this.#writer },
      enter: () => this.#gate.enter(options.signal),
      onCorrupt: (ref: BlobRef) => this.#noteCorrupt(ref, 'bytes'),
      onGivenUp: givesUp ? (ref: BlobRef) => givenUp.push(ref) : undefined,
    };
    const damaged = givesUp ? await this.#damagedPacks(options) : new Set<number>();
    if (damaged.has(this.#files.active.number)) await this.#writer.seal();
    // One whose header is damaged is written anew whatever is dead in it: the next loss may take more.
    const headless = new Set(this.#files.headless());
    const wanted = this.#files
      .sealed()
      .filter(
        (pack) =>
          headless.has(pack) ||
          damaged.has(pack) ||
          this.#files.deadPercent(pack) >= compactDeadPercent,
      );
    const before = this.#files.storedBytes();
    const kept = await compactPacks(parts, wanted, packBytesMax);
    await this.#files.reserve.keep();
    for (const ref of givenUp) this.#files.corrupt.delete(ref);
    const freedBytes = before - this.#files.storedBytes();
    return { packs: wanted.length - kept.length, freedBytes, kept, givenUp };
  }

  /** Those with a stretch, or a blob, that cannot be read: all is read for it. */
  async #damagedPacks(options: CallOptions): Promise<Set<number>> {
    await this.verify(options);
    const places = [...this.#files.corrupt.blobs()].map(({ place }) => place.pack);
    const packs = [...this.damage.map(({ pack }) => pack), ...places];
    return new Set(packs.filter((pack) => pack !== undefined));
  }

  async #readBlob(ref: BlobRef, place: BlobPlace, how: ReadHow = {}): Promise<Uint8Array> {
    const { sha256, room } = how;
    try {
      let epoch: number | undefined;
      const isLent = place.bytes >= LENT_BYTES_MIN;
      const onFile = (file: DiskFile): void => {
        if (isLent) epoch = this.#verified.epochOf(place.pack, file);
      };
      const bytes = await this.#files.readBody(place, onFile, room);
      await verifyBlob(ref, bytes, sha256);
      if (epoch !== undefined) this.#verified.add(ref, place, epoch);
      const known = this.#files.corrupt.get(ref);
      // Wrong at another time: a cable, or the memory of the disk.
      if (known?.what === 'bytes' && isAt(place, known.place)) this.#files.corrupt.delete(ref);
      return bytes;
    } catch (error) {
      // Compaction may have taken it elsewhere before it was read.
      const now = this.#index.get(hashOf(ref));
      if (now === undefined) throw missing(ref);
      if (now.pack !== place.pack || now.position !== place.position) {
        return this.#readBlob(ref, now, how);
      }
      if (error instanceof StoreError && error.code === 'STORE_CORRUPT_BLOB') {
        this.#noteCorrupt(ref, 'bytes');
        this.#verified.forget(ref);
      }
      throw error;
    }
  }

  #noteCorrupt(ref: BlobRef, what: Wrong): void {
    const place = this.#index.get(hashOf(ref));
    if (place !== undefined) this.#files.corrupt.add({ ref, place, what });
  }

  async #isWrong(ref: BlobRef): Promise<boolean> {
    return (await this.get(ref).catch(undefinedIfCorrupt)) === undefined;
  }

  #wakeLater(): void {
    this.#timer ??= this.#world.clock.after(this.#world.config.noRushMsMax, () => {
      this.#timer = undefined;
      this.#writer.hurry();
    });
  }

  async #wait(operation: Operation, signal: AbortSignal | undefined): Promise<void> {
    operation.waiters++;
    try {
      await unlessCancelled(operation.done, signal);
    } finally {
      operation.waiters--;
      if (operation.waiters === 0) this.#writer.withdraw(operation);
    }
  }
}

function undefinedIfCorrupt(error: unknown): undefined {
  if (error instanceof StoreError && error.code === 'STORE_CORRUPT_BLOB') return undefined;
  throw error;
}
