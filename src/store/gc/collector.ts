// Garbage collection in two phases. What is reached from no root is marked with the time; what is still
// not reached a day after its mark, and was neither put nor asked for meanwhile, is removed.
//
// One pass walks the store by name beside the old marks, which have the same order, and writes the new
// ones. Of the roots it keeps eight bytes each (name-set.ts). Are there more than fit, it takes the
// names in several stretches and reads the roots once for each; the stretch ends where the set is full.
//
//   names     |--- stretch 1 ---|--- stretch 2 ---|-- … --|
//   roots     all read, kept below its end; then the walk of it: keep, mark, or remove
//
// It can be cancelled or fail anywhere. Then it writes the marks that it made so far, and beyond them the
// old ones; the next collection goes on from there. A crash loses the marks of that pass, nothing else.

import type { Clock } from '#base/clock.ts';
import type { BlobRef } from '#base/ids.ts';
import { throwIfCancelled } from '#store/calls.ts';
import { StoreError } from '#store/errors.ts';
import { type BlobInfo, type CallOptions, hashOf, refOfHash } from '#store/store.ts';
import { type BootClock, ClockJumps } from './clock-jumps.ts';
import type { GuardedStore } from './guard.ts';
import type { Mark, MarkRun } from './marks.ts';
import { NameSet } from './name-set.ts';
import type { RootSource } from './roots.ts';

/** Also how many are removed at once. */
const PAGE = 1000;
const HEAD_END = 0x1_0000_0000;

export interface CollectorWorld {
  readonly store: GuardedStore;
  readonly roots: readonly RootSource[];
  readonly clock: Clock;
  /** Undefined: a clock that is set while no program runs is believed. */
  readonly boot?: BootClock;
  /** How long a blob stays that nothing refers to. */
  readonly ageMs: number;
  /** Roots kept in memory at once, 11 to 22 bytes each; at least 1000. */
  readonly rootsMax: number;
}

export interface Amount {
  readonly blobs: number;
  readonly bytes: number;
}

export interface Collected {
  /** Blobs that were looked at. */
  readonly seen: Amount;
  readonly reachable: Amount;
  /** Not reachable, and not for so long that they may go. */
  readonly waiting: Amount;
  /** Of those that wait: found unreachable for the first time. */
  readonly marked: Amount;
  /** May go by now. All that `removed` has not: of a dry run, or put again at the last moment. */
  readonly due: Amount;
  readonly removed: Amount;
  /** References that the roots gave, with repetitions. */
  readonly roots: number;
  /** False when it went on where an interrupted one ended, so that it did not look at what is before. */
  readonly isWhole: boolean;
}

export interface CollectOptions extends CallOptions {
  /** Changes nothing, also no mark. */
  readonly dryRun?: boolean;
  /** Marks and removes nothing. */
  readonly markOnly?: boolean;
  /** Goes on when nothing refers to any blob, which else is taken for a loss of the references. */
  readonly withoutRoots?: boolean;
  readonly onProgress?: (progress: { readonly seen: number; readonly roots: number }) => void;
}

export class Collector {
  readonly #world: CollectorWorld;
  #isRunning = false;
  #jumps: ClockJumps | undefined;
  #clockText: string | undefined;

  constructor(world: CollectorWorld) {
    this.#world = world;
  }

  /**
   * @throws StoreError STORE_COLLECTING while another runs, STORE_CANCELLED, and what the store and the
   * roots throw
   */
  async collect(options: CollectOptions = {}): Promise<Collected> {
    throwIfCancelled(options.signal);
    if (this.#isRunning) {
      throw new StoreError('STORE_COLLECTING', 'Garbage is being collected already');
    }
    this.#isRunning = true;
    try {
      return await new Collection(this.#world, options, await this.#look()).run();
    } finally {
      this.#isRunning = false;
    }
  }

  async #look(): Promise<SeenClock> {
    const { store, clock, boot, ageMs } = this.#world;
    if (this.#jumps === undefined) {
      this.#clockText = await store.marks.readClock();
      this.#jumps = new ClockJumps({ clock, boot, ageMs }, this.#clockText);
    }
    const jumps = this.#jumps;
    jumps.look();
    const save = async (): Promise<void> => {
      const { text } = jumps;
      if (text === this.#clockText) return;
      await store.marks.writeClock(text);
      this.#clockText = text;
    };
    return { ageOf: (sinceMs) => jumps.ageOf(sinceMs), save };
  }
}

interface SeenClock {
  ageOf(sinceMs: number): number;
  /** Writes down what was seen, before anything is removed by it. */
  save(): Promise<void>;
}

class Tally {
  blobs = 0;
  bytes = 0;

