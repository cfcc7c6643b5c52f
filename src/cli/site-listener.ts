// The site's port: node:http in front of the site's Hono app, and /metrics beside it. Bodies, headers
// and connections have bounds here, before a byte of a request is looked at.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import type { Clock } from '#base/clock.ts';
import { codeOf } from '#base/errors.ts';
import type { Random } from '#base/random.ts';
import { inRequest, newRequestId } from '#base/request-scope.ts';
import type { TlsCertificate } from '#net/tls-certificate.ts';
import { isBesidePages } from './banned-networks.ts';
import { addressOf, type ConnectionPlaces, isLoopback } from './connection-places.ts';
import { CliError } from './errors.ts';

const HEADERS_MS_MAX = 10_000;
const REQUEST_MS_MAX = 120_000;
const KEEP_ALIVE_MS = 10_000;
const CONNECTIONS_MAX = 1_000;
const HEADER_BYTES_MAX = 16 * 1024;
/** After this long a stop ends connections that are still busy. */
const CLOSE_MS_MAX = 2_000;

export interface SiteListenerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly address: string;
  readonly port: number;
  /** `peerAddress` is the socket's own; what a proxy says of it is the site's to judge. */
  readonly fetch: (request: Request, env: { readonly peerAddress: string }) => Promise<Response>;
  /** HTTPS instead of HTTP; stays its owner's. */
  readonly certificate: TlsCertificate | undefined;
  /** What is asked below one of these paths is answered there, not by `fetch`. */
  readonly doors?: readonly SiteDoor[];
  /**
   * Asked of whoever wants a door, another protocol, or what `fetch` answers beside pages; the banned get
   * nothing there. Never rejects.
   */
  readonly isBanned?: (request: IncomingMessage) => Promise<boolean>;
  /** Takes over connections that ask for another protocol; undefined: there is none. */
  readonly upgrade?: (request: IncomingMessage, socket: Duplex, head: Uint8Array) => Promise<void>;
  /** Who may have how many connections; undefined: CONNECTIONS_MAX counts alone. */
  readonly places?: ConnectionPlaces;
  /** Prometheus text, for loopback and without a proxy in between only. */
  readonly metrics: () => Promise<string>;
}

export interface SiteDoor {
  /** It begins and ends with a slash; without the last one it is this door's as well. */
  readonly prefix: string;
  /** Never rejects. */
  readonly answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>;
}

export class SiteListener {
  readonly #server: Server | SecureServer;
  readonly #clock: Clock;

  private constructor(options: SiteListenerOptions) {
    this.#clock = options.clock;
    const listener = getRequestListener((request, env) =>
      options.fetch(request, { peerAddress: addressOf((env.incoming as IncomingMessage).socket) }),
    );
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      if (request.url === '/metrics' && request.method === 'GET') {
        void answerMetrics(request, response, options.metrics);
        return;
      }
      const path = `${request.url}/`;
      const door = options.doors?.find(({ prefix }) => path.startsWith(prefix));
      const go = async (): Promise<void> =>
        await (door === undefined ? listener(request, response) : door.answer(request, response));
      const { isBanned } = options;
      if (isBanned === undefined || (door === undefined && !isBesidePages(path))) void go();
      else void isBanned(request).then((is) => (is ? answerBanned(response) : go()));
    };
    const { certificate, random } = options;
    // What a request of outside calls itself is not believed: it could take another one's number.
    const handle = (request: IncomingMessage, response: ServerResponse): void => {
      const requestId = newRequestId(random);
      response.setHeader('x-request-id', requestId);
      inRequest(requestId, () => answer(request, response));
    };
    this.#server =
      certificate === undefined
        ? createServer({ maxHeaderSize: HEADER_BYTES_MAX, shouldUpgradeCallback }, handle)
        : secureServer(certificate, handle);
    const { places } = options;
    if (places !== undefined) this.#server.on('connection', (socket) => places.take(socket));
    const upgrade = options.upgrade ?? noUpgrade;
    this.#server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Uint8Array) => {
      // Whoever goes while it is found out who they are is nobody's failure.
      socket.on('error', () => undefined);
      const take = async (): Promise<void> => {
        if (await options.isBanned?.(request)) socket.end(`HTTP/1.1 403 Forbidden\r\n\r\n`);
        else await upgrade(request, socket, head);
      };
      inRequest(newRequestId(random), take).catch(() => socket.destroy());
    });
    this.#server.headersTimeout = HEADERS_MS_MAX;
    this.#server.requestTimeout = REQUEST_MS_MAX;
    this.#server.keepAliveTimeout = KEEP_ALIVE_MS;
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  /** @throws CliError CLI_PORT_IN_USE */
  static async listen(options: SiteListenerOptions): Promise<SiteListener> {
    const listener = new SiteListener(options);
    const { address, port } = options;
    await new Promise<void>((resolve, reject) => {
      listener.#server.once('error', (cause) => {
        const message = `Cannot open the site's port ${address} ${port}: ${codeOf(cause)}`;
        reject(new CliError('CLI_PORT_IN_USE', message, { cause }));
      });
      listener.#server.listen(port, address, () => resolve());
    });
    return listener;
  }

  /** The port, also when 0 was asked for. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const limit = this.#clock.after(CLOSE_MS_MAX, () => this.#server.closeAllConnections());
    await closed;
    limit.cancel();
  }
}

/** Whoever offers HTTP/2 beside is answered in HTTP/1.1. */
function shouldUpgradeCallback({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}

async function noUpgrade(_request: IncomingMessage, socket: Duplex): Promise<void> {
  socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
}

function secureServer(
  certificate: TlsCertificate,
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): SecureServer {
  const options = {
    ...certificate.pair,
    maxHeaderSize: HEADER_BYTES_MAX,
    minVersion: 'TLSv1.2',
    handshakeTimeout: HEADERS_MS_MAX,
    shouldUpgradeCallback,
  } as const;
  const server = createSecureServer(options, handle);
  const forget = certificate.onChange((pair) => server.setSecureContext(pair));
  server.on('close', forget);
  return server;
}

function answerBanned(response: ServerResponse): void {
  response.writeHead(403, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
  response.end('This network is banned here.\n');
}

async function answerMetrics(
  request: IncomingMessage,
  response: ServerResponse,
  metrics: () => Promise<string>,
): Promise<void> {
  const isLocal = isLoopback(addressOf(request.socket));
  if (!isLocal || isForwarded(request) || !isLoopbackName(request.headers.host)) {
    response.writeHead(403, { 'content-type': 'text/plain; charset=utf-8' });
    response.end('Metrics are for this machine only.\n');
    return;
  }
  try {
    const text = await metrics();
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
    response.end(text);
  } catch {
    // A thread is going down; the scraper tries again.
    response.writeHead(503).end();
  }
}

const PROXY_HEADERS = ['forwarded', 'via', 'x-real-ip', 'x-client-ip', 'true-client-ip'];

/** Behind a proxy on this machine every visitor comes from loopback. */
function isForwarded({ headers }: IncomingMessage): boolean {
  return Object.keys(headers).some(
    (name) => PROXY_HEADERS.includes(name) || /^(x-forwarded-|cf-)/.test(name),
  );
}

/** Another name leads here through a proxy, or by a page that had its own name point to us. */
function isLoopbackName(host: string | undefined): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i.test(host ?? '');
}
