// Connections that peers of a swarm make to this program: Node's sockets behind a stream.

import { createServer, type Server } from 'node:net';
import type { Duplex } from 'node:stream';
import { codeOf } from '#base/errors.ts';
import { NetError } from './errors.ts';
import { formatEndpoint } from './ip-address.ts';
import type { TcpAddress } from './tcp-connect.ts';

export interface TcpListening {
  /** Also when port 0 was asked for. */
  readonly port: number;
  /** Accepts no more; connections that are open stay. */
  close(): Promise<void>;
}

/**
 * `accept` owns each connection; `from` is the address that it comes from, an IPv4 one always as such.
 * More than `connectionsMax` at once are closed unseen. @throws NetError NET_BIND_FAILED
 */
export type ListenTcp = (
  at: TcpAddress & { readonly connectionsMax: number },
  accept: (socket: Duplex, from: string) => void,
) => Promise<TcpListening>;

export const listenTcp: ListenTcp = async ({ address, port, connectionsMax }, accept) => {
  const server = createServer({ noDelay: true }, (socket) => {
    const from = socket.remoteAddress;
    if (from === undefined) socket.destroy();
    else accept(socket, from.startsWith('::ffff:') ? from.slice('::ffff:'.length) : from);
  });
  server.maxConnections = connectionsMax;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      const message = `Cannot listen on ${formatEndpoint(address, port)}: ${codeOf(cause)}`;
      reject(new NetError('NET_BIND_FAILED', message, { cause }));
    });
    server.listen({ host: address, port, ipv6Only: address.includes(':') }, resolve);
  });
  // What fails afterwards is one connection that could not be accepted; the next one may be.
  server.on('error', () => undefined);
  return { port: portOf(server), close: () => closed(server) };
};

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
