import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BytesMap } from './bytes-map.ts';
import { SeededRandom } from './random.ts';

test('a map of bytes does what a map of strings does, over thousands of random changes', () => {
  const random = new SeededRandom(5);
  const map = new BytesMap<number>(20, random.u32());
  const model = new Map<string, number>();
  for (let step = 0; step < 30_000; step++) {
    const key = new Uint8Array(1 + (random.u32() % 20));
    key.fill(random.u32() % 40);
    const text = Buffer.from(key).toString('latin1');
    const choice = random.u32() % 8;
    if (choice < 4) {
      map.set(key, step);
      model.set(text, step);
    } else if (choice < 7) {
      assert.equal(map.delete(key), model.delete(text));
    } else if (step % 5000 === 0) {
      map.clear();
      model.clear();
    }
    assert.equal(map.get(key), model.get(text));
    assert.equal(map.has(key), model.has(text));
    assert.equal(map.size, model.size);
  }
});

test('keys are copied, and only their first bytes are looked at', () => {
  const map = new BytesMap<string>(8);
  const key = new Uint8Array([1, 2, 3]);
  map.set(key, 'a');
  key[0] = 9;
  assert.equal(map.get(new Uint8Array([1, 2, 3, 4, 5]), 3), 'a');
  assert.equal(map.get(new Uint8Array([1, 2, 3, 4, 5])), undefined);
  assert.equal(map.get(new Uint8Array(40)), undefined);
});

test('adding and deleting without end keeps searches short', () => {
  const map = new BytesMap<number>(4);
  const key = new Uint8Array(4);
  for (let step = 0; step < 200_000; step++) {
    new DataView(key.buffer).setUint32(0, step);
    map.set(key, step);
    new DataView(key.buffer).setUint32(0, step - 10);
    map.delete(key);
  }
  assert.equal(map.size, 10);
});
