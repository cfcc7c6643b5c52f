// Beside the packs lies `reserve`, a file of no meaning: on a full disk it is given up, so that removals
// can still be written and compaction can begin; until it could be made again, nothing else is taken.

import type { DiskFile } from '#base/disk.ts';
import type { PackedWorld } from './packed.ts';

export const RESERVE_NAME = 'reserve';
const BYTES_MAX = 16 * 1024 * 1024;
const TILE_BYTES = 65_536;

export class Reserve {
  readonly #world: PackedWorld;
  readonly #path: string;
  #isTight = false;

  constructor(world: PackedWorld) {
    this.#world = world;
    this.#path = `${world.folder}/${RESERVE_NAME}`;
  }

  /** It had to be given up. */
  get isTight(): boolean {
    return this.#isTight;
  }

  get bytes(): number {
    return Math.min(BYTES_MAX, this.#world.config.packBytesMax >>> 2);
  }

  /** Makes it unless it is there or there is no room for it. */
  async keep(): Promise<void> {
    const { disk, random } = this.#world;
    const bytes = this.bytes;
    let file: DiskFile | undefined;
    this.#isTight = false;
    try {
      const found = await disk.stat(this.#path);
      if ((found?.sizeBytes ?? 0) >= bytes) return;
      if (found !== undefined) await disk.remove(this.#path);
      file = await disk.create(this.#path);
      // A file system that compresses would keep no room for zeros.
      const tile = random.bytes(Math.min(bytes, TILE_BYTES));
      const content = new Uint8Array(bytes);
      for (let at = 0; at + tile.byteLength <= bytes; at += tile.byteLength) content.set(tile, at);
      await file.write(content, 0);
      await file.datasync();
    } catch {
      await this.giveUp();
      this.#isTight = true;
    } finally {
      await file?.close().catch(() => {});
    }
  }

  /** False when there was none. */
  async giveUp(): Promise<boolean> {
    const { disk, folder } = this.#world;
    try {
      if ((await disk.stat(this.#path)) === undefined) return false;
      this.#isTight = true;
      await disk.remove(this.#path);
      // The room is free for good only then.
      await disk.syncFolder(folder);
      return true;
    } catch {
      return false;
    }
  }
}
