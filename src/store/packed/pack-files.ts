// The files of a packed store: its lock, recovery at open, reading, adding and removing a pack. A bounded
// number of packs stays open. A pack that is removed while somebody reads it is closed by the last of
// its readers.
//
// Beside the packs lie the room that is kept for removals (reserve.ts), notes of where packs were cut
// (cut-note.ts), the index of a store that ended in order (checkpoint.ts), what was found wrong
// (corrupt-list.ts), and ends of packs that were cut after a kill (pack-tail.ts).

import { crc32 } from 'node:zlib';
import type { DiskFile, DiskLock } from '#base/disk.ts';
import { type FileLease, OpenFiles } from '#base/open-files.ts';
import { Slots } from '#base/slots.ts';
import { StoreError } from '#store/errors.ts';
import { hashOf } from '#store/store.ts';
import type { BlobIndex, BlobPlace } from './blob-index.ts';
import {
  CHECKPOINT_NAME,
  type CheckpointKey,
  type CheckpointPack,
  checkpointPack,
  takeCheckpoint,
  writeCheckpoint,
} from './checkpoint.ts';
import { CorruptList, isAt } from './corrupt-list.ts';
import { cutAgain, cutPath, writeCutNote } from './cut-note.ts';
import { KnownRecords } from './known-records.ts';
import { findSeed, shownStoreId, storeIdOf } from './lost-seed.ts';
import {
  alignUp,
  GROUP_ALIGNMENT,
  PACK_HEADER_BYTES,
  type PackRecord,
  packHeader,
  packName,
  packNumber,
  RECORD_HEADER_BYTES,
  readPackHeader,
  scanPack,
} from './pack.ts';
import { isAsideName, keepAside, type PackTail, readTail } from './pack-tail.ts';
import type { PackDamage, PackedWorld } from './packed.ts';
import { clearLeftovers, lockPackedFolder, takePackedFolder } from './packed-folder.ts';
import { Reserve } from './reserve.ts';

/** Of writing the index when the store ends: a server has to end, too. */
const CHECKPOINT_MS_MAX = 4000;

export interface Pack {
  readonly number: number;
  /** Everything below is on the medium. */
  end: number;
  /** Of records that live. */
  liveBytes: number;
  /** False when an older version of the format made it, or its header is damaged: it is not written to. */
  isCurrent: boolean;
  /** Of the checksums of its records; undefined when none of them can be read. */
  seed: number | undefined;
}

export class PackFiles {
  readonly damage: PackDamage[] = [];
  readonly corrupt: CorruptList;
  readonly #world: PackedWorld;
  readonly #packs = new Map<number, Pack>();
  readonly #open: OpenFiles;
  #lock: DiskLock | undefined;
  #active: FileLease | undefined;
  readonly #reserve: Reserve;
  #storeId: Uint8Array | undefined;
  #last = 0;
  #tail: PackTail | undefined;
  #endedInOrder = false;
  /** Packs in use at once; the one that is written to is open besides. */
  readonly #uses: Slots;

  private constructor(world: PackedWorld) {
    this.#world = world;
    const { disk, config } = world;
    this.#reserve = new Reserve(world);
    this.corrupt = new CorruptList(world);
    this.#uses = new Slots(Math.max(1, config.openPacksMax - 1));
    // Whatever was promised of a pack was synced: an error of its close takes nothing back.
    this.#open = new OpenFiles({ disk, filesMax: config.openPacksMax, onCloseError: () => {} });
  }

  static async open(world: PackedWorld, index: BlobIndex): Promise<PackFiles> {
    const files = new PackFiles(world);
    try {
      await files.#recover(index);
    } catch (error) {
      await files.close();
      throw error;
    }
    return files;
  }

  /** Checksums of records that are written begin with it. */
  get seed(): number {
    return this.active.seed as number;
  }

  pack(number: number): Readonly<Pack> | undefined {
    return this.#packs.get(number);
  }

  seedOf(number: number): number | undefined {
    return this.#packs.get(number)?.seed;
  }

  /** Of what was found in records since it was opened; headers, and packs of which nothing is read, stay. */
  renewDamage(found: readonly PackDamage[]): void {
    const known = this.damage.filter(
      (one) => isOfHeader(one) || this.seedOf(one.pack) === undefined,
    );
    this.damage.splice(0, this.damage.length, ...known, ...found);
  }

  headless(): number[] {
    return this.damage.filter(isOfHeader).map(({ pack }) => pack);
  }

  /** Something in it can be read no more; a damaged header alone costs nothing. */
  isDamaged(number: number): boolean {
    return this.damage.some((one) => one.pack === number && !isOfHeader(one));
  }

