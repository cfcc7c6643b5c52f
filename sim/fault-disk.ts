// A disk on which exactly one operation goes wrong: the n-th. So every operation of a run can be made
// to fail, one after the other, in each way.

import type { Disk, DiskFile, DiskLock, DiskStat } from '#base/disk.ts';
import type { SimDisk } from './disk.ts';

/** What becomes of the operation. The crashes are losses of power. */
export type Fault =
  | 'EIO'
  | 'ENOSPC'
  | 'short write'
  | 'crash before'
  | 'crash during'
  | 'crash after';

export const FAULTS: readonly Fault[] = [
  'EIO',
  'ENOSPC',
  'short write',
  'crash before',
  'crash during',
  'crash after',
];

export class FaultDisk implements Disk {
  /** How many operations were begun. */
  operations = 0;
  /** Which of them were writes. */
  readonly writes: number[] = [];
  /** The operation that went wrong: `write "/log/safe/mark"`; undefined when none did. */
  hit: string | undefined;
  readonly #disk: Disk;
  readonly #sim: SimDisk;
  readonly #fault: Fault;
  readonly #nth: number;
  readonly #crash: () => void;

  /**
   * `nth` counts from 1; 0 is no fault at all. `disk` is `sim`, or is over it. `crash` is called in the
   * middle of the operation.
   */
  constructor(
    disk: Disk,
    what: {
      readonly sim: SimDisk;
      readonly fault: Fault;
      readonly nth: number;
      readonly crash: () => void;
    },
  ) {
    this.#disk = disk;
    this.#sim = what.sim;
    this.#fault = what.fault;
    this.#nth = what.nth;
    this.#crash = what.crash;
  }

  open(path: string, mode: { readonly write: boolean }): Promise<DiskFile> {
    return this.#do(`open "${path}"`, async () => {
      return this.#file(await this.#disk.open(path, mode), path);
    });
  }

  create(path: string): Promise<DiskFile> {
    return this.#do(`create "${path}"`, async () => {
      return this.#file(await this.#disk.create(path), path);
    });
  }

  list(folder: string): Promise<string[]> {
    return this.#do(`list "${folder}"`, () => this.#disk.list(folder));
  }

  stat(path: string): Promise<DiskStat | undefined> {
    return this.#do(`stat "${path}"`, () => this.#disk.stat(path));
  }

  makeFolder(folder: string): Promise<void> {
    return this.#do(`makeFolder "${folder}"`, () => this.#disk.makeFolder(folder));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#do(`rename "${from}"`, () => this.#disk.rename(from, to));
  }

  remove(path: string): Promise<void> {
    return this.#do(`remove "${path}"`, () => this.#disk.remove(path));
  }

  syncFolder(folder: string): Promise<void> {
    return this.#do(`syncFolder "${folder}"`, () => this.#disk.syncFolder(folder));
  }

  lock(path: string): Promise<DiskLock | undefined> {
    return this.#disk.lock(path);
  }

  #file(file: DiskFile, path: string): DiskFile {
    return {
      read: (into, position) => this.#do(`read "${path}"`, () => file.read(into, position)),
      write: (bytes, position) => {
        const half = bytes.subarray(0, bytes.byteLength >>> 1);
        return this.#do(
          `write "${path}"`,
          () => file.write(bytes, position),
          () => file.write(half, position),
        );
      },
      datasync: () => this.#do(`datasync "${path}"`, () => file.datasync()),
      truncate: (sizeBytes) => this.#do(`truncate "${path}"`, () => file.truncate(sizeBytes)),
      sizeBytes: () => this.#do(`sizeBytes "${path}"`, () => file.sizeBytes()),
      close: () => this.#do(`close "${path}"`, () => file.close()),
    };
  }

  async #do<T>(what: string, run: () => Promise<T>, runHalf?: () => Promise<unknown>): Promise<T> {
    this.operations++;
    if (runHalf !== undefined) this.writes.push(this.operations);
    if (this.operations !== this.#nth) return run();
    const fault = this.#fault;
    if (fault === 'short write') {
      if (runHalf === undefined) return run();
      this.hit = what;
      await runHalf();
      throw Object.assign(new Error(`ENOSPC: ${what}`), { code: 'ENOSPC' });
    }
    this.hit = what;
    if (fault === 'EIO' || fault === 'ENOSPC') {
      this.#sim.onOperation = () => {
        this.#sim.onOperation = undefined;
        return fault;
      };
      return run();
    }
    if (fault === 'crash during') void run().catch(() => {});
    if (fault === 'crash after') await run();
    this.#crash();
    return new Promise(() => {});
  }
}
