// The server as a keeper asks it by HTTP, with the `fetch` that it is given.

import type { ZodType } from 'zod';
import { z } from 'zod';
import { ArchiveError } from '#archive/errors.ts';
import {
  BLOB_BYTES_MAX,
  type CopyReport,
  KEEPER_PATH,
  type KeeperLink,
  type KeeperOffer,
  type KeeperWork,
  workSchema,
} from './keeper-work.ts';

const REQUEST_MS_MAX = 120_000;
const acceptedSchema = z.object({ accepted: z.boolean() });

export class HttpKeeperLink implements KeeperLink {
  readonly name: string;
  readonly #base: string;
  readonly #token: string;
  readonly #fetch: typeof fetch;

  /** `url`: of the site, with or without a slash at its end. */
  constructor(options: {
    readonly url: string;
    readonly token: string;
    readonly fetch: typeof fetch;
  }) {
    this.name = new URL(options.url).host;
    this.#base = `${options.url.replace(/\/+$/, '')}${KEEPER_PATH}`;
    this.#token = options.token;
    this.#fetch = options.fetch;
  }

  async work(offer: KeeperOffer, signal: AbortSignal): Promise<KeeperWork> {
    const response = await this.#ask('/work', { method: 'POST', json: offer, signal });
    return await jsonOf(response, workSchema);
  }

  async blob(copy: number, number: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const path = `/copies/${copy}/blobs/${number}`;
    const response = await this.#ask(path, { method: 'GET', signal, mayLack: true });
    if (response.status === 404) return undefined;
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (bytes.length <= BLOB_BYTES_MAX) return bytes;
    throw new ArchiveError('ARCHIVE_KEEPER_REFUSED', `The server gave ${bytes.length} bytes`);
  }

  async give(copy: number, number: number, bytes: Uint8Array): Promise<void> {
    await this.#ask(`/copies/${copy}/blobs/${number}`, { method: 'PUT', bytes });
  }

  async report(copy: number, state: CopyReport): Promise<void> {
    await this.#ask(`/copies/${copy}`, { method: 'POST', json: { state } });
  }

  async prove(copy: number, proof: string): Promise<boolean> {
    const response = await this.#ask(`/copies/${copy}/proof`, { method: 'POST', json: { proof } });
    return (await jsonOf(response, acceptedSchema)).accepted;
  }

  async #ask(
    path: string,
    request: {
      readonly method: string;
      readonly json?: unknown;
      readonly bytes?: Uint8Array;
      readonly signal?: AbortSignal;
      readonly mayLack?: boolean;
    },
  ): Promise<Response> {
    const { method, json, bytes, signal, mayLack } = request;
    const late = AbortSignal.timeout(REQUEST_MS_MAX);
    const body = json === undefined ? bytes : JSON.stringify(json);
    let response: Response;
    try {
      response = await this.#fetch(`${this.#base}${path}`, {
        method,
        headers: { authorization: `Bearer ${this.#token}` },
        // The token is for this server, not for where it may send us.
        redirect: 'error',
        signal: signal === undefined ? late : AbortSignal.any([signal, late]),
        ...(body === undefined ? {} : { body: body as Uint8Array<ArrayBuffer> | string }),
      });
    } catch (cause) {
      signal?.throwIfAborted();
      throw new ArchiveError('ARCHIVE_KEEPER_UNREACHABLE', `${this.name} does not answer`, {
        cause,
      });
    }
    if (response.ok || (mayLack === true && response.status === 404)) return response;
    await response.body?.cancel();
    const message = `${this.name} answered ${response.status} to ${method} ${path}`;
    throw new ArchiveError('ARCHIVE_KEEPER_REFUSED', message);
  }
}

async function jsonOf<Body>(response: Response, schema: ZodType<Body>): Promise<Body> {
  const parsed = schema.safeParse(await response.json().catch(() => undefined));
  if (parsed.success) return parsed.data;
  throw new ArchiveError('ARCHIVE_KEEPER_REFUSED', 'The server answered what is not understood');
}
