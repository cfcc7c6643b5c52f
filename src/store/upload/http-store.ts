// The store by HTTP (docs/store-protocol.md): single blobs, many in one request, many in one answer. It
// sees requests whose caller is known, and no socket.

import { codeOf, messageOf } from '#base/errors.ts';
import { type BlobRef, blobRef } from '#base/ids.ts';
import {
  BLOB_BYTES_MAX,
  type BlobInfo,
  readStore,
  type StreamedBlob,
  statSound,
} from '#store/store.ts';
import { type Caller, type RemoveOptions, removeAsked, type StoreDoor } from './door.ts';
import { bodyOf, failureAnswer, jsonAnswer, refusal } from './http-answers.ts';
import { boundaryOf, MultipartReader } from './multipart.ts';
import { parseNumber, REFS_MAX, STORE_PROTOCOL, TEXT_BYTES_MAX } from './store-messages.ts';
import { Tus } from './tus.ts';
import type { Uploads } from './uploads.ts';

export const STORE_PATH = '/api/store';
const BLOBS_TYPE = 'application/vnd.swarmkeep.blobs';
const BLOB_PATH = /^\/blobs\/([^/]{1,100})$/;
const UPLOAD_PATH = /^\/uploads(?:\/([^/]{1,100}))?$/;
/** A name never has other bytes. */
const FOREVER = 'private, max-age=31536000, immutable';

export class HttpStore {
  readonly #door: StoreDoor;
  readonly #tus: Tus;

  constructor(door: StoreDoor, uploads: Uploads) {
    this.#door = door;
    const bytesMax = door.config.uploadBytesMax;
    this.#tus = new Tus(uploads, { path: `${STORE_PATH}/uploads`, bytesMax });
  }

  /** Of a path that begins with STORE_PATH. Never rejects. */
  async answer(request: Request, caller: Caller): Promise<Response> {
    try {
      return await this.#answer(request, caller);
    } catch (error) {
      return failureAnswer(error, this.#door.logger);
    }
  }

  async #answer(request: Request, caller: Caller): Promise<Response> {
    const url = new URL(request.url);
    const path = url.pathname.slice(STORE_PATH.length);
    const upload = UPLOAD_PATH.exec(path);
    if (upload !== null) return await this.#tus.answer(request, caller, upload[1] ?? '');
    const name = BLOB_PATH.exec(path)?.[1];
    if (name !== undefined) return await this.#blob(request, caller, name);
    switch (`${request.method} ${path}`) {
      case 'GET ':
      case 'GET /':
        return this.#about();
      case 'GET /blobs':
        return await this.#list(request, url.searchParams);
      case 'POST /blobs':
        return await this.#batch(request, caller);
      case 'POST /stat':
      case 'POST /get':
      case 'POST /remove':
        return await this.#named(request, caller, path);
      case 'GET /stream':
        return this.#stream(request, caller, url.searchParams.get('after') ?? undefined);
      default:
        return new Response('There is nothing here\n', { status: 404 });
    }
  }

