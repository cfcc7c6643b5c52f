// The machine below the site, as its console asks for it: the stores at the bottom of the stack, counted
// at most once a minute and each within its time, and this node.

import { hostname } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type Clock, sleep } from '#base/clock.ts';
import type { Stop } from '#base/stop.ts';
import type { LogControl, Machine, NodeNow, StoreNow, StoresNow } from '#site/machine/machine.ts';
import { DirectoryStore } from '#store/directory.ts';
import { PackedStore } from '#store/packed/packed.ts';
import { S3Store } from '#store/s3/s3.ts';
import type { Stack, StackLeaf } from '#store/stack/stack.ts';
import type { Store } from '#store/store.ts';
import { damageOf, knownCorruptIn } from '#store/verify.ts';
import { storeFindings } from './doctor/store-checks.ts';
import type { Rooms } from './rooms.ts';
import { knownAddresses } from './site-parts.ts';
import { VERSION } from './version.ts';

const COUNTED_MS_MAX = 60_000;
/** A bucket is counted by listing it, which may take for ever. */
const COUNT_MS_MAX = 5_000;
const LOOK_MS_MAX = 2_000;
const NANOSECONDS_PER_MS = 1e6;
/** Each look wakes a server that has nothing else to do: a hundred a second were half of what it took. */
const LAG_RESOLUTION_MS = 100;
/** So long the lag that is told goes back, at most twice. */
const LAG_MS = 600_000;
/** One process does all of it. */
const ROLES = ['site', 'tracker', 'jobs', 'log', 'archive'];

interface MachineParts {
  readonly rooms: Pick<Rooms, 'store' | 'care' | 'clock' | 'status' | 'diagnosis'>;
  /** Where this node is reached. */
  readonly doors: readonly string[];
  readonly startedMs: number;
  readonly signal: AbortSignal;
}

/** Until the stop. */
export function openMachine(
  of: {
    readonly rooms: Pick<Rooms, 'store' | 'care' | 'clock' | 'status' | 'config' | 'diagnosis'>;
    readonly trackerUrls: readonly string[];
    readonly startedMs: number;
  },
  stop: Stop,
): Machine {
  const { rooms, startedMs } = of;
  const doors = [knownAddresses(rooms.config).listening.siteUrl, ...of.trackerUrls];
  const machine = new ServerMachine({ rooms, doors, startedMs, signal: stop.signal });
  stop.closeLater('machine', async () => machine.close());
  return machine;
}

class ServerMachine implements Machine {
  readonly #parts: MachineParts;
  readonly #lag: ReturnType<typeof monitorEventLoopDelay>;
  #lagSinceMs: number;
  #stores: { readonly atMs: number; readonly now: Promise<StoresNow> } | undefined;

  readonly logging?: LogControl;

  constructor(parts: MachineParts) {
    this.#parts = parts;
    if (parts.rooms.diagnosis !== undefined) this.logging = parts.rooms.diagnosis;
    this.#lagSinceMs = parts.rooms.clock.nowMs();
    this.#lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
    this.#lag.enable();
  }

  close(): void {
    this.#lag.disable();
  }

  stores(): Promise<StoresNow> {
    const atMs = this.#parts.rooms.clock.monotonicMs();
    const known = this.#stores;
    if (known !== undefined && atMs - known.atMs < COUNTED_MS_MAX) return known.now;
    const now = this.#countStores();
    this.#stores = { atMs, now };
    // A failure is not kept: the next one who asks tries again.
    now.catch(() => {
      if (this.#stores?.now === now) this.#stores = undefined;
    });
    return now;
  }

  async nodes(): Promise<readonly NodeNow[]> {
    const { rooms, doors, startedMs } = this.#parts;
    const { clock } = rooms;
    const nowMs = clock.nowMs();
    const lag = {
      p99Ms: msOf(this.#lag.percentile(99)),
      maxMs: msOf(this.#lag.max),
      sinceMs: this.#lagSinceMs,
    };
    if (nowMs - this.#lagSinceMs >= LAG_MS) {
      this.#lag.reset();
      this.#lagSinceMs = nowMs;
    }
    const status = await rooms.status();
    return [
      {
        ...{ name: hostname(), isThis: true, version: VERSION, startedMs, doors, lag },
        runtime: `Node ${process.versions.node}`,
        roles: ROLES,
        sockets: status?.sockets ?? '',
        memoryBytes: process.memoryUsage.rss(),
      },
    ];
  }

  async #countStores(): Promise<StoresNow> {
    const { rooms, signal } = this.#parts;
    const { clock } = rooms;
    const stack = await rooms.store.stack();
    const endMs = clock.monotonicMs() + LOOK_MS_MAX;
    const isEnough = (): boolean => clock.monotonicMs() > endMs;
    const [stores, findings] = await Promise.all([
      Promise.all(stack.leaves.map((leaf) => storeNow(stack, leaf, { clock, signal }))),
      storeFindings(rooms, { signal, isEnough }),
    ]);
    return { stack: stack.text, stores, findings, countedMs: clock.nowMs() };
  }
}

async function storeNow(
  stack: Stack,
  leaf: StackLeaf,
  by: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<StoreNow> {
  const { name, store } = leaf;
  const over = new AbortController();
  const signal = AbortSignal.any([by.signal, over.signal]);
  const late = sleep(by.clock, COUNT_MS_MAX, signal).then(
    () => undefined,
    () => undefined,
  );
  const inTime = <Result>(answer: Promise<Result> | undefined): Promise<Result | undefined> =>
    Promise.race([Promise.resolve(answer).catch(() => undefined), late]);
  const asked = [inTime(store.stats()), inTime(leaf.freeBytes?.())] as const;
  const [counts, freeBytes] = await Promise.all(asked);
  over.abort();
  return {
    ...{ name, kind: kindOf(store), counts, freeBytes },
    isCopy: stack.replicas.some(({ names }) => names.includes(name)),
    damagedPlaces: damageOf({ leaves: [leaf] }).length,
    wrongBlobs: knownCorruptIn({ leaves: [leaf] })[0]?.blobs ?? 0,
  };
}

function kindOf(store: Store): StoreNow['kind'] {
  if (store instanceof PackedStore) return 'packs';
  if (store instanceof DirectoryStore) return 'directory';
  return store instanceof S3Store ? 'S3' : 'other';
}

/** Of nanoseconds as the histogram has them, less what it waits itself; none before its first. */
function msOf(nanoseconds: number): number {
  if (!Number.isFinite(nanoseconds) || nanoseconds > Number.MAX_SAFE_INTEGER) return 0;
  return Math.max(0, nanoseconds / NANOSECONDS_PER_MS - LAG_RESOLUTION_MS);
}
