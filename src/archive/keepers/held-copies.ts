// What a keeper holds for one server, on the keeper's side: for each copy a file of the names of its blobs in
// its own store, in the order of their numbers. This file owns the format: lines of 72 bytes, `sha256-`, 64
// hex digits and LF. `<copy>.part` while it is fetched, which goes on behind the last whole line;
// `<copy>.copy` then.

import { utf8 } from '#base/bytes.ts';
import type { Disk, DiskFile } from '#base/disk.ts';
import { makeDurableFolder } from '#base/durable-folder.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import type { RootSource } from '#store/gc/roots.ts';

const LINE_BYTES = 72;
const LINES_AT_ONCE = 1000;
const NAME = /^([1-9][0-9]{0,15})\.(part|copy)$/;

export class HeldCopies implements RootSource {
  readonly name = 'copies held for others';
  readonly #disk: Disk;
  readonly #folder: string;
  #isFolderMade = false;

  constructor(world: { readonly disk: Disk; readonly folder: string }) {
    this.#disk = world.disk;
    this.#folder = world.folder;
  }

  /** Those that are whole. */
  async copies(): Promise<readonly number[]> {
    return (await this.#names()).filter((one) => one.isWhole).map((one) => one.copy);
  }

  /** Blobs of a copy that were fetched already; undefined when it is whole. */
  async fetched(copy: number): Promise<number | undefined> {
    if ((await this.#disk.stat(this.#path(copy, 'copy'))) !== undefined) return undefined;
    const stat = await this.#disk.stat(this.#path(copy, 'part'));
    return Math.floor((stat?.sizeBytes ?? 0) / LINE_BYTES);
  }

  /** The next blob of a copy; it is in the store. */
  async add(copy: number, number: number, ref: BlobRef): Promise<void> {
    const path = this.#path(copy, 'part');
    const isThere = (await this.#disk.stat(path)) !== undefined;
    if (!isThere) await this.#makeFolder();
    const file = isThere
      ? await this.#disk.open(path, { write: true })
      : await this.#disk.create(path);
    try {
      await file.write(utf8(`${ref}\n`), number * LINE_BYTES);
    } finally {
      await file.close();
    }
  }

  /** All of it is there: durable when it resolves. */
  async finish(copy: number): Promise<void> {
    const path = this.#path(copy, 'part');
    const file = await this.#disk.open(path, { write: true });
    try {
      await file.datasync();
    } finally {
      await file.close();
    }
    await this.#disk.rename(path, this.#path(copy, 'copy'));
    await this.#disk.syncFolder(this.#folder);
  }

  /** Undefined when the copy is not whole or has no such blob. */
  async ref(copy: number, number: number): Promise<BlobRef | undefined> {
    const path = this.#path(copy, 'copy');
    if ((await this.#disk.stat(path)) === undefined) return undefined;
    const file = await this.#disk.open(path, { write: false });
    try {
      return (await readRefs(file, number, 1))[0];
    } finally {
      await file.close();
    }
  }

  /** Nothing of it counts any more; its blobs are garbage. */
  async remove(copy: number): Promise<void> {
    for (const kind of ['copy', 'part'] as const) {
      const path = this.#path(copy, kind);
      if ((await this.#disk.stat(path)) !== undefined) await this.#disk.remove(path);
    }
  }

  async *refs(signal: AbortSignal): AsyncGenerator<BlobRef> {
    for (const { copy, isWhole } of await this.#names()) {
      const file = await this.#disk.open(this.#path(copy, isWhole ? 'copy' : 'part'), {
        write: false,
      });
      try {
        for (let from = 0; ; from += LINES_AT_ONCE) {
          signal.throwIfAborted();
          const refs = await readRefs(file, from, LINES_AT_ONCE);
          yield* refs;
          if (refs.length < LINES_AT_ONCE) break;
        }
      } finally {
        await file.close();
      }
    }
  }

  /** Once: each time costs a sync. */
  async #makeFolder(): Promise<void> {
    if (this.#isFolderMade) return;
    await makeDurableFolder(this.#disk, this.#folder);
    this.#isFolderMade = true;
  }

  async #names(): Promise<{ readonly copy: number; readonly isWhole: boolean }[]> {
    if ((await this.#disk.stat(this.#folder)) === undefined) return [];
    return (await this.#disk.list(this.#folder)).flatMap((name) => {
      const [, copy, kind] = NAME.exec(name) ?? [];
      return copy === undefined ? [] : [{ copy: Number(copy), isWhole: kind === 'copy' }];
    });
  }

  #path(copy: number, kind: 'copy' | 'part'): string {
    return `${this.#folder}/${copy}.${kind}`;
  }
}

async function readRefs(file: DiskFile, from: number, count: number): Promise<BlobRef[]> {
  const bytes = new Uint8Array(count * LINE_BYTES);
  const length = await file.read(bytes, from * LINE_BYTES);
  const refs: BlobRef[] = [];
  for (let at = 0; at + LINE_BYTES <= length; at += LINE_BYTES) {
    const text = Buffer.from(bytes.subarray(at, at + LINE_BYTES - 1)).toString('latin1');
    const ref = blobRef(text);
    if (ref === undefined) throw new Error(`The file of a copy names "${text}", which is no blob`);
    refs.push(ref);
  }
  return refs;
}
