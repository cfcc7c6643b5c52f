// TLS in front of the same slots: Node's own TLS feeds tcp-node.ts, so that HTTPS and secure WebSocket
// are parsed by the same code as plain ones. A TLS connection has no halves here: a peer that ends its
// side before it has its answer gets no more of it.

import { createServer } from 'node:tls';
import { type NodeTcpWorld, nodeTcp } from './tcp-node.ts';
import type { OpenTcp } from './tcp-server.ts';
import type { TlsCertificate } from './tls-certificate.ts';

const HANDSHAKE_MS_MAX = 10_000;

export interface NodeTlsWorld extends NodeTcpWorld {
  /** Stays its owner's. A new pair is in force for the connections that come after it. */
  readonly certificate: TlsCertificate;
}

export function nodeTls(world: NodeTlsWorld): OpenTcp {
  const { certificate, metrics } = world;
  const failed = metrics.counter(
    'swarmkeep_tls_handshakes_failed_total',
    'TLS connections that ended before they could be spoken to.',
  );
  return nodeTcp(world, {
    event: 'secureConnection',
    make() {
      const server = createServer({
        ...certificate.pair,
        minVersion: 'TLSv1.2',
        ALPNProtocols: ['http/1.1'],
        handshakeTimeout: HANDSHAKE_MS_MAX,
        noDelay: true,
      });
      const forget = certificate.onChange((pair) => server.setSecureContext(pair));
      server.on('close', forget);
      // Whoever speaks no TLS, or leaves in the middle: nothing of ours failed.
      server.on('tlsClientError', () => failed.add(1));
      return server;
    },
  });
}
