// A client of the HTTP tracker protocol for tests: its own requests, its own reader of bencoding.

import { connect, type Socket } from 'node:net';
import { type ClientAnnounce, compactPeers } from './udp-client.ts';

export type Bencoded = number | Buffer | readonly Bencoded[] | ReadonlyMap<string, Bencoded>;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** The body as a dictionary; empty when it is none. */
  readonly fields: ReadonlyMap<string, Bencoded>;
  readonly failure: string;
  readonly warning: string;
  readonly peers: readonly string[];
  readonly peers6: readonly string[];
}

export function announceTarget(path: string, announce: ClientAnnounce, more = ''): string {
  const { infoHash, peerId, event = 'none' } = announce;
  const parts = [
    `info_hash=${escapeBytes(Buffer.from(infoHash, 'hex'))}`,
    `peer_id=${escapeBytes(Buffer.from(peerId, 'latin1'))}`,
    `port=${announce.port ?? 6881}`,
    `uploaded=${announce.uploaded ?? 0}`,
    `downloaded=${announce.downloaded ?? 0}`,
    `left=${announce.left ?? 0}`,
    'compact=1',
  ];
  if (event !== 'none') parts.push(`event=${event}`);
  if (announce.key !== undefined) parts.push(`key=${announce.key.toString(16)}`);
  if (announce.numwant !== undefined) parts.push(`numwant=${announce.numwant}`);
  return `${path}?${parts.join('&')}${more}`;
}

export function scrapeTarget(path: string, hashes: readonly string[]): string {
  const parts = hashes.map((hash) => `info_hash=${escapeBytes(Buffer.from(hash, 'hex'))}`);
  return `${path}?${parts.join('&')}`;
}

export function escapeBytes(bytes: Uint8Array): string {
  return [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
}

/** One kept-alive connection; answers come in the order of the requests. */
export class HttpClient {
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  #ended = false;
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    // A test that failed must not keep the process.
    socket.unref();
    this.#socket = socket;
    socket.on('data', (chunk) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      this.#wake();
    });
    const end = (): void => {
      this.#ended = true;
      this.#wake();
    };
    socket.on('end', end);
    socket.on('close', end);
    socket.on('error', end);
  }

  static open(port: number, address = '127.0.0.1', from?: string): Promise<HttpClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: address, ...(from && { localAddress: from }) });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new HttpClient(socket)));
    });
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  async get(target: string): Promise<HttpAnswer> {
    this.send(`GET ${target} HTTP/1.1\r\nHost: tracker\r\n\r\n`);
    return await this.answer();
  }

  send(text: string | Uint8Array): void {
    this.#socket.write(text);
  }

  /** The next answer. @throws when the connection ends first or nothing comes for 30 seconds */
  async answer(): Promise<HttpAnswer> {
    for (;;) {
      const answer = this.#take();
      if (answer !== undefined) return answer;
      if (this.#ended) throw new Error('the connection ended before an answer');
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error('no answer in 30 seconds')), 30_000);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(): HttpAnswer | undefined {
    const headEnd = this.#bytes.indexOf('\r\n\r\n');
    if (headEnd < 0) return undefined;
    const lines = this.#bytes.subarray(0, headEnd).toString('latin1').split('\r\n');
    const headers = new Map(
      lines.slice(1).map((line) => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
      }),
    );
    const length = Number(headers.get('content-length'));
    const bodyAt = headEnd + 4;
    if (this.#bytes.byteLength < bodyAt + length) return undefined;
    const body = Buffer.from(this.#bytes.subarray(bodyAt, bodyAt + length));
    this.#bytes = this.#bytes.subarray(bodyAt + length);
    return readAnswer(Number(lines[0]?.split(' ')[1]), headers, body);
  }
}

function readAnswer(
  status: number,
  headers: ReadonlyMap<string, string>,
  body: Buffer,
): HttpAnswer {
  const fields = status === 200 && body[0] === 0x64 ? readDictionary(body) : new Map();
  return {
    status,
    headers,
    body,
    fields,
    failure: textOf(fields.get('failure reason')),
    warning: textOf(fields.get('warning message')),
    peers: compactPeers(bytesOf(fields.get('peers')), 4),
    peers6: compactPeers(bytesOf(fields.get('peers6')), 6),
  };
}

function textOf(value: Bencoded | undefined): string {
  return Buffer.isBuffer(value) ? value.toString() : '';
}

function bytesOf(value: Bencoded | undefined): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.alloc(0);
}

/** The whole body as one dictionary. @throws when it is not exactly that */
export function readDictionary(bytes: Buffer): ReadonlyMap<string, Bencoded> {
  const { value, next } = readValue(bytes, 0);
  if (next !== bytes.byteLength) throw new Error('bytes follow the dictionary');
  if (!(value instanceof Map)) throw new Error('the body is no dictionary');
  return value;
}

function readValue(bytes: Buffer, at: number): { value: Bencoded; next: number } {
  const type = String.fromCharCode(bytes[at] ?? 0);
  if (type === 'i') {
    const end = bytes.indexOf('e', at);
    return { value: Number(bytes.subarray(at + 1, end).toString()), next: end + 1 };
  }
  if (type === 'l') {
    const list: Bencoded[] = [];
    let next = at + 1;
    while (bytes[next] !== 0x65) {
      const item = readValue(bytes, next);
      list.push(item.value);
      next = item.next;
    }
    return { value: list, next: next + 1 };
  }
  if (type === 'd') return readPairs(bytes, at + 1);
  const colon = bytes.indexOf(':', at);
  if (!/^[0-9]$/.test(type) || colon < 0) throw new Error(`no bencoding at ${at}`);
  const length = Number(bytes.subarray(at, colon).toString());
  return { value: bytes.subarray(colon + 1, colon + 1 + length), next: colon + 1 + length };
}

function readPairs(bytes: Buffer, at: number): { value: Bencoded; next: number } {
  const map = new Map<string, Bencoded>();
  let next = at;
  let previous = '';
  while (bytes[next] !== 0x65) {
    const key = readValue(bytes, next);
    const text = (key.value as Buffer).toString('latin1');
    if (text <= previous && previous !== '') throw new Error('keys are not in order');
    previous = text;
    const item = readValue(bytes, key.next);
    map.set(text, item.value);
    next = item.next;
  }
  return { value: map, next: next + 1 };
}
