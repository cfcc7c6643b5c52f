import { describe, test } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { findOrBuildAddon } from '#cli/addon-build.ts';
import { Registry } from '#metrics/registry.ts';
import { loadAddon } from './addon.ts';
import { TurnSlice } from './turn-slice.ts';
import { batchedUdp } from './udp-batched.ts';
import { udpSocketSuite } from './udp-socket.conformance.ts';

const loaded = loadAddon(findOrBuildAddon());
if ('why' in loaded) {
  describe('batchedUdp as a UdpSocket', () => {
    test('answers datagrams', { skip: `no addon: ${loaded.why}` }, () => undefined);
  });
} else {
  const world = {
    clock: new SystemClock(),
    logger: silentLogger,
    metrics: new Registry(),
    addon: loaded.addon,
    slice: new TurnSlice(),
  };
  udpSocketSuite('batchedUdp', batchedUdp(world));
  udpSocketSuite(
    'batchedUdp, one batch at a time',
    batchedUdp({ ...world, slice: new TurnSlice(0) }),
  );
}
