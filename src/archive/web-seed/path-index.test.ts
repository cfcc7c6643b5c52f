import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PathIndex } from './path-index.ts';

test('each of many paths is found with its value, and no other', () => {
  const index = new PathIndex();
  for (let at = 0; at < 20_000; at++) index.add(`folder/${at}`, at % 2 === 0 ? at : -at);
  assert.equal(index.size, 20_000);
  for (let at = 0; at < 20_000; at++) {
    assert.equal(index.get(`folder/${at}`), at % 2 === 0 ? at : -at);
    assert.equal(index.get(`folder/${at} `), undefined);
  }
});

test('a path that was added twice is not found', () => {
  const index = new PathIndex();
  assert.equal(index.get('a'), undefined);
  index.add('a', 1);
  index.add('b', 2);
  index.add('a', 3);
  assert.deepEqual([index.get('a'), index.get('b'), index.size], [undefined, 2, 2]);
  for (let at = 0; at < 2000; at++) index.add(`${at}`, at);
  assert.deepEqual([index.get('a'), index.get('b')], [undefined, 2], 'also when it has grown');
});
