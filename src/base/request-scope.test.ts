import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { SeededRandom } from './random.ts';
import { currentRequestId, inRequest, newRequestId, requestIdNow } from './request-scope.ts';

test('what a request starts and awaits knows its number, and nothing else does', async () => {
  const seen: (string | undefined)[] = [];
  const look = async (): Promise<void> => {
    await turn();
    seen.push(currentRequestId());
  };
  await Promise.all([inRequest('one', look), inRequest('two', look), look()]);
  assert.deepEqual(seen.map(String).sort(), ['one', 'two', 'undefined']);
});

test('without a listener a request gets a number of its own', () => {
  const random = new SeededRandom(1, 2);
  assert.match(newRequestId(random), /^[0-9a-f]{16}$/);
  assert.notEqual(requestIdNow(random), requestIdNow(random));
  inRequest('given', () => assert.equal(requestIdNow(random), 'given'));
});
