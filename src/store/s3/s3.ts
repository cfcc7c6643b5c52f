// The store in a bucket of an S3 service: an object for each blob, `<prefix><ref>`. There is no index and
// nothing is kept here; names are the index. docs/s3.md tells what services differ in.
//
// Everything is held to its hash on both ways: an upload carries the blob's own SHA-256 under its
// signature, which the service compares, and a read is compared before it is given. A read whose hash is
// wrong is asked for once more, because plain HTTP has no check of its own; if it is wrong again, the blob
// is, and the next put of it uploads it again.
//
// `put` asks first whether the blob is there, by a HEAD, and `remove` whether there is something to
// remove, because a DELETE does not tell. Changes of one name go one after the other, so that what is
// `new` is counted once; between processes that share a bucket it is not. A put that failed may have
// arrived all the same, when only its answer was lost; whole, under its right name.
//
// Answers without what S3 puts into them, an ETag for example, are those of something in between, a page
// of a proxy for example: nothing is believed stored, there or removed because of one.

import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { codeOf } from '#base/errors.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import type { Counter } from '#metrics/registry.ts';
import type { HttpAnswer } from '#net/http-client.ts';
import { Gate, throwIfCancelled, unlessCancelled } from '#store/calls.ts';
import { StoreError } from '#store/errors.ts';
import {
  assertBlob,
  BLOB_BYTES_MAX,
  type BlobInfo,
  type BlobSource,
  type CallOptions,
  type ListOptions,
  missing,
  type PutOptions,
  type PutResult,
  readVerified,
  refOf,
  type Store,
  type StoreStats,
  sliceRange,
  walkStore,
} from '#store/store.ts';
import { readS3Page, type S3Object, type S3Page } from './s3-answers.ts';
import { S3Endpoint, type S3World } from './s3-endpoint.ts';

const PAGE_KEYS_MAX = 1000;
/** A thousand names of 1024 bytes, each percent-encoded, and what stands around them. */
const PAGE_BYTES_MAX = 8 * 1024 * 1024;
/** A wrong address should be told at the start, not after minutes. */
const OPEN_ATTEMPTS_MAX = 3;
const REF_PREFIX = 'sha256-';

export class S3Store implements Store {
  readonly #world: S3World;
  readonly #endpoint: S3Endpoint;
  readonly #gate = new Gate();
  readonly #foreign: Counter;
  /** The last change of each name that is under way, giving whether its blob is there after it. */
  readonly #underWay = new Map<BlobRef, Promise<boolean | undefined>>();
  /** Blobs whose bytes were found wrong: a put of one uploads it again. */
  readonly #corrupt = new Set<BlobRef>();

