// A disk that can only be read, as one that can be written: what is changed stays in memory, and goes with
// the process. For packs on a file system that takes nothing: their recovery needs to cut and to note, and
// finds the store as it would find it elsewhere. Nobody puts anything here: it holds little.

import type { Disk, DiskFile, DiskLock, DiskStat } from '#base/disk.ts';
import { StoreError } from '#store/errors.ts';

/** What was written: of a new file all of it, of one below what differs. */
interface Changed {
  /** Undefined: it is new. */
  readonly below: string | undefined;
  /** Of the file below so much counts. */
  belowBytes: number;
  bytes: number;
  /** In the order in which they were written. */
  patches: { readonly position: number; readonly bytes: Uint8Array }[];
}

export class OverlayDisk implements Disk {
  readonly #disk: Disk;
  /** By path; undefined: it was removed. */
  readonly #changed = new Map<string, Changed | undefined>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  async open(path: string, mode: { readonly write: boolean }): Promise<DiskFile> {
    if (!mode.write && !this.#changed.has(path)) return await this.#disk.open(path, mode);
    const changed = await this.#changeOf(path);
    if (changed === undefined) throw failed('ENOENT', path);
    const { below } = changed;
    return new OverlayFile(
      changed,
      below === undefined ? undefined : await this.#disk.open(below, { write: false }),
    );
  }

  async create(path: string): Promise<DiskFile> {
    if ((await this.stat(path)) !== undefined) throw failed('EEXIST', path);
    const changed = { below: undefined, belowBytes: 0, bytes: 0, patches: [] };
    this.#changed.set(path, changed);
    return new OverlayFile(changed, undefined);
  }

  async list(folder: string): Promise<string[]> {
    const names = new Set(await this.#disk.list(folder));
    for (const [path, changed] of this.#changed) {
      const at = path.lastIndexOf('/');
      if (path.slice(0, at) !== folder) continue;
      if (changed === undefined) names.delete(path.slice(at + 1));
      else names.add(path.slice(at + 1));
    }
    return [...names].sort();
  }

  async stat(path: string): Promise<DiskStat | undefined> {
    if (!this.#changed.has(path)) return await this.#disk.stat(path);
    const changed = this.#changed.get(path);
    if (changed === undefined) return undefined;
    return { sizeBytes: changed.bytes, modifiedMs: 0, changedMs: 0, inode: 0, isFolder: false };
  }

  async makeFolder(folder: string): Promise<void> {
    await this.#disk.makeFolder(folder);
  }

  async rename(from: string, to: string): Promise<void> {
    const changed = await this.#changeOf(from);
    if (changed === undefined) throw failed('ENOENT', from);
    this.#changed.set(to, changed);
    this.#changed.set(from, undefined);
  }

  async remove(path: string): Promise<void> {
    if ((await this.stat(path)) === undefined) throw failed('ENOENT', path);
    this.#changed.set(path, undefined);
  }

  async syncFolder(): Promise<void> {}

  /** Nobody writes there, and so nobody disturbs another. */
  async lock(): Promise<DiskLock> {
    return { release: () => undefined };
  }

  async #changeOf(path: string): Promise<Changed | undefined> {
    if (!this.#changed.has(path)) {
      const bytes = (await this.#disk.stat(path))?.sizeBytes;
      if (bytes === undefined) return undefined;
      this.#changed.set(path, { below: path, belowBytes: bytes, bytes, patches: [] });
    }
    return this.#changed.get(path);
  }
}

class OverlayFile implements DiskFile {
  readonly #changed: Changed;
  readonly #below: DiskFile | undefined;

  constructor(changed: Changed, below: DiskFile | undefined) {
    this.#changed = changed;
    this.#below = below;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    const { belowBytes, bytes, patches } = this.#changed;
    const count = Math.max(0, Math.min(into.length, bytes - position));
    const part = into.subarray(0, count).fill(0);
    const fromBelow = part.subarray(0, Math.max(0, belowBytes - position));
    if (fromBelow.length > 0) await this.#below?.read(fromBelow, position);
    for (const patch of patches) {
      const start = Math.max(position, patch.position);
      const end = Math.min(position + count, patch.position + patch.bytes.length);
      if (start >= end) continue;
      part.set(
        patch.bytes.subarray(start - patch.position, end - patch.position),
        start - position,
      );
    }
    return count;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    if (bytes.length === 0) return;
    this.#changed.patches.push({ position, bytes: bytes.slice() });
    this.#changed.bytes = Math.max(this.#changed.bytes, position + bytes.length);
  }

  async datasync(): Promise<void> {}

  async truncate(sizeBytes: number): Promise<void> {
    const changed = this.#changed;
    changed.belowBytes = Math.min(changed.belowBytes, sizeBytes);
    changed.bytes = sizeBytes;
    changed.patches = changed.patches.flatMap(({ position, bytes }) =>
      position < sizeBytes ? [{ position, bytes: bytes.subarray(0, sizeBytes - position) }] : [],
    );
  }

  async sizeBytes(): Promise<number> {
    return this.#changed.bytes;
  }

  async close(): Promise<void> {
    await this.#below?.close();
  }
}

/** What was changed in memory to recover it is not grown by more. @throws StoreError STORE_WRITE_FAILED */
export function refuseReadOnly(world: { readonly disk: Disk; readonly folder: string }): void {
  if (!(world.disk instanceof OverlayDisk)) return;
  const words = `Cannot write to the packs in "${world.folder}": their file system can only be read`;
  throw new StoreError('STORE_WRITE_FAILED', words);
}

function failed(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}
