// Compares two stores name by name, a prefix of the names at a time, and copies what the far one lacks.
// A prefix that cannot be listed or asked for is tried again; the others are not kept from it.

import { type Clock, sleep } from '#base/clock.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import { Slots } from '#base/slots.ts';
import { throwIfCancelled } from '#store/calls.ts';
import { copyBlob } from '#store/copy.ts';
import { StoreError } from '#store/errors.ts';
import type { BlobInfo, CallOptions, Store } from '#store/store.ts';

export const PREFIXES = 256;
export const COPIERS = 5;
const ATTEMPTS = 3;
const RETRY_MS = 500;
const PAGE = 1000;

export interface ComparedPrefix {
  readonly seen: number;
  readonly copied: number;
  readonly copiedBytes: number;
  readonly failures: readonly { readonly ref: BlobRef; readonly code: string }[];
}

export interface Pair {
  readonly from: Store;
  readonly to: Store;
  readonly clock: Clock;
}

/** @throws StoreError when three attempts have failed, STORE_CANCELLED */
export async function comparePrefix(
  pair: Pair,
  prefix: number,
  options: CallOptions = {},
): Promise<ComparedPrefix> {
  const sum = { seen: 0, copied: 0, copiedBytes: 0 };
  for (let attempt = 1; ; attempt++) {
    try {
      const done = await tryPrefix(pair, prefix, options);
      // What an attempt before this one copied, this one has found there.
      const { copied, copiedBytes } = done;
      return { ...done, copied: sum.copied + copied, copiedBytes: sum.copiedBytes + copiedBytes };
    } catch (error) {
      throwIfCancelled(options.signal);
      if (!(error instanceof StoreError) || attempt === ATTEMPTS) throw error;
      await sleep(pair.clock, RETRY_MS * attempt, options.signal).catch(() => {});
    }
  }
}

async function tryPrefix(
  pair: Pair,
  prefix: number,
  options: CallOptions,
): Promise<ComparedPrefix> {
  const slots = new Slots(COPIERS);
  const sum = { seen: 0, copied: 0, copiedBytes: 0 };
  const failures: { ref: BlobRef; code: string }[] = [];
  const there = new NamesOf(pair.to, prefix, options);
  const copyOne = async ({ ref, bytes }: BlobInfo): Promise<void> => {
    const { from, to, clock } = pair;
    const work = { ref, from, to, noRush: false, options: { ...options, clock } };
    const code = await copyBlob(work);
    if (code === undefined) {
      sum.copied++;
      sum.copiedBytes += bytes;
      // Removed since it was listed is no failure.
    } else if (code !== 'STORE_BLOB_MISSING') failures.push({ ref, code });
  };
  let after = beforePrefix(prefix);
  for (;;) {
    const page = await pageOf(pair.from, prefix, { ...options, after });
    const lacking: BlobInfo[] = [];
    for (const info of page) if (!(await there.has(info.ref))) lacking.push(info);
    sum.seen += page.length;
    await Promise.all(lacking.map((info) => slots.use(() => copyOne(info))));
    after = page.at(-1)?.ref;
    if (page.length < PAGE) break;
  }
  throwIfCancelled(options.signal);
  await pair.to.flush();
  return { ...sum, failures };
}

/** The names of one prefix, asked for in ascending order. */
class NamesOf {
  readonly #store: Store;
  readonly #prefix: number;
  readonly #options: CallOptions;
  #page: readonly BlobInfo[] = [];
  #at = 0;
  #after: BlobRef | undefined;
  #isEnd = false;

  constructor(store: Store, prefix: number, options: CallOptions) {
    this.#store = store;
    this.#prefix = prefix;
    this.#options = options;
    this.#after = beforePrefix(prefix);
  }

  async has(ref: BlobRef): Promise<boolean> {
    for (;;) {
      for (; this.#at < this.#page.length; this.#at++) {
        const other = this.#page[this.#at]!.ref;
        if (other >= ref) return other === ref;
      }
      if (this.#isEnd) return false;
      this.#page = await pageOf(this.#store, this.#prefix, {
        ...this.#options,
        after: this.#after,
      });
      this.#at = 0;
      this.#after = this.#page.at(-1)?.ref;
      this.#isEnd = this.#page.length < PAGE;
    }
  }
}

async function pageOf(
  store: Store,
  prefix: number,
  { signal, after }: CallOptions & { readonly after: BlobRef | undefined },
): Promise<BlobInfo[]> {
  const page = await store.list({ limit: PAGE, signal, ...(after === undefined ? {} : { after }) });
  const end = beforePrefix(prefix + 1);
  return end === undefined ? page : page.filter(({ ref }) => ref <= end);
}

/** The last name there can be before this prefix; undefined before the first and behind the last. */
function beforePrefix(prefix: number): BlobRef | undefined {
  if (prefix === 0 || prefix === PREFIXES) return undefined;
  return blobRef(`sha256-${(prefix - 1).toString(16).padStart(2, '0')}${'f'.repeat(62)}`);
}
