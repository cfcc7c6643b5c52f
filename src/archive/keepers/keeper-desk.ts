// The server's side of keepers: says what each shall hold, challenges what it says it holds, judges the
// answers, and asks for blobs back that were lost here.
//
//   wanted --"held"--> held --right proof--> held, and credit for the time since
//     ^                 |  '--wrong proof--> failed: its credit is taken back, the copy is made elsewhere
//     '----"lost"-------'
//
// A blob is given to a keeper only while its copy is wanted, so nobody can answer a challenge by asking for
// what he should have. Who answers nothing earns nothing, and fails after archive.keeperUnprovenMsMax
// (placement.ts).

import type { ArchiveConfig } from '#archive/config.ts';
import type { Healer, LostSegment } from '#archive/verify/check-file.ts';
import { bytesEqual, toHex, utf8 } from '#base/bytes.ts';
import { type Clock, sleep } from '#base/clock.ts';
import { codeOf } from '#base/errors.ts';
import type { Logger } from '#base/logger.ts';
import type { Random } from '#base/random.ts';
import { Slots } from '#base/slots.ts';
import type { Sql } from '#sql/sql.ts';
import type { Store } from '#store/store.ts';
import { Copies, type Copy, type KeeperCredit } from './copies.ts';
import { CopyBlobs } from './copy-blobs.ts';
import type { Keeper } from './keeper-book.ts';
import type { CopyReport, KeeperOffer, KeeperWork } from './keeper-work.ts';
import { NONCE_BYTES, proofOf } from './proof.ts';
import { seal, unseal } from './sealing.ts';

const RANGE_BYTES_MAX = 64 * 1024;
/** Of each kind, that one answer names. */
const WORK_MAX = 50;
/** Requests of one keeper that may wait for work at once; others are answered. */
const WAITING_MAX = 2;
/** Blobs read for keepers at once. */
const READS_MAX = 4;
/** A keeper that was not heard of for so long is not waited for. */
const AWAY_MS = 60_000;
/** For one blob that was lost here. */
const GIVE_MS_MAX = 30_000;
/** When this server cannot tell whether a proof is right. */
/** One challenge in as many is for the map. */
const MAP_CHALLENGED = 16;
const ASK_AGAIN_MS = 3_600_000;

export interface KeeperWorld {
  readonly sql: Sql;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly config: ArchiveConfig;
  readonly credit: KeeperCredit;
  store(): Promise<Store>;
}

interface Asked {
  readonly copy: Copy;
  readonly number: number;
  readonly done: (bytes: Uint8Array | undefined) => void;
}

export class KeeperDesk implements Healer {
  readonly name = 'keepers';
  readonly copies: Copies;
  readonly #world: KeeperWorld;
  readonly #blobs: CopyBlobs;
  readonly #reads = new Slots(READS_MAX);
  /** What was lost here, by `copy number`. */
  readonly #asked = new Map<string, Asked>();
  /** Keepers that gave nothing when they were asked, until they are heard of again. */
  readonly #silent = new Set<number>();
  /** Wakes whoever waits for work, by keeper. */
  readonly #waiting = new Map<number, Set<() => void>>();

  constructor(world: KeeperWorld) {
    this.#world = world;
    this.copies = new Copies(world);
    this.#blobs = new CopyBlobs(world);
  }

  /** What there is to do; waits a while for something when there is nothing. */
  async work(keeper: Keeper, offer: KeeperOffer, signal: AbortSignal): Promise<KeeperWork> {
    const { clock } = this.#world;
    this.#silent.delete(keeper.id);
    await this.copies.seen(keeper.id, offer.bytesMax);
    const woken = new AbortController();
    const wake = (): void => woken.abort();
    const waiting = this.#waiting.get(keeper.id) ?? new Set();
    this.#waiting.set(keeper.id, waiting);
    waiting.add(wake);
    try {
      const work = await this.#workNow(keeper);
      const isCrowded = waiting.size > WAITING_MAX;
      if (!isNothing(work) || offer.waitMs === 0 || isCrowded) return work;
      const until = AbortSignal.any([signal, woken.signal]);
      await sleep(clock, offer.waitMs, until).catch(() => undefined);
      return await this.#workNow(keeper);
    } finally {
      waiting.delete(wake);
      if (waiting.size === 0) this.#waiting.delete(keeper.id);
    }
  }

  async #workNow(keeper: Keeper): Promise<KeeperWork> {
    const wanted = await this.copies.inState(keeper.id, 'wanted', WORK_MAX);
    const dropped = await this.copies.inState(keeper.id, 'dropped', WORK_MAX);
    const fetch: KeeperWork['fetch'] = [];
    for (const { id: copy, root, bytes } of wanted) {
      const blobs = await this.#blobs.count(root);
      if (blobs !== undefined) fetch.push({ copy, blobs, bytes });
    }
    const give: KeeperWork['give'] = [];
    for (const { copy, number } of this.#asked.values()) {
      if (copy.keeperId === keeper.id && give.length < WORK_MAX)
        give.push({ copy: copy.id, number });
    }
    const drop = dropped.map(({ id }) => id);
    return { fetch, drop, give, prove: await this.#challenges(keeper) };
  }

