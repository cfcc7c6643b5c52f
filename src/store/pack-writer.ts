// The one writer of a packed store: a queue, of which it takes a group at a time, lays it out, writes
// it, syncs once, and answers. See packed.ts for the rules it keeps.

import type { BlobRef } from '#base/ids.ts';
import type { BlobIndex, BlobPlace } from './blob-index.ts';
import { cancelled } from './calls.ts';
import { StoreError } from './errors.ts';
import {
  alignUp,
  GROUP_ALIGNMENT,
  nextRecord,
  type PackRecord,
  RECORD_HEADER_BYTES,
  writeRecordHeader,
} from './pack.ts';
import { groupStart, type Pack, type PackFiles } from './pack-files.ts';
import type { PackedWorld } from './packed.ts';

export interface Operation {
  readonly kind: 'blob' | 'removal';
  readonly ref: BlobRef;
  readonly hash: Uint8Array;
  readonly body?: Uint8Array;
  /** Of compaction: written only if the blob still lives there; a removal only if it is still gone. */
  readonly carried?: { readonly from: BlobPlace | undefined };
  readonly done: Promise<void>;
  readonly settle: (error?: StoreError) => void;
  /** Callers that would miss it. */
  waiters: number;
  laid: boolean;
}

interface Wanted {
  readonly kind: 'blob' | 'removal';
  readonly ref: BlobRef;
  readonly hash: Uint8Array;
  readonly body?: Uint8Array;
}

const NOTHING = new Uint8Array();

export class PackWriter {
  readonly #world: PackedWorld;
  readonly #files: PackFiles;
  readonly #index: BlobIndex;
  /** The newest operation of each blob that is not answered yet; those of compaction not. */
  readonly #pending = new Map<BlobRef, Operation>();
  #room = Buffer.alloc(0);
  #queue: Operation[] = [];
  #queueBytes = 0;
  #roomWaits: (() => void)[] = [];
  #running: Promise<void> | undefined;
  #failed: StoreError | undefined;

  constructor(parts: {
    readonly world: PackedWorld;
    readonly files: PackFiles;
    readonly index: BlobIndex;
  }) {
    this.#world = parts.world;
    this.#files = parts.files;
    this.#index = parts.index;
  }

  lastOf(ref: BlobRef): Operation | undefined {
    return this.#pending.get(ref);
  }

  hasRoom(bytes: number): boolean {
    return this.#queueBytes === 0 || this.#queueBytes + bytes <= this.#world.config.queueBytesMax;
  }

