// Baselines outside the swarm (A2): a snapshot on disk, and in memory what is newer than it, from
// the log at start and from the swarm when it drops a silent peer. A client that the swarm does not
// know is looked up here before it counts as a first sight.
//
//   folder/baselines-00000042.snapshot   the newest; the one before it is kept in case it is damaged
//   folder/baselines-00000043.part       one being written; removed at start

import { dirname, join } from 'node:path';
import type { AccountingConfig } from '#accounting/config.ts';
import {
  decodeTransfer,
  RECORD_FLAG,
  TRANSFERS_TOPIC,
  type TransferRecord,
} from '#accounting/transfers/transfer-record.ts';
import { assert } from '#base/assert.ts';
import type { Clock } from '#base/clock.ts';
import type { Disk } from '#base/disk.ts';
import { messageOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { Log } from '#log/log.ts';
import { type Baseline, type BaselineKey, baselineKeyText } from './baseline.ts';
import { baselineAfter } from './baseline-after.ts';
import { openSnapshot, snapshotNumber } from './baseline-opening.ts';
import { BaselineReader } from './baseline-reader.ts';
import { BaselineHeap, writeSnapshot } from './baseline-snapshot.ts';
import { RecentBaselines } from './recent-baselines.ts';

export interface BaselineStoreWorld {
  readonly disk: Disk;
  /** Absolute; made when it is missing. */
  readonly folder: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly config: AccountingConfig;
}

/** What a snapshot needs to know of the writer of records; TransferWriter is one. */
export interface TransferBarrier {
  /** How often records were lost. */
  readonly losses: number;
  /** The offset behind the last record that is on disk; undefined before the first. */
  readonly appendedTo: number | undefined;
  /** Resolves when everything pushed so far has settled. */
  settled(): Promise<void>;
}

/** recent() goes back no further than this. */
export const RECENT_SECONDS_MAX = 24 * 3600;

const SECONDS_PER_DAY = 86_400;
const READ_RECORDS_MAX = 4096;
const PROGRESS_MS = 5000;

export class BaselineStore {
  readonly #world: BaselineStoreWorld;
  /** Newer than the snapshot, oldest first. */
  readonly #overlay = new Map<string, Baseline>();
  #reader: BaselineReader | undefined;
  /** Entries of the reader that are known to be damaged; the log made up for them. */
  #damagedKnown = 0;
  #number = 0;
  #replayedTo = 0;
  #recent: RecentBaselines | undefined;
  #isSnapshotOpen = false;
  #forgotten = 0;

  private constructor(world: BaselineStoreWorld) {
    this.#world = world;
  }

  /**
   * Opens the newest intact snapshot and reads the log after it, all of it when none is intact.
   * @throws the disk's and log's errors
   */
  static async open(world: BaselineStoreWorld): Promise<BaselineStore> {
    const store = new BaselineStore(world);
    await world.disk.makeFolder(world.folder);
    await world.disk.syncFolder(dirname(world.folder));
    await world.log.createTopic(TRANSFERS_TOPIC, { consistency: 'durable' });
    const snapshot = await openSnapshot(world, store.#recentSeconds());
    store.#reader = snapshot.reader;
    store.#recent = snapshot.recent;
    store.#damagedKnown = snapshot.damagedEntries;
    store.#number = snapshot.number;
    await store.#replay(snapshot.replayFrom);
    return store;
  }

  /** Baselines held in memory because they are newer than the snapshot. */
  get overlayEntries(): number {
    return this.#overlay.size;
  }

  /** More is held in memory than is good: make a snapshot now. */
  get isSnapshotDue(): boolean {
    return this.#overlay.size > this.#world.config.baselineOverlayEntriesMax / 2;
  }

  /**
   * Those last seen at `sinceSeconds` or later, at most RECENT_SECONDS_MAX ago, for the swarm at
   * start: some of one torrent at a time, lent until the next. To be read once: what only this needs
   * is freed afterwards.
   */
  *recent(sinceSeconds: number): Generator<readonly Baseline[]> {
    if (this.#recent !== undefined) yield* this.#recent.byTorrent(sinceSeconds);
    this.#recent = undefined;
    for (const baseline of this.#overlay.values()) {
      if (baseline.lastSeenSeconds >= sinceSeconds) yield [baseline];
    }
  }

  /**
   * The baseline of a client that the swarm does not have; undefined when it was never seen or is
   * silent for too long. @throws AccountingError BASELINES_READ_FAILED
   */
  async find(key: BaselineKey): Promise<Baseline | undefined> {
    const found = this.#overlay.get(baselineKeyText(key)) ?? (await this.#reader?.find(key));
    if (found === undefined || found.lastSeenSeconds < this.#expiredBeforeSeconds()) {
      return undefined;
    }
    return found;
  }

  /** Takes over a baseline that the swarm drops. It must be one whose records are on disk. */
  keep(baseline: Baseline): void {
    this.#put({ ...baseline, peerId: baseline.peerId.slice() });
  }

  /** One at a time. `barrier` is the writer of this process' records. See baseline-snapshot.ts. */
  beginSnapshot(barrier: TransferBarrier): SnapshotWriter {
    assert(!this.#isSnapshotOpen, 'one snapshot at a time');
    this.#isSnapshotOpen = true;
    const { losses } = barrier;
    // What this process had acknowledged by now is in the swarm; asking the log would be too late.
    const nextOffset = barrier.appendedTo ?? this.#replayedTo;
    const heap = new BaselineHeap();
    const end = (): void => {
      this.#isSnapshotOpen = false;
    };
    const commit = async (): Promise<boolean> => {
      await barrier.settled();
      return barrier.losses === losses && (await this.#commit(heap, nextOffset));
    };
    return new SnapshotWriter(heap, { commit: () => commit().finally(end), discard: end });
  }

  async close(): Promise<void> {
    await this.#reader?.retire();
    this.#reader = undefined;
  }

  async #commit(heap: BaselineHeap, nextOffset: number): Promise<boolean> {
    const { disk, folder, log, clock, logger } = this.#world;
    // What is put from here on is newer than this snapshot and stays in memory for the next.
    const included = [...this.#overlay];
    for (const [, baseline] of included) heap.add(baseline);
    const number = this.#number + 1;
    const part = join(folder, `${nameOf(number)}.part`);
    const path = join(folder, `${nameOf(number)}.snapshot`);
    const old = this.#reader;
    const written = await writeSnapshot(disk, part, {
      header: { logId: log.id, epoch: log.epoch, nextOffset, madeAtMs: clock.nowMs() },
      heap,
      old,
      expiredBeforeSeconds: this.#expiredBeforeSeconds(),
    }).catch(async (error: unknown) => {
      await disk.remove(part).catch(() => undefined);
      throw error;
    });
    if (written.damaged > this.#damagedKnown) {
      logger.error('Damaged baselines were left out; the next announce of those credits nothing', {
        baselines: written.damaged - this.#damagedKnown,
      });
    }
    this.#damagedKnown = 0;
    await disk.rename(part, path);
    await disk.syncFolder(folder);
    this.#reader = await BaselineReader.open(disk, path);
    this.#number = number;
    await old?.retire();
    for (const [key, baseline] of included) {
      if (this.#overlay.get(key) === baseline) this.#overlay.delete(key);
    }
    await this.#removeOlderThan(number - 1);
    return true;
  }

  async #removeOlderThan(number: number): Promise<void> {
    const { disk, folder, logger } = this.#world;
    for (const name of await disk.list(folder)) {
      const found = snapshotNumber(name);
      if (found === undefined || found >= number) continue;
      await disk.remove(join(folder, name)).catch((error: unknown) => {
        logger.warn('An old snapshot could not be removed', { name, error: messageOf(error) });
      });
    }
  }

  #recentSeconds(): number {
    return this.#world.clock.nowMs() / 1000 - RECENT_SECONDS_MAX;
  }

  async #loadRecent(): Promise<void> {
    this.#recent =
      this.#reader && (await RecentBaselines.load(this.#reader, this.#recentSeconds()));
  }

  /** Brings back, from the records at `start` and behind, every baseline they moved. */
  async #replay(start: number): Promise<void> {
    const { log, logger, clock, config } = this.#world;
    const { nextOffset: end } = await log.stats(TRANSFERS_TOPIC);
    const recordsMax = Math.min(READ_RECORDS_MAX, Math.ceil(config.baselineOverlayEntriesMax / 4));
    const sinceMs = clock.monotonicMs();
    let toldMs = sinceMs;
    let records = 0;
    let from = start;
    for (;;) {
      const read = await log.read(TRANSFERS_TOPIC, { from, recordsMax });
      for (const { value } of read.records) {
        const record = decodeTransfer(value);
        if (record === undefined || record.memberId === 0) continue;
        const key = baselineKeyText(record);
        const known = this.#overlay.get(key) ?? this.#recent?.find(record);
        const before = known ?? (await this.#olderOf(record));
        if (before !== undefined && isIncluded(before, record)) continue;
        this.#put(baselineAfter(before, record));
        this.#recent?.replace(record);
        records++;
      }
      if (read.nextOffset === from) break;
      from = read.nextOffset;
      if (this.#overlay.size > config.baselineOverlayEntriesMax - recordsMax) {
        // Nothing is forgotten for want of room, and a start that is cut short goes on from here.
        await this.#commit(new BaselineHeap(), from);
        await this.#loadRecent();
      }
      if (clock.monotonicMs() - toldMs >= PROGRESS_MS) {
        toldMs = clock.monotonicMs();
        logger.info('Bringing baselines back from the log', { offset: from, until: end });
      }
    }
    this.#replayedTo = from;
    if (records === 0) return;
    logger.info('Baselines were brought back from the log', {
      records,
      ms: Math.round(clock.monotonicMs() - sinceMs),
    });
  }

  /** Only for what a record itself does not say; most records say all. */
  async #olderOf(record: TransferRecord): Promise<Baseline | undefined> {
    if ((record.flags & RECORD_FLAG.first) !== 0) return undefined;
    return await this.#reader?.find(record);
  }

  #put(baseline: Baseline): void {
    const key = baselineKeyText(baseline);
    // Set anew, so that the map stays in the order of age.
    this.#overlay.delete(key);
    this.#overlay.set(key, baseline);
    if (this.#overlay.size <= this.#world.config.baselineOverlayEntriesMax) return;
    const oldest = this.#overlay.keys().next();
    if (!oldest.done) this.#overlay.delete(oldest.value);
    this.#forgotten++;
    if (this.#forgotten % 10_000 === 1) {
      this.#world.logger.warn('Too many baselines are in memory; the oldest are forgotten', {
        forgotten: this.#forgotten,
      });
    }
  }

  #expiredBeforeSeconds(): number {
    const { clock, config } = this.#world;
    return clock.nowMs() / 1000 - config.baselineSilentDays * SECONDS_PER_DAY;
  }
}

