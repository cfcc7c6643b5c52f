// Which sockets a thread uses: the batched ones of the addon, or Node's own where it is missing.

import type { Clock } from '#base/clock.ts';
import type { Logger } from '#base/logger.ts';
import type { Registry } from '#metrics/registry.ts';
import { type AddonPlace, loadAddon } from './addon.ts';
import type { DialStream, ListenStream } from './byte-stream.ts';
import { batchedDial, batchedStreams } from './stream-batched.ts';
import { dialNode, listenNode } from './stream-node.ts';
import { batchedTcp } from './tcp-batched.ts';
import { nodeTcp } from './tcp-node.ts';
import type { OpenTcp } from './tcp-server.ts';
import { TurnSlice } from './turn-slice.ts';
import { batchedUdp } from './udp-batched.ts';
import { nodeUdp } from './udp-node.ts';
import type { OpenUdp } from './udp-socket.ts';

/** `auto` takes the batched ones where they are there. */
export type SocketsChoice = 'auto' | 'batched' | 'node';

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

/** `kind` tells what was opened: a missing addon is no error, whatever was chosen. */
export function openSockets(world: SocketsWorld, choice: SocketsChoice): Sockets {
  const own = { kind: 'node', openUdp: nodeUdp(world), openTcp: nodeTcp(world) } as const;
  if (choice === 'node') return { ...own, why: 'the setting tracker.sockets says so' };
  const loaded = loadAddon(world.addon);
  if ('why' in loaded) return { ...own, why: loaded.why };
  const batched = { ...world, addon: loaded.addon, slice: new TurnSlice() };
  return { kind: 'batched', why: '', openUdp: batchedUdp(batched), openTcp: batchedTcp(batched) };
}

/** Where streams are accepted: by the addon where it is there and may be used, else by Node's sockets. */
export function listenStreams(world: SocketsWorld, choice: SocketsChoice): ListenStream {
  const loaded = choice === 'node' ? undefined : loadAddon(world.addon);
  if (loaded === undefined || 'why' in loaded) return listenNode;
  return batchedStreams({ ...world, addon: loaded.addon, slice: new TurnSlice() });
}

/** How streams are dialled: by the addon where it is there, else by Node's sockets. */
export function dialStreams(world: SocketsWorld): DialStream {
  const loaded = loadAddon(world.addon);
  if ('why' in loaded) return dialNode;
  return batchedDial({ ...world, addon: loaded.addon, slice: new TurnSlice() });
}
