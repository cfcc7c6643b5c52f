// The one writer of a packed store: a queue, of which it takes a group at a time, lays it out, writes
// it, syncs once, and answers. While one group is synced the next is laid and written, no further: its
// records say so by `durable`, and when the sync before fails both are cut off. See packed.ts for the
// rules it keeps.

import { codeOf } from '#base/errors.ts';
import type { BlobRef } from '#base/ids.ts';
import { cancelled } from '#store/calls.ts';
import { StoreError } from '#store/errors.ts';
import type { BlobIndex, BlobPlace } from './blob-index.ts';
import { isFramed, type Layout, layGroup, releaseParts, roomBytes } from './layout.ts';
import {
  GROUP_ALIGNMENT,
  NO_SERIES,
  RECORD_HEADER_BYTES,
  type SeriesPlace,
  writeRecordHeader,
} from './pack.ts';
import { groupStart, type Pack, type PackFiles } from './pack-files.ts';
import type { PackedWorld } from './packed.ts';
import type { VerifiedPlaces } from './verified-places.ts';
import { writeParts } from './write-parts.ts';

export interface Operation {
  readonly kind: 'blob' | 'removal';
  readonly ref: BlobRef;
  readonly hash: Uint8Array;
  readonly body?: Uint8Array;
  readonly series: SeriesPlace;
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
  readonly series?: SeriesPlace;
}

/** A group as it is written. */
interface Laid extends Layout {
  readonly pack: Pack;
  /** Of puts and removals, not of what compaction carries. */
  readonly refs: ReadonlySet<BlobRef>;
  /** Blobs that compaction carries. */
  readonly moved: number;
}

/** A group that is written. */
interface Written {
  readonly group: readonly Operation[];
  readonly laid: Laid;
}

/** The group whose sync is under way. */
interface Unsynced extends Written {
  readonly end: number;
  /** Synced at once when this one is; its end is then told by `done` of its own. */
  next: Written | undefined;
  /** The failure, or undefined when it is on the medium; never rejects. */
  readonly done: Promise<unknown>;
}

const NOTHING = new Uint8Array();
/** What is not copied costs no memory, but whoever waits for a group waits for all of it. */
const FRAMED_GROUPS_MAX = 4;
/** Of what is written at once, the least that is worth to be written from where it lies. */
const FRAMED_SHARE_MIN = 1 / 16;

export class PackWriter {
  readonly #world: PackedWorld;
  readonly #files: PackFiles;
  readonly #index: BlobIndex;
  readonly #verified: VerifiedPlaces;
  /** The newest operation of each blob that is not answered yet; those of compaction not. */
  readonly #pending = new Map<BlobRef, Operation>();
  #rooms: [Buffer, Buffer] = [Buffer.alloc(0), Buffer.alloc(0)];
  #unsynced: Unsynced | undefined;
  #queue: Operation[] = [];
  #queueBytes = 0;
  #roomWaits: (() => void)[] = [];
  #running: Promise<void> | undefined;
  #failed: StoreError | undefined;
  #moves = 0;

  constructor(parts: {
    readonly world: PackedWorld;
    readonly files: PackFiles;
    readonly index: BlobIndex;
    readonly verified: VerifiedPlaces;
  }) {
    this.#world = parts.world;
    this.#files = parts.files;
    this.#index = parts.index;
    this.#verified = parts.verified;
  }