/** A snapshot while the swarm is walked. */
export class SnapshotWriter {
  readonly #heap: BaselineHeap;
  readonly #ends: { readonly commit: () => Promise<boolean>; readonly discard: () => void };
  #isOpen = true;

  constructor(
    heap: BaselineHeap,
    ends: { readonly commit: () => Promise<boolean>; readonly discard: () => void },
  ) {
    this.#heap = heap;
    this.#ends = ends;
  }

  /** Copies it. */
  add(baseline: Baseline): void {
    assert(this.#isOpen, 'the snapshot is open');
    this.#heap.add(baseline);
  }

  /** False when records were lost meanwhile and nothing was written. @throws the disk's errors */
  async commit(): Promise<boolean> {
    assert(this.#isOpen, 'the snapshot is open');
    this.#isOpen = false;
    return await this.#ends.commit();
  }

  /** Gives it up; the older snapshot stays. Nothing after commit(). */
  discard(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#ends.discard();
  }
}

function nameOf(number: number): string {
  return `baselines-${String(number).padStart(8, '0')}`;
}

/**
 * A snapshot may know of records behind its place. To follow one of them again would leave its streams
 * twice; a founding one begins anew whatever was before.
 */
function isIncluded(before: Baseline, record: TransferRecord): boolean {
  if ((record.flags & RECORD_FLAG.first) !== 0) return false;
  return (before.sequence - record.sequence) >>> 0 < 0x8000_0000;
}
