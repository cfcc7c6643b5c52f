// One sync: whatever a store receives, another gets too. Two loops:
//
//   queue   read what was received - ask the far store which of it is there - copy the rest, five at a
//           time - commit
//   care    compare both stores when the queue may have lost something and every so often; read a sample of
//           the far store and hash it; try again what could not be copied
//
// A blob is verified by the store it is read from and by the one that takes it. While the far store cannot be
// reached nothing is committed, so the queue grows up to its bound; what it lets go then, the comparison
// finds. A blob that cannot be copied while others can is listed until somebody acknowledges it, and
// does not keep the others from coming. What is removed here stays there.

import { toHex } from '#base/bytes.ts';
import { type Clock, sleep } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import type { Logger } from '#base/logger.ts';
import type { Random } from '#base/random.ts';
import { Slots } from '#base/slots.ts';
import { copyBlob } from '#store/copy.ts';
import { StoreError } from '#store/errors.ts';
import { type BlobInfo, type Store, statSound } from '#store/store.ts';
import { COPIERS, comparePrefixes, PREFIXES, type Prefixes, prefixesAtOnce } from './compare.ts';
import type { DurableQueue } from './durable-queue.ts';
import type { SyncBook, SyncState } from './sync-book.ts';
import type { SyncMetrics } from './sync-metrics.ts';

const BATCH = 1000;
const WAIT_MS = 5000;
const RETRY_MS_MIN = 1000;
const RETRY_MS_MAX = 300_000;
/** A batch of which some came and others never do is given up after so many rounds. */
const ROUNDS_MAX = 4;
const CARE_MS = 60_000;
const HOUR_MS = 3_600_000;
/** Prefixes in a row that fail: then it is the far store, not the prefix. */
const FAILED_IN_A_ROW_MAX = 3;

export interface SyncWorld {
  /** The far store's line: the name in tables and metrics. */
  readonly name: string;
  /** The name of its place in the queue. */
  readonly reader: string;
  readonly from: Store;
  readonly to: Store;
  readonly queue: DurableQueue;
  readonly book: SyncBook;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: SyncMetrics;
  readonly compareEveryMs: number;
  readonly sampleBytes: number;
}

export class StoreSync {
  readonly #world: SyncWorld;
  readonly #slots = new Slots(COPIERS);
  /** Of the batch under way: rounds in which at least one of its blobs had come and others had not. */
  #rounds = 0;
  #hasCopied = false;
  #retriedMs = Number.NEGATIVE_INFINITY;

  constructor(world: SyncWorld) {
    this.#world = world;
  }

  /** Until the signal aborts. Never rejects for what goes wrong at the stores or in the queue. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([
      this.#loop(signal, 'queue', () => this.takeBatch(signal)),
      this.#loop(signal, 'care', async () => {
        await this.care(signal);
        await sleep(this.#world.clock, CARE_MS, signal).catch(() => {});
      }),
    ]);
  }

  /**
   * Copies what was received next and commits it. Waits for something to come.
   * @throws StoreError when the far store cannot be used; whatever the queue and the book throw
   */
  async takeBatch(signal: AbortSignal): Promise<void> {
    const { queue, reader, to, book, name, metrics } = this.#world;
    const read = await queue.read(reader, { limit: BATCH, waitMs: WAIT_MS, signal });
    if (read.hasLost) await book.change(name, { isOwed: true });
    if (read.blobs.length === 0) {
      await queue.commit(reader, read.next);
      return await this.#measure();
    }
    const refs = [...new Set(read.blobs.map(({ ref }) => ref))];
    const there = new Set((await statSound(to, refs, { signal })).map(({ ref }) => ref));
    const lacking = refs.filter((ref) => !there.has(ref));
    const failures = await this.#copyAll(lacking, signal);
    if (lacking.length > 0) await to.flush();
    const lasting = failures.filter(({ code }) => isLasting(code));
    const others = failures.filter(({ code }) => !isLasting(code));
    this.#hasCopied ||= lacking.length > failures.length;
    if (others.length > 0 && !this.#giveUp()) {
      const words = `${others.length} blobs could not be copied to "${name}"`;
      throw new StoreError('STORE_SYNC_DELAYED', `${words}: ${others[0]?.code}`);
    }
    const failed = [...lasting, ...others];
    if (failed.length > 0) await book.failed(name, failed);
    await queue.commit(reader, read.next);
    this.#rounds = 0;
    this.#hasCopied = false;
    metrics.isAway(name, false);
    await this.#measure();
  }