  add({ bytes }: BlobInfo): void {
    this.blobs++;
    this.bytes += bytes;
  }

  get amount(): Amount {
    return { blobs: this.blobs, bytes: this.bytes };
  }
}

/** One pass. */
class Collection {
  readonly #world: CollectorWorld;
  readonly #options: CollectOptions;
  readonly #seenClock: SeenClock;
  readonly #seen = new Tally();
  readonly #reachable = new Tally();
  readonly #waiting = new Tally();
  readonly #marked = new Tally();
  readonly #due = new Tally();
  readonly #removed = new Tally();
  #rootsRead = 0;
  #run: MarkRun | undefined;
  /** Old marks, and the first that was not passed yet. */
  readonly #old: AsyncGenerator<Mark>;
  #next: Mark | undefined;
  /** Old marks of the page under way, kept in case that it fails. */
  #pageMarks: Mark[] = [];
  /** The last name that was dealt with. */
  #place: BlobRef | undefined;

  constructor(world: CollectorWorld, options: CollectOptions, seenClock: SeenClock) {
    this.#world = world;
    this.#options = options;
    this.#seenClock = seenClock;
    this.#old = world.store.marks.read();
  }

  async run(): Promise<Collected> {
    const { marks } = this.#world.store;
    const from = marks.place === undefined ? undefined : refOfHash(marks.place);
    this.#place = from;
    try {
      await this.#walkAll();
    } finally {
      await this.#old.return(undefined);
    }
    return {
      seen: this.#seen.amount,
      reachable: this.#reachable.amount,
      waiting: this.#waiting.amount,
      marked: this.#marked.amount,
      due: this.#due.amount,
      removed: this.#removed.amount,
      roots: this.#rootsRead,
      isWhole: from === undefined,
    };
  }

  async #walkAll(): Promise<void> {
    const { marks } = this.#world.store;
    if (this.#options.dryRun === true) return await this.#walk();
    const run = await marks.begin();
    this.#run = run;
    try {
      await this.#seenClock.save();
      await this.#walk();
    } catch (error) {
      await this.#keepRest(run).catch(() => marks.abandon(run));
      throw error;
    }
    await this.#finish(run, undefined);
  }

  async #walk(): Promise<void> {
    await this.#passOld();
    let start = this.#place === undefined ? 0 : headOf(hashOf(this.#place));
    while (start < HEAD_END) {
      const roots = await this.#readRoots(start);
      this.#refuseWithoutRoots();
      await this.#walkStretch(roots);
      start = roots.end;
    }
    // Marks behind the last blob are of blobs that are gone.
  }

  /** Marks up to the place belong to what this pass does not look at. */
  async #passOld(): Promise<void> {
    await this.#advance();
    const from = this.#place === undefined ? undefined : hashOf(this.#place);
    while (from !== undefined && this.#next !== undefined) {
      if (Buffer.compare(this.#next.hash, from) > 0) break;
      await this.#carry(this.#next);
      await this.#advance();
    }
  }

  /** All roots whose heads are `start` or more, up to an end that leaves so many as may be kept. */
  async #readRoots(start: number): Promise<{ readonly names: NameSet; readonly end: number }> {
    const { roots, rootsMax } = this.#world;
    const names = new NameSet();
    let end = HEAD_END;
    for (const source of roots) {
      for await (const ref of this.#refsOf(source)) {
        if (++this.#rootsRead % PAGE === 0) this.#tell();
        const hash = hashOf(ref);
        const head = headOf(hash);
        if (head < start || head >= end) continue;
        names.add(hash);
        // Half of the stretch has half of the names; the other half is read again later.
        while (names.count > rootsMax && end - start > 1) {
          end = start + Math.ceil((end - start) / 2);
          names.dropFrom(end);
        }
      }
    }
    return { names, end };
  }

  async *#refsOf(source: RootSource): AsyncGenerator<BlobRef> {
    const signal = this.#options.signal ?? new AbortController().signal;
    try {
      for await (const ref of source.refs(signal)) {
        throwIfCancelled(signal);
        yield ref;
      }
    } catch (cause) {
      throwIfCancelled(signal);
      const words = `Cannot read which blobs "${source.name}" refers to`;
      throw new StoreError('STORE_ROOTS_UNREADABLE', words, { cause });
    }
    // One that ends early because of the signal has not told everything.
    throwIfCancelled(signal);
  }

