// The store: immutable bytes under the name that is their hash. This file is the contract of every
// backend and every wrapper; store.conformance.ts holds them to it.
//
// A blob has 0 to 16 MiB and is named `sha256-` and the hash in hex. Because it is that small, a read
// is given whole and only after its hash was compared: no caller ever holds a byte that was not
// verified. A range costs reading its blob for the same reason.

import { hash, webcrypto } from 'node:crypto';
import { fromHex, toHex } from '#base/bytes.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import { abortable, throwIfCancelled } from './calls.ts';
import { StoreError } from './errors.ts';

export const BLOB_BYTES_MAX = 16 * 1024 * 1024;
const LIST_PAGE = 1000;
/** From here on hashing by the pool is worth a turn. */
const POOL_BYTES_MIN = 512 * 1024;

export interface BlobInfo {
  readonly ref: BlobRef;
  readonly bytes: number;
}

export interface PutResult extends BlobInfo {
  /** False when the store had it already. */
  readonly new: boolean;
}

export type BlobSource = Uint8Array | AsyncIterable<Uint8Array>;

export interface CallOptions {
  /** Once aborted the call rejects with STORE_CANCELLED, unless its work is already being synced. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Gives the SHA-256 of bytes, for who computes more of them on the way and would else have them hashed
   * twice. A wish: a store that has the bytes elsewhere hashes them itself.
   */
  readonly sha256?: Sha256 | undefined;
}

export type Sha256 = (bytes: Uint8Array) => Promise<Uint8Array>;

export interface PutOptions extends CallOptions {
  /** The name the bytes must have; others are refused with STORE_WRONG_HASH and nothing is kept. */
  readonly ref?: BlobRef;
  /** True when it may wait a moment to share a sync with others. The answer means the same. */
  readonly noRush?: boolean;
  /** Which blobs it is going to be read with. A wish: a store that has no places ignores it. */
  readonly series?: Series;
}

/**
 * Blobs that are read one after the other: the segments of a file, or the small files of a folder. A
 * blob is in the series it was first put with.
 */
export interface Series {
  /** Of the file or the folder; any text, not kept itself. */
  readonly name: string;
  /** Whole, from 0 on, in the order of reading. */
  readonly order: number;
}

export interface ListOptions extends CallOptions {
  /** Only names greater than this one; it need not exist. */
  readonly after?: BlobRef;
  /** 1 to 1000; 1000 unless given. */
  readonly limit?: number;
}

export interface StreamOptions extends CallOptions {
  /** The token of the last blob that was seen. */
  readonly after?: string;
}

export interface StreamedBlob extends BlobInfo {
  /** Verified; undefined when the bytes on the medium are not those of the blob. */
  readonly body: Uint8Array | undefined;
  /** Names this place of the stream, also for a later process. */
  readonly token: string;
}

export interface StoreStats {
  readonly blobs: number;
  /** Of the blobs themselves. */
  readonly bytes: number;
  /** On the medium, with headers and what was removed but not yet given back. */
  readonly storedBytes: number;
}

/** Where the bytes of a blob lie in a file of this machine, for who sends them on from there. */
export interface LentBlob {
  readonly descriptor: number;
  /** Of its first byte. */
  readonly position: number;
  readonly bytes: number;
  /** From then on the descriptor may be another file's. Idempotent. */
  release(): void;
}

export interface LendOptions {
  readonly verifiedMsMax: number;
  /** Then a blob whose time is over is read and verified by it, and lent. STORE_CORRUPT_BLOB. */
  readonly sha256?: Sha256 | undefined;
}