  /** What is due of comparison, sample and retries. @throws as takeBatch */
  async care(signal: AbortSignal): Promise<void> {
    const { book, name, clock, compareEveryMs } = this.#world;
    const state = await book.state(name);
    const nowMs = clock.nowMs();
    const isDue = state.comparedMs === undefined || nowMs - state.comparedMs >= compareEveryMs;
    if (state.isOwed || state.prefix !== undefined || isDue) await this.compare(signal);
    if (nowMs - (state.sampledMs ?? 0) >= HOUR_MS) await this.sample(signal);
    if (clock.monotonicMs() - this.#retriedMs >= HOUR_MS) {
      await this.retry(signal);
      this.#retriedMs = clock.monotonicMs();
    }
  }

  /**
   * Compares both stores and copies what the far one lacks; goes on where an interrupted one ended.
   * @throws StoreError when prefix after prefix fails; STORE_CANCELLED
   */
  async compare(signal: AbortSignal): Promise<void> {
    const { book, name, from, clock, logger } = this.#world;
    const state = await book.state(name);
    const isNew = state.prefix === undefined;
    let failed = isNew ? [] : [...state.failedPrefixes];
    // From the beginning on, what the queue loses asks for another comparison.
    if (isNew) await book.change(name, { isOwed: false, prefix: 0, failedPrefixes: [] });
    const step = prefixesAtOnce((await from.stats()).blobs);
    let inARow = 0;
    for (let first = state.prefix ?? 0; first < PREFIXES; first += step) {
      const end = Math.min(PREFIXES, first + step);
      try {
        await this.#comparePrefixes({ first, end }, signal);
        inARow = 0;
      } catch (error) {
        const begun = Math.max(0, first - step * inARow++);
        if (signal.aborted || inARow === FAILED_IN_A_ROW_MAX) {
          failed = failed.filter((prefix) => prefix < begun);
          await book.change(name, { prefix: begun, failedPrefixes: failed });
          throw error;
        }
        logger.warn('A part of two stores could not be compared', { first, end, error });
        for (let prefix = first; prefix < end; prefix++) failed.push(prefix);
      }
      await book.change(name, { prefix: end, failedPrefixes: failed });
    }
    const comparedMs = clock.nowMs();
    await book.change(name, { prefix: undefined, failedPrefixes: failed, comparedMs });
    await this.#measure();
  }

  async #comparePrefixes(prefixes: Prefixes, signal: AbortSignal): Promise<void> {
    const { book, name, metrics } = this.#world;
    const done = await comparePrefixes(this.#world, prefixes, { signal });
    metrics.copied(name, done.copied);
    if (done.failures.length > 0) await book.failed(name, done.failures);
  }

