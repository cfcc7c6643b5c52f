import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Chains, hashOfId, type Linked, sameId, WsId } from './ws-ids.ts';

test('an id is equal to its own twenty bytes and to no others, and gives them back', () => {
  for (let round = 0; round < 200; round++) {
    const bytes = new Uint8Array(randomBytes(20));
    const id = new WsId(bytes);
    assert.ok(id.equals(bytes) && sameId(bytes, id.toBytes()));
    assert.deepEqual(id.toBytes(), bytes);
    for (let at = 0; at < 20; at++) {
      const other = bytes.slice();
      other[at]! ^= 1 << (round & 7);
      assert.ok(!id.equals(other) && !sameId(bytes, other));
      assert.notEqual(hashOfId(other), hashOfId(bytes));
    }
  }
});

test('entries with one hash hang on each other and are told apart by who asks', () => {
  interface Entry extends Linked<Entry> {
    readonly name: string;
  }
  const chains = new Chains<Entry>();
  const add = (hash: number, name: string): Entry => {
    const entry: Entry = { hash, name, next: undefined };
    chains.add(entry);
    return entry;
  };
  const names = (): string => [...chains.values()].map(({ name }) => name).join('');
  const [a, b, c, d] = [add(7, 'a'), add(7, 'b'), add(7, 'c'), add(8, 'd')];
  assert.deepEqual([chains.size, names()], [4, 'cbad']);
  chains.remove(b);
  chains.remove(b);
  assert.deepEqual([chains.size, names()], [3, 'cad']);
  chains.remove(c);
  assert.equal(chains.first(7), a);
  for (const entry of chains.values()) if (entry !== d) chains.remove(entry);
  assert.deepEqual([chains.size, names(), chains.first(7)], [1, 'd', undefined]);
  chains.clear();
  assert.deepEqual([chains.size, names()], [0, '']);
});
