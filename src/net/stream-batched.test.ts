import { describe, test } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { findOrBuildAddon } from '#cli/addon-build.ts';
import { Registry } from '#metrics/registry.ts';
import { loadAddon } from './addon.ts';
import { streamSuite } from './stream.conformance.ts';
import { batchedStreams } from './stream-batched.ts';
import { TurnSlice } from './turn-slice.ts';

const loaded = loadAddon(findOrBuildAddon());
if ('why' in loaded) {
  describe('batchedStreams', () => {
    test('many at once are served', { skip: `no addon: ${loaded.why}` }, () => undefined);
  });
} else {
  const world = {
    clock: new SystemClock(),
    logger: silentLogger,
    metrics: new Registry(),
    addon: loaded.addon,
  };
  streamSuite('batchedStreams', batchedStreams({ ...world, slice: new TurnSlice() }));
  const oneBatch = batchedStreams({ ...world, slice: new TurnSlice(0) });
  streamSuite('batchedStreams, one batch at a time', oneBatch);
}
