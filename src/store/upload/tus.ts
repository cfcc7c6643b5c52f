// Resumable uploads by tus 1.0 (https://tus.io/protocols/resumable-upload), with creation, expiration,
// checksum and termination. A GET, which tus does not have, answers with the list of blobs.

import type { Caller } from './door.ts';
import { bodyOf, jsonAnswer, refusal } from './http-answers.ts';
import { parseNumber } from './store-messages.ts';
import type { Checksum, Upload, Uploads } from './uploads.ts';

const VERSION = '1.0.0';
const METADATA_CHARACTERS_MAX = 4096;
const DIGEST_CHARACTERS = { sha1: 28, sha256: 44 } as const;

export class Tus {
  readonly #uploads: Uploads;
  readonly #path: string;
  readonly #bytesMax: number;

  constructor(uploads: Uploads, options: { readonly path: string; readonly bytesMax: number }) {
    this.#uploads = uploads;
    this.#path = options.path;
    this.#bytesMax = options.bytesMax;
  }

  /** `id` is empty for the collection. Throws what Uploads throws. */
  async answer(request: Request, caller: Caller, id: string): Promise<Response> {
    const response = await this.#answer(request, caller, id);
    response.headers.set('tus-resumable', VERSION);
    response.headers.set('cache-control', 'no-store');
    return response;
  }

  async #answer(request: Request, caller: Caller, id: string): Promise<Response> {
    const { method, headers } = request;
    if (method === 'OPTIONS') return this.#options();
    if (method !== 'GET' && headers.get('tus-resumable') !== VERSION) {
      const response = refusal('STORE_PROTOCOL', `Tus-Resumable: ${VERSION} is wanted`);
      return new Response(response.body, { status: 412, headers: { 'tus-version': VERSION } });
    }
    if (id === '') {
      return method === 'POST' ? await this.#create(request, caller) : notAllowed('OPTIONS, POST');
    }
    const upload = await this.#uploads.find(caller, id);
    if (upload === undefined) return refusal('STORE_UPLOAD_MISSING', 'There is no such upload');
    switch (method) {
      case 'HEAD':
        return new Response(null, { status: 200, headers: this.#headersOf(upload) });
      case 'GET':
        return this.#list(upload);
      case 'PATCH':
        return await this.#patch(request, upload);
      case 'DELETE':
        await this.#uploads.remove(upload);
        return new Response(null, { status: 204 });
      default:
        return notAllowed('DELETE, GET, HEAD, OPTIONS, PATCH');
    }
  }

  #options(): Response {
    const headers = {
      'tus-version': VERSION,
      'tus-extension': 'creation,expiration,checksum,termination',
      'tus-max-size': String(this.#bytesMax),
      'tus-checksum-algorithm': 'sha1,sha256',
    };
    return new Response(null, { status: 204, headers });
  }

  async #create(request: Request, caller: Caller): Promise<Response> {
    const length = parseNumber(request.headers.get('upload-length') ?? undefined);
    const metadata = request.headers.get('upload-metadata') ?? '';
    if (length === undefined) return refusal('STORE_PROTOCOL', 'Upload-Length is wanted');
    if (metadata.length > METADATA_CHARACTERS_MAX || parseMetadata(metadata) === undefined) {
      return refusal('STORE_PROTOCOL', 'Upload-Metadata is not as tus says');
    }
    const upload = await this.#uploads.create(caller, length, metadata);
    const headers = {
      location: `${this.#path}/${upload.id}`,
      'upload-expires': this.#expires(upload),
    };
    return new Response(null, { status: 201, headers });
  }

  async #patch(request: Request, upload: Upload): Promise<Response> {
    const { headers } = request;
    if (headers.get('content-type') !== 'application/offset+octet-stream') {
      const response = refusal('STORE_PROTOCOL', 'Content-Type is application/offset+octet-stream');
      return new Response(response.body, { status: 415 });
    }
    const offset = parseNumber(headers.get('upload-offset') ?? undefined);
    if (offset === undefined) return refusal('STORE_PROTOCOL', 'Upload-Offset is wanted');
    const given = headers.get('upload-checksum');
    const checksum = given === null ? undefined : parseChecksum(given);
    if (given !== null && checksum === undefined) {
      return refusal(
        'STORE_PROTOCOL',
        'Upload-Checksum is sha1 or sha256, and its digest in base64',
      );
    }
    const { signal } = request;
    const reached = await this.#uploads.append(upload, {
      ...{ offset, checksum, signal },
      body: bodyOf(request),
    });
    const answer = { 'upload-offset': String(reached), 'upload-expires': this.#expires(upload) };
    return new Response(null, { status: 204, headers: answer });
  }

  #list(upload: Upload): Response {
    const { id, offset, isComplete, head } = upload;
    return jsonAnswer({
      ...{ id, offset, bytes: head.length, isComplete },
      metadata: Object.fromEntries(parseMetadata(head.metadata) ?? []),
      // Before the end the last one would still change.
      refs: isComplete ? upload.refs : upload.segments,
    });
  }

  #headersOf(upload: Upload): Record<string, string> {
    const { metadata, length } = upload.head;
    return {
      'upload-offset': String(upload.offset),
      'upload-length': String(length),
      'upload-expires': this.#expires(upload),
      ...(metadata === '' ? {} : { 'upload-metadata': metadata }),
    };
  }

  #expires(upload: Upload): string {
    return new Date(this.#uploads.expiresMs(upload)).toUTCString();
  }
}

function notAllowed(allow: string): Response {
  return new Response(null, { status: 405, headers: { allow } });
}

/** Names and values of Upload-Metadata: `name base64,name base64`; undefined when it is none. */
export function parseMetadata(header: string): ReadonlyMap<string, string> | undefined {
  const pairs = new Map<string, string>();
  if (header === '') return pairs;
  for (const pair of header.split(',')) {
    const [, name = '', value = ''] =
      /^ ?([\x21-\x2b\x2d-\x7e]+)(?: ([A-Za-z0-9+/]*={0,2}))?$/.exec(pair) ?? [];
    if (name === '' || value.length % 4 !== 0 || pairs.has(name)) return undefined;
    pairs.set(name, Buffer.from(value, 'base64').toString('utf8'));
  }
  return pairs;
}

/** Of Upload-Checksum. */
export function parseChecksum(header: string): Checksum | undefined {
  const [, algorithm, digest = ''] = /^(sha1|sha256) ([A-Za-z0-9+/]+={0,2})$/.exec(header) ?? [];
  if (algorithm !== 'sha1' && algorithm !== 'sha256') return undefined;
  return digest.length === DIGEST_CHARACTERS[algorithm] ? { algorithm, digest } : undefined;
}
