// The TCP sockets that a tracker's tests run on: Node's own, and the addon's where it can be built.

import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { findOrBuildAddon } from '#cli/addon-build.ts';
import { Registry } from '#metrics/registry.ts';
import { openSockets } from '#net/sockets.ts';
import type { OpenTcp } from '#net/tcp-server.ts';

export interface TestSockets {
  readonly kind: 'node' | 'batched';
  readonly openTcp: OpenTcp;
  /** Why a test on them is left out. */
  readonly skip: string | false;
}

export function testSockets(): readonly TestSockets[] {
  const world = {
    clock: new SystemClock(),
    logger: silentLogger,
    metrics: new Registry(),
    addon: findOrBuildAddon(),
  };
  return (['node', 'batched'] as const).map((kind) => {
    const opened = openSockets(world, kind);
    const skip = opened.kind === kind ? false : `no addon: ${opened.why}`;
    return { kind, openTcp: opened.openTcp, skip };
  });
}
