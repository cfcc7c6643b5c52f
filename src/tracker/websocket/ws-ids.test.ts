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

interface Entry extends Linked<Entry> {
  readonly name: string;
}

function add(chains: Chains<Entry>, hash: number, name: string): Entry {
  const entry: Entry = { hash, name, next: undefined };
  chains.add(entry);
  return entry;
}

function names(chains: Chains<Entry>): string {
  return [...chains.values()]
    .map(({ name }) => name)
    .sort()
    .join('');
}

for (const [what, others] of [
  ['few', ''],
  ['many', 'opqrstuvwxyz'],
] as const) {
  test(`entries with one hash are told apart and removed one by one: ${what} entries`, () => {
    const chains = new Chains<Entry>();
    for (const [at, name] of [...others].entries()) add(chains, 100 + at, name);
    const [a, b, c, d] = [7, 7, 7, 8].map((hash, at) => add(chains, hash, 'abcd'.charAt(at)));
    assert.ok(a !== undefined && b !== undefined && c !== undefined && d !== undefined);
    const found = (entry: Entry): boolean => {
      let at = chains.first(entry.hash);
      while (at !== undefined && at !== entry) at = at.next;
      return at === entry;
    };
    assert.deepEqual([chains.size, names(chains)], [4 + others.length, `abcd${others}`]);
    chains.remove(b);
    chains.remove(b);
    assert.deepEqual([chains.size, names(chains)], [3 + others.length, `acd${others}`]);
    assert.deepEqual([a, b, c, d].map(found), [true, false, true, true]);
    chains.remove(c);
    for (const entry of chains.values()) if (entry !== d) chains.remove(entry);
    assert.deepEqual([chains.size, names(chains), found(d), found(a)], [1, 'd', true, false]);
    chains.clear();
    assert.deepEqual([chains.size, names(chains)], [0, '']);
  });
}