  /** Reads some blobs of the far store from a random name on, and puts those again that are rotten. */
  async sample(signal: AbortSignal): Promise<void> {
    const { to, book, name, clock, random, sampleBytes, metrics } = this.#world;
    const after = blobRef(`sha256-${toHex(random.bytes(32))}`) as BlobRef;
    let page = await to.list({ after, limit: BATCH, signal });
    if (page.length === 0) page = await to.list({ limit: BATCH, signal });
    let read = 0;
    for (const info of page) {
      if (read >= sampleBytes) break;
      if (!(await this.#isSound(info, signal))) {
        // Listed also when it was mended: the far store's medium must be looked at.
        await book.failed(name, [{ ref: info.ref, code: 'STORE_CORRUPT_BLOB' }]);
        if (await this.#mend(info.ref, signal)) await book.copied(name, [info.ref]);
      }
      read += info.bytes;
      metrics.sampled(name, info.bytes);
    }
    await book.change(name, { sampledMs: clock.nowMs() });
    await this.#measure();
  }

  /** Tries again what could not be compared or copied. */
  async retry(signal: AbortSignal): Promise<void> {
    const { book, name, from, to } = this.#world;
    const { failedPrefixes, prefix: isUnderWay } = await book.state(name);
    for (const prefix of isUnderWay === undefined ? failedPrefixes : []) {
      await this.#comparePrefixes({ first: prefix, end: prefix + 1 }, signal);
      const left = (await book.state(name)).failedPrefixes.filter((one) => one !== prefix);
      await book.change(name, { failedPrefixes: left });
    }
    let after: BlobRef | undefined;
    for (;;) {
      const page = await book.uncopied(name, {
        limit: BATCH,
        ...(after === undefined ? {} : { after }),
      });
      after = page.at(-1);
      if (after === undefined) break;
      const failures = new Map(
        (await this.#copyAll(page, signal)).map(({ ref, code }) => [ref, code]),
      );
      await to.flush();
      // What the near store has no longer needs no copy.
      const kept = new Set((await from.stat(page, { signal })).map(({ ref }) => ref));
      const done = page.filter((ref) => !failures.has(ref) || !kept.has(ref));
      const still = page.filter((ref) => failures.has(ref) && kept.has(ref));
      await book.copied(name, done);
      await book.failed(
        name,
        still.map((ref) => ({ ref, code: failures.get(ref) as string })),
      );
    }
    await this.#measure();
  }

  async state(): Promise<SyncState> {
    return await this.#world.book.state(this.#world.name);
  }

  async #loop(signal: AbortSignal, what: string, step: () => Promise<void>): Promise<void> {
    const { logger, metrics, name } = this.#world;
    let waitMs = RETRY_MS_MIN;
    while (!signal.aborted) {
      try {
        await step();
        waitMs = RETRY_MS_MIN;
      } catch (error) {
        if (signal.aborted) return;
        const cause = messageOf(error);
        logger.warn('The sync waits and tries again', { sync: name, what, waitMs, cause });
        metrics.isAway(name, true);
        await this.#waitMeasuring(waitMs, signal);
        waitMs = Math.min(RETRY_MS_MAX, waitMs * 2);
      }
    }
  }

  async #waitMeasuring(delayMs: number, signal: AbortSignal): Promise<void> {
    for (let left = delayMs; left > 0 && !signal.aborted; left -= WAIT_MS) {
      await this.#measure().catch(() => {});
      await sleep(this.#world.clock, Math.min(left, WAIT_MS), signal).catch(() => {});
    }
  }

  /** Those that failed. What the near store does not have any more is none of them. */
  async #copyAll(
    refs: readonly BlobRef[],
    signal: AbortSignal,
  ): Promise<{ readonly ref: BlobRef; readonly code: string }[]> {
    const { from, to, clock, metrics, name } = this.#world;
    const failures: { ref: BlobRef; code: string }[] = [];
    let inARow = 0;
    const copyOne = async (ref: BlobRef): Promise<void> => {
      // A store that went away must not be waited for once for each blob.
      const isAway = inARow >= 2 * COPIERS;
      const work = { ref, from, to, attempts: 1, noRush: false, options: { clock, signal } };
      const code = isAway ? 'STORE_SYNC_DELAYED' : await copyBlob(work);
      if (code === undefined) metrics.copied(name, 1);
      inARow = code === undefined || isLasting(code) ? 0 : inARow + 1;
      if (code !== undefined && code !== 'STORE_BLOB_MISSING') failures.push({ ref, code });
    };
    await Promise.all(refs.map((ref) => this.#slots.use(() => copyOne(ref), signal)));
    return failures;
  }

  /** True when the rest of a batch is given up: the far store takes blobs, and these it never takes. */
  #giveUp(): boolean {
    if (this.#hasCopied) this.#rounds++;
    return this.#rounds >= ROUNDS_MAX;
  }

  async #isSound({ ref }: BlobInfo, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#world.to.get(ref, { signal });
      return true;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (error.code === 'STORE_BLOB_MISSING') return true;
      if (error.code === 'STORE_CORRUPT_BLOB') return false;
      throw error;
    }
  }

  /** The near store's copy is read before the rotten one is removed. */
  async #mend(ref: BlobRef, signal: AbortSignal): Promise<boolean> {
    const { from, to } = this.#world;
    try {
      const bytes = await from.get(ref, { signal });
      await to.remove([ref]);
      await to.put(bytes, { ref });
      return true;
    } catch (error) {
      if (error instanceof StoreError) return false;
      throw error;
    }
  }

  async #measure(): Promise<void> {
    const { queue, reader, book, name, clock, metrics } = this.#world;
    const lag = await queue.lag(reader);
    const lagMs = lag.sinceMs === undefined ? 0 : Math.max(0, clock.nowMs() - lag.sinceMs);
    metrics.lag(name, lag.blobs, lagMs / 1000);
    metrics.failures(name, await book.unacknowledgedCount(name));
  }
}

/** Another attempt does not help while the near store is as it is. */
function isLasting(code: string): boolean {
  return code === 'STORE_CORRUPT_BLOB' || code === 'STORE_BLOB_MISSING';
}
