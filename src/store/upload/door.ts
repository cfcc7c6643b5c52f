// What every way into the store over the network shares: the store, the bounds, and who calls.

import type { Clock } from '#base/clock.ts';
import type { BlobRef } from '#base/ids.ts';
import type { Logger } from '#base/logger.ts';
import type { Registry } from '#metrics/registry.ts';
import { throwIfCancelled } from '#store/calls.ts';
import { StoreError } from '#store/errors.ts';
import type { CallOptions, Store } from '#store/store.ts';
import { Budget } from './budget.ts';
import type { UploadConfig } from './config.ts';

/** Of who cannot cancel. */
const NEVER = new AbortController().signal;

/** Who calls, found out before anything of the store is touched. */
export interface Caller {
  /** What bounds are counted by: `member 7`, `local`. */
  readonly budget: string;
  /** For people: in notes of pins. */
  readonly name: string;
  /** Whether the right to be here still stands. */
  mayStay(): Promise<boolean>;
  /** Whether blobs may be removed, among them what others stored. */
  mayRemove(): Promise<boolean>;
  /** The operator of this machine, who is asked nothing. */
  readonly isLocal?: true;
}

export interface DoorWorld {
  /** Opens it when it is first asked for. */
  readonly store: () => Promise<Store>;
  /** Keeps blobs that are stored from garbage collection; `by` is for people. */
  readonly pin: (refs: readonly BlobRef[], by: string) => Promise<void>;
  /** Before a removal by name: a pin of a blob that is gone would be a broken promise. */
  readonly unpin: (refs: readonly BlobRef[]) => Promise<void>;
  /** How many of these others than pins need: torrents, covers, previews. */
  readonly countNeeded: (refs: readonly BlobRef[], signal: AbortSignal) => Promise<number>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Registry;
  readonly config: UploadConfig;
}

export interface StoreDoor extends Omit<DoorWorld, 'metrics'> {
  readonly budget: Budget;
  readonly counts: DoorCounts;
}

export function openDoor(world: DoorWorld): StoreDoor {
  const { memoryBytesMax, memberMemoryBytesMax } = world.config;
  const budget = new Budget({ bytesMax: memoryBytesMax, bytesOfOneMax: memberMemoryBytesMax });
  return { ...world, budget, counts: new DoorCounts(world.metrics) };
}

/**
 * Removes blobs and their pins: how many blobs there were. The pins go first: should it end in between,
 * the blobs are garbage, and nobody promises what is not there.
 */
export async function removeFor(
  door: Pick<StoreDoor, 'store' | 'unpin'>,
  refs: readonly BlobRef[],
  options: CallOptions = {},
): Promise<number> {
  const store = await door.store();
  throwIfCancelled(options.signal);
  await door.unpin(refs);
  return await store.remove(refs, options);
}

export interface RemoveOptions extends CallOptions {
  /** Also what torrents need. */
  readonly isForced?: boolean;
}

/**
 * As `removeFor`, for who asks over the network. Which blobs torrents need is read from all of their maps:
 * it takes seconds in a large archive. @throws StoreError STORE_DENIED, STORE_NEEDED
 */
export async function removeAsked(
  door: Pick<StoreDoor, 'store' | 'unpin' | 'countNeeded'>,
  caller: Pick<Caller, 'mayRemove' | 'isLocal'>,
  refs: readonly BlobRef[],
  options: RemoveOptions = {},
): Promise<number> {
  if (!(await caller.mayRemove())) {
    throw new StoreError('STORE_DENIED', 'Only administrators remove blobs: others may need them');
  }
  if (caller.isLocal !== true && options.isForced !== true) {
    const needed = await door.countNeeded(refs, options.signal ?? NEVER);
    if (needed > 0) {
      const words = `${needed} of ${refs.length} blobs are needed by torrents that are kept; nothing was removed`;
      throw new StoreError('STORE_NEEDED', words);
    }
  }
  return await removeFor(door, refs, options);
}

export class DoorCounts {
  readonly #bytes;
  readonly #refused;
  readonly #ended;
  readonly #connections;

  constructor(metrics: Registry) {
    this.#bytes = metrics.counter(
      'swarmkeep_store_door_bytes_total',
      'Bytes of blobs that came or went over the network, by direction.',
    );
    this.#refused = metrics.counter(
      'swarmkeep_store_door_refusals_total',
      'Requests to the store that were refused because of a bound, by code.',
    );
    this.#ended = metrics.counter(
      'swarmkeep_store_door_ended_total',
      'Connections to the store that the server ended, by code.',
    );
    this.#connections = metrics.gauge(
      'swarmkeep_store_door_connections',
      'WebSockets and sockets of this machine that are open to the store.',
    );
  }

  received(bytes: number): void {
    this.#bytes.add(bytes, { direction: 'in' });
  }

  sent(bytes: number): void {
    this.#bytes.add(bytes, { direction: 'out' });
  }

  refused(code: string): void {
    this.#refused.add(1, { code });
  }

  ended(code: string): void {
    this.#ended.add(1, { code });
  }

  connections(open: number): void {
    this.#connections.set(open);
  }
}
