// `swarmkeep get`: fetches what a share leads to, whole collections too, file by file. Each file is written
// beside its place and takes it when its bytes were proven by the root that the server told; one that was
// broken off goes on where it was, and one that is there is not fetched again. The server is not trusted
// with more than the bytes: names cannot leave the folder, and every request goes to the link's own server.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ROOT_HEADER } from '#archive/downloads/downloads.ts';
import { toHex } from '#base/bytes.ts';
import type { Clock } from '#base/clock.ts';
import { messageOf } from '#base/errors.ts';
import { someAtOnce } from '#base/some-at-once.ts';
import type { Output } from '#cli/command.ts';
import { CliError } from '#cli/errors.ts';
import { MerkleHasher } from '#wire/merkle.ts';
import { parsePlace, type SharedEntry, type SharedPlace } from './shared-place.ts';

const PLACE_BYTES_MAX = 4 * 1024 * 1024;
const DEPTH_MAX = 200;
const TRIES = 5;
const PROGRESS_BYTES = 1024 * 1024;
const SMALL_BYTES_MAX = 1024 * 1024;
/** Fewer than a server gives a share at once, `archive.downloadsPerHolderMax`. */
const SMALL_AT_ONCE = 6;
const PART = '.part';
const NAME_BYTES_MAX = 255;

export interface GetShare {
  readonly url: string;
  readonly folder: string;
  /** Empty for none. */
  readonly password: string;
  readonly clock: Clock;
  readonly output: Output;
}

export interface Got {
  files: number;
  bytes: number;
  /** That were there already. */
  present: number;
}

/** @throws CliError CLI_USAGE, CLI_NOT_FOUND, CLI_REFUSED */
export async function getShare(wish: GetShare): Promise<Got> {
  return await new ShareFetch(wish).run();
}

class ShareFetch {
  readonly #wish: GetShare;
  readonly #link: URL;
  readonly #got: Got = { files: 0, bytes: 0, present: 0 };
  #fetched = 0;
  #told = 0;
  /** Each request for a file takes one of a number of downloads. */
  #isCounted = false;

  constructor(wish: GetShare) {
    this.#wish = wish;
    this.#link = linkOf(wish.url);
  }

  async run(): Promise<Got> {
    const place = await this.#place(this.#link.href);
    this.#isCounted = place.downloadsLeft !== undefined;
    const { folder } = this.#wish;
    await mkdir(folder, { recursive: true });
    if (place.kind === 'collection') await this.#collection(place, folder);
    else if (isOneFile(place)) await this.#entries(place, folder, 0);
    else await this.#entries(place, join(folder, safeName(place.name)), 0);
    return this.#got;
  }

