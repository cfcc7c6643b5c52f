// The sockets of the load generator.

import { nodeUdp } from '#net/udp-node.ts';
import type { OpenUdp } from '#net/udp-socket.ts';

export function openLoadUdp(world: Parameters<typeof nodeUdp>[0]): OpenUdp {
  return nodeUdp(world);
}