  #about(): Response {
    return jsonAnswer({
      protocol: STORE_PROTOCOL,
      blobBytesMax: BLOB_BYTES_MAX,
      batchBytesMax: this.#door.config.batchBytesMax,
      socket: `${STORE_PATH}/socket`,
      uploads: `${STORE_PATH}/uploads`,
    });
  }

  async #blob(request: Request, caller: Caller, name: string): Promise<Response> {
    const ref = blobRef(name);
    if (ref === undefined) return refusal('STORE_BLOB_MISSING', 'That is no name of a blob');
    const store = await this.#door.store();
    switch (request.method) {
      case 'GET':
      case 'HEAD':
        return await this.#give(request, caller, ref);
      case 'PUT': {
        const put = await this.#within(caller, request.signal, () =>
          store.put(this.#counted(request, BLOB_BYTES_MAX), { ref, signal: request.signal }),
        );
        return jsonAnswer(put, put.new ? 201 : 200);
      }
      case 'DELETE':
        return jsonAnswer({
          removed: await removeAsked(this.#door, caller, [ref], removalOf(request)),
        });
      default:
        return new Response(null, { status: 405, headers: { allow: 'DELETE, GET, HEAD, PUT' } });
    }
  }

  async #give(request: Request, caller: Caller, ref: BlobRef): Promise<Response> {
    const store = await this.#door.store();
    const headers: Record<string, string> = {
      'content-type': 'application/octet-stream',
      'content-disposition': 'attachment',
      'cache-control': FOREVER,
      etag: `"${ref}"`,
      'accept-ranges': 'bytes',
    };
    const [info] = await store.stat([ref]);
    if (info === undefined) return refusal('STORE_BLOB_MISSING', `There is no blob "${ref}"`);
    if (request.headers.get('if-none-match') === headers['etag']) {
      return new Response(null, { status: 304, headers });
    }
    const range = rangeOf(request.headers.get('range'), info.bytes);
    if (range === 'unsatisfiable') {
      headers['content-range'] = `bytes */${info.bytes}`;
      return new Response(null, { status: 416, headers });
    }
    const { start, end } = range ?? { start: 0, end: info.bytes };
    headers['content-length'] = String(end - start);
    if (range !== undefined) headers['content-range'] = `bytes ${start}-${end - 1}/${info.bytes}`;
    const status = range === undefined ? 200 : 206;
    if (request.method === 'HEAD') return new Response(null, { status, headers });
    const body = await this.#within(caller, request.signal, () =>
      store.getRange(ref, { start, end }, { signal: request.signal }),
    );
    this.#door.counts.sent(body.byteLength);
    return new Response(body as Uint8Array<ArrayBuffer>, { status, headers });
  }

  /** With room for one blob taken of the budget. */
  async #within<T>(caller: Caller, signal: AbortSignal, run: () => Promise<T>): Promise<T> {
    const { budget } = this.#door;
    await budget.wait(caller.budget, BLOB_BYTES_MAX, signal);
    try {
      return await run();
    } finally {
      budget.give(caller.budget, BLOB_BYTES_MAX);
    }
  }

  async *#counted(request: Request, bytesMax: number): AsyncGenerator<Uint8Array> {
    let total = 0;
    for await (const bytes of bodyOf(request)) {
      total += bytes.byteLength;
      this.#door.counts.received(bytes.byteLength);
      yield bytes;
      // The store has said so itself by then; this ends what does not ask it.
      if (total > bytesMax) return;
    }
  }

  async #list(request: Request, query: URLSearchParams): Promise<Response> {
    const after = query.get('after');
    const limit = parseNumber(query.get('limit') ?? String(REFS_MAX), REFS_MAX);
    const from = after === null ? undefined : blobRef(after);
    if (!limit || (after !== null && from === undefined)) {
      return refusal('STORE_PROTOCOL', 'after is the name of a blob, limit 1 to 1000');
    }
    const store = await this.#door.store();
    const { signal } = request;
    const blobs = await store.list({
      limit,
      signal,
      ...(from === undefined ? {} : { after: from }),
    });
    return jsonAnswer({ blobs });
  }

  async #named(request: Request, caller: Caller, path: string): Promise<Response> {
    const refs = await readRefs(request);
    if (refs === undefined) {
      return refusal('STORE_PROTOCOL', 'The body is {"refs":[…]} with 1 to 1000 names of blobs');
    }
    const store = await this.#door.store();
    const { signal } = request;
    if (path === '/stat') return jsonAnswer({ blobs: await statSound(store, refs, { signal }) });
    if (path === '/remove') {
      return jsonAnswer({
        removed: await removeAsked(this.#door, caller, refs, removalOf(request)),
      });
    }
    const blobs = async function* (): AsyncGenerator<SentBlob> {
      for (const ref of refs) {
        try {
          const body = await store.get(ref, { signal });
          yield { ref, bytes: body.byteLength, body };
        } catch (error) {
          const code = codeOf(error);
          if (code !== 'STORE_BLOB_MISSING' && code !== 'STORE_CORRUPT_BLOB') throw error;
          yield { ref, bytes: 0, body: undefined, code };
        }
      }
    };
    return this.#send(caller, blobs());
  }

  async #stream(request: Request, caller: Caller, after: string | undefined): Promise<Response> {
    const store = await this.#door.store();
    const from = after === undefined ? {} : { after };
    const blobs = readStore(store, { signal: request.signal, ...from });
    // A token that is none is told before the answer begins.
    const first = await blobs.next();
    const all = async function* (): AsyncGenerator<SentBlob> {
      if (first.done === true) return;
      yield sent(first.value);
      for await (const blob of blobs) yield sent(blob);
    };
    return this.#send(caller, all());
  }

  /** Blobs one behind the other, read when the client has taken the one before. */
  #send(caller: Caller, blobs: AsyncGenerator<SentBlob>): Response {
    const { budget, counts, logger } = this.#door;
    const stop = new AbortController();
    const body = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          await budget.wait(caller.budget, BLOB_BYTES_MAX, stop.signal);
          try {
            const next = await blobs.next();
            if (next.done === true) {
              controller.enqueue(Buffer.from('{"end":true}\n'));
              controller.close();
              return;
            }
            const { body: bytes, ...head } = next.value;
            controller.enqueue(Buffer.from(`${JSON.stringify(head)}\n`));
            counts.sent(bytes?.byteLength ?? 0);
            if (bytes !== undefined && bytes.byteLength > 0) controller.enqueue(bytes);
          } catch (error) {
            logger.warn('A stream of blobs broke off', { error: messageOf(error) });
            controller.error(error);
          } finally {
            budget.give(caller.budget, BLOB_BYTES_MAX);
          }
        },
        cancel: async () => {
          stop.abort();
          await blobs.return(undefined);
        },
      },
      { highWaterMark: 0 },
    );
    return new Response(body, { headers: { 'content-type': BLOBS_TYPE } });
  }

  /** A form whose parts are blobs: each named as its bytes must be, or `-`. */
  async #batch(request: Request, caller: Caller): Promise<Response> {
    const boundary = boundaryOf(request.headers.get('content-type') ?? '');
    if (boundary === undefined) return refusal('STORE_PROTOCOL', 'multipart/form-data is wanted');
    const batch = new Batch(this.#door, caller);
    const reader = new MultipartReader(boundary, batch);
    const { batchBytesMax } = this.#door.config;
    let total = 0;
    let why: { code: string; message: string } | undefined;
    for await (const bytes of bodyOf(request)) {
      total += bytes.byteLength;
      if (total > batchBytesMax) {
        why = { code: 'STORE_UPLOAD_TOO_LARGE', message: `At most ${batchBytesMax} bytes` };
      } else if (!reader.push(bytes)) {
        why = { code: 'STORE_PROTOCOL', message: 'The body is no multipart form' };
      }
      if (why !== undefined) break;
      await batch.room(request.signal);
    }
    if (why === undefined && !reader.isWhole) {
      why = { code: 'STORE_PROTOCOL', message: 'The body ends before its last boundary' };
    }
    const { received, failed } = await batch.end();
    if (why === undefined) return jsonAnswer({ received, failed });
    // What was stored is told all the same: it need not be sent again.
    const status = why.code === 'STORE_PROTOCOL' ? 400 : 413;
    return jsonAnswer({ error: why, received, failed }, status);
  }
}