export interface Store {
  /**
   * Takes the bytes and answers when they are on the medium. The store owns a Uint8Array until then.
   * Fails with STORE_BLOB_TOO_LARGE, STORE_WRONG_HASH, STORE_WRITE_FAILED; then nothing was kept. An
   * error of the source is passed on as it is.
   */
  put(source: BlobSource, options?: PutOptions): Promise<PutResult>;
  /** The blob, verified; the caller owns it. STORE_BLOB_MISSING, STORE_CORRUPT_BLOB. */
  get(ref: BlobRef, options?: CallOptions): Promise<Uint8Array>;
  /** Verified bytes from `start` to before `end`, cut at the blob's end. STORE_RANGE_INVALID. */
  getRange(
    ref: BlobRef,
    range: { readonly start: number; readonly end: number },
    options?: CallOptions,
  ): Promise<Uint8Array>;
  /**
   * A blob that was read and verified at this place within `verifiedMsMax`, in a file that nobody but the
   * store has changed since. Undefined for all others: who reads one by `get` may be lent it afterwards.
   * Small blobs are never lent. STORE_BLOB_MISSING.
   */
  lend?(ref: BlobRef, options: LendOptions): Promise<LentBlob | undefined>;
  /**
   * Reads and verifies a blob without giving it: how many bytes it has. Undefined: `get` must do. Fails as
   * `get` does.
   */
  prove?(ref: BlobRef, options?: CallOptions): Promise<number | undefined>;
  /** Those of `refs` that are there, in the order asked. A missing one is no error. */
  stat(refs: readonly BlobRef[], options?: CallOptions): Promise<BlobInfo[]>;
  /** Names in ascending order, each once; fewer than `limit` only at the end. */
  list(options?: ListOptions): Promise<BlobInfo[]>;
  /** Durable when answered: how many there were. A missing one is no error. */
  remove(refs: readonly BlobRef[], options?: CallOptions): Promise<number>;
  stats(): Promise<StoreStats>;
  /**
   * Whether a copy of it was found wrong and not put again since: a put stores that copy anew, so whoever
   * looks what need not be put asks this, too. What was not read is not known; never waits.
   */
  isKnownCorrupt?(ref: BlobRef): boolean;
  /**
   * Where the medium has an order that is faster to read than that of names: every blob that is there
   * from beginning to end, each at least once (one that is moved meanwhile may come again).
   * STORE_TOKEN_INVALID at once when `after` is not a token of this store.
   */
  stream?(options?: StreamOptions): AsyncGenerator<StreamedBlob>;
  /** Syncs what waits without hurry. */
  flush(): Promise<void>;
  /** Ends in order: what waits is synced and answered. Idempotent. */
  close(): Promise<void>;
}

/** All blobs in ascending order. One put or removed meanwhile may be there or not. */
export async function* walkStore(
  store: Store,
  options: ListOptions = {},
): AsyncGenerator<BlobInfo> {
  let after = options.after;
  for (;;) {
    const page = await store.list({
      limit: options.limit ?? LIST_PAGE,
      signal: options.signal,
      ...(after === undefined ? {} : { after }),
    });
    yield* page;
    after = page.at(-1)?.ref;
    if (after === undefined) return;
  }
}

/** Every blob with its bytes, in the store's own order where it has one; else by name. */
export async function* readStore(
  store: Store,
  options: StreamOptions = {},
): AsyncGenerator<StreamedBlob> {
  if (store.stream !== undefined) {
    yield* store.stream(options);
    return;
  }
  const after = options.after === undefined ? undefined : blobRef(options.after);
  if (options.after !== undefined && after === undefined) throw invalidToken(options.after);
  const from = after === undefined ? {} : { after };
  for await (const { ref, bytes } of walkStore(store, { signal: options.signal, ...from })) {
    const body = await bodyOf(store, ref, options);
    if (body !== 'removed') yield { ref, bytes, body, token: ref };
  }
}

async function bodyOf(
  store: Store,
  ref: BlobRef,
  options: CallOptions,
): Promise<Uint8Array | undefined | 'removed'> {
  try {
    return await store.get(ref, options);
  } catch (error) {
    if (error instanceof StoreError && error.code === 'STORE_BLOB_MISSING') return 'removed';
    if (error instanceof StoreError && error.code === 'STORE_CORRUPT_BLOB') return undefined;
    throw error;
  }
}

/** The name of these bytes. */
export function refOf(bytes: Uint8Array): BlobRef {
  return blobRef(`sha256-${hash('sha256', bytes, 'hex')}`) as BlobRef;
}

/** The digest in a name. */
export function hashOf(ref: BlobRef): Uint8Array {
  return fromHex(ref.slice('sha256-'.length)) as Uint8Array;
}

export function refOfHash(hash: Uint8Array): BlobRef {
  return blobRef(`sha256-${toHex(hash)}`) as BlobRef;
}

