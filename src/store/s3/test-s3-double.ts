// For tests: a double of an S3 service with faults that a real one does not have on demand. It keeps one
// bucket in memory, looks at key id, region, time and the hash of the body (signatures are what the real
// service in s3.server.test.ts is for), and does to each request what `fault` says.

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type S3Fault =
  /** Instead of doing it. */
  | { readonly status: number; readonly code?: string; readonly headers?: Record<string, string> }
  /** Nothing is done and no byte comes. */
  | 'silent'
  /** The connection is reset and nothing was done. */
  | 'cut'
  /** It is done, then the connection is reset. */
  | 'lost'
  /** It is done, the connection is reset in the middle of the answer's body. */
  | 'half'
  /** One bit of the answer's body is another. */
  | 'flipped'
  /** The last byte of the answer's body lacks, and its length says so. */
  | 'short'
  /** 200 and a page for people, as a proxy may say. */
  | 'page'
  /** It is done, and the answer's bytes come one by one, with pauses. */
  | 'slow';

export interface DoubleRequest {
  readonly method: string;
  /** Empty for the bucket itself. */
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export const DOUBLE_BUCKET = 'blobs';
export const DOUBLE_KEYS = { accessKeyId: 'AKDOUBLE', secretAccessKey: 'a-secret-of-the-double' };
const SKEW_MS_MAX = 15 * 60_000;
const SLOW_BYTES = 16;

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export class S3Double {
  readonly objects = new Map<string, Uint8Array>();
  /** Every request that came, in order. */
  readonly requests: DoubleRequest[] = [];
  fault: (request: DoubleRequest) => S3Fault | undefined = () => undefined;
  keysPerPageMax = 1000;
  /** Whether a truncated page names a token. */
  hasTokens = true;
  region = 'us-east-1';
  /** Requests that are under way, and the most that ever were. */
  underWay = 0;
  underWayMost = 0;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<S3Double> {
    const server = createServer();
    const double = new S3Double(server);
    server.on('request', (request, response) => double.#receive(request, response));
    server.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    return double;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #receive(message: IncomingMessage, response: ServerResponse): void {
    this.underWayMost = Math.max(this.underWayMost, ++this.underWay);
    // Before the other side can know of it; a connection that is cut has no end.
    let isOver = false;
    const end = (): void => {
      if (!isOver) this.underWay--;
      isOver = true;
    };
    response.once('prefinish', end).once('close', end);
    const parts: Uint8Array[] = [];
    message.on('data', (part: Uint8Array) => parts.push(part));
    message.once('end', () => {
      const url = new URL(message.url ?? '', this.endpoint);
      const [, bucket, ...rest] = decodeURIComponent(url.pathname).split('/');
      const { method = '', headers } = message;
      const request = { method, key: rest.join('/'), query: url.searchParams, headers };
      this.requests.push(request);
      const body = Buffer.concat(parts);
      const answer = (): Answer =>
        this.#refusal(request, body) ??
        (bucket === DOUBLE_BUCKET ? this.#do(request, body) : failure(404, 'NoSuchBucket'));
      send({ response, method, answer, fault: this.fault(request) });
    });
  }

  #refusal({ headers }: DoubleRequest, body: Uint8Array): Answer | undefined {
    const scope = /Credential=([^/]+)\/[0-9]{8}\/([^/]+)\/s3\//.exec(
      headers['authorization'] as string,
    );
    if (scope?.[1] !== DOUBLE_KEYS.accessKeyId) return failure(403, 'InvalidAccessKeyId');
    if (scope[2] !== this.region) {
      return failure(400, 'AuthorizationHeaderMalformed', `<Region>${this.region}</Region>`);
    }
    const date = String(headers['x-amz-date']);
    const time = date.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5');
    if (Math.abs(Date.parse(time) - Date.now()) > SKEW_MS_MAX) {
      return failure(403, 'RequestTimeTooSkewed');
    }
    const hash = createHash('sha256').update(body).digest('hex');
    if (headers['x-amz-content-sha256'] !== hash) return failure(400, 'XAmzContentSHA256Mismatch');
    return undefined;
  }

  #do({ method, key, query }: DoubleRequest, body: Uint8Array): Answer {
    if (key === '') return this.#list(query);
    if (method === 'PUT') {
      this.objects.set(key, body);
      return { status: 200, headers: { etag: etagOf(body) } };
    }
    const object = this.objects.get(key);
    if (method === 'DELETE') {
      this.objects.delete(key);
      return { status: 204 };
    }
    if (object === undefined) return failure(404, 'NoSuchKey');
    return { status: 200, headers: { etag: etagOf(object) }, body: object };
  }

