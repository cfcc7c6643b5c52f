// Which sockets a thread uses: the batched ones of the addon, or Node's own where it is missing.

import type { Clock } from '#base/clock.ts';
import type { Logger } from '#base/logger.ts';
import type { Registry } from '#metrics/registry.ts';
import { nodeTcp } from './tcp-node.ts';
import type { OpenTcp } from './tcp-server.ts';
import { nodeUdp } from './udp-node.ts';
import type { OpenUdp } from './udp-socket.ts';

/** `auto` takes the batched ones where they are there. */
export type SocketsChoice = 'auto' | 'batched' | 'node';

/** Where the built addon lies, or why there is none. Plain data: it may cross to a thread. */
export type AddonPlace = { readonly path: string } | { readonly why: string };

export interface SocketsWorld {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Registry;
  /** Found or built by cli/. */
  readonly addon: AddonPlace;
}

export interface Sockets {
  readonly kind: 'batched' | 'node';
  /** For the operator, when they are Node's: why. Empty for batched ones. */
  readonly why: string;
  readonly openUdp: OpenUdp;
  readonly openTcp: OpenTcp;
}

export function openSockets(world: SocketsWorld, choice: SocketsChoice): Sockets {
  const why = choice === 'node' ? 'tracker.sockets = "node"' : 'the addon is not there';
  return { kind: 'node', why, openUdp: nodeUdp(world), openTcp: nodeTcp(world) };
}