/** The same, hashed in the engine's pool: a core of its own, at the price of a copy and a turn. */
async function refOfLarge(bytes: Uint8Array): Promise<BlobRef> {
  const digest = await webcrypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return blobRef(`sha256-${toHex(new Uint8Array(digest))}`) as BlobRef;
}

/**
 * Reads a source to its end, never holding more than 16 MiB, hashing on the way. With `ref` other
 * bytes are refused. Nothing is given before the last byte was seen and the hash compared.
 */
export async function readVerified(
  source: BlobSource,
  options: CallOptions & { readonly ref?: BlobRef } = {},
): Promise<{ readonly ref: BlobRef; readonly bytes: Uint8Array }> {
  throwIfCancelled(options.signal);
  const bytes = source instanceof Uint8Array ? source : await collect(source, options.signal);
  if (bytes.byteLength > BLOB_BYTES_MAX) throw tooLarge();
  const ref = await refBy(bytes, options.sha256);
  if (options.ref !== undefined && options.ref !== ref) {
    throw new StoreError('STORE_WRONG_HASH', `Cannot put "${options.ref}": the bytes are ${ref}`);
  }
  return { ref, bytes };
}

/** A source as bytes of its own, not yet hashed. @throws StoreError STORE_BLOB_TOO_LARGE */
export async function collect(
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let total = 0;
  for await (const part of abortable(source, signal)) {
    total += part.byteLength;
    if (total > BLOB_BYTES_MAX) throw tooLarge();
    // A source may use its buffer again for the next part.
    parts.push(copyOf(part));
  }
  return Buffer.concat(parts, total);
}

/** Throws STORE_CORRUPT_BLOB unless `bytes` are the blob. */
export function assertBlob(ref: BlobRef, bytes: Uint8Array): void {
  if (refOf(bytes) !== ref) throw corrupt(ref, bytes);
}

/** As assertBlob, large ones in the engine's pool or by who wants to. */
export async function verifyBlob(ref: BlobRef, bytes: Uint8Array, sha256?: Sha256): Promise<void> {
  if ((await refBy(bytes, sha256)) !== ref) throw corrupt(ref, bytes);
}

async function refBy(bytes: Uint8Array, sha256: Sha256 | undefined): Promise<BlobRef> {
  if (bytes.byteLength === 0) return refOf(bytes);
  if (sha256 !== undefined) return blobRef(`sha256-${toHex(await sha256(bytes))}`) as BlobRef;
  return bytes.byteLength < POOL_BYTES_MIN ? refOf(bytes) : await refOfLarge(bytes);
}

function corrupt(ref: BlobRef, bytes: Uint8Array): StoreError {
  return new StoreError(
    'STORE_CORRUPT_BLOB',
    `Cannot read "${ref}": its ${bytes.byteLength} bytes have another hash`,
  );
}

/** Bytes of their own: `slice` of a Buffer would share them. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes);
}

/** The part of a verified blob that a range asks for. */
export function sliceRange(
  bytes: Uint8Array,
  range: { readonly start: number; readonly end: number },
): Uint8Array {
  const { start, end } = range;
  const whole = Number.isSafeInteger(start) && Number.isSafeInteger(end);
  if (!whole || start < 0 || end < start || start > bytes.byteLength) {
    throw new StoreError(
      'STORE_RANGE_INVALID',
      `Cannot read bytes ${start} to ${end} of a blob of ${bytes.byteLength}`,
    );
  }
  return copyOf(bytes.subarray(start, end));
}

/** Those of `refs` that are there and not known to be wrong: they need not be put. */
export async function statSound(
  store: Pick<Store, 'stat' | 'isKnownCorrupt'>,
  refs: readonly BlobRef[],
  options: CallOptions = {},
): Promise<BlobInfo[]> {
  const found = await store.stat(refs, options);
  return found.filter(({ ref }) => store.isKnownCorrupt?.(ref) !== true);
}

export function missing(ref: BlobRef): StoreError {
  return new StoreError('STORE_BLOB_MISSING', `There is no blob "${ref}"`);
}

export function invalidToken(token: string): StoreError {
  return new StoreError('STORE_TOKEN_INVALID', `"${token}" names no place in this store`);
}

function tooLarge(): StoreError {
  return new StoreError('STORE_BLOB_TOO_LARGE', `A blob has at most ${BLOB_BYTES_MAX} bytes`);
}