  /** Blobs that compaction has moved. */
  get moves(): number {
    return this.#moves;
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

  /** Waits for `hurry`, or until as much waits as is written at once. */
  add(wanted: Wanted): Operation {
    // What is queued for a blob keeps its order: nothing of a series is taken before its turn then.
    const isFirst = !this.#pending.has(wanted.ref);
    const operation = this.#enqueue(isFirst ? wanted : { ...wanted, series: NO_SERIES });
    this.#pending.set(wanted.ref, operation);
    return operation;
  }

  carry(wanted: Wanted & { readonly carriedFrom: BlobPlace | undefined }): Operation {
    const { carriedFrom, ...rest } = wanted;
    return this.#enqueue({ ...rest, carried: { from: carriedFrom } });
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

  /** Begins a new pack, so that the one before can be compacted. @throws the disk's errors */
  async seal(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
    const made = this.#files.addPack();
    this.#running = made
      .catch(() => {})
      .finally(() => {
        this.#running = undefined;
        this.hurry();
        this.#wakeRoom();
      });
    await made;
  }

  /** Writes what waits, then a mark; whether that is on the medium. */
  async close(): Promise<boolean> {
    this.hurry();
    await this.#running;
    if (this.#failed !== undefined) return false;
    const pack = this.#files.active;
    const position = groupStart(pack);
    const header = Buffer.alloc(GROUP_ALIGNMENT);
    const mark = { kind: 'mark', hash: new Uint8Array(32), bytes: 0, series: NO_SERIES } as const;
    writeRecordHeader(header, { ...mark, position, durable: pack.end }, this.#files.seed);
    // Without a mark nothing is lost: the next recovery reads a little more.
    try {
      await this.#files.activeFile.write(header, position);
      await this.#files.activeFile.datasync();
      return true;
    } catch {
      return false;
    }
  }

  #enqueue(wanted: Wanted & Pick<Operation, 'carried'>): Operation {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    promise.catch(() => {});
    const operation: Operation = {
      series: NO_SERIES,
      ...wanted,
      done: promise,
      settle: (error) => (error === undefined ? resolve() : reject(error)),
      waiters: 0,
      laid: false,
    };
    this.#queue.push(operation);
    this.#queueBytes += wanted.body?.byteLength ?? 0;
    if (this.#queueBytes >= this.#world.config.writeBytesMax) this.hurry();
    return operation;
  }

  async #run(): Promise<void> {
    // Those who put in the same turn share the first sync.
    await Promise.resolve();
    for (;;) {
      if (this.#queue.length > 0) await this.#begin(await this.#refuseIfTight(this.#take()));
      else if (this.#unsynced !== undefined) await this.#settle();
      else break;
    }
    // In the same turn as the look above: who was answered may put before this promise is settled.
    this.#running = undefined;
    this.#wakeRoom();
  }

  /** Writes a group while the one before is synced, waits for that one, and begins the sync of this. */
  async #begin(group: readonly Operation[]): Promise<void> {
    let laid: Laid | undefined;
    let failure: unknown = this.#failed;
    let isTorn = false;
    if (failure === undefined) {
      try {
        laid = await this.#write(group);
      } catch (error) {
        failure = error;
        isTorn = true;
      }
    }
    const unsynced = this.#unsynced;
    if (unsynced !== undefined && laid !== undefined) unsynced.next = { group, laid };
    // What the group before could not keep was cut off, and this one with it.
    const before = await this.#settle();
    if (before === undefined && isTorn) await this.#cutBack(this.#files.active, failure);
    failure = before ?? failure;
    if (failure !== undefined) await this.#fail(group, failure);
    else if (laid === undefined) this.#finish(group, undefined);
    else if (unsynced === undefined) this.#unsynced = this.#sync({ group, laid });
  }

  /** What is left of a group while the disk is too full to keep the room for removals. */
  async #refuseIfTight(group: readonly Operation[]): Promise<readonly Operation[]> {
    const isPut = ({ kind, carried }: Operation): boolean => kind === 'blob' && !carried;
    if (!this.#files.reserve.isTight || !group.some(isPut)) return group;
    await this.#files.reserve.keep();
    if (!this.#files.reserve.isTight) return group;
    const cause = Object.assign(new Error('ENOSPC: what is left is kept for removals'), {
      code: 'ENOSPC',
    });
    this.#finish(group.filter(isPut), storeError(cause));
    return group.filter((operation) => !isPut(operation));
  }

  /** On a full disk removals are tried once more, with the room that is kept for them. */
  async #fail(group: readonly Operation[], failure: unknown): Promise<void> {
    const removals = group.filter(({ kind }) => kind === 'removal');
    const isFull = codeOf(failure) === 'ENOSPC';
    if (!isFull || removals.length === 0 || !(await this.#files.reserve.giveUp())) {
      this.#finish(group, storeError(failure));
      return;
    }
    const others = group.filter(({ kind }) => kind !== 'removal');
    this.#finish(others, storeError(failure));
    await this.#begin(removals);
  }

  /** Undefined when nothing of the group needs to be written. */
  async #write(group: readonly Operation[]): Promise<Laid | undefined> {
    if (this.#end() >= this.#world.config.packBytesMax) {
      const failure = await this.#settle();
      if (failure !== undefined) throw failure;
      if (this.#end() >= this.#world.config.packBytesMax) await this.#files.addPack();
    }
    const pack = this.#files.active;
    const laid = this.#lay(group, { pack, start: this.#end() });
    if (laid.records.length === 0) return undefined;
    const file = this.#files.activeFile;
    try {
      await this.#verified.append(pack.number, file, () => writeParts(file, laid.parts));
    } finally {
      releaseParts(laid.parts);
    }
    return laid;
  }

  #sync({ group, laid }: Written): Unsynced {
    const { pack, end, records } = laid;
    const onMedium = (): undefined => {
      pack.end = end;
      this.#moves += laid.moved;
      for (const record of records) this.#files.place(this.#index, record, pack.number);
      // Before anybody is answered: what they do next would keep the disk waiting.
      this.#unsynced = unsynced.next === undefined ? undefined : this.#sync(unsynced.next);
      this.#finish(group, undefined);
      this.#wakeRoom();
    };
    const done = this.#files.activeFile.datasync().then(onMedium, (error: unknown) => error);
    const unsynced: Unsynced = { group, laid, end, next: undefined, done };
    return unsynced;
  }

  /** Waits for the group that is being synced; when that fails, cuts it off and gives the failure. */
  async #settle(): Promise<unknown> {
    const unsynced = this.#unsynced;
    const failure = await unsynced?.done;
    if (unsynced === undefined || failure === undefined) return undefined;
    this.#unsynced = undefined;
    await this.#cutBack(unsynced.laid.pack, failure);
    this.#finish(unsynced.group, storeError(failure));
    return failure;
  }

  /** Where the next group begins. */
  #end(): number {
    return this.#unsynced?.end ?? groupStart(this.#files.active);
  }

  /** From the front of the queue; what waits of the same series comes along, side by side. */
  #take(): Operation[] {
    const followers = followersIn(this.#queue);
    const { writeBytesMax } = this.#world.config;
    const room = { copied: writeBytesMax, framed: FRAMED_GROUPS_MAX * writeBytesMax };
    // The first of the queue goes in any case: neither its size nor its series lets it wait for ever.
    const first = this.#queue[0] as Operation;
    room[this.#wayOf(first)] -= bytesOf(first);
    const group: Operation[] = [];
    const take = (operation: Operation): boolean => {
      const way = this.#wayOf(operation);
      if (operation !== first && bytesOf(operation) > room[way]) return false;
      if (operation !== first) room[way] -= bytesOf(operation);
      operation.laid = true;
      group.push(operation);
      return true;
    };
    for (const operation of this.#queue) {
      if (operation.laid) continue;
      const series = followers.get(operation.series.key) ?? [operation];
      if (series.every(take)) continue;
      if (!first.laid) take(first);
      break;
    }
    this.#queue = this.#queue.filter((operation) => !operation.laid);
    return group;
  }

  /** Its memory is good until the group after the next is laid. */
  #lay(group: readonly Operation[], place: { readonly pack: Pack; readonly start: number }): Laid {
    const { pack, start } = place;
    const refs = new Set<BlobRef>();
    const lives: Operation[] = [];
    let moved = 0;
    for (const operation of group) {
      const { kind, ref, carried } = operation;
      if (carried !== undefined && !this.#stillHolds(operation, refs)) continue;
      if (carried === undefined) refs.add(ref);
      else if (kind === 'blob') moved++;
      lives.push(operation);
    }
    const where = {
      ...{ start, durable: pack.end, seed: this.#files.seed },
      framedBytesMin: this.#framedBytesMin,
    };
    return { pack, ...layGroup(lives, where, this.#roomFor(lives)), refs, moved };
  }

  /** Two buffers that take turns: a new one for each group would cost as much as writing it. */
  #roomFor(group: readonly Operation[]): Buffer {
    const framedBytesMin = this.#framedBytesMin;
    let bytes = GROUP_ALIGNMENT;
    for (const operation of group) bytes += roomBytes(operation, framedBytesMin);
    const [other, room] = this.#rooms;
    this.#rooms = [bytes > room.byteLength ? Buffer.allocUnsafeSlow(bytes) : room, other];
    return this.#rooms[0];
  }

  #wayOf(operation: Operation): 'framed' | 'copied' {
    return isFramed(operation, this.#framedBytesMin) ? 'framed' : 'copied';
  }

  get #framedBytesMin(): number {
    return this.#world.config.writeBytesMax * FRAMED_SHARE_MIN;
  }

  #stillHolds(operation: Operation, inGroup: ReadonlySet<BlobRef>): boolean {
    // What is on its way decides, whether it is in the index yet or not.
    if (inGroup.has(operation.ref) || this.#unsynced?.laid.refs.has(operation.ref) === true)
      return false;
    const place = this.#index.get(operation.hash);
    const from = operation.carried?.from;
    if (from === undefined || place === undefined) return from === place;
    return place.pack === from.pack && place.position === from.position;
  }

  /** So that what is refused is never found; if that fails too the store takes no more. */
  async #cutBack(pack: Pack, cause: unknown): Promise<void> {
    try {
      await this.#files.activeFile.truncate(pack.end);
      await this.#files.activeFile.datasync();
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

function bytesOf({ body = NOTHING }: Operation): number {
  return RECORD_HEADER_BYTES + body.byteLength;
}

/** What is queued of each series, in its order. */
function followersIn(queue: readonly Operation[]): Map<number, Operation[]> {
  const followers = new Map<number, Operation[]>();
  for (const operation of queue) {
    const { key } = operation.series;
    if (key === 0) continue;
    const others = followers.get(key);
    if (others === undefined) followers.set(key, [operation]);
    else others.push(operation);
  }
  for (const others of followers.values()) others.sort((a, b) => a.series.order - b.series.order);
  return followers;
}

function storeError(error: unknown): StoreError {
  if (error instanceof StoreError) return error;
  return new StoreError('STORE_WRITE_FAILED', 'Cannot write to the store', { cause: error });
}
