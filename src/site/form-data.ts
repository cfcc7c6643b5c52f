// The body of a form: read with a bound before anything is parsed, then looked up by field name.

import { balanceDirections } from './format/directions.ts';

/** Why a body was not read; each has its page in error-pages.ts. */
export type BodyRefusal = 'too-large' | 'wrong-type' | 'malformed';

export interface UploadedFile {
  /** As the browser calls it; nothing to build a path from. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

export class Form {
  readonly #data: FormData;

  constructor(data = new FormData()) {
    this.#data = data;
  }

  /** The first value of that name with line ends as `\n`; empty when there is none or it is a file. */
  text(name: string): string {
    const value = this.#data.get(name);
    return typeof value === 'string' ? clean(value, name) : '';
  }

  /** Of every field that was sent, each once. */
  names(): readonly string[] {
    return [...new Set(this.#data.keys())];
  }

  /** Every value of that name, for check boxes. */
  texts(name: string): readonly string[] {
    return this.#data
      .getAll(name)
      .filter((value) => typeof value === 'string')
      .map((value) => clean(value, name));
  }

  /** Every file of that name that was chosen. */
  async files(name: string): Promise<readonly UploadedFile[]> {
    const files: UploadedFile[] = [];
    for (const value of this.#data.getAll(name)) {
      if (typeof value === 'string' || (value.name === '' && value.size === 0)) continue;
      files.push({ name: value.name, bytes: new Uint8Array(await value.arrayBuffer()) });
    }
    return files;
  }

  /** Undefined when no file was chosen. */
  async file(name: string): Promise<UploadedFile | undefined> {
    const value = this.#data.get(name);
    if (value === null || typeof value === 'string') return undefined;
    if (value.name === '' && value.size === 0) return undefined;
    return { name: value.name, bytes: new Uint8Array(await value.arrayBuffer()) };
  }
}

/** NUL cannot be kept by PostgreSQL, and no form of ours can make one. */
function clean(value: string, name: string): string {
  const text = value.replaceAll('\r\n', '\n').replaceAll('\0', '');
  return isSecretField(name) ? text : balanceDirections(text);
}

/** What is compared with what was typed before is taken as it is. */
export function isSecretField(name: string): boolean {
  return /password|secret|current|token|key$/i.test(name);
}

/**
 * At most `bytesMax` bytes are held; a longer body is refused by its header or while it comes. One that ends
 * before its end, because the client went, is malformed.
 */
export async function readForm(request: Request, bytesMax: number): Promise<Form | BodyRefusal> {
  const type = request.headers.get('content-type') ?? '';
  if (!/^(application\/x-www-form-urlencoded|multipart\/form-data)\s*(;|$)/i.test(type)) {
    return 'wrong-type';
  }
  try {
    const bytes = await readBytes(request, bytesMax);
    if (bytes === undefined) return 'too-large';
    return new Form(await new Response(bytes, { headers: { 'content-type': type } }).formData());
  } catch {
    return 'malformed';
  }
}

/** Undefined when there are more than `bytesMax`, which then were not held. */
export async function readBytes(
  request: Request,
  bytesMax: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (Number(request.headers.get('content-length') ?? 0) > bytesMax) return undefined;
  const parts: Uint8Array[] = [];
  let size = 0;
  if (request.body !== null) {
    for await (const part of request.body) {
      size += part.byteLength;
      if (size > bytesMax) return undefined;
      parts.push(part);
    }
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}