  /** A database that was lost must not take the blobs with it. */
  #refuseWithoutRoots(): void {
    const { withoutRoots } = this.#options;
    if (this.#rootsRead > 0 || !this.#mayRemove || withoutRoots === true) return;
    throw new StoreError('STORE_ROOTS_EMPTY', 'Nothing refers to any blob; nothing was removed');
  }

  async #walkStretch(roots: { readonly names: NameSet; readonly end: number }): Promise<void> {
    const { store } = this.#world;
    const { signal } = this.#options;
    for (;;) {
      const from = this.#place === undefined ? {} : { after: this.#place };
      const page = await store.list({ ...from, limit: PAGE, signal });
      const own = page.filter(({ ref }) => headOf(hashOf(ref)) < roots.end);
      await this.#takePage(own, roots.names);
      this.#tell();
      if (own.length < page.length || page.length === 0) return;
    }
  }

  async #takePage(page: readonly BlobInfo[], roots: NameSet): Promise<void> {
    const due: BlobInfo[] = [];
    const kept: { readonly info: BlobInfo; readonly old: Mark | undefined }[] = [];
    const reachable: BlobInfo[] = [];
    for (const info of page) {
      const hash = hashOf(info.ref);
      const old = await this.#oldMarkOf(hash);
      if (roots.has(hash)) reachable.push(info);
      else if (old !== undefined && this.#isDue(old)) {
        due.push(info);
        if (!this.#mayRemove) kept.push({ info, old });
      } else kept.push({ info, old });
    }
    const gone = await this.#sweep(due.map(({ ref }) => ref));
    for (const info of reachable) this.#reachable.add(info);
    for (const info of due) {
      this.#due.add(info);
      if (gone.has(info.ref)) this.#removed.add(info);
    }
    for (const { info, old } of kept) {
      if (old === undefined) this.#marked.add(info);
      if (old === undefined || !this.#isDue(old)) this.#waiting.add(info);
      // Asked now and not before: whoever put the blob until now was told nothing of a mark.
      const nowMs = this.#world.clock.nowMs();
      const sinceMs = Math.min(old?.sinceMs ?? nowMs, nowMs);
      await this.#run?.add({ hash: hashOf(info.ref), sinceMs });
    }
    for (const info of page) this.#seen.add(info);
    this.#place = page.at(-1)?.ref ?? this.#place;
    this.#pageMarks = [];
  }

  async #sweep(refs: readonly BlobRef[]): Promise<ReadonlySet<BlobRef>> {
    throwIfCancelled(this.#options.signal);
    return new Set(this.#mayRemove ? await this.#world.store.sweep(refs) : []);
  }

  get #mayRemove(): boolean {
    return this.#options.dryRun !== true && this.#options.markOnly !== true;
  }

  /** Its old mark, unless it was taken back. Hashes ascend. */
  async #oldMarkOf(hash: Uint8Array): Promise<Mark | undefined> {
    while (this.#next !== undefined) {
      const order = Buffer.compare(this.#next.hash, hash);
      if (order > 0) return undefined;
      const mark = this.#next;
      await this.#advance();
      if (order < 0) continue;
      this.#pageMarks.push(mark);
      return this.#world.store.marks.isCleared(hash) ? undefined : mark;
    }
    return undefined;
  }

  #isDue({ sinceMs }: Mark): boolean {
    return this.#seenClock.ageOf(sinceMs) >= this.#world.ageMs;
  }

  /** After a failure: old marks beyond the place hold on, and the next collection begins there. */
  async #keepRest(run: MarkRun): Promise<void> {
    for (const mark of this.#pageMarks) await this.#carry(mark);
    for (; this.#next !== undefined; await this.#advance()) await this.#carry(this.#next);
    await this.#finish(run, this.#place === undefined ? undefined : hashOf(this.#place));
  }

  /** With the new marks begins a new list of what was taken back: what the old one names ends here. */
  async #carry(mark: Mark): Promise<void> {
    if (!this.#world.store.marks.isCleared(mark.hash)) await this.#run?.add(mark);
  }

  async #finish(run: MarkRun, place: Uint8Array | undefined): Promise<void> {
    const { marks } = this.#world.store;
    try {
      await marks.finish(run, place);
    } catch (error) {
      await marks.abandon(run);
      throw error;
    }
  }

  async #advance(): Promise<void> {
    const { value, done } = await this.#old.next();
    this.#next = done === true ? undefined : value;
  }

  #tell(): void {
    this.#options.onProgress?.({ seen: this.#seen.blobs, roots: this.#rootsRead });
  }
}

function headOf(hash: Uint8Array): number {
  return Buffer.from(hash.buffer, hash.byteOffset, 4).readUInt32BE(0);
}
