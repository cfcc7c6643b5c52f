// Makes the next snapshot of the baselines, while announces go on:
//
//   begin    the place in the log is taken first: what is in the log by then is in the swarm as well
//   add      the swarm is walked bit by bit; each baseline is copied as it stands at that moment
//   commit   waits until every record pushed so far is on disk, because a snapshot that is newer than
//            the log would make the bytes between look credited; then merges what was added with the
//            baselines outside the swarm and the old snapshot (the highest sequence wins), leaves out
//            what expired, writes, syncs, renames
//
// When records were lost meanwhile, some of what was added was put back afterwards: the snapshot is
// given up and the next one is right. The walk may miss and see twice what moves between the swarm and
// here; a record behind the snapshot's place in the log repairs either.

import { assert } from '#base/assert.ts';
import type { Disk, DiskFile } from '#base/disk.ts';
import type { Baseline } from './baseline.ts';
import {
  BASELINE_BUCKETS,
  BASELINE_ENTRY_BYTES,
  BASELINE_HEADER_BYTES,
  type BaselineHeader,
  bucketAt,
  compareKeys,
  encodeBaseline,
  encodeBaselineHeader,
  entriesAt,
  entriesOf,
  isBaselineIntact,
  lastSeenAt,
  sequenceAt,
} from './baseline-file.ts';
import type { BaselineReader } from './baseline-reader.ts';

const CHUNK_ENTRIES = 512;
const WRITE_BYTES = 64 * 1024;

/** Baselines in the format of the file, by bucket, in the order they were added, each in one piece. */
export class BaselineHeap {
  readonly #chunks: Uint8Array[] = [];
  readonly #buckets: (number[] | undefined)[] = new Array(BASELINE_BUCKETS);
  #size = 0;
  /** Place of the next entry. */
  #next = 0;

  get size(): number {
    return this.#size;
  }

  add(baseline: Baseline): void {
    const entries = entriesOf(baseline);
    if (this.#next + entries > this.#chunks.length * CHUNK_ENTRIES) {
      this.#next = this.#chunks.length * CHUNK_ENTRIES;
      this.#chunks.push(new Uint8Array(CHUNK_ENTRIES * BASELINE_ENTRY_BYTES));
    }
    const index = this.#next;
    this.#next += entries;
    this.#size++;
    const { chunk, at } = this.#place(index);
    encodeBaseline(chunk, at, baseline);
    const bucket = bucketAt(chunk, at);
    const indexes = this.#buckets[bucket];
    if (indexes === undefined) this.#buckets[bucket] = [index];
    else indexes.push(index);
  }

  isEmpty(bucket: number): boolean {
    return this.#buckets[bucket] === undefined;
  }

  /** The bucket's entries by key, of equal keys only the one with the highest sequence. */
  sorted(bucket: number): Uint8Array[] {
    const entries = (this.#buckets[bucket] ?? []).map((index) => {
      const { chunk, at } = this.#place(index);
      return chunk.subarray(at, at + entriesAt(chunk, at) * BASELINE_ENTRY_BYTES);
    });
    entries.sort(
      (one, other) => compareKeys(one, 0, other, 0) || sequenceAt(other, 0) - sequenceAt(one, 0),
    );
    return entries.filter(
      (entry, at) => at === 0 || compareKeys(entry, 0, entries[at - 1]!, 0) !== 0,
    );
  }

  #place(index: number): { readonly chunk: Uint8Array; readonly at: number } {
    const chunk = this.#chunks[Math.floor(index / CHUNK_ENTRIES)];
    assert(chunk !== undefined, 'the entry has a place');
    return { chunk, at: (index % CHUNK_ENTRIES) * BASELINE_ENTRY_BYTES };
  }
}

/**
 * Writes the merged entries to a new file at `path` and syncs it. Returns how many entries were left
 * out because they were damaged. `expiredBeforeSeconds` leaves out whoever was last seen before.
 */
