// The sockets of the load generator: batched ones where the addon is there, as the tracker has them, so
// that the generator costs less than what it measures.

import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { findOrBuildAddon } from '#cli/addon-build.ts';
import { Registry } from '#metrics/registry.ts';
import { openSockets } from '#net/sockets.ts';
import type { OpenUdp } from '#net/udp-socket.ts';

export function openLoadUdp(): OpenUdp {
  const world = { clock: new SystemClock(), logger: silentLogger, metrics: new Registry() };
  return openSockets({ ...world, addon: findOrBuildAddon() }, 'auto').openUdp;
}