  #list(query: URLSearchParams): Answer {
    const prefix = query.get('prefix') ?? '';
    const from = query.get('continuation-token') ?? query.get('start-after') ?? '';
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > from);
    const count = Math.min(Number(query.get('max-keys') ?? 1000), this.keysPerPageMax);
    const page = keys.sort().slice(0, count);
    const isTruncated = page.length < keys.length;
    const contents = page.map((key) => {
      const size = this.objects.get(key)?.byteLength;
      return `<Contents><Key>${encodeURIComponent(key)}</Key><Size>${size}</Size></Contents>`;
    });
    const token = isTruncated && this.hasTokens ? page.at(-1) : undefined;
    const next = token === undefined ? '' : element('NextContinuationToken', token);
    const head = `${element('EncodingType', 'url')}${element('IsTruncated', String(isTruncated))}`;
    return {
      status: 200,
      body: `<?xml version="1.0"?>\n${element('ListBucketResult', `${head}${next}${contents.join('')}`)}`,
    };
  }
}

function element(name: string, content: string): string {
  return `<${name}>${content}</${name}>`;
}

function etagOf(bytes: Uint8Array): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`;
}

function failure(status: number, code: string, more = ''): Answer {
  const words = `${element('Code', code)}${element('Message', `No: ${code}`)}${more}`;
  return { status, body: `<?xml version="1.0"?>${element('Error', words)}` };
}

function send(to: {
  readonly response: ServerResponse;
  readonly method: string;
  readonly answer: () => Answer;
  readonly fault: S3Fault | undefined;
}): void {
  const { response, method, fault } = to;
  if (fault === 'silent') return;
  if (fault === 'cut') {
    response.socket?.resetAndDestroy();
    return;
  }
  const answer = answerUnder(fault, to.answer);
  if (fault === 'lost') {
    response.socket?.resetAndDestroy();
    return;
  }
  const bytes = Buffer.from(answer.body ?? '');
  if (fault === 'flipped' && bytes.byteLength > 0) bytes[bytes.byteLength >> 1]! ^= 1;
  const body = fault === 'short' ? bytes.subarray(0, -1) : bytes;
  response.writeHead(answer.status, { ...answer.headers, 'content-length': body.byteLength });
  if (method === 'HEAD') response.end();
  else if (fault === 'half') {
    const half = body.subarray(0, body.byteLength >> 1);
    response.write(half, () => response.socket?.resetAndDestroy());
    response.flushHeaders();
  } else if (fault === 'slow') sendSlowly(response, body);
  else response.end(body);
}

function answerUnder(fault: S3Fault | undefined, answer: () => Answer): Answer {
  if (fault === 'page') {
    return { status: 200, headers: { 'content-type': 'text/html' }, body: '<html>Welcome</html>' };
  }
  if (typeof fault !== 'object') return answer();
  const said = fault.code === undefined ? {} : failure(fault.status, fault.code);
  return { ...said, status: fault.status, headers: fault.headers ?? {} };
}

function sendSlowly(response: ServerResponse, body: Uint8Array): void {
  const step = Math.max(1, Math.ceil(body.byteLength / SLOW_BYTES));
  let at = 0;
  const next = (): void => {
    const part = body.subarray(at, at + step);
    at += step;
    if (at >= body.byteLength) {
      response.end(part);
      return;
    }
    response.write(part);
    setTimeout(next, 2);
  };
  next();
}
