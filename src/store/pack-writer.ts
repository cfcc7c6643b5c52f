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

export class PackWriter {
  readonly #world: PackedWorld;
  readonly #files: PackFiles;
  readonly #index: BlobIndex;
  /** The newest operation of each blob that is not answered yet; those of compaction not. */
  readonly #pending = new Map<BlobRef, Operation>();
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
    const { parts, records, end } = this.#lay(group, pack);
    if (records.length === 0) return;
    try {
      await pack.file.write(Buffer.concat(parts), groupStart(pack));
      await pack.file.datasync();
    } catch (error) {
      await this.#cutBack(pack, error);
      throw error;
    }
    pack.end = end;
    for (const record of records) this.#files.place(this.#index, record, pack.number);
  }

  #lay(group: readonly Operation[], pack: Pack) {
    const parts: Uint8Array[] = [];
    const records: PackRecord[] = [];
    const inGroup = new Map<BlobRef, 'blob' | 'removal'>();
    let position = groupStart(pack);
    let end = position;
    for (const operation of group) {
      const { kind, ref, hash, body = new Uint8Array() } = operation;
      if (operation.carried !== undefined && !this.#stillHolds(operation, inGroup)) continue;
      if (operation.carried === undefined) inGroup.set(ref, kind);
      const record = { kind, hash, bytes: body.byteLength, position, durable: pack.end };
      const header = Buffer.alloc(RECORD_HEADER_BYTES);
      writeRecordHeader(header, record, this.#files.seed);
      end = position + RECORD_HEADER_BYTES + body.byteLength;
      position = nextRecord(end);
      parts.push(header, body, new Uint8Array(position - end));
      records.push(record);
    }
    // Whole sectors: the next group must not touch one that was acknowledged, not even to grow.
    const whole = alignUp(position, GROUP_ALIGNMENT);
    parts.push(new Uint8Array(whole - position));
    return { parts, records, end: whole };
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
