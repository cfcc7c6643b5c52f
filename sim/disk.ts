// A disk that can lose power. It keeps, beside what a program would read back (the page cache),
// what is certainly on the medium, and on `crash()` decides from its seed what became of the rest:
//
// - A sector of 512 bytes written but not synced is new, old, torn (part new, part old) or garbage.
// - A file's size is the synced one, the newest, or between: it may have grown before its data.
// - A name made, removed or renamed without `syncFolder` may be as before or as after, each alone.
// - A failed `datasync` leaves its sectors readable and marks them clean: a later, successful one
//   does not write them again (as Linux does). Writing them again does.
//
// What it cannot show: a disk that damages sectors it was not asked to write, or that reports a
// sync it has not done (`lying` plants that bug).

import type { Disk, DiskFile, DiskLock, DiskStat } from '#base/disk.ts';
import { below, type Random } from '#base/random.ts';
import type { SimClock } from './clock.ts';
import { FileNode } from './disk-file.ts';
import { systemError } from './system-error.ts';

export type SimOperation =
  | 'open'
  | 'create'
  | 'list'
  | 'stat'
  | 'makeFolder'
  | 'rename'
  | 'remove'
  | 'syncFolder'
  | 'read'
  | 'write'
  | 'datasync'
  | 'truncate'
  | 'close';

export interface SimDiskOptions {
  readonly random: Random;
  /** With a clock every operation takes 0 to `delayMsMax` (2) of its milliseconds, else none. */
  readonly clock?: SimClock;
  readonly delayMsMax?: number;
  /** Syncs that are answered and not done: a planted bug. */
  readonly lying?: (operation: 'datasync' | 'syncFolder', path: string) => boolean;
}

export class SimDisk implements Disk {
  /** Called before each operation; a returned code (`EIO`) makes it fail, part of a write done. */
  onOperation: ((operation: SimOperation, path: string) => string | undefined) | undefined;
  /** Called when a file's name has gone. */
  onRemove: ((path: string) => void) | undefined;
  /** How long an operation takes, in the clock's milliseconds; undefined leaves it to the seed. */
  delayOf: ((operation: SimOperation, path: string) => number | undefined) | undefined;
  /** Writes that would grow the files beyond this fail with ENOSPC, after what still fits. */
  capacityBytesMax = Number.POSITIVE_INFINITY;
  /** How many operations were begun: a place in a run at which to crash. */
  operations = 0;

  readonly #options: SimDiskOptions;
  readonly #random: Random;
  #names = new Map<string, Node>([['/', folder()]]);
  #durableNames = new Map<string, Node>(this.#names);
  #pendingNames: NameChange[] = [];
  readonly #locks = new Set<string>();
  #crashed = false;

  constructor(options: SimDiskOptions) {
    this.#options = options;
    this.#random = options.random;
  }