  async #collection(place: SharedPlace, folder: string): Promise<void> {
    const taken = new Set<string>();
    for (const entry of place.entries) {
      let name = safeName(entry.name);
      for (let at = 2; taken.has(name.toLowerCase()); at++)
        name = `${safeName(entry.name)} (${at})`;
      taken.add(name.toLowerCase());
      if (entry.kind === 'file') await this.#file(entry, join(folder, name));
      else if (entry.page !== undefined) {
        const below = await this.#place(entry.page);
        await this.#entries(below, isOneFile(below) ? folder : join(folder, name), 0);
      }
    }
  }

  /** A place and the pages after it. */
  async #entries(first: SharedPlace, folder: string, depth: number): Promise<void> {
    if (depth > DEPTH_MAX) throw new CliError('CLI_REFUSED', 'The share is too deep');
    await mkdir(folder, { recursive: true });
    for (let place = first; ; ) {
      const pathOf = (entry: SharedEntry): string => join(folder, safeName(entry.name));
      for (const entry of place.entries) {
        if (isSmall(entry)) continue;
        if (entry.kind === 'file') await this.#file(entry, pathOf(entry));
        else if (entry.page !== undefined) {
          await this.#entries(await this.#place(entry.page), pathOf(entry), depth + 1);
        }
      }
      // A small file is mostly waiting for the line and for the disk.
      const small = place.entries.filter(isSmall);
      await someAtOnce(small, SMALL_AT_ONCE, (entry) => this.#file(entry, pathOf(entry)));
      if (place.next === undefined) return;
      place = await this.#place(place.next);
    }
  }

  async #place(url: string): Promise<SharedPlace> {
    const response = await this.#ask(url, { accept: 'application/json' });
    const text = await boundedText(response);
    const place = parsePlace(text);
    if (place === undefined) throw new CliError('CLI_REFUSED', `"${url}" is no share`);
    return place;
  }

  async #file(entry: SharedEntry, path: string): Promise<void> {
    const { output } = this.#wish;
    output.signal.throwIfAborted();
    const isThere = await this.#isThere(entry, path);
    if (isThere) this.#got.present += 1;
    else await this.#fetchFile(entry, path);
    this.#got.files += 1;
    this.#got.bytes += entry.sizeBytes;
    output.item({ path, bytes: entry.sizeBytes, new: !isThere });
  }

  async #isThere(entry: SharedEntry, path: string): Promise<boolean> {
    const known = await sizeOf(path);
    if (known === undefined) return false;
    const head = await this.#ask(entry.content, {}, 'HEAD');
    const isSame = known === entry.sizeBytes && (await rootOfFile(path)) === rootIn(head);
    if (!isSame) {
      throw new CliError('CLI_REFUSED', `"${path}" is there and is another file; move it away`);
    }
    return true;
  }

  async #fetchFile(entry: SharedEntry, path: string): Promise<void> {
    const part = partOf(path);
    await mkdir(dirname(path), { recursive: true });
    for (let tries = 1; ; tries++) {
      try {
        return await this.#fetchPart(entry, path, part);
      } catch (error) {
        const isFinal = error instanceof CliError || this.#wish.output.signal.aborted;
        if (isFinal || this.#isCounted || tries >= TRIES) throw asRefusal(error, path);
        await this.#wait(1000 * 2 ** (tries - 1));
      }
    }
  }

  async #fetchPart(entry: SharedEntry, path: string, part: string): Promise<void> {
    const { output } = this.#wish;
    const have = this.#isCounted ? 0 : ((await sizeOf(part)) ?? 0);
    const from = have < entry.sizeBytes ? have : 0;
    const headers: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {};
    const response = await this.#ask(entry.content, headers);
    const isOn = from > 0 && response.status === 206;
    const hasher = new MerkleHasher(PIECE_BYTES);
    if (isOn) await hashFile(part, hasher);
    const file = await open(part, isOn ? 'a' : 'w');
    let bytes = isOn ? from : 0;
    try {
      for await (const chunk of response.body ?? []) {
        bytes += chunk.length;
        if (bytes > entry.sizeBytes) break;
        hasher.update(chunk);
        await file.write(chunk);
        this.#count(chunk.length);
        output.signal.throwIfAborted();
      }
      if (bytes < entry.sizeBytes) throw new Error(`"${entry.name}" ended early`);
      await file.sync();
    } finally {
      await file.close();
    }
    const { root } = hasher.finish();
    if (bytes !== entry.sizeBytes || (root && toHex(root)) !== rootIn(response)) {
      await rm(part, { force: true });
      throw new CliError('CLI_REFUSED', `"${entry.name}" is not what the server said it is`);
    }
    await rename(part, path);
  }

  #count(bytes: number): void {
    this.#fetched += bytes;
    if (this.#fetched - this.#told < PROGRESS_BYTES) return;
    this.#told = this.#fetched;
    this.#wish.output.progress({ what: 'bytes fetched', done: this.#fetched, total: 0 });
  }

  /** Wherever the server says that it is: what it names is asked for at the link's own address. */
  async #ask(url: string, headers: Record<string, string>, method = 'GET'): Promise<Response> {
    const said = new URL(url, this.#link);
    const here = this.#link.pathname;
    if (said.pathname !== here && !said.pathname.startsWith(`${here}/`)) {
      throw new CliError('CLI_REFUSED', `"${url}" is not of this share`);
    }
    const { password, output } = this.#wish;
    const basic = Buffer.from(`:${password}`).toString('base64');
    const sent = password === '' ? headers : { ...headers, authorization: `Basic ${basic}` };
    const own = new URL(said.pathname + said.search, this.#link.origin);
    const { signal } = output;
    const response = await fetch(own, { method, headers: sent, signal, redirect: 'error' });
    if (response.ok) return response;
    await response.body?.cancel();
    throw failureOf(response.status, password !== '');
  }

  #wait(ms: number): Promise<void> {
    const { clock, output } = this.#wish;
    return new Promise((resolve) => {
      const timer = clock.after(ms, resolve);
      output.signal.addEventListener(
        'abort',
        () => {
          timer.cancel();
          resolve();
        },
        { once: true },
      );
    });
  }
}

