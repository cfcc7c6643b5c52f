import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { allInShort, inShort } from './failure-text.ts';

function thrown(run: () => void): string {
  try {
    run();
  } catch (error) {
    return inspect(error);
  }
  return assert.fail('it threw');
}

test('a failure in short says where, what and which line of the test', () => {
  const reason = thrown(() => assert.equal(4, 3));
  const [first, ...rest] = inShort({ where: 'src/a.test.ts: counts', reason }).split('\n');
  assert.equal(first, 'FAIL  src/a.test.ts: counts');
  assert.match(rest.join('\n'), /AssertionError.*strictly equal/);
  assert.match(rest.join('\n'), /4 !== 3/);
  assert.match(rest.at(-1) ?? '', /failure-text\.test\.ts:\d+/);
});

test('of a difference the lines that differ are shown', () => {
  const reason = thrown(() => assert.deepEqual({ a: 1, b: [1, 2, 3] }, { a: 1, b: [1, 2, 4] }));
  const lines = inShort({ where: 'here', reason }).split('\n');
  assert.deepEqual(
    lines.slice(2, 4).map((line) => line.replaceAll(/\s/g, '')),
    ['+3', '-4'],
  );
});

test('however many and long they are, failures in short fit the last forty lines', () => {
  const long = thrown(() => assert.deepEqual(Array(500).fill('x'.repeat(900)), []));
  const failures = Array.from({ length: 12 }, (_, at) => ({ where: `file ${at}`, reason: long }));
  const lines = allInShort(failures).split('\n');
  assert.ok(lines.length < 36, `${lines.length} lines`);
  assert.ok(lines.every((line) => line.length < 320));
  assert.equal(lines.at(-1), 'and 7 more, told above');
  const stuck = { where: 'the process of src/log', reason: 'It did not end in 9 s.' };
  assert.equal(allInShort([stuck]), 'FAIL  the process of src/log\n      It did not end in 9 s.');
});
