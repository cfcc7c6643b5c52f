// Byte streams over Node's own sockets: TCP, TLS on TCP, UNIX.

import {
  createConnection,
  createServer,
  type NetConnectOpts,
  type Server,
  type Socket,
} from 'node:net';
import {
  connect as connectTls,
  createSecureContext,
  createServer as createTlsServer,
} from 'node:tls';
import { codeOf } from '#base/errors.ts';
import {
  type ByteStream,
  placeUrl,
  type StreamHandler,
  type StreamListener,
  type StreamPlace,
  type StreamTls,
} from './byte-stream.ts';
import { NetError } from './errors.ts';

/** A peer that is gone without a word is noticed by the kernel after about this long. */
const KEEP_ALIVE_MS = 30_000;
const BACKLOG = 512;
/** A TLS peer that does not finish its handshake in this time is dropped. */
const HANDSHAKE_MS_MAX = 10_000;

class NodeStream implements ByteStream {
  readonly peer: string;
  readonly #socket: Socket;
  #isGathering = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    const { remoteAddress, remotePort } = socket;
    this.peer = remoteAddress === undefined ? 'unix' : `${remoteAddress}:${remotePort}`;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
  }

  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  start(handler: StreamHandler): void {
    const socket = this.#socket;
    let failure: Error | undefined;
    socket.on('data', (bytes) => handler.onData(bytes));
    socket.on('drain', () => handler.onDrain());
    socket.on('end', () => handler.onEnd());
    socket.on('error', (error) => {
      failure = error;
    });
    socket.on('close', () => handler.onClosed(failure));
    if (socket.destroyed) queueMicrotask(() => handler.onClosed(undefined));
  }

  write(bytes: Uint8Array | string): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  gather(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    this.#socket.cork();
    process.nextTick(() => {
      this.#isGathering = false;
      this.#socket.uncork();
    });
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** A socket that came by another way, an upgrade of HTTP for one. Its owner hands it over whole. */
export function streamOfSocket(socket: Socket): ByteStream {
  return new NodeStream(socket);
}

/** As ListenStream says. A UNIX socket's file must not be there; the caller removes and protects it. */
export async function listenNode(
  place: StreamPlace,
  onStream: (stream: ByteStream) => void,
  onFailed: (error: Error) => void,
): Promise<StreamListener> {
  const server = makeServer(place, (socket) => onStream(new NodeStream(socket)));
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new NetError('NET_BIND_FAILED', `Cannot listen on ${placeUrl(place)}: ${codeOf(cause)}`, {
          cause,
        }),
      );
    });
    const where =
      place.kind === 'unix' ? { path: place.path } : { host: place.host, port: place.port };
    server.listen({ ...where, backlog: BACKLOG }, () => resolve());
  });
  server.removeAllListeners('error');
  server.on('error', onFailed);
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  let closing: Promise<void> | undefined;
  return {
    url: placeUrl(place.kind === 'unix' ? place : { ...place, port }),
    close: () => {
      // Not awaited to its end: Node calls back only when the last stream is gone as well.
      closing ??= new Promise((resolve) => {
        server.close();
        resolve();
      });
      return closing;
    },
  };
}

function makeServer(place: StreamPlace, onSocket: (socket: Socket) => void): Server {
  if (place.kind === 'unix' || place.tls === undefined) {
    return createServer({ allowHalfOpen: true }, onSocket);
  }
  const { key, certificate } = place.tls;
  const options = {
    ...contextOf(place.tls),
    ...(key && { key }),
    ...(certificate && { cert: certificate }),
  };
  const server = createTlsServer(
    { ...options, allowHalfOpen: true, handshakeTimeout: HANDSHAKE_MS_MAX, minVersion: 'TLSv1.2' },
    onSocket,
  );
  // A peer that speaks no TLS is its own problem; the socket is destroyed by Node.
  server.on('tlsClientError', () => {});
  return server;
}

/** @throws NetError NET_DIAL_FAILED, NET_TLS_INVALID; rejects with the signal's reason */
export function dialNode(place: StreamPlace, signal: AbortSignal): Promise<ByteStream> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const isTls = place.kind === 'tcp' && place.tls !== undefined;
    const socket = open(place);
    const done = (): void => {
      signal.removeEventListener('abort', abort);
      socket.removeListener('error', fail);
    };
    const abort = (): void => {
      done();
      socket.on('error', () => {});
      socket.destroy();
      reject(signal.reason);
    };
    const fail = (cause: Error): void => {
      done();
      socket.destroy();
      const message = `Cannot reach ${placeUrl(place)}: ${codeOf(cause) ?? cause.message}`;
      reject(new NetError('NET_DIAL_FAILED', message, { cause }));
    };
    signal.addEventListener('abort', abort, { once: true });
    socket.on('error', fail);
    socket.once(isTls ? 'secureConnect' : 'connect', () => {
      done();
      resolve(new NodeStream(socket));
    });
  });
}

function open(place: StreamPlace): Socket {
  if (place.kind === 'unix') return createConnection({ path: place.path, allowHalfOpen: true });
  const { host, port, tls } = place;
  const options: NetConnectOpts = { host, port, allowHalfOpen: true };
  if (tls === undefined) return createConnection(options);
  const servername = tls.serverName ?? host;
  return connectTls({ ...options, ...contextOf(tls), servername, minVersion: 'TLSv1.2' });
}

/** @throws NetError NET_TLS_INVALID before anything is opened */
function contextOf(tls: StreamTls): { readonly ca?: string } {
  const { key, certificate, ca } = tls;
  try {
    createSecureContext({
      ...(key === undefined ? undefined : { key }),
      ...(certificate === undefined ? undefined : { cert: certificate }),
      ...(ca === undefined ? undefined : { ca }),
    });
  } catch (cause) {
    throw new NetError('NET_TLS_INVALID', 'Cannot use the TLS key or certificate', { cause });
  }
  return ca === undefined ? {} : { ca };
}
