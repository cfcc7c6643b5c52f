// The keeper's side: asks the server what to do, fetches and stores, proves, and gives back what the server
// lost. The same for a member's program and for another server.

import { fromHex } from '#base/bytes.ts';
import { type Clock, sleep } from '#base/clock.ts';
import { codeOf, messageOf } from '#base/errors.ts';
import type { BlobRef } from '#base/ids.ts';
import type { Logger } from '#base/logger.ts';
import { someAtOnce } from '#base/some-at-once.ts';
import type { Store } from '#store/store.ts';
import type { HeldCopies } from './held-copies.ts';
import { type KeeperLink, type KeeperWork, WAIT_MS_MAX } from './keeper-work.ts';
import { proofOf } from './proof.ts';

const RETRY_MS_MIN = 1000;
const RETRY_MS_MAX = 30_000;
const WAIT_MS = 20_000;
const AT_ONCE = 8;
const SMALL_BYTES_MAX = 1024 * 1024;

export interface KeeperRunning {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly link: KeeperLink;
  readonly copies: HeldCopies;
  /** Room for the copies. */
  readonly bytesMax: number;
  /** Removes what no copy needs any more; where garbage collection does not. */
  readonly removesBlobs: boolean;
  store(): Promise<Store>;
}

export interface KeeperRound {
  fetched: number;
  proven: number;
  given: number;
  dropped: number;
  /** Proofs that the server refused, and copies it does not give. */
  refused: number;
}

/** Until the signal aborts. Never rejects. */
export async function runKeeper(world: KeeperRunning, signal: AbortSignal): Promise<void> {
  const { clock, logger } = world;
  let restMs = 0;
  while (!signal.aborted) {
    try {
      const round = await keeperRound(world, WAIT_MS, signal);
      // What the server does not give now is not asked for at once again.
      restMs = round.refused > 0 ? Math.min(Math.max(restMs * 2, RETRY_MS_MIN), RETRY_MS_MAX) : 0;
    } catch (error) {
      if (signal.aborted) return;
      restMs = Math.min(Math.max(restMs * 2, RETRY_MS_MIN), RETRY_MS_MAX);
      logger.warn('The server that copies are held for cannot be asked', {
        ...{ server: world.link.name, code: codeOf(error) ?? '', error: messageOf(error) },
      });
    }
    if (restMs > 0) await sleep(clock, restMs, signal).catch(() => undefined);
  }
}

/** Asks once and does what it is told. @throws the link's and the store's errors */
export async function keeperRound(
  world: KeeperRunning,
  waitMs: number,
  signal: AbortSignal,
): Promise<KeeperRound> {
  const { link, bytesMax } = world;
  const work = await link.work({ bytesMax, waitMs: Math.min(waitMs, WAIT_MS_MAX) }, signal);
  const round: KeeperRound = { fetched: 0, proven: 0, given: 0, dropped: 0, refused: 0 };
  // Somebody waits for these.
  for (const { copy, number } of work.give) {
    const bytes = await blobOf(world, copy, number);
    if (bytes === undefined) await tellLoss(world, copy);
    else await link.give(copy, number, bytes);
    round.given += bytes === undefined ? 0 : 1;
  }
  await someAtOnce(work.prove, AT_ONCE, (challenge) => answer(world, challenge, round));
  for (const copy of work.drop) {
    await drop(world, copy, signal);
    await link.report(copy, 'dropped');
    round.dropped += 1;
  }
  const fetchOne = async (one: KeeperWork['fetch'][number]): Promise<void> => {
    signal.throwIfAborted();
    if (await fetchCopy(world, one, signal)) {
      await link.report(one.copy, 'held');
      round.fetched += 1;
    } else round.refused += 1;
  };
  // A small file is mostly waiting for the line and for disks; a large one fills memory by itself.
  const isSmall = ({ bytes }: KeeperWork['fetch'][number]): boolean => bytes <= SMALL_BYTES_MAX;
  await someAtOnce(work.fetch.filter(isSmall), AT_ONCE, fetchOne);
  for (const one of work.fetch) if (!isSmall(one)) await fetchOne(one);
  return round;
}

async function answer(
  world: KeeperRunning,
  challenge: KeeperWork['prove'][number],
  round: KeeperRound,
): Promise<void> {
  const { link } = world;
  const { copy, number, start, end, nonce } = challenge;
  const bytes = await blobOf(world, copy, number);
  if (bytes === undefined) {
    await tellLoss(world, copy);
    return;
  }
  const proof = proofOf(fromHex(nonce) ?? new Uint8Array(), bytes.subarray(start, end));
  if (await link.prove(copy, proof)) round.proven += 1;
  else round.refused += 1;
}

/** Better said than found out: it is fetched again. */
async function tellLoss({ link, copies }: KeeperRunning, copy: number): Promise<void> {
  await copies.remove(copy);
  await link.report(copy, 'lost');
}

/** Verified by the store; undefined when it is missing or damaged. */
async function blobOf(
  { copies, store }: KeeperRunning,
  copy: number,
  number: number,
): Promise<Uint8Array | undefined> {
  const ref = await copies.ref(copy, number);
  if (ref === undefined) return undefined;
  try {
    return await (await store()).get(ref);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'STORE_BLOB_MISSING' || code === 'STORE_CORRUPT_BLOB') return undefined;
    throw error;
  }
}

/** False when the server does not give all of it. */
async function fetchCopy(
  world: KeeperRunning,
  { copy, blobs }: KeeperWork['fetch'][number],
  signal: AbortSignal,
): Promise<boolean> {
  const { link, copies } = world;
  const store = await world.store();
  const from = await copies.fetched(copy);
  // Said before, and the answer was lost; unless it was lost itself since.
  if (from === undefined) return true;
  for (let number = from; number < blobs; number++) {
    signal.throwIfAborted();
    const bytes = await link.blob(copy, number, signal);
    if (bytes === undefined) return false;
    const { ref } = await store.put(bytes, { noRush: true });
    await copies.add(copy, number, ref);
  }
  await store.flush();
  await copies.finish(copy);
  return true;
}

async function drop(world: KeeperRunning, copy: number, signal: AbortSignal): Promise<void> {
  const { copies, removesBlobs } = world;
  if (!removesBlobs) {
    await copies.remove(copy);
    return;
  }
  const before = new Set<BlobRef>();
  for await (const ref of copies.refs(signal)) before.add(ref);
  await copies.remove(copy);
  for await (const ref of copies.refs(signal)) before.delete(ref);
  await (await world.store()).remove([...before]);
}
