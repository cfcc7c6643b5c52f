// Asks other servers by HTTP/1.1: one request, one whole answer in memory, over connections that are
// kept for the next one. What to do about a failure is the caller's business; nothing is asked twice here.

import { type ClientRequest, type IncomingMessage, Agent as PlainAgent, request } from 'node:http';
import { request as requestTls, Agent as TlsAgent } from 'node:https';
import { codeOf } from '#base/errors.ts';
import { NetError } from './errors.ts';
import { lookupPublic, refusePrivateHost } from './public-lookup.ts';

export interface HttpRequest {
  readonly method: string;
  /** http: or https: */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as it is, with its length. The caller leaves it unchanged until the answer. */
  readonly body?: Uint8Array;
  /** An answer with a longer body is refused. */
  readonly answerBytesMax: number;
  /** Milliseconds in which no byte moves, after which it is given up. */
  readonly idleMsMax: number;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** Whole; the caller owns it. */
  readonly body: Uint8Array;
}

export interface HttpClient {
  /**
   * Any status is an answer. Rejects with NET_HTTP_FAILED (nothing or not all of it came; the request may
   * have been carried out), NET_HTTP_UNTRUSTED, NET_HTTP_ANSWER_TOO_LARGE, or the signal's reason.
   */
  send(request: HttpRequest): Promise<HttpAnswer>;
  /** Ends connections that are kept; requests under way go on. */
  close(): void;
}

/** Over Node's own sockets. Names are looked up, and certificates checked, as Node does it. */
export class NodeHttpClient implements HttpClient {
  readonly #plain = new PlainAgent({ keepAlive: true });
  readonly #tls = new TlsAgent({ keepAlive: true });
  readonly #isPublicOnly: boolean;

  /** `isPublicOnly`: for URLs that somebody else chose; private addresses are NET_ADDRESS_FORBIDDEN. */
  constructor(options: { readonly isPublicOnly?: boolean } = {}) {
    this.#isPublicOnly = options.isPublicOnly ?? false;
  }

  async send(asked: HttpRequest): Promise<HttpAnswer> {
    asked.signal?.throwIfAborted();
    if (this.#isPublicOnly) refusePrivateHost(asked.url);
    const isTls = asked.url.protocol === 'https:';
    const { method, headers, body } = asked;
    const length = body === undefined ? {} : { 'content-length': String(body.byteLength) };
    const sent = (isTls ? requestTls : request)(asked.url, {
      method,
      headers: { ...headers, ...length },
      agent: isTls ? this.#tls : this.#plain,
      timeout: asked.idleMsMax,
      ...(this.#isPublicOnly ? { lookup: lookupPublic } : {}),
    });
    try {
      return await answerOf(sent, asked);
    } catch (error) {
      sent.destroy();
      asked.signal?.throwIfAborted();
      throw asNetError(error, asked.url);
    }
  }

  close(): void {
    this.#plain.destroy();
    this.#tls.destroy();
  }
}

function answerOf(sent: ClientRequest, asked: HttpRequest): Promise<HttpAnswer> {
  const { signal, body } = asked;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal?.reason);
    const settle = (): void => signal?.removeEventListener('abort', abort);
    const fail = (error: unknown): void => {
      settle();
      reject(error);
    };
    let hasAnswer = false;
    signal?.addEventListener('abort', abort, { once: true });
    sent.once('timeout', () => fail(new Error(`nothing moved for ${asked.idleMsMax} ms`)));
    // A server that refuses a long body answers and hangs up while it is still being sent.
    sent.on('error', (error) => {
      if (!hasAnswer) fail(error);
    });
    sent.once('response', (message) => {
      hasAnswer = true;
      readBody(message, asked).then((whole) => {
        settle();
        resolve({
          status: message.statusCode ?? 0,
          headers: message.headers as Record<string, string | undefined>,
          body: whole,
        });
      }, fail);
    });
    sent.end(body);
  });
}

function readBody(message: IncomingMessage, asked: HttpRequest): Promise<Uint8Array> {
  const bytesMax = asked.answerBytesMax;
  const length = message.headers['content-length'];
  // The length that the answer to a HEAD names is that of a body that does not come.
  const announced = asked.method === 'HEAD' || length === undefined ? 0 : Number(length);
  const whole = announced <= bytesMax ? Buffer.allocUnsafeSlow(announced) : undefined;
  const parts: Uint8Array[] = [];
  let total = 0;
  return new Promise((resolve, reject) => {
    const refuse = (): void =>
      reject(
        new NetError('NET_HTTP_ANSWER_TOO_LARGE', `An answer has more than ${bytesMax} bytes`),
      );
    if (whole === undefined) refuse();
    message.on('data', (part: Uint8Array) => {
      const at = total;
      total += part.byteLength;
      if (total > bytesMax) refuse();
      else if (length === undefined) parts.push(part);
      else whole?.set(part, at);
    });
    message.once('end', () => resolve(length === undefined ? Buffer.concat(parts) : whole!));
    message.once('error', reject);
  });
}

const UNTRUSTED =
  /^(?:CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_(?:GET|VERIFY)_|ERR_TLS_CERT_|HOSTNAME_MISMATCH)/;

function asNetError(error: unknown, url: URL): NetError {
  if (error instanceof NetError) return error;
  const isUntrusted = UNTRUSTED.test(codeOf(error) ?? '');
  const code = isUntrusted ? 'NET_HTTP_UNTRUSTED' : 'NET_HTTP_FAILED';
  return new NetError(code, `No answer from ${url.host}`, { cause: error });
}
