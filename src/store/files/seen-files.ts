// What files on disk held when they were last put: a put of the same tree then reads none that has not
// changed. A cache: lost, torn or too old, it only costs reading the files again.
//
// A file counts as unchanged when its size, its time of change, its time of status change and its inode
// are as they were. The kernel sets the time of status change and gives programs no way to set it back, so
// on a local file system this misses a change only when the machine's clock is set back to the very same
// moment. What it cannot know: file systems that keep no such time (some network and FUSE mounts), and
// bytes that rotted. For these whoever puts files does without it. A file that changed within two seconds
// of being looked at is not remembered: within one tick of a coarse clock it could change once more.
//
// The file, text: a line "swarmkeep files 1 <bytes of a segment>", then for each file one line of JSON
// [path, bytes, modified ms, changed ms, inode, "names of its blobs in hex, one behind the other"], last
// a line with the CRC32 of all before it in hex. Replaced as a whole; what does not match is ignored.

import { crc32 } from 'node:zlib';
import { utf8 } from '#base/bytes.ts';
import type { Disk, DiskStat } from '#base/disk.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';

/** Of the oldest are forgotten first. About 300 bytes each. */
const FILES_MAX = 1_000_000;
const SETTLED_MS = 2000;
const HEX_DIGITS = 64;

interface Seen {
  readonly stat: Pick<DiskStat, 'sizeBytes' | 'modifiedMs' | 'changedMs' | 'inode'>;
  readonly refs: readonly BlobRef[];
}

export interface SeenFilesWorld {
  readonly disk: Disk;
  /** Of the file this is kept in. */
  readonly path: string;
  readonly segmentBytes: number;
  readonly filesMax?: number;
}

export class SeenFiles {
  readonly #world: SeenFilesWorld;
  /** The longest unused first. */
  readonly #seen = new Map<string, Seen>();

  private constructor(world: SeenFilesWorld) {
    this.#world = world;
  }

  static async open(world: SeenFilesWorld): Promise<SeenFiles> {
    const files = new SeenFiles(world);
    for (const [path, seen] of await files.#load().catch(() => [])) files.#seen.set(path, seen);
    return files;
  }

  get count(): number {
    return this.#seen.size;
  }

  /** The blobs of an unchanged file, in order. */
  get(path: string, stat: DiskStat): readonly BlobRef[] | undefined {
    const seen = this.#seen.get(path);
    if (seen === undefined || !isSame(seen.stat, stat)) return undefined;
    this.#seen.delete(path);
    this.#seen.set(path, seen);
    return seen.refs;
  }

  /** `stat` from before it was read, at `nowMs` of the clock of its file system. */
  set(path: string, { stat, nowMs }: { stat: DiskStat; nowMs: number }, refs: readonly BlobRef[]) {
    this.#seen.delete(path);
    if (Math.max(stat.modifiedMs, stat.changedMs) > nowMs - SETTLED_MS) return;
    this.#seen.set(path, { stat, refs });
    const oldest = this.#seen.keys().next().value;
    if (this.#seen.size > (this.#world.filesMax ?? FILES_MAX) && oldest !== undefined) {
      this.#seen.delete(oldest);
    }
  }

  /** @throws the disk's error; what was kept before is still there then */
  async save(): Promise<void> {
    const { disk, path } = this.#world;
    const aside = `${path}.new`;
    const lines = [this.#head];
    for (const [name, { stat, refs }] of this.#seen) {
      const hex = refs.map((ref) => ref.slice(-HEX_DIGITS)).join('');
      const { sizeBytes, modifiedMs, changedMs, inode } = stat;
      lines.push(JSON.stringify([name, sizeBytes, modifiedMs, changedMs, inode, hex]));
    }
    const text = utf8(`${lines.join('\n')}\n`);
    if ((await disk.stat(aside)) !== undefined) await disk.remove(aside);
    const file = await disk.create(aside);
    try {
      await file.write(text, 0);
      await file.write(utf8(`${crc32(text).toString(16)}\n`), text.byteLength);
      await file.datasync();
    } finally {
      await file.close();
    }
    await disk.rename(aside, path);
  }

  get #head(): string {
    return `swarmkeep files 1 ${this.#world.segmentBytes}`;
  }

  async #load(): Promise<[string, Seen][]> {
    const { disk, path } = this.#world;
    const file = await disk.open(path, { write: false });
    try {
      const bytes = Buffer.alloc(await file.sizeBytes());
      await file.read(bytes, 0);
      const end = bytes.lastIndexOf('\n', bytes.byteLength - 2) + 1;
      if (bytes.toString('latin1', end) !== `${crc32(bytes.subarray(0, end)).toString(16)}\n`) {
        return [];
      }
      const [head, ...lines] = bytes.toString('utf8', 0, end - 1).split('\n');
      return head === this.#head ? lines.map(seenOf) : [];
    } finally {
      await file.close();
    }
  }
}

/** Of a line whose checksum was right. */
function seenOf(line: string): [string, Seen] {
  const [path, sizeBytes, modifiedMs, changedMs, inode, hex] = JSON.parse(line) as [
    ...[string, number, number, number, number, string],
  ];
  const refs: BlobRef[] = [];
  for (let at = 0; at < hex.length; at += HEX_DIGITS) {
    refs.push(blobRef(`sha256-${hex.slice(at, at + HEX_DIGITS)}`) as BlobRef);
  }
  return [path, { stat: { sizeBytes, modifiedMs, changedMs, inode }, refs }];
}

function isSame(a: Seen['stat'], b: DiskStat): boolean {
  const sameTimes = a.modifiedMs === b.modifiedMs && a.changedMs === b.changedMs;
  return sameTimes && a.sizeBytes === b.sizeBytes && a.inode === b.inode;
}
