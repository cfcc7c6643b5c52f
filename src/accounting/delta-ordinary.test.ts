// The shorter way of computeDelta() against the whole rule.

import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { TRANSFER_EVENT } from '#accounting/transfers/transfer-record.ts';
import { computeDelta, followDelta, newDeltaResult } from './delta.ts';

const NOW = 1_763_700_000;

test('what nearly every announce is takes a shorter way to the same result', () => {
  const small = fc.nat(3);
  const input = fc.record({
    ...{ known: fc.constant(true), uploaded: small, downloaded: small, left: small },
    event: fc.constantFrom(...Object.values(TRANSFER_EVENT)),
    ...{ key: fc.nat(2), nowSeconds: fc.constantFrom(NOW, NOW + 500) },
    resetAfterSeconds: fc.constant(120),
    previous: fc.record({
      ...{ uploaded: small, downloaded: small, left: small, key: fc.nat(2) },
      ...{ sequence: fc.constantFrom(1, 0xffff_ffff), higherAtSeconds: fc.constant(NOW - 60) },
      ...{ completed: fc.boolean(), passed: fc.boolean() },
    }),
  });
  fc.assert(
    fc.property(input, (announced) => {
      const result = newDeltaResult();
      computeDelta(announced, result);
      // Whoever follows the log goes the long way.
      const followed = newDeltaResult();
      assert.ok(followDelta(announced, followed, result));
      assert.deepEqual(result, followed);
      // As a tracker has it that keeps the baseline where the result is.
      const inPlace = newDeltaResult();
      Object.assign(inPlace.next, announced.previous);
      computeDelta({ ...announced, previous: inPlace.next }, inPlace);
      assert.deepEqual(inPlace, result);
    }),
    { numRuns: 2000 },
  );
});
