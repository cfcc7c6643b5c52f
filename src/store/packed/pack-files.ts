// The files of a packed store: its lock, recovery at open, reading, adding and removing a pack. A bounded
// number of packs stays open. A pack that is removed while somebody reads it is closed by the last of
// its readers.
//
// Beside the packs lie the room that is kept for removals (reserve.ts), notes of where packs were cut
// (cut-note.ts), and the index of a store that ended in order (checkpoint.ts).

import { crc32 } from 'node:zlib';
import type { DiskFile, DiskLock } from '#base/disk.ts';
import { type FileLease, OpenFiles } from '#base/open-files.ts';
import { StoreError } from '#store/errors.ts';
import { takePlace } from '#store/place.ts';
import { refOf } from '#store/store.ts';
import type { BlobIndex, BlobPlace } from './blob-index.ts';
import {
  CHECKPOINT_NAME,
  type CheckpointKey,
  type CheckpointPack,
  checkpointPack,
  takeCheckpoint,
  writeCheckpoint,
} from './checkpoint.ts';
import { cutPath, readCutNote, writeCutNote } from './cut-note.ts';
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
import type { PackDamage, PackedWorld } from './packed.ts';
import { RESERVE_NAME, Reserve } from './reserve.ts';

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
  readonly #world: PackedWorld;
  readonly #packs = new Map<number, Pack>();
  readonly #open: OpenFiles;
  #lock: DiskLock | undefined;
  #active: FileLease | undefined;
  readonly #reserve: Reserve;
  #storeId: Uint8Array | undefined;
  #last = 0;

  private constructor(world: PackedWorld) {
    this.#world = world;
    const { disk, config } = world;
    this.#reserve = new Reserve(world);
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

  /** As `Pack.seed`. */
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

  /** Packs whose header is damaged. */
  headless(): number[] {
    return this.damage.filter(isOfHeader).map(({ pack }) => pack);
  }

  /** Something in it can be read no more; a damaged header alone costs nothing. */
  isDamaged(number: number): boolean {
    return this.damage.some((one) => one.pack === number && !isOfHeader(one));
  }

  /** The pack that is written to. */
  get active(): Pack {
    return this.#packs.get(this.#last) as Pack;
  }

  get activeFile(): DiskFile {
    return (this.#active as FileLease).file;
  }

  /** How many files are open. */
  get openCount(): number {
    return this.#open.count;
  }

  /** In order, without the one that is written to. */
  sealed(): number[] {
    return [...this.#packs.keys()].filter((number) => number !== this.#last);
  }

  /** All of them, in order. */
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
  async use<T>(number: number, work: (file: DiskFile) => Promise<T>): Promise<T> {
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

  /** As Reserve. */
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

  /** Ends what a crash has cut off: the cutting of a pack. */
  async #cutAgain(number: number, file: DiskFile): Promise<void> {
    const position = await readCutNote(this.#world, number);
    if (position === undefined) return;
    if ((await file.sizeBytes()) <= position) return;
    await file.truncate(position);
    await file.datasync();
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
    const { disk, folder } = this.#world;
    await takePlace({ disk, folder, kind: 'packed', isOwn: (found) => found.some(isPackedName) });
    this.#lock = await disk.lock(`${folder}/lock`);
    if (this.#lock === undefined) {
      throw new StoreError('STORE_LOCKED', `Cannot open the packs in "${folder}": they are in use`);
    }
    const names = await disk.list(folder);
    const numbers = names.map(packNumber).filter((number) => number !== undefined);
    for (const name of names) {
      const isOrphan =
        /^[0-9]{10}\.cut$/.test(name) && !names.includes(name.replace('.cut', '.pack'));
      const isHalf = /^[0-9]{10}\.(?:pack|cut)\.new$/.test(name);
      if (isOrphan || isHalf) await disk.remove(`${folder}/${name}`);
    }
    // A removal or a rename seen here must not be undone by a later loss of power.
    await disk.syncFolder(folder);
    for (const number of numbers) await this.#openPack(number);
    await this.#findSeeds();
    if (!names.includes(CHECKPOINT_NAME) || !(await this.#resume(index))) {
      for (const number of numbers) await this.#scan(number, index);
    }
    if (numbers.length === 0 || !this.active.isCurrent) await this.addPack();
    if (numbers.length > 1) await this.#reserve.keep();
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
      await this.#cutAgain(number, lease.file);
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
    if (number !== this.#last) {
      const place = (record: PackRecord): void => this.place(index, record, number);
      const scan = await this.use(number, (file) => scanPack(file, seed, place));
      for (const damage of scan.damage) this.damage.push({ pack: number, ...damage });
      return;
    }
    await this.#activate(this.lease(number));
    const pack = this.active;
    const file = this.activeFile;
    const records: PackRecord[] = [];
    const scan = await scanPack(file, seed, (record) => records.push(record));
    // Above `durable` nothing was acknowledged before all of it was synced: the first record that
    // is not whole ends the pack.
    let cut = scan.end;
    for (const { start } of scan.damage) if (start >= scan.durable) cut = Math.min(cut, start);
    for (const record of records) {
      if (record.position < scan.durable || record.position >= cut) continue;
      if (!(await isWhole(file, record))) cut = record.position;
    }
    for (const record of records) {
      if (record.position < cut) this.place(index, record, number);
    }
    for (const damage of scan.damage) {
      if (damage.start < scan.durable) this.damage.push({ pack: number, ...damage });
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

  /** Held open as long as it is written to. */
  async #activate(lease: Promise<FileLease>): Promise<void> {
    const before = this.#active;
    this.#active = await lease;
    before?.release();
  }

  /** One descriptor a pack, for reading and writing. */
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

/** One of those that this file makes. */
function isPackedName(name: string): boolean {
  return /^[0-9]{10}\.(?:pack|cut)(?:\.new)?$/.test(name) || name === RESERVE_NAME;
}

/** Where the next group of a pack begins. */
export function groupStart(pack: Pack): number {
  return alignUp(pack.end, GROUP_ALIGNMENT);
}

function isOfHeader({ start }: PackDamage): boolean {
  return start === 0;
}

function recordBytes(bodyBytes: number): number {
  return RECORD_HEADER_BYTES + bodyBytes;
}

async function isWhole(file: DiskFile, record: PackRecord): Promise<boolean> {
  if (record.kind !== 'blob') return true;
  const body = Buffer.allocUnsafeSlow(record.bytes);
  const read =
    body.byteLength === 0 ? 0 : await file.read(body, record.position + RECORD_HEADER_BYTES);
  return refOf(body.subarray(0, read)) === `sha256-${Buffer.from(record.hash).toString('hex')}`;
}
