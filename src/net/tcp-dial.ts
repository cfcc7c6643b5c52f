// Tries whether a TCP port answers, and says nothing to who does.

import { connect } from 'node:net';

/** `silent`: nothing came back in time, or no way leads there. */
export type DialResult = 'open' | 'refused' | 'silent';

export type Dial = (to: {
  readonly address: string;
  readonly port: number;
  readonly msMax: number;
}) => Promise<DialResult>;

/** Never rejects. The connection is reset as soon as it is open. */
export const dialTcp: Dial = ({ address, port, msMax }) =>
  new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: msMax });
    const end = (result: DialResult): void => {
      socket.destroy();
      resolve(result);
    };
    socket.once('connect', () => end('open'));
    socket.once('timeout', () => end('silent'));
    socket.once('error', (error: NodeJS.ErrnoException) =>
      end(error.code === 'ECONNREFUSED' ? 'refused' : 'silent'),
    );
  });
