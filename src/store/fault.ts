// A store that fails on purpose, for tests and drills: each rule names a method, what goes wrong and how
// often. Whatever it does, it keeps the contract: a wrong byte is an error, never an answer.
//
//   fail    nothing happens, and the call is refused
//   lose    it happens, and the answer is lost on its way
//   tear    half of it happens: every other removal is made, half of a blob is read, none of a put is kept
//   flip    the bytes it reads are altered, which it finds, as every backend does; of nothing nothing is
//   delay   it happens later

import { type Clock, sleep } from '#base/clock.ts';
import type { BlobRef } from '#base/ids.ts';
import { below, type Random } from '#base/random.ts';
import { StoreError } from './errors.ts';
import {
  assertBlob,
  type BlobInfo,
  type BlobSource,
  type CallOptions,
  type ListOptions,
  type PutOptions,
  type PutResult,
  readVerified,
  type Store,
  type StoreStats,
  sliceRange,
} from './store.ts';

export const FAULT_KINDS = ['fail', 'lose', 'tear', 'flip', 'delay'] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];
export const FAULT_METHODS = ['put', 'get', 'stat', 'list', 'remove', 'flush'] as const;
export type FaultMethod = (typeof FAULT_METHODS)[number];

export interface FaultRule {
  readonly method: FaultMethod;
  readonly kind: FaultKind;
  /** Of a hundred calls so many, 0 to 100. */
  readonly percent: number;
  /** Of `delay`; 100 unless given. */
  readonly delayMs?: number;
}

export interface FaultWorld {
  readonly clock: Clock;
  readonly random: Random;
}

export class FaultStore implements Store {
  /** May be replaced at any time. */
  rules: readonly FaultRule[];
  readonly #store: Store;
  readonly #world: FaultWorld;

  constructor(store: Store, world: FaultWorld, rules: readonly FaultRule[]) {
    this.#store = store;
    this.#world = world;
    this.rules = rules;
  }

  async put(source: BlobSource, options: PutOptions = {}): Promise<PutResult> {
    return this.#call('put', options, async (kind) => {
      if (kind !== 'tear') return this.#store.put(source, options);
      await readVerified(source, options);
      throw refused('put', kind);
    });
  }

  async get(ref: BlobRef, options: CallOptions = {}): Promise<Uint8Array> {
    return this.#call('get', options, async (kind) => {
      const bytes = await this.#store.get(ref, options);
      if (kind !== 'flip' && kind !== 'tear') return bytes;
      if (kind === 'tear') return verified(ref, bytes.subarray(0, bytes.byteLength >> 1));
      const bit = below(this.#world.random, Math.max(1, bytes.byteLength * 8));
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      return verified(ref, bytes);
    });
  }

  async getRange(
    ref: BlobRef,
    range: { readonly start: number; readonly end: number },
    options: CallOptions = {},
  ): Promise<Uint8Array> {
    return sliceRange(await this.get(ref, options), range);
  }

  async stat(refs: readonly BlobRef[], options: CallOptions = {}): Promise<BlobInfo[]> {
    return this.#call('stat', options, () => this.#store.stat(refs, options));
  }

  async list(options: ListOptions = {}): Promise<BlobInfo[]> {
    return this.#call('list', options, () => this.#store.list(options));
  }

  async remove(refs: readonly BlobRef[], options: CallOptions = {}): Promise<number> {
    return this.#call('remove', options, async (kind) => {
      const some = kind === 'tear' ? refs.filter((_, at) => at % 2 === 0) : refs;
      const removed = await this.#store.remove(some, options);
      if (kind === 'tear') throw refused('remove', kind);
      return removed;
    });
  }

  stats(): Promise<StoreStats> {
    return this.#store.stats();
  }

  async flush(): Promise<void> {
    return this.#call('flush', {}, () => this.#store.flush());
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #call<T>(
    method: FaultMethod,
    { signal }: CallOptions,
    work: (kind: FaultKind | undefined) => Promise<T>,
  ): Promise<T> {
    const rule = this.rules.find(
      (one) => one.method === method && below(this.#world.random, 100) < one.percent,
    );
    if (rule?.kind === 'fail') throw refused(method, 'fail');
    if (rule?.kind === 'delay') {
      await sleep(this.#world.clock, rule.delayMs ?? 100, signal).catch(() => {});
    }
    const answer = await work(rule?.kind);
    if (rule?.kind === 'lose') throw refused(method, 'lose');
    return answer;
  }
}

function verified(ref: BlobRef, bytes: Uint8Array): Uint8Array {
  assertBlob(ref, bytes);
  return bytes;
}

function refused(method: FaultMethod, kind: FaultKind): StoreError {
  const code = method === 'put' || method === 'remove' ? 'STORE_WRITE_FAILED' : 'STORE_READ_FAILED';
  return new StoreError(code, `A planted fault: ${method}, ${kind}`);
}