  get active(): Pack {
    return this.#packs.get(this.#last) as Pack;
  }

  get activeFile(): DiskFile {
    return (this.#active as FileLease).file;
  }

  get openCount(): number {
    return this.#open.count;
  }

  /** In order, without the one that is written to. */
  sealed(): number[] {
    return [...this.#packs.keys()].filter((number) => number !== this.#last);
  }

  numbers(): number[] {
    return [...this.#packs.keys()];
  }

  oldest(): number | undefined {
    return this.#packs.keys().next().value;
  }

  deadPercent(number: number): number {
    const pack = this.#packs.get(number);
    const room = pack === undefined ? 0 : pack.end - PACK_HEADER_BYTES;
    return pack === undefined ? 0 : room === 0 ? 100 : (1 - pack.liveBytes / room) * 100;
  }

  liveBytes(number: number): number {
    return this.#packs.get(number)?.liveBytes ?? 0;
  }

  storedBytes(): number {
    let sum = 0;
    for (const pack of this.#packs.values()) sum += pack.end;
    return sum;
  }

  /** Keeps the index and what lives in which pack in step. */
  place(index: BlobIndex, record: PackRecord, pack: number): void {
    const old = index.get(record.hash);
    if (old !== undefined) this.#count(old.pack, -recordBytes(old.bytes));
    if (record.kind === 'removal') index.delete(record.hash);
    else if (record.kind === 'blob') {
      index.set(record.hash, { pack, position: record.position, bytes: record.bytes });
      this.#count(pack, recordBytes(record.bytes));
    }
  }

  /** `onFile` is told before it is read; `room` takes at least its bytes. */
  async readBody(
    place: BlobPlace,
    onFile?: (file: DiskFile) => void,
    room?: Uint8Array,
  ): Promise<Uint8Array> {
    const bytes = room?.subarray(0, place.bytes) ?? Buffer.allocUnsafeSlow(place.bytes);
    const read = await this.use(place.pack, (file) => {
      onFile?.(file);
      if (place.bytes === 0) return Promise.resolve(0);
      return file.read(bytes, place.position + RECORD_HEADER_BYTES);
    });
    // What the file has no longer is for the hash to find.
    return bytes.subarray(0, read);
  }

  /** @throws StoreError STORE_READ_FAILED, also when the pack has been removed */
  use<T>(number: number, work: (file: DiskFile) => Promise<T>): Promise<T> {
    return this.#uses.use(() => this.#use(number, work));
  }

  async #use<T>(number: number, work: (file: DiskFile) => Promise<T>): Promise<T> {
    let lease: FileLease | undefined;
    try {
      lease = await this.lease(number);
      return await work(lease.file);
    } catch (error) {
      const path = packName(number);
      throw new StoreError('STORE_READ_FAILED', `Cannot read "${path}"`, { cause: error });
    } finally {
      lease?.release();
    }
  }

  /** Begins a new pack; the one before must be synced. Nothing changed when it fails. */
  async addPack(): Promise<void> {
    const { disk, folder, random } = this.#world;
    this.#storeId ??= random.bytes(16);
    const number = this.#last + 1;
    const path = `${folder}/${packName(number)}`;
    if ((await disk.stat(`${path}.new`)) !== undefined) await disk.remove(`${path}.new`);
    const file = await disk.create(`${path}.new`);
    try {
      await file.write(packHeader(this.#storeId, number), 0);
      await file.datasync();
      await disk.rename(`${path}.new`, path);
      await disk.syncFolder(folder);
    } catch (error) {
      await file.close().catch(() => {});
      // It holds nothing that was promised; if it cannot be removed the next one replaces it.
      for (const name of [path, `${path}.new`]) await disk.remove(name).catch(() => {});
      throw error;
    }
    this.#keep(number, PACK_HEADER_BYTES, crc32(this.#storeId));
    await this.#activate(this.#open.adopt(path, file));
    if (this.#packs.size > 1 && !this.#reserve.isTight) await this.#reserve.keep();
  }

  get reserve(): Reserve {
    return this.#reserve;
  }

  /** Nothing from there on lives any more, and all of it that counts is on the medium elsewhere. */
  async cutPack(number: number, position: number): Promise<void> {
    const pack = this.#packs.get(number) as Pack;
    try {
      await writeCutNote(this.#world, number, position);
      await this.use(number, async (file) => {
        await file.truncate(position);
        await file.datasync();
      });
    } catch (error) {
      throw new StoreError('STORE_WRITE_FAILED', `Cannot cut "${packName(number)}"`, {
        cause: error,
      });
    }
    pack.end = position;
  }

  async removePack(number: number): Promise<void> {
    const { disk, folder } = this.#world;
    try {
      await disk.remove(`${folder}/${packName(number)}`);
      await disk.syncFolder(folder);
    } catch (error) {
      throw new StoreError('STORE_WRITE_FAILED', `Cannot remove "${packName(number)}"`, {
        cause: error,
      });
    }
    this.#packs.delete(number);
    const others = this.damage.filter((one) => one.pack !== number);
    this.damage.splice(0, this.damage.length, ...others);
    await this.#open.replaced(this.#pathOf(number));
    // One that stays behind is removed at the next start.
    const note = cutPath(this.#world, number);
    if ((await disk.stat(note)) !== undefined) await disk.remove(note).catch(() => {});
  }

  async close(): Promise<void> {
    this.#active?.release();
    await this.#open.close();
    this.#lock?.release();
    this.#lock = undefined;
  }

  async #recover(index: BlobIndex): Promise<void> {
    await takePackedFolder(this.#world);
    this.#lock = await lockPackedFolder(this.#world);
    const names = await clearLeftovers(this.#world);
    const numbers = names.map(packNumber).filter((number) => number !== undefined);
    for (const number of numbers) await this.#openPack(number);
    await this.#findSeeds();
    this.#endedInOrder = names.includes(CHECKPOINT_NAME);
    const knownId = this.#storeId;
    if (knownId !== undefined) await this.corrupt.load(knownId);
    if (!this.#endedInOrder || !(await this.#resume(index))) {
      for (const number of numbers) await this.#scan(number, index);
    }
    const mustAdd =
      numbers.length === 0 || !this.active.isCurrent || (this.#tail?.saved.length ?? 0) > 0;
    if (mustAdd) await this.#addFirst();
    const newId = knownId === undefined ? this.#storeId : undefined;
    if (newId !== undefined) await this.corrupt.load(newId);
    for (const { ref, place } of this.corrupt.blobs()) {
      if (!isAt(index.get(hashOf(ref)), place)) this.corrupt.delete(ref);
    }
    if (numbers.length > 1) await this.#reserve.keep();
  }

  /** On a full disk with the room that is kept for removals: it must be opened. */
  async #addFirst(): Promise<void> {
    try {
      await this.addPack();
    } catch (error) {
      if (!(await this.#reserve.giveUp())) throw error;
      await this.addPack();
    }
  }

  /** What the newest pack ended with when it was opened; of its records to be saved none is in the index. */
  get tail(): PackTail | undefined {
    return this.#tail;
  }

  /** All of it that is whole is on the medium elsewhere. */
  async cutTail({ pack: number, start }: PackTail): Promise<void> {
    const whole = alignUp(start, GROUP_ALIGNMENT);
    await this.use(number, async (file) => {
      await file.truncate(start);
      await file.truncate(whole);
      await file.datasync();
    });
    (this.#packs.get(number) as Pack).end = whole;
  }

  /** There is no room to write them elsewhere: they are found where they are, and so is the damage. */
  bearTail(index: BlobIndex, { pack, start, end, saved }: PackTail): void {
    for (const record of saved) this.place(index, record, pack);
    this.damage.push({ pack, start, end });
  }

  /** Files with the ends of packs that were cut after a kill, as they are now. */
  async asides(): Promise<string[]> {
    const { disk, folder } = this.#world;
    return (await disk.list(folder)).filter(isAsideName).sort();
  }

  /** Leaves the index for the next to open it; only where all is as it should be, and on the medium. */
  async leaveCheckpoint(index: BlobIndex): Promise<void> {
    const { clock } = this.#world;
    const endMs = clock.monotonicMs() + CHECKPOINT_MS_MAX;
    if (this.damage.length > 0 || this.#storeId === undefined) return;
    const key = await this.#checkpointKey(this.#storeId);
    await writeCheckpoint(this.#world, key, index, () => clock.monotonicMs() > endMs);
  }

  async #checkpointKey(storeId: Uint8Array): Promise<CheckpointKey> {
    const packs: CheckpointPack[] = [];
    for (const number of this.numbers()) {
      packs.push(await this.use(number, (file) => checkpointPack(number, file)));
    }
    return { storeId, packs };
  }

  /** Takes the index that was left, if it is of these packs. */
  async #resume(index: BlobIndex): Promise<boolean> {
    if (this.damage.length > 0 || this.#storeId === undefined) return false;
    const key = await this.#checkpointKey(this.#storeId);
    if (this.active.end % GROUP_ALIGNMENT !== 0) return false;
    const live = await takeCheckpoint(this.#world, key, index);
    if (live === undefined) return false;
    for (const [pack, bytes] of live) this.#count(pack, bytes);
    await this.#activate(this.lease(this.#last));
    return true;
  }

  async #openPack(number: number): Promise<void> {
    const lease = await this.lease(number);
    try {
      await cutAgain(this.#world, number, lease.file);
      this.#keep(number, await lease.file.sizeBytes());
      const header = await readPackHeader(lease.file, this.#pathOf(number));
      this.active.isCurrent = header?.isCurrent ?? false;
      if (header === undefined) {
        this.damage.push({ pack: number, start: 0, end: PACK_HEADER_BYTES });
        return;
      }
      this.#storeId ??= header.storeId;
      this.active.seed = crc32(header.storeId);
    } finally {
      lease.release();
    }
  }

  /** Of packs whose header does not tell it. */
  async #findSeeds(): Promise<void> {
    const packs = [...this.#packs.values()];
    const known = new Set(packs.flatMap(({ seed }) => (seed === undefined ? [] : [seed])));
    for (const pack of packs.filter(({ seed }) => seed === undefined)) {
      await this.use(pack.number, async (file) => {
        pack.seed = await findSeed(file, [...known]);
        if (pack.seed === undefined) return;
        known.add(pack.seed);
        this.#storeId ??= storeIdOf(pack.seed, await shownStoreId(file));
      });
    }
  }

  async #scan(number: number, index: BlobIndex): Promise<void> {
    const { seed, end } = this.#packs.get(number) as Pack;
    if (seed === undefined) {
      // Not cut, whatever it is: nothing of it is understood.
      if (end > PACK_HEADER_BYTES)
        this.damage.push({ pack: number, start: PACK_HEADER_BYTES, end });
      return;
    }
    if (number === this.#last) {
      await this.#activate(this.lease(number));
      await this.#scanLast(seed, index);
      return;
    }
    const place = (record: PackRecord): void => this.place(index, record, number);
    const known = new KnownRecords(this.corrupt.recordsIn(number), place);
    const scan = await this.use(number, (file) => scanPack(file, seed, known.take));
    known.end(end);
    for (const damage of scan.damage) this.damage.push({ pack: number, ...damage });
  }

  async #scanLast(seed: number, index: BlobIndex): Promise<void> {
    const pack = this.active;
    const file = this.activeFile;
    const records: PackRecord[] = [];
    const inOrder = new KnownRecords(this.corrupt.recordsIn(pack.number), (record) =>
      records.push(record),
    );
    const scan = await scanPack(file, seed, inOrder.take);
    inOrder.end(pack.end);
    const found = await readTail(file, seed, scan, records);
    const cut = found?.start ?? scan.end;
    for (const record of records) {
      if (record.position < cut) this.place(index, record, pack.number);
    }
    for (const damage of scan.damage) {
      if (damage.start < scan.durable) this.damage.push({ pack: pack.number, ...damage });
    }
    if (found !== undefined) {
      // Where it ended in order no write was under way: somebody cut the pack short since.
      const isTorn = found.isTorn && !this.#endedInOrder;
      const tail = { pack: pack.number, ...found, isTorn };
      this.#tail = { ...tail, aside: await keepAside(this.#world, file, tail) };
      // Until they stand elsewhere.
      if (found.saved.length > 0) return;
    }
    if (cut < pack.end) await file.truncate(cut);
    // Zeros to the end of the sector, so that what is written next begins a new one.
    const whole = alignUp(cut, GROUP_ALIGNMENT);
    await file.truncate(whole);
    // What is given from now on must be on the medium, whoever wrote it.
    await file.datasync();
    pack.end = whole;
  }

  #keep(number: number, end: number, seed?: number): void {
    this.#packs.set(number, { number, end, liveBytes: 0, isCurrent: true, seed });
    this.#last = number;
  }

  async #activate(lease: Promise<FileLease>): Promise<void> {
    const before = this.#active;
    this.#active = await lease;
    before?.release();
  }

  lease(number: number): Promise<FileLease> {
    return this.#open.lease(this.#pathOf(number), { write: true });
  }

  #pathOf(number: number): string {
    return `${this.#world.folder}/${packName(number)}`;
  }

  #count(number: number, bytes: number): void {
    const pack = this.#packs.get(number);
    if (pack !== undefined) pack.liveBytes += bytes;
  }
}

export function groupStart(pack: Pack): number {
  return alignUp(pack.end, GROUP_ALIGNMENT);
}

function isOfHeader({ start }: PackDamage): boolean {
  return start === 0;
}

function recordBytes(bodyBytes: number): number {
  return RECORD_HEADER_BYTES + bodyBytes;
}
