import { describe, test } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { findOrBuildAddon } from '#cli/addon-build.ts';
import { Registry } from '#metrics/registry.ts';
import { loadAddon } from './addon.ts';
import { batchedTcp } from './tcp-batched.ts';
import { tcpServerSuite } from './tcp-server.conformance.ts';
import { TurnSlice } from './turn-slice.ts';

const loaded = loadAddon(findOrBuildAddon());
if ('why' in loaded) {
  describe('batchedTcp as a TcpServer', () => {
    test('answers requests', { skip: `no addon: ${loaded.why}` }, () => undefined);
  });
} else {
  const world = {
    clock: new SystemClock(),
    logger: silentLogger,
    metrics: new Registry(),
    addon: loaded.addon,
    slice: new TurnSlice(),
  };
  tcpServerSuite('batchedTcp', batchedTcp(world));
  tcpServerSuite(
    'batchedTcp, one batch at a time',
    batchedTcp({ ...world, slice: new TurnSlice(0) }),
  );
  tcpServerSuite(
    'batchedTcp, where the kernel sends nothing together',
    batchedTcp({ ...world, isTogether: false }),
  );
}
