import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '#base/random.ts';
import { mutate } from '#sim/mutations.ts';
import { testSeed } from '#sim/seed.ts';
import { decodeBencode } from './bencode.ts';
import { skimDict, skimInSteps, skimLeaves, skimList, skimString } from './bencode-skim.ts';

const TEXT = 'd1:ai-5e1:bd1:xli1e2:yyee1:cl0:de3:abce3:dddd1:kleee';

test('a dictionary is skimmed to the entries that decoding it gives', (context) => {
  const random = new SeededRandom(testSeed(context, 3));
  const whole = Buffer.from(TEXT, 'latin1');
  let same = 0;
  for (let round = 0; round < 20_000; round++) {
    const bytes = round === 0 ? whole : mutate(whole, random);
    const skimmed = skimDict(bytes);
    const decoded = decodeBencode(bytes);
    if (!decoded.ok || decoded.node.kind !== 'dict') continue;
    const expected = [...decoded.node.entries].map(([key, { start, end }]) => {
      return [key, Buffer.from(bytes.subarray(start, end)).toString('latin1')];
    });
    const found = [...(skimmed ?? [])].map(([key, value]) => {
      return [key, Buffer.from(value).toString('latin1')];
    });
    assert.deepEqual(found, expected);
    same += 1;
  }
  assert.ok(same > 100, `${same} could be decoded`);
});

test('what is no dictionary, or has a key twice, is not skimmed', () => {
  const wrong = ['', 'd', 'le', 'i1e', 'd1:a', 'd1:ae', 'd1:ai1e', 'd1:ai1eee', 'd01:ai1ee'];
  for (const text of [...wrong, 'd1:ai1e1:ai2ee', 'di1ei2ee', 'd9999999999:ae', 'd1:a5:xe']) {
    assert.equal(skimDict(Buffer.from(text)), undefined, text);
  }
  assert.deepEqual(skimDict(Buffer.from('de')), new Map());
});

test('a dictionary of more than a thousand keys is not skimmed', () => {
  const ofKeys = (count: number): Buffer => {
    const keys = Array.from({ length: count }, (_, at) => `4:${String(at).padStart(4, '0')}le`);
    return Buffer.from(`d${keys.join('')}e`);
  };
  assert.equal(skimDict(ofKeys(1000))?.size, 1000);
  assert.equal(skimDict(ofKeys(1001)), undefined);
});

test('others have their turns also while many entries of many values are passed', () => {
  const values = 'le'.repeat(10_000);
  const keys = Array.from({ length: 50 }, (_, at) => `2:${at + 10}l${values}e`);
  const steps = skimInSteps(Buffer.from(`d${keys.join('')}e`));
  let count = 1;
  let last = steps.next();
  for (; last.done !== true; count++) last = steps.next();
  assert.equal(last.value?.size, 50);
  assert.ok(count >= 10, `${count} steps`);
});

test('a list is skimmed item by item, and a tree leaf by leaf, as far as they are such', () => {
  const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
  const items = (text: string): string[] =>
    Array.from(skimList(bytes(text)), (item) => Buffer.from(item).toString('latin1'));
  assert.deepEqual(items('li1e2:abl0:ed1:ai1eee'), ['i1e', '2:ab', 'l0:e', 'd1:ai1ee']);
  assert.deepEqual(items('le'), []);
  assert.deepEqual(items('li1ex'), ['i1e']);
  assert.deepEqual(items('de'), []);
  const leaves = (text: string): unknown[] =>
    Array.from(skimLeaves(bytes(text)), ({ path, entries }) => [
      path.join('/'),
      [...entries.keys()],
    ]);
  const file = 'd0:d6:lengthi5eee';
  const tree = `d1:ad1:b${file}1:cd1:d${file}ee2:zz${file}e`;
  assert.deepEqual(leaves(tree), [
    ['a/b', ['length']],
    ['a/c/d', ['length']],
    ['zz', ['length']],
  ]);
  assert.deepEqual(leaves('de'), []);
  assert.deepEqual(leaves(`d1:a${file}`), [['a', ['length']]]);
  assert.deepEqual(leaves(`d1:a${file}1:bi5ee`), [['a', ['length']]]);
  assert.deepEqual(skimString(bytes('3:abc')), bytes('abc'));
  assert.equal(skimString(bytes('3:abcd')), undefined);
});
