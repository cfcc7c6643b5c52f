// One number in a file that a power loss cannot take: two slots, written in turn, each a sector of
// its own, so that a torn write leaves the other. The durable mark of a topic and the position of a
// consumer are kept so: one write and one sync, no new name. Each slot, little endian:
//
//    0  magic     u32  "SKC1"
//    4  checksum  u32  CRC32C of bytes 8 to 40
//    8  version   u32  1
//   12  epoch     u32  the log's
//   16  turn      u64  ascending; the valid slot with the higher one counts
//   24  value     u64
//   32  reserved  8 zero bytes; zeros up to 512

import type { Disk, DiskFile } from '#base/disk.ts';
import { codeOf } from '#base/errors.ts';
import { getU64, setU64 } from './batch.ts';
import { crc32c } from './crc32c.ts';
import { viewOf } from './packed-records.ts';

const SLOT_BYTES = 512;
const SUMMED_BYTES = 40;
const MAGIC = 0x31434b53;
const VERSION = 1;

export class Checkpoint {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #path: string;
  readonly #epoch: number;
  #turn = 0;
  #value: number | undefined;
  #exists = false;
  /** A file that is there may be one whose maker was killed before it had synced the name. */
  #isNameSynced = false;
  /** This one has written a slot, and so knows what is on the medium. */
  #isSettled = false;
  /** Writes of one checkpoint follow each other; a slot is never written by two at once. */
  #last: Promise<void> = Promise.resolve();

  private constructor(disk: Disk, folder: string, name: string, epoch: number) {
    this.#disk = disk;
    this.#folder = folder;
    this.#path = `${folder}/${name}`;
    this.#epoch = epoch;
  }

  /**
   * Reads it; missing, or both slots unreadable, is no value. `folder` must exist for writing. What was
   * read may be in the page cache alone until `settle` or `write` has resolved.
   */
  static async open(
    disk: Disk,
    place: { readonly folder: string; readonly name: string; readonly epoch: number },
  ): Promise<Checkpoint> {
    const checkpoint = new Checkpoint(disk, place.folder, place.name, place.epoch);
    const bytes = await readWhole(disk, checkpoint.#path, 2 * SLOT_BYTES);
    if (bytes === undefined) return checkpoint;
    checkpoint.#exists = bytes.byteLength === 2 * SLOT_BYTES;
    for (const at of [0, SLOT_BYTES]) {
      const slot = decodeSlot(bytes.subarray(at, at + SLOT_BYTES));
      if (slot !== undefined && slot.turn > checkpoint.#turn) {
        checkpoint.#turn = slot.turn;
        checkpoint.#value = slot.value;
      }
    }
    return checkpoint;
  }

  get value(): number | undefined {
    return this.#value;
  }

  /**
   * Writes what was read once more, unless this one has written already: the process that wrote it may
   * have been killed before its sync, or its sync may have failed, which a later one does not show.
   * @throws the disk's error: then this one, and no other on the same file, is to be asked again
   */
  settle(): Promise<void> {
    const run = this.#last.then(async () => {
      if (!this.#isSettled && this.#value !== undefined) await this.#write(this.#value);
    });
    this.#last = run.catch(() => {});
    return run;
  }

  /** On disk when it resolves. A failure leaves the value before it. @throws the disk's error */
  write(value: number): Promise<void> {
    const run = this.#last.then(() => this.#write(value));
    this.#last = run.catch(() => {});
    return run;
  }

  async #write(value: number): Promise<void> {
    const turn = this.#turn + 1;
    const slot = encodeSlot({ epoch: this.#epoch, turn, value });
    const file = await this.#open();
    try {
      // Before the other slot is written over, which may be all that the medium has: what was read was
      // perhaps written by a process that was killed, or in part by a write that failed.
      if (!this.#isSettled && this.#turn > 0) await file.datasync();
      await file.write(slot, (turn % 2) * SLOT_BYTES);
      await file.datasync();
    } finally {
      await file.close();
    }
    this.#exists = true;
    if (!this.#isNameSynced) await this.#disk.syncFolder(this.#folder);
    this.#isNameSynced = true;
    // A slot that failed is written again by the next turn, which has the same number.
    this.#turn = turn;
    this.#value = value;
    this.#isSettled = true;
  }

  async #open(): Promise<DiskFile> {
    if (this.#exists) return this.#disk.open(this.#path, { write: true });
    try {
      const file = await this.#disk.create(this.#path);
      await file.write(new Uint8Array(2 * SLOT_BYTES), 0);
      return file;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      return this.#disk.open(this.#path, { write: true });
    }
  }
}

interface Slot {
  readonly epoch: number;
  readonly turn: number;
  readonly value: number;
}

function encodeSlot(slot: Slot): Uint8Array {
  const bytes = new Uint8Array(SLOT_BYTES);
  const view = viewOf(bytes);
  view.setUint32(0, MAGIC, true);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, slot.epoch, true);
  setU64(view, 16, slot.turn);
  setU64(view, 24, slot.value);
  view.setUint32(4, crc32c(bytes, 8, SUMMED_BYTES), true);
  return bytes;
}

function decodeSlot(bytes: Uint8Array): Slot | undefined {
  if (bytes.byteLength < SUMMED_BYTES) return undefined;
  const view = viewOf(bytes);
  if (view.getUint32(0, true) !== MAGIC || view.getUint32(8, true) !== VERSION) return undefined;
  if (view.getUint32(4, true) !== crc32c(bytes, 8, SUMMED_BYTES)) return undefined;
  return { epoch: view.getUint32(12, true), turn: getU64(view, 16), value: getU64(view, 24) };
}

/** The first `bytesMax` bytes of a file, or undefined when there is none of that name. */
export async function readWhole(
  disk: Disk,
  path: string,
  bytesMax: number,
): Promise<Uint8Array | undefined> {
  let file: DiskFile;
  try {
    file = await disk.open(path, { write: false });
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const bytes = new Uint8Array(Math.min(bytesMax, await file.sizeBytes()));
    const filled = await file.read(bytes, 0);
    return bytes.subarray(0, filled);
  } finally {
    await file.close();
  }
}
