// Connections that this program makes to peers of a swarm: Node's sockets behind a stream.

import { connect } from 'node:net';
import type { Duplex } from 'node:stream';

export interface TcpAddress {
  readonly address: string;
  readonly port: number;
}

export type ConnectTcp = (to: TcpAddress) => Duplex;

/** Until a connection stands. After that who uses it says what silence means. */
const CONNECT_MS_MAX = 10_000;

/** It ends by `error` or `close` when nobody is there. */
export const connectTcp: ConnectTcp = ({ address, port }) => {
  const socket = connect({ host: address, port, noDelay: true });
  socket.setTimeout(CONNECT_MS_MAX, () => socket.destroy());
  socket.once('connect', () => socket.setTimeout(0));
  return socket;
};