  /** Resolves when a group is done; there may be room then. */
  room(): Promise<void> {
    this.hurry();
    return new Promise((resolve) => this.#roomWaits.push(resolve));
  }

  add(wanted: Wanted): Operation {
    const operation = this.#enqueue(wanted);
    this.#pending.set(wanted.ref, operation);
    return operation;
  }

  carry(wanted: Wanted & { readonly carriedFrom: BlobPlace | undefined }): Operation {
    const { carriedFrom, ...rest } = wanted;
    const operation = this.#enqueue({ ...rest, carried: { from: carriedFrom } });
    if (this.#queueBytes >= this.#world.config.writeBytesMax) this.hurry();
    return operation;
  }

  /** Takes back what nobody waits for, if it is not being written yet. */
  withdraw(operation: Operation): void {
    const at = operation.laid ? -1 : this.#queue.indexOf(operation);
    if (at < 0) return;
    this.#queue.splice(at, 1);
    this.#finish([operation], cancelled());
    this.#wakeRoom();
  }

  hurry(): void {
    if (this.#running !== undefined || this.#queue.length === 0) return;
    this.#running = this.#run();
  }

  /** Everything queued is answered when it resolves; rejects when any of it failed. */
  async flush(): Promise<void> {
    const all = [...this.#queue, ...this.#pending.values()].map(({ done }) => done);
    this.hurry();
    await this.#running;
    await Promise.all(all);
  }

  /** Writes what waits, then a mark. */
  async close(): Promise<void> {
    this.hurry();
    await this.#running;
    if (this.#failed !== undefined) return;
    const pack = this.#files.active;
    const position = groupStart(pack);
    const header = Buffer.alloc(GROUP_ALIGNMENT);
    const mark = { kind: 'mark', hash: new Uint8Array(32), bytes: 0, position } as const;
    writeRecordHeader(header, { ...mark, durable: pack.end }, this.#files.seed);
    // Without a mark nothing is lost: the next recovery reads a little more.
    await pack.file
      .write(header, position)
      .then(
        () => pack.file.datasync(),
        () => {},
      )
      .catch(() => {});
  }

  #enqueue(wanted: Wanted & Pick<Operation, 'carried'>): Operation {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    promise.catch(() => {});
    const operation: Operation = {
      ...wanted,
      done: promise,
      settle: (error) => (error === undefined ? resolve() : reject(error)),
      waiters: 0,
      laid: false,
    };
    this.#queue.push(operation);
    this.#queueBytes += wanted.body?.byteLength ?? 0;
    return operation;
  }

  async #run(): Promise<void> {
    // Those who put in the same turn share the first sync.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const group = this.#take();
      try {
        if (this.#failed !== undefined) throw this.#failed;
        await this.#commit(group);
        this.#finish(group, undefined);
      } catch (error) {
        this.#finish(group, storeError(error));
      }
      this.#wakeRoom();
    }
    // In the same turn as the look above: who was answered may put before this promise is settled.
    this.#running = undefined;
  }

  #take(): Operation[] {
    let bytes = 0;
    let count = 0;
    for (const { body } of this.#queue) {
      const more = RECORD_HEADER_BYTES + (body?.byteLength ?? 0);
      if (count > 0 && bytes + more > this.#world.config.writeBytesMax) break;
      bytes += more;
      count++;
    }
    const group = this.#queue.splice(0, count);
    for (const operation of group) operation.laid = true;
    return group;
  }

  async #commit(group: readonly Operation[]): Promise<void> {
    if (groupStart(this.#files.active) >= this.#world.config.packBytesMax) {
      await this.#files.addPack();
    }
    const pack = this.#files.active;
    const { bytes, records } = this.#lay(group, pack);
    if (records.length === 0) return;
    const start = groupStart(pack);
    try {
      await pack.file.write(bytes, start);
      await pack.file.datasync();
    } catch (error) {
      await this.#cutBack(pack, error);
      throw error;
    }
    pack.end = start + bytes.byteLength;
    for (const record of records) this.#files.place(this.#index, record, pack.number);
  }

  /** The bytes are good until the next group is laid. */
  #lay(group: readonly Operation[], pack: Pack) {
    const start = groupStart(pack);
    const records: PackRecord[] = [];
    const inGroup = new Map<BlobRef, 'blob' | 'removal'>();
    const into = this.#roomFor(group);
    let at = 0;
    for (const operation of group) {
      const { kind, ref, hash, body = NOTHING } = operation;
      if (operation.carried !== undefined && !this.#stillHolds(operation, inGroup)) continue;
      if (operation.carried === undefined) inGroup.set(ref, kind);
      const bytes = body.byteLength;
      const record = { kind, hash, bytes, position: start + at, durable: pack.end };
      const header = into.subarray(at, at + RECORD_HEADER_BYTES);
      writeRecordHeader(header, record, this.#files.seed);
      into.set(body, at + RECORD_HEADER_BYTES);
      const end = at + RECORD_HEADER_BYTES + bytes;
      at = nextRecord(end);
      into.fill(0, end, at);
      records.push(record);
    }
    // Whole sectors: the next group must not touch one that was acknowledged, not even to grow.
    const whole = alignUp(at, GROUP_ALIGNMENT);
    into.fill(0, at, whole);
    return { bytes: into.subarray(0, whole), records };
  }

  /** One buffer for all groups: a new one for each would cost as much as writing it. */
  #roomFor(group: readonly Operation[]): Buffer {
    let bytes = GROUP_ALIGNMENT;
    for (const { body = NOTHING } of group) {
      bytes += nextRecord(RECORD_HEADER_BYTES + body.byteLength);
    }
    if (bytes > this.#room.byteLength) this.#room = Buffer.allocUnsafeSlow(bytes);
    return this.#room;
  }

  #stillHolds(operation: Operation, inGroup: ReadonlyMap<BlobRef, unknown>): boolean {
    if (inGroup.has(operation.ref)) return false;
    const place = this.#index.get(operation.hash);
    const from = operation.carried?.from;
    if (from === undefined || place === undefined) return from === place;
    return place.pack === from.pack && place.position === from.position;
  }

  /** So that what is refused is never found; if that fails too the store takes no more. */
  async #cutBack(pack: Pack, cause: unknown): Promise<void> {
    try {
      await pack.file.truncate(pack.end);
      await pack.file.datasync();
    } catch {
      this.#failed = new StoreError('STORE_FAILED', 'The store takes no more', { cause });
    }
  }

  #finish(group: readonly Operation[], error: StoreError | undefined): void {
    for (const operation of group) {
      this.#queueBytes -= operation.body?.byteLength ?? 0;
      if (this.#pending.get(operation.ref) === operation) this.#pending.delete(operation.ref);
      operation.settle(error);
    }
  }

  #wakeRoom(): void {
    for (const wake of this.#roomWaits.splice(0)) wake();
  }
}

function storeError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError('STORE_WRITE_FAILED', 'Cannot write to the store', { cause: error });
}