/** Any power of two gives the same root of a file that is larger, and none is smaller than a block. */
const PIECE_BYTES = 16 * 1024;

function linkOf(url: string): URL {
  const link = URL.canParse(url) ? new URL(url) : undefined;
  const isLink =
    link !== undefined &&
    /^https?:$/.test(link.protocol) &&
    /\/s\/[A-Za-z0-9_-]{43}\/?$/.test(link.pathname);
  if (!isLink) throw new CliError('CLI_USAGE', `"${url}" is no link of a share, https://…/s/…`);
  link.pathname = link.pathname.replace(/\/$/, '');
  link.search = '';
  link.hash = '';
  return link;
}

function isOneFile({ kind, name, entries, next }: SharedPlace): boolean {
  if (kind === 'file') return true;
  const [only] = entries;
  const isAlone = entries.length === 1 && next === undefined;
  return kind === 'torrent' && isAlone && only?.kind === 'file' && only.name === name;
}

function isSmall({ kind, sizeBytes }: SharedEntry): boolean {
  return kind === 'file' && sizeBytes <= SMALL_BYTES_MAX;
}

/** Where it is written until it is proven. A name may be as long as a disk can hold. */
function partOf(path: string): string {
  const name = basename(path);
  if (Buffer.byteLength(name) + PART.length <= NAME_BYTES_MAX) return path + PART;
  return join(dirname(path), createHash('sha256').update(name).digest('hex') + PART);
}

/** @throws CliError CLI_REFUSED for what could lie elsewhere than in the folder */
function safeName(name: string): string {
  const isName =
    name !== '' && name !== '.' && name !== '..' && !/[/\\\0]/.test(name) && name.length <= 255;
  if (isName) return name;
  throw new CliError('CLI_REFUSED', `The share has a name that is none: ${JSON.stringify(name)}`);
}

function rootIn(response: Response): string | undefined {
  return response.headers.get(ROOT_HEADER) ?? undefined;
}

async function sizeOf(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ? found.size : undefined;
}

async function rootOfFile(path: string): Promise<string | undefined> {
  const hasher = new MerkleHasher(PIECE_BYTES);
  await hashFile(path, hasher);
  const { root } = hasher.finish();
  return root && toHex(root);
}

async function hashFile(path: string, hasher: MerkleHasher): Promise<void> {
  for await (const chunk of createReadStream(path)) hasher.update(chunk as Buffer);
}

async function boundedText(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > PLACE_BYTES_MAX) throw new CliError('CLI_REFUSED', 'The answer has no end');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function failureOf(status: number, hasPassword: boolean): Error {
  if (status === 401) {
    const words = hasPassword
      ? 'This is not the password'
      : 'A password is wanted: --password-stdin';
    return new CliError('CLI_REFUSED', words);
  }
  if (status === 404) {
    return new CliError('CLI_NOT_FOUND', 'The share is over, was used up or revoked, or never was');
  }
  if (status >= 400 && status < 500) {
    return new CliError('CLI_REFUSED', `The server refuses, with status ${status}`);
  }
  return new Error(`The server answers with status ${status}`);
}

function asRefusal(error: unknown, path: string): unknown {
  if (error instanceof CliError) return error;
  return new CliError('CLI_REFUSED', `Cannot get "${path}": ${messageOf(error)}`, { cause: error });
}