  private constructor(world: S3World) {
    this.#world = world;
    this.#endpoint = new S3Endpoint(world);
    this.#foreign = world.metrics.counter(
      'swarmkeep_store_s3_foreign_keys_total',
      'Objects that listings of the bucket met below the prefix and that are no blobs; they are left alone.',
    );
  }

  /** Asks for one name, which shows that address, bucket, region, keys and clock are right. */
  static async open(world: S3World): Promise<S3Store> {
    const store = new S3Store(world);
    await store.#page({ 'max-keys': '1' }, { attemptsMax: OPEN_ATTEMPTS_MAX });
    return store;
  }

  async put(source: BlobSource, options: PutOptions = {}): Promise<PutResult> {
    this.#gate.enter(options.signal);
    const { ref, bytes } = await readVerified(source, options);
    this.#gate.enter(options.signal);
    let isNew = false;
    const done = this.#change(ref, async (before) => {
      isNew = await this.#upload(ref, bytes, { signal: options.signal, before });
      return true;
    });
    await unlessCancelled(done, options.signal);
    return { ref, bytes: bytes.byteLength, new: isNew };
  }

  async get(ref: BlobRef, options: CallOptions = {}): Promise<Uint8Array> {
    this.#gate.enter(options.signal);
    const bytes = await this.#read(ref, options.signal);
    if (refOf(bytes) === ref) return bytes;
    const again = await this.#read(ref, options.signal);
    try {
      assertBlob(ref, again);
    } catch (error) {
      this.#corrupt.add(ref);
      throw error;
    }
    return again;
  }

  isKnownCorrupt(ref: BlobRef): boolean {
    return this.#corrupt.has(ref);
  }

  async getRange(
    ref: BlobRef,
    range: { readonly start: number; readonly end: number },
    options: CallOptions = {},
  ): Promise<Uint8Array> {
    return sliceRange(await this.get(ref, options), range);
  }

  async stat(refs: readonly BlobRef[], options: CallOptions = {}): Promise<BlobInfo[]> {
    this.#gate.enter(options.signal);
    const found: (BlobInfo | undefined)[] = [];
    await this.#each(refs, async (ref, at) => {
      const bytes = await this.#sizeOf(ref, options.signal);
      found[at] = bytes === undefined ? undefined : { ref, bytes };
    });
    return found.filter((info) => info !== undefined);
  }

  async list(options: ListOptions = {}): Promise<BlobInfo[]> {
    this.#gate.enter(options.signal);
    const { after, limit = PAGE_KEYS_MAX } = options;
    const found: BlobInfo[] = [];
    let from: Readonly<Record<string, string>> =
      after === undefined ? {} : { 'start-after': this.#key(after) };
    while (found.length < limit) {
      const maxKeys = String(Math.min(limit - found.length, PAGE_KEYS_MAX));
      const page = await this.#page({ 'max-keys': maxKeys, ...from }, { signal: options.signal });
      this.#take(page.objects, { found, after });
      if (!page.isTruncated) break;
      const next = nextPage(page);
      // What goes round in circles would do so for ever.
      if (next === undefined || isDeepStrictEqual(next, from)) throw this.#disorder();
      from = next;
    }
    return found.slice(0, limit);
  }

  async remove(refs: readonly BlobRef[], options: CallOptions = {}): Promise<number> {
    this.#gate.enter(options.signal);
    let removed = 0;
    await this.#each([...new Set(refs)], (ref) =>
      this.#change(ref, async (before) => {
        throwIfCancelled(options.signal);
        const isThere = before ?? (await this.#sizeOf(ref, options.signal)) !== undefined;
        if (!isThere) return false;
        const isWhole = (answer: HttpAnswer): boolean => answer.body.byteLength === 0;
        const asked = { method: 'DELETE', key: this.#key(ref), isWhole } as const;
        await this.#endpoint.send(asked, options.signal);
        this.#corrupt.delete(ref);
        removed++;
        return false;
      }),
    );
    return removed;
  }

  async stats(): Promise<StoreStats> {
    this.#gate.enter();
    let blobs = 0;
    let total = 0;
    for await (const { bytes } of walkStore(this)) {
      blobs++;
      total += bytes;
    }
    return { blobs, bytes: total, storedBytes: total };
  }

  async flush(): Promise<void> {
    this.#gate.enter();
    await Promise.allSettled(this.#underWay.values());
  }

  /** Changes under way are ended and answered; reads end with STORE_CLOSED. */
  close(): Promise<void> {
    return this.#gate.close(async () => {
      await Promise.allSettled(this.#underWay.values());
      this.#endpoint.close();
    });
  }

  /**
   * After every change of that name before, whether they failed or not. `work` is told whether the blob
   * is there after the one before, where that is known, and says so itself.
   */
  #change(ref: BlobRef, work: (before?: boolean) => Promise<boolean>): Promise<void> {
    const before = this.#underWay.get(ref);
    const done = before === undefined ? work() : before.then(work);
    const state = done.catch(() => undefined);
    this.#underWay.set(ref, state);
    return done.then(
      () => this.#forget(ref, state),
      (error: unknown) => {
        this.#forget(ref, state);
        throw error;
      },
    );
  }

  #forget(ref: BlobRef, state: Promise<boolean | undefined>): void {
    if (this.#underWay.get(ref) === state) this.#underWay.delete(ref);
  }

  /** True when it was not there. */
  async #upload(
    ref: BlobRef,
    bytes: Uint8Array,
    { signal, before }: { signal: AbortSignal | undefined; before: boolean | undefined },
  ): Promise<boolean> {
    throwIfCancelled(signal);
    if (!this.#corrupt.has(ref)) {
      if (before === true) return false;
      const isThere = before ?? (await this.#sizeOf(ref, signal)) === bytes.byteLength;
      if (isThere) return false;
    }
    const sha256 = ref.slice(REF_PREFIX.length);
    await this.#endpoint.send(
      {
        method: 'PUT',
        key: this.#key(ref),
        headers: { 'content-type': 'application/octet-stream', ...this.#checksum(bytes, sha256) },
        body: { bytes, sha256 },
        isWhole: (answer) => answer.headers['etag'] !== undefined,
      },
      signal,
    );
    this.#corrupt.delete(ref);
    return true;
  }

  #checksum(bytes: Uint8Array, sha256: string): Readonly<Record<string, string>> {
    const { putChecksum } = this.#world.config;
    switch (putChecksum) {
      case 'none':
        return {};
      case 'md5':
        return { 'content-md5': createHash('md5').update(bytes).digest('base64') };
      case 'sha256':
        return { 'x-amz-checksum-sha256': Buffer.from(sha256, 'hex').toString('base64') };
      default:
        return putChecksum satisfies never;
    }
  }

  /** Not verified. */
  async #read(ref: BlobRef, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const asked = { method: 'GET', key: this.#key(ref), answerBytesMax: BLOB_BYTES_MAX } as const;
    try {
      const answer = await this.#endpoint.send(asked, signal);
      if (answer.status === 404) throw missing(ref);
      return answer.body;
    } catch (error) {
      if (codeOf(causeOf(error)) !== 'NET_HTTP_ANSWER_TOO_LARGE') throw error;
      this.#corrupt.add(ref);
      throw new StoreError('STORE_CORRUPT_BLOB', `Cannot read "${ref}": it is too long for a blob`);
    }
  }

  async #sizeOf(ref: BlobRef, signal: AbortSignal | undefined): Promise<number | undefined> {
    const isWhole = (answer: HttpAnswer): boolean =>
      lengthOf(answer) !== undefined && answer.headers['etag'] !== undefined;
    const asked = { method: 'HEAD', key: this.#key(ref), isWhole } as const;
    const answer = await this.#endpoint.send(asked, signal);
    return answer.status === 404 ? undefined : lengthOf(answer);
  }

  async #page(
    query: Readonly<Record<string, string>>,
    options: { readonly signal?: AbortSignal | undefined; readonly attemptsMax?: number },
  ): Promise<S3Page> {
    let page: S3Page | undefined;
    const { signal, ...more } = options;
    await this.#endpoint.send(
      {
        method: 'GET',
        key: '',
        query: {
          'list-type': '2',
          'encoding-type': 'url',
          prefix: `${this.#world.config.prefix}${REF_PREFIX}`,
          ...query,
        },
        answerBytesMax: PAGE_BYTES_MAX,
        isWhole: (answer) => {
          page = readS3Page(answer.body);
          return page !== undefined;
        },
        ...more,
      },
      signal,
    );
    if (page === undefined) throw this.#disorder();
    return page;
  }

  /** Adds the blobs of a page. */
  #take(
    objects: readonly S3Object[],
    { found, after }: { readonly found: BlobInfo[]; readonly after: BlobRef | undefined },
  ): void {
    const { prefix } = this.#world.config;
    for (const { key, bytes } of objects) {
      const ref = key.startsWith(prefix) ? blobRef(key.slice(prefix.length)) : undefined;
      const last = found.at(-1)?.ref ?? after;
      if (ref === undefined) this.#foreign.add(1);
      else if (last !== undefined && ref <= last) throw this.#disorder();
      else found.push({ ref, bytes });
    }
  }

  #disorder(): StoreError {
    const { bucket } = this.#world.config;
    return new StoreError(
      'STORE_S3_ANSWER_INVALID',
      `A listing of the S3 bucket "${bucket}" is not in the order of names`,
    );
  }

  /** As many at once as requests may be. After a failure nothing new is begun, and what runs is awaited. */
  async #each(
    refs: readonly BlobRef[],
    work: (ref: BlobRef, at: number) => Promise<void>,
  ): Promise<void> {
    let next = 0;
    const takeTurns = async (): Promise<void> => {
      while (next < refs.length) {
        const at = next++;
        try {
          await work(refs[at]!, at);
        } catch (error) {
          next = refs.length;
          throw error;
        }
      }
    };
    const workers = Math.min(refs.length, this.#world.config.requestsAtOnceMax);
    const results = await Promise.allSettled(Array.from({ length: workers }, takeTurns));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  #key(ref: BlobRef): string {
    return `${this.#world.config.prefix}${ref}`;
  }
}

/** Services that say there is more and not where get the last name. */
function nextPage({ token, objects }: S3Page): Readonly<Record<string, string>> | undefined {
  if (token !== undefined) return { 'continuation-token': token };
  const last = objects.at(-1)?.key;
  return last === undefined ? undefined : { 'start-after': last };
}

function causeOf(error: unknown): unknown {
  return error instanceof Error ? error.cause : undefined;
}

function lengthOf(answer: HttpAnswer): number | undefined {
  const text = answer.headers['content-length'];
  return text !== undefined && /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
}
