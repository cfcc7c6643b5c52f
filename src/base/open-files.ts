// Files that are open, shared by all that ask for them: a bounded number stays open when nobody uses
// them, the longest unused is closed first. A file in use is never closed, so the number can be
// exceeded by what is being read and written at the same moment.

import type { Disk, DiskFile } from './disk.ts';

interface Entry {
  readonly key: string;
  readonly file: Promise<DiskFile>;
  users: number;
}

export interface FileLease {
  readonly file: DiskFile;
  /** Gives it back. Idempotent. */
  release(): void;
  /** Gives it back and closes it for good: its state is unknown, or its name is going away. */
  discard(): Promise<void>;
}

export class OpenFiles {
  readonly #disk: Disk;
  readonly #filesMax: number;
  readonly #onCloseError: (error: unknown, path: string) => void;
  /** In order of last use: a Map keeps the order of insertion. */
  readonly #entries = new Map<string, Entry>();

  constructor(world: {
    readonly disk: Disk;
    readonly filesMax: number;
    onCloseError(error: unknown, path: string): void;
  }) {
    this.#disk = world.disk;
    this.#filesMax = world.filesMax;
    this.#onCloseError = world.onCloseError;
  }

  get count(): number {
    return this.#entries.size;
  }

  /** @throws the disk's error */
  async lease(path: string, mode: { readonly write: boolean }): Promise<FileLease> {
    const key = keyOf(path, mode.write);
    let entry = this.#entries.get(key);
    if (entry === undefined) entry = { key, file: this.#disk.open(path, mode), users: 0 };
    return this.#use(entry);
  }

  /** A file that was just made, handed over with the right to write. */
  adopt(path: string, file: DiskFile): Promise<FileLease> {
    return this.#use({ key: keyOf(path, true), file: Promise.resolve(file), users: 0 });
  }

  /** Another file has this name now: whoever asks from here on gets that one. */
  async replaced(path: string): Promise<void> {
    for (const write of [false, true]) {
      const entry = this.#entries.get(keyOf(path, write));
      if (entry === undefined) continue;
      this.#entries.delete(entry.key);
      if (entry.users === 0) await this.#close(entry);
    }
  }

  /** Closes the files of this path that nobody uses. */
  async forget(path: string): Promise<void> {
    for (const write of [false, true]) {
      const entry = this.#entries.get(keyOf(path, write));
      if (entry !== undefined && entry.users === 0) await this.#close(entry);
    }
  }

  async close(): Promise<void> {
    for (const entry of [...this.#entries.values()]) await this.#close(entry);
  }

  async #use(entry: Entry): Promise<FileLease> {
    this.#entries.delete(entry.key);
    this.#entries.set(entry.key, entry);
    entry.users++;
    this.#shrink();
    let isHeld = true;
    const release = (): void => {
      if (!isHeld) return;
      isHeld = false;
      entry.users--;
      const isReplaced = this.#entries.get(entry.key) !== entry;
      if (isReplaced && entry.users === 0) void this.#close(entry);
      else this.#shrink();
    };
    try {
      const file = await entry.file;
      const discard = async (): Promise<void> => {
        if (!isHeld) return;
        isHeld = false;
        entry.users--;
        await this.#close(entry);
      };
      return { file, release, discard };
    } catch (error) {
      if (this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key);
      throw error;
    }
  }

  #shrink(): void {
    for (const entry of this.#entries.values()) {
      if (this.#entries.size <= this.#filesMax) return;
      if (entry.users === 0) void this.#close(entry);
    }
  }

  async #close(entry: Entry): Promise<void> {
    if (this.#entries.get(entry.key) === entry) this.#entries.delete(entry.key);
    try {
      await (await entry.file).close();
    } catch (error) {
      this.#onCloseError(error, entry.key.slice(2));
    }
  }
}

function keyOf(path: string, write: boolean): string {
  return `${write ? 'w' : 'r'} ${path}`;
}
