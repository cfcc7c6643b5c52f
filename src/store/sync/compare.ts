// Compares two stores name by name, some prefixes of the names at a time, and copies what the far one
// lacks. Prefixes that cannot be listed or asked for are tried again; the others are not kept from it.

import { type Clock, sleep } from '#base/clock.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import { Slots } from '#base/slots.ts';
import { throwIfCancelled } from '#store/calls.ts';
import { type CopyProgress, copyBlob } from '#store/copy.ts';
import { StoreError } from '#store/errors.ts';
import type { BlobInfo, CallOptions, Store } from '#store/store.ts';

export const PREFIXES = 256;
export const COPIERS = 5;
const ATTEMPTS = 3;
const RETRY_MS = 500;
const PAGE = 1000;
/** Failures that are told by name; more are counted. */
const FAILURES_MAX = 1000;

/** Prefixes, the first two digits of names, from `first` to before `end`; 0 to 256. */
export interface Prefixes {
  readonly first: number;
  readonly end: number;
}

export interface ComparedPrefixes {
  readonly seen: number;
  readonly copied: number;
  readonly copiedBytes: number;
  readonly failures: readonly { readonly ref: BlobRef; readonly code: string }[];
}

export interface Copied extends CopyProgress {
  /** Could not be read or written after three attempts. */
  readonly failed: number;
  /** The first thousand of them. */
  readonly failures: readonly { readonly ref: BlobRef; readonly code: string }[];
  /** Not compared, after three attempts. */
  readonly failedPrefixes: readonly Prefixes[];
}

export interface CopyOptions extends CallOptions {
  readonly clock: Clock;
  /** Told after each stretch of prefixes. */
  readonly onProgress?: (progress: CopyProgress) => void;
}

export interface Pair {
  readonly from: Store;
  readonly to: Store;
  readonly clock: Clock;
}

/**
 * How many prefixes are compared at a time: of small stores many, because each comparison asks both at
 * least once; of large ones few, because what fails or is interrupted is done again.
 */
export function prefixesAtOnce(blobs: number): number {
  if (blobs < 20_000) return 64;
  return blobs < 500_000 ? 8 : 1;
}

/** Everything, as a command asks for it. Prefixes that cannot be compared are told at the end. */
export async function copyStore(from: Store, to: Store, options: CopyOptions): Promise<Copied> {
  const { clock, signal } = options;
  const sum = { seen: 0, copied: 0, copiedBytes: 0, failed: 0 };
  const failures: Copied['failures'][number][] = [];
  const failedPrefixes: Prefixes[] = [];
  const step = prefixesAtOnce((await from.stats()).blobs);
  for (let first = 0; first < PREFIXES; first += step) {
    const prefixes = { first, end: first + step };
    try {
      const done = await comparePrefixes({ from, to, clock }, prefixes, { signal });
      sum.seen += done.seen;
      sum.copied += done.copied;
      sum.copiedBytes += done.copiedBytes;
      sum.failed += done.failures.length;
      failures.push(...done.failures.slice(0, FAILURES_MAX - failures.length));
    } catch (error) {
      throwIfCancelled(signal);
      failedPrefixes.push(prefixes);
      // Not one could be compared, and this was the last: there is more to say than which they are.
      if (failedPrefixes.length * step === PREFIXES) throw error;
    }
    options.onProgress?.(sum);
  }
  return { ...sum, failures, failedPrefixes };
}

/** @throws StoreError when three attempts have failed, STORE_CANCELLED */
export async function comparePrefixes(
  pair: Pair,
  prefixes: Prefixes,
  options: CallOptions = {},
): Promise<ComparedPrefixes> {
  // What an attempt has copied, the next one finds there.
  const copied = { copied: 0, copiedBytes: 0 };
  for (let attempt = 1; ; attempt++) {
    try {
      return { ...(await tryPrefixes({ pair, prefixes, copied }, options)), ...copied };
    } catch (error) {
      throwIfCancelled(options.signal);
      if (!(error instanceof StoreError) || attempt === ATTEMPTS) throw error;
      await sleep(pair.clock, RETRY_MS * attempt, options.signal).catch(() => {});
    }
  }
}

async function tryPrefixes(
  work: {
    readonly pair: Pair;
    readonly prefixes: Prefixes;
    readonly copied: { copied: number; copiedBytes: number };
  },
  options: CallOptions,
): Promise<Pick<ComparedPrefixes, 'seen' | 'failures'>> {
  const { pair, prefixes, copied } = work;
  const slots = new Slots(COPIERS);
  let seen = 0;
  const failures: { ref: BlobRef; code: string }[] = [];
  const there = new NamesOf(pair.to, prefixes, options);
  const copyOne = async ({ ref, bytes }: BlobInfo): Promise<void> => {
    const { from, to, clock } = pair;
    const work = { ref, from, to, noRush: false, options: { ...options, clock } };
    const code = await copyBlob(work);
    if (code === undefined) {
      copied.copied++;
      copied.copiedBytes += bytes;
      // Removed since it was listed is no failure.
    } else if (code !== 'STORE_BLOB_MISSING') failures.push({ ref, code });
  };
  let after = beforePrefix(prefixes.first);
  for (;;) {
    const page = await pageOf(pair.from, prefixes, { ...options, after });
    const lacking: BlobInfo[] = [];
    for (const info of page) if (!(await there.has(info.ref))) lacking.push(info);
    seen += page.length;
    await Promise.all(lacking.map((info) => slots.use(() => copyOne(info))));
    after = page.at(-1)?.ref;
    if (page.length < PAGE) break;
  }
  throwIfCancelled(options.signal);
  await pair.to.flush();
  return { seen, failures };
}

/** The names of some prefixes, asked for in ascending order. */
class NamesOf {
  readonly #store: Store;
  readonly #prefixes: Prefixes;
  readonly #options: CallOptions;
  #page: readonly BlobInfo[] = [];
  #at = 0;
  #after: BlobRef | undefined;
  #isEnd = false;

  constructor(store: Store, prefixes: Prefixes, options: CallOptions) {
    this.#store = store;
    this.#prefixes = prefixes;
    this.#options = options;
    this.#after = beforePrefix(prefixes.first);
  }

  async has(ref: BlobRef): Promise<boolean> {
    for (;;) {
      for (; this.#at < this.#page.length; this.#at++) {
        const other = this.#page[this.#at]!.ref;
        // One that is known to be wrong there is put again.
        if (other >= ref) return other === ref && this.#store.isKnownCorrupt?.(ref) !== true;
      }
      if (this.#isEnd) return false;
      this.#page = await pageOf(this.#store, this.#prefixes, {
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
  prefixes: Prefixes,
  { signal, after }: CallOptions & { readonly after: BlobRef | undefined },
): Promise<BlobInfo[]> {
  const page = await store.list({ limit: PAGE, signal, ...(after === undefined ? {} : { after }) });
  const end = beforePrefix(prefixes.end);
  return end === undefined ? page : page.filter(({ ref }) => ref <= end);
}

/** The last name there can be before this prefix; undefined before the first and behind the last. */
function beforePrefix(prefix: number): BlobRef | undefined {
  if (prefix === 0 || prefix === PREFIXES) return undefined;
  return blobRef(`sha256-${(prefix - 1).toString(16).padStart(2, '0')}${'f'.repeat(62)}`);
}