  /** The disk as it is found after a power loss. This one never answers anything again. */
  crash(): SimDisk {
    this.#crashed = true;
    const next = new SimDisk(this.#options);
    next.capacityBytesMax = this.capacityBytesMax;
    const names = new Map(this.#durableNames);
    // All lost, all kept, and twice as often something in between.
    const fate = below(this.#random, 4);
    for (const change of this.#pendingNames) {
      if (fate === 1 || (fate > 1 && this.#random.u32() % 2 === 0)) applyName(names, change);
    }
    const seen = new Map<Node, Node>();
    for (const [path, node] of [...names].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (path !== '/' && !names.has(parentOf(path))) {
        names.delete(path);
        continue;
      }
      const found =
        seen.get(node) ?? (node.isFolder ? folder() : node.afterCrash(this.#random, fate));
      seen.set(node, found);
      names.set(path, found);
    }
    next.#names = names;
    next.#durableNames = new Map(names);
    return next;
  }

  /**
   * The same disk as it is now, with operations that have begun and will never end; from now on apart
   * from this one, which goes on. What becomes of it does not depend on whether anybody looks.
   */
  fork(options: SimDiskOptions): SimDisk {
    const next = new SimDisk(options);
    const copies = new Map<Node, Node>();
    const copyOf = (node: Node): Node => {
      const copy = copies.get(node) ?? (node.isFolder ? node : node.copy());
      copies.set(node, copy);
      return copy;
    };
    for (const [path, node] of this.#names) next.#names.set(path, copyOf(node));
    next.#durableNames = new Map();
    for (const [path, node] of this.#durableNames) next.#durableNames.set(path, copyOf(node));
    next.#pendingNames = this.#pendingNames.map((change) =>
      change.kind === 'remove' ? change : { ...change, node: copyOf(change.node) },
    );
    return next;
  }

  /** The disk as the next process finds it after kill -9: unsynced data still in the page cache. */
  kill(): SimDisk {
    this.#crashed = true;
    const next = new SimDisk(this.#options);
    next.capacityBytesMax = this.capacityBytesMax;
    next.#names = this.#names;
    next.#durableNames = this.#durableNames;
    next.#pendingNames = this.#pendingNames;
    return next;
  }

  async open(path: string, mode: { readonly write: boolean }): Promise<DiskFile> {
    await this.#begin('open', path);
    return new SimFile(this.#world(), this.#file('open', path), path, mode.write);
  }

  async create(path: string): Promise<DiskFile> {
    await this.#begin('create', path);
    if (this.#names.has(path)) throw systemError('EEXIST', 'create', path);
    this.#parent('create', path);
    const node = new FileNode();
    this.#change({ kind: 'add', path, node });
    return new SimFile(this.#world(), node, path, true);
  }

  async list(path: string): Promise<string[]> {
    await this.#begin('list', path);
    if (this.#names.get(path)?.isFolder !== true) throw systemError('ENOENT', 'list', path);
    return this.namesIn(path);
  }

  async stat(path: string): Promise<DiskStat | undefined> {
    await this.#begin('stat', path);
    const node = this.#names.get(path);
    if (node === undefined) return undefined;
    const sizeBytes = node.isFolder ? 0 : node.sizeBytes;
    return { sizeBytes, modifiedMs: 0, changedMs: 0, inode: 0, isFolder: node.isFolder };
  }

  async makeFolder(path: string): Promise<void> {
    await this.#begin('makeFolder', path);
    let made = '';
    for (const part of path.split('/').slice(1)) {
      made = `${made}/${part}`;
      const node = this.#names.get(made);
      if (node === undefined) this.#change({ kind: 'add', path: made, node: folder() });
      else if (!node.isFolder) throw systemError('ENOTDIR', 'makeFolder', path);
    }
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#begin('rename', from);
    const node = this.#names.get(from);
    if (node === undefined) throw systemError('ENOENT', 'rename', from);
    this.#parent('rename', to);
    this.#change({ kind: 'rename', path: from, to, node });
  }

  async remove(path: string): Promise<void> {
    await this.#begin('remove', path);
    this.#file('remove', path);
    this.#change({ kind: 'remove', path });
    this.onRemove?.(path);
  }

  async syncFolder(path: string): Promise<void> {
    await this.#begin('syncFolder', path);
    if (this.#names.get(path)?.isFolder !== true) throw systemError('ENOENT', 'syncFolder', path);
    if (this.#options.lying?.('syncFolder', path) === true) return;
    this.#pendingNames = this.#pendingNames.filter((change) => {
      const touches =
        parentOf(change.path) === path ||
        (change.kind === 'rename' && parentOf(change.to) === path);
      if (touches) applyName(this.#durableNames, change);
      return !touches;
    });
  }

  /** No operation: it is the machine's, not the disk's, and ends with a crash or a kill. */
  async lock(path: string): Promise<DiskLock | undefined> {
    if (this.#locks.size === this.#locks.add(path).size) return undefined;
    return { release: () => void this.#locks.delete(path) };
  }

  /** As `list`, at once and without being an operation. */
  namesIn(path: string): string[] {
    const prefix = path === '/' ? '/' : `${path}/`;
    const names: string[] = [];
    for (const name of this.#names.keys()) {
      if (name.startsWith(prefix) && name.length > prefix.length) {
        const rest = name.slice(prefix.length);
        if (!rest.includes('/')) names.push(rest);
      }
    }
    return names.sort();
  }

  /** The bytes that a program would read, for looking at and for damaging in tests. */
  bytesOf(path: string): Uint8Array {
    return this.#file('bytesOf', path).contents().slice();
  }

  /** Replaces a file's bytes as a rotten medium would: at once, on the medium and in the cache. */
  damage(path: string, bytes: Uint8Array): void {
    this.#file('damage', path).replace(bytes);
  }

  #file(operation: string, path: string): FileNode {
    const node = this.#names.get(path);
    if (node === undefined) throw systemError('ENOENT', operation, path);
    if (node.isFolder) throw systemError('EISDIR', operation, path);
    return node;
  }

  #parent(operation: string, path: string): void {
    if (this.#names.get(parentOf(path))?.isFolder !== true) {
      throw systemError('ENOENT', operation, path);
    }
  }

  #change(change: NameChange): void {
    applyName(this.#names, change);
    this.#pendingNames.push(change);
  }

  #world(): FileWorld {
    return {
      random: this.#random,
      lying: (path) => this.#options.lying?.('datasync', path) === true,
      begin: (operation, path, before) => this.#begin(operation, path, before),
      room: () => {
        let used = 0;
        for (const node of this.#names.values()) if (!node.isFolder) used += node.sizeBytes;
        return this.capacityBytesMax - used;
      },
    };
  }

  /** `before` runs at once, also when the operation is to fail: what a failed write left behind. */
  async #begin(
    operation: SimOperation,
    path: string,
    before?: (failure: string | undefined) => void,
  ): Promise<void> {
    if (this.#crashed) await never();
    this.operations++;
    const failure = this.onOperation?.(operation, path);
    if (this.#crashed) await never();
    before?.(failure);
    const { clock, delayMsMax = 2 } = this.#options;
    if (clock !== undefined) {
      const drawnMs = (this.#random.u32() / 0x1_0000_0000) * delayMsMax;
      const delayMs = this.delayOf?.(operation, path) ?? drawnMs;
      await new Promise<void>((resolve) => clock.after(delayMs, resolve));
    }
    if (this.#crashed) await never();
    if (failure !== undefined) throw systemError(failure, operation, path);
  }
}

interface FileWorld {
  readonly random: Random;
  lying(path: string): boolean;
  begin(
    operation: SimOperation,
    path: string,
    before?: (failure: string | undefined) => void,
  ): Promise<void>;
  room(): number;
}

class SimFile implements DiskFile {
  readonly #world: FileWorld;
  readonly #node: FileNode;
  readonly #path: string;
  readonly #writable: boolean;
  #open = true;

  constructor(world: FileWorld, node: FileNode, path: string, writable: boolean) {
    this.#world = world;
    this.#node = node;
    this.#path = path;
    this.#writable = writable;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    await this.#world.begin('read', this.#path);
    this.#check('read', false);
    const bytes = this.#node.contents().subarray(position, position + into.byteLength);
    into.set(bytes);
    return bytes.byteLength;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    this.#check('write', true);
    let full = false;
    await this.#world.begin('write', this.#path, (failure) => {
      let part = bytes;
      if (failure !== undefined) {
        part = bytes.subarray(0, below(this.#world.random, bytes.byteLength + 1));
      }
      const room = this.#world.room() + this.#node.sizeBytes - position;
      if (room < part.byteLength) {
        full = true;
        part = part.subarray(0, Math.max(0, room));
      }
      this.#node.write(part, position);
    });
    if (full) throw systemError('ENOSPC', 'write', this.#path);
  }

  async datasync(): Promise<void> {
    this.#check('datasync', false);
    if (this.#world.lying(this.#path)) return this.#world.begin('datasync', this.#path);
    const sync = this.#node.beginSync();
    await this.#world.begin('datasync', this.#path, (failure) => {
      if (failure !== undefined) this.#node.failSync(sync);
    });
    this.#node.endSync(sync);
  }

  async truncate(sizeBytes: number): Promise<void> {
    this.#check('truncate', true);
    await this.#world.begin('truncate', this.#path, (failure) => {
      if (failure === undefined) this.#node.truncate(sizeBytes);
    });
  }

  async sizeBytes(): Promise<number> {
    await this.#world.begin('stat', this.#path);
    this.#check('stat', false);
    return this.#node.sizeBytes;
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#world.begin('close', this.#path);
  }

  #check(operation: string, writes: boolean): void {
    if (!this.#open || (writes && !this.#writable)) {
      throw systemError('EBADF', operation, this.#path);
    }
  }
}

interface FolderNode {
  readonly isFolder: true;
}

type Node = FolderNode | FileNode;

type NameChange =
  | { readonly kind: 'add'; readonly path: string; readonly node: Node }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'rename'; readonly path: string; readonly to: string; readonly node: Node };

function applyName(names: Map<string, Node>, change: NameChange): void {
  if (change.kind === 'add') names.set(change.path, change.node);
  else if (change.kind === 'remove') names.delete(change.path);
  else {
    // Whatever became of other changes of these names, the new one is of the file that was renamed.
    if (names.get(change.path) === change.node) names.delete(change.path);
    names.set(change.to, change.node);
  }
}

function folder(): FolderNode {
  return { isFolder: true };
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

function never(): Promise<never> {
  return new Promise(() => {});
}