  async #challenges(keeper: Keeper): Promise<KeeperWork['prove']> {
    const { random } = this.#world;
    for (const copy of await this.copies.due(keeper.id, WORK_MAX)) {
      const count = await this.#blobs.count(copy.root);
      if (count === undefined) continue;
      const number = challengedBlob(random, count);
      const blob = await this.#blobs.blob(copy.root, number);
      if (blob === undefined || blob.bytes === 0) continue;
      const length = blob.bytes + (keeper.sealKey === null ? 0 : 16);
      const start = random.u32() % length;
      const end = Math.min(length, start + 1 + (random.u32() % RANGE_BYTES_MAX));
      const nonce = random.bytes(NONCE_BYTES);
      await this.copies.challenge(copy.id, { number, start, end, nonce });
    }
    const open = await this.copies.challenges(keeper.id, WORK_MAX);
    return open.map(({ nonce, ...challenge }) => ({ ...challenge, nonce: toHex(nonce) }));
  }

  /** As the keeper shall store it; undefined unless its copy is wanted and the blob is sound here. */
  async blob(keeper: Keeper, copyId: number, number: number): Promise<Uint8Array | undefined> {
    const copy = await this.copies.find(copyId);
    if (copy?.keeperId !== keeper.id || copy.state !== 'wanted') return undefined;
    return await this.#sealed(keeper, copy, number);
  }

  async #sealed(keeper: Keeper, copy: Copy, number: number): Promise<Uint8Array | undefined> {
    const blob = await this.#blobs.blob(copy.root, number);
    if (blob === undefined) return undefined;
    try {
      const store = await this.#world.store();
      const bytes = await this.#reads.use(() => store.get(blob.ref));
      return seal(keeper.sealKey, blob.ref, bytes);
    } catch (error) {
      const code = codeOf(error);
      if (code === 'STORE_BLOB_MISSING' || code === 'STORE_CORRUPT_BLOB') return undefined;
      throw error;
    }
  }

  /** What a keeper says of a copy; nothing when it is not its own. */
  async report(keeper: Keeper, copyId: number, state: CopyReport): Promise<void> {
    const copy = await this.copies.find(copyId);
    if (copy?.keeperId !== keeper.id) return;
    if (state === 'dropped') await this.copies.confirmDrop(copy);
    else if (state === 'held') await this.copies.held(copy);
    else await this.copies.lost(copy);
  }

  /** Whether it is the answer to the copy's challenge. A wrong one ends the copy. */
  async prove(keeper: Keeper, copyId: number, proof: string): Promise<boolean> {
    const copy = await this.copies.find(copyId);
    const challenge = await this.copies.openChallenge(copyId);
    if (copy?.keeperId !== keeper.id || copy.state !== 'held') return false;
    if (challenge === undefined) return false;
    const bytes = await this.#sealed(keeper, copy, challenge.number);
    if (bytes === undefined) {
      await this.copies.askAgain(copy, ASK_AGAIN_MS);
      return true;
    }
    const range = bytes.subarray(challenge.start, challenge.end);
    if (bytesEqual(utf8(proofOf(challenge.nonce, range)), utf8(proof))) {
      await this.copies.proven(keeper, copy);
      return true;
    }
    this.#world.logger.warn('A keeper could not prove that it holds a copy', {
      ...{ keeper: keeper.name, copy: copy.id, bytes: copy.bytes },
    });
    await this.copies.failed(copy, 'A proof was wrong');
    return false;
  }

  /** Whether a blob is wanted back from this keeper now. */
  isAsked(keeper: Keeper, copy: number, number: number): boolean {
    return this.#asked.get(`${copy} ${number}`)?.copy.keeperId === keeper.id;
  }

  /** Bytes that were asked back. */
  async given(
    keeper: Keeper,
    at: { readonly copy: number; readonly number: number; readonly bytes: Uint8Array },
  ): Promise<void> {
    const asked = this.#asked.get(`${at.copy} ${at.number}`);
    if (asked === undefined || asked.copy.keeperId !== keeper.id) return;
    const ref = (await this.#blobs.blob(asked.copy.root, at.number))?.ref;
    asked.done(ref === undefined ? undefined : unseal(keeper.sealKey, ref, at.bytes));
  }

  /** From the first keeper that holds the file, answers now and has it. */
  async segment(
    lost: LostSegment,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array | undefined> {
    const sinceMs = this.#world.clock.nowMs() - AWAY_MS;
    for (const copy of await this.copies.holdersOf(lost.fileId, sinceMs)) {
      signal?.throwIfAborted();
      if (this.#silent.has(copy.keeperId)) continue;
      const bytes = await this.#ask(copy, lost.segment + 1, signal);
      if (bytes !== undefined) return bytes;
    }
    return undefined;
  }

  #ask(
    copy: Copy,
    number: number,
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array | undefined> {
    return new Promise((resolve) => {
      const key = `${copy.id} ${number}`;
      const done = (bytes: Uint8Array | undefined): void => {
        this.#asked.delete(key);
        timer.cancel();
        signal?.removeEventListener('abort', giveUp);
        resolve(bytes);
      };
      const giveUp = (): void => {
        this.#silent.add(copy.keeperId);
        done(undefined);
      };
      const timer = this.#world.clock.after(GIVE_MS_MAX, giveUp);
      signal?.addEventListener('abort', giveUp, { once: true });
      this.#asked.get(key)?.done(undefined);
      this.#asked.set(key, { copy, number, done });
      for (const wake of this.#waiting.get(copy.keeperId) ?? []) wake();
    });
  }
}

function isNothing({ fetch, drop, prove, give }: KeeperWork): boolean {
  return fetch.length + drop.length + prove.length + give.length === 0;
}

/** Seldom the map: it is a few hundred bytes, and who has only that is to fail soon. */
function challengedBlob(random: Random, count: number): number {
  if (count === 1 || random.u32() % MAP_CHALLENGED === 0) return 0;
  return 1 + (random.u32() % (count - 1));
}