export async function writeSnapshot(
  disk: Disk,
  path: string,
  content: {
    readonly header: Omit<BaselineHeader, 'entries'>;
    readonly heap: BaselineHeap;
    readonly old: BaselineReader | undefined;
    readonly expiredBeforeSeconds: number;
  },
): Promise<{ readonly entries: number; readonly damaged: number }> {
  const file = await disk.create(path);
  try {
    const output = new EntryWriter(file);
    const old = new OldEntries(content.old);
    for (let bucket = 0; bucket < BASELINE_BUCKETS; bucket++) {
      if (content.heap.isEmpty(bucket) && old.isBehind(bucket)) continue;
      const added = content.heap.sorted(bucket);
      let next = 0;
      // Both sides are in order, so one pass merges them.
      for (let entry = await old.peek(bucket); ; entry = await old.peek(bucket)) {
        const fresh = added[next];
        if (entry === undefined && fresh === undefined) break;
        const order =
          entry === undefined ? 1 : fresh === undefined ? -1 : compareKeys(entry, 0, fresh, 0);
        const newest = order > 0 ? fresh! : order < 0 ? entry! : newer(fresh!, entry!);
        if (lastSeenAt(newest, 0) >= content.expiredBeforeSeconds) await output.write(newest);
        if (order >= 0) next++;
        if (order <= 0) old.skip();
      }
    }
    await output.flush();
    const header = encodeBaselineHeader({ ...content.header, entries: output.entries });
    await file.write(header, 0);
    await file.datasync();
    return { entries: output.entries, damaged: old.damaged };
  } finally {
    await file.close();
  }
}

/** What was added came later than the old file, unless its sequence says otherwise. */
function newer(fresh: Uint8Array, old: Uint8Array): Uint8Array {
  return sequenceAt(old, 0) > sequenceAt(fresh, 0) ? old : fresh;
}

/** The old snapshot's intact entries, one by one in the file's order. */
class OldEntries {
  damaged = 0;
  readonly #chunks: AsyncGenerator<Uint8Array> | undefined;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** Of the entry at #at, with its streams. */
  #bytes = 0;
  /** Of the entry at #at, which is intact; undefined while it is not looked at. */
  #bucket: number | undefined;

  constructor(reader: BaselineReader | undefined) {
    this.#chunks = reader?.chunks();
  }

  /** Certainly nothing of this bucket is left; known without reading. */
  isBehind(bucket: number): boolean {
    return this.#chunks === undefined || (this.#bucket !== undefined && this.#bucket > bucket);
  }

  /** The next entry if it is of this bucket. */
  async peek(bucket: number): Promise<Uint8Array | undefined> {
    this.#bucket ??= await this.#inspect(bucket);
    if (this.#bucket !== bucket) return undefined;
    return this.#chunk.subarray(this.#at, this.#at + this.#bytes);
  }

  skip(): void {
    this.#at += this.#bytes;
    this.#bucket = undefined;
  }

  /** Moves to the next intact entry and returns its bucket; infinity at the end. */
  async #inspect(bucketMin: number): Promise<number> {
    for (;;) {
      if (this.#at >= this.#chunk.byteLength) {
        const next = await this.#chunks?.next();
        if (next === undefined || next.done === true) return Number.POSITIVE_INFINITY;
        this.#chunk = next.value;
        this.#at = 0;
      }
      this.#bytes = entriesAt(this.#chunk, this.#at) * BASELINE_ENTRY_BYTES;
      if (isBaselineIntact(this.#chunk, this.#at)) {
        const bucket = bucketAt(this.#chunk, this.#at);
        // One that was passed already can only come from a file that is out of order.
        if (bucket >= bucketMin) return bucket;
      }
      this.damaged++;
      this.#at += this.#bytes;
    }
  }
}

/** Collects entries into larger writes. */
class EntryWriter {
  entries = 0;
  readonly #file: DiskFile;
  readonly #buffer = new Uint8Array(
    Math.floor(WRITE_BYTES / BASELINE_ENTRY_BYTES) * BASELINE_ENTRY_BYTES,
  );
  #filled = 0;
  #position = BASELINE_HEADER_BYTES;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  async write(entry: Uint8Array): Promise<void> {
    if (this.#filled + entry.byteLength > this.#buffer.byteLength) await this.flush();
    this.#buffer.set(entry, this.#filled);
    this.#filled += entry.byteLength;
    this.entries += entry.byteLength / BASELINE_ENTRY_BYTES;
  }

  async flush(): Promise<void> {
    if (this.#filled === 0) return;
    await this.#file.write(this.#buffer.subarray(0, this.#filled), this.#position);
    this.#position += this.#filled;
    this.#filled = 0;
  }
}