interface SentBlob {
  readonly ref: BlobRef;
  readonly bytes: number;
  readonly body: Uint8Array | undefined;
  readonly token?: string;
  readonly code?: string;
}

function sent({ ref, bytes, body, token }: StreamedBlob): SentBlob {
  if (body !== undefined) return { ref, bytes, body, token };
  return { ref, bytes: 0, body, token, code: 'STORE_CORRUPT_BLOB' };
}

interface Failed {
  readonly name: string;
  readonly code: string;
  readonly message: string;
}

/** The parts of one batch: collected one at a time, stored side by side within the budget. */
class Batch {
  readonly received: (BlobInfo & { readonly new: boolean })[] = [];
  readonly failed: Failed[] = [];
  readonly #door: StoreDoor;
  readonly #caller: Caller;
  readonly #storing = new Set<Promise<void>>();
  #name: string | undefined;
  #parts: Buffer[] = [];
  #bytes = 0;
  #storingBytes = 0;

  constructor(door: StoreDoor, caller: Caller) {
    this.#door = door;
    this.#caller = caller;
  }

  onPart(name: string | undefined): void {
    this.#name = name;
    this.#parts = [];
    this.#bytes = 0;
  }

  onBytes(bytes: Uint8Array): void {
    this.#bytes += bytes.byteLength;
    // Of what is too large nothing is kept, and its length is told.
    if (this.#bytes > BLOB_BYTES_MAX) this.#parts = [];
    else this.#parts.push(Buffer.from(bytes));
  }

  onPartEnd(): void {
    const name = this.#name ?? '';
    const ref = blobRef(name);
    const bytes = this.#bytes;
    this.#door.counts.received(bytes);
    if (bytes > BLOB_BYTES_MAX) {
      this.#fail(name, 'STORE_BLOB_TOO_LARGE', `A blob has at most ${BLOB_BYTES_MAX} bytes`);
    } else if (ref === undefined && name !== '-') {
      this.#fail(name, 'STORE_PROTOCOL', 'A part is named as its blob is, or "-"');
    } else {
      const body = Buffer.concat(this.#parts, bytes);
      this.#storingBytes += bytes;
      const storing = this.#store(body, ref)
        .catch((error: unknown) =>
          this.#fail(name, codeOf(error) ?? 'STORE_FAILED', messageOf(error)),
        )
        .finally(() => {
          this.#storingBytes -= bytes;
          this.#storing.delete(storing);
        });
      this.#storing.add(storing);
    }
    this.#parts = [];
  }

  /** Waits until there is room for one more blob beside those being stored. */
  async room(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (this.#storingBytes > BLOB_BYTES_MAX) await Promise.race([...this.#storing]);
  }

  async end(): Promise<Pick<Batch, 'received' | 'failed'>> {
    await Promise.all([...this.#storing]);
    return this;
  }

  async #store(body: Uint8Array, ref: BlobRef | undefined): Promise<void> {
    const { budget } = this.#door;
    const who = this.#caller.budget;
    await budget.wait(who, body.byteLength, new AbortController().signal);
    try {
      const store = await this.#door.store();
      const named = ref === undefined ? {} : { ref };
      this.received.push(await store.put(body, { noRush: true, ...named }));
    } finally {
      budget.give(who, body.byteLength);
    }
  }

  #fail(name: string, code: string, message: string): void {
    this.failed.push({ name: name.slice(0, 100), code, message });
  }
}

async function readRefs(request: Request): Promise<BlobRef[] | undefined> {
  let text = '';
  for await (const bytes of bodyOf(request)) {
    text += Buffer.from(bytes).toString('latin1');
    if (text.length > TEXT_BYTES_MAX) return undefined;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('refs' in value)) return undefined;
  const { refs: names } = value;
  if (!Array.isArray(names) || names.length < 1 || names.length > REFS_MAX) return undefined;
  const refs = names.map((name) => (typeof name === 'string' ? blobRef(name) : undefined));
  return refs.includes(undefined) ? undefined : (refs as BlobRef[]);
}

/** One range; undefined for none, or for what is not one range of bytes: then all is given. */
export function rangeOf(
  header: string | null,
  bytes: number,
): { readonly start: number; readonly end: number } | 'unsatisfiable' | undefined {
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (from === '' && to === '') return undefined;
  if (from === '') {
    const start = Math.max(0, bytes - Number(to));
    return Number(to) === 0 || bytes === 0 ? 'unsatisfiable' : { start, end: bytes };
  }
  const start = Number(from);
  const end = to === '' ? bytes : Math.min(bytes, Number(to) + 1);
  if (to !== '' && Number(to) < start) return undefined;
  return start >= bytes ? 'unsatisfiable' : { start, end };
}

/** `?force=yes`: also what torrents need. */
function removalOf({ url, signal }: Request): RemoveOptions {
  return { signal, isForced: new URL(url).searchParams.get('force') === 'yes' };
}
