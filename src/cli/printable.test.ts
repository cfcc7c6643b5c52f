import assert from 'node:assert/strict';
import { test } from 'node:test';
import { printable, printableItem } from './printable.ts';
import { errorLine } from './terminal.ts';

test('a name says what it is on one line, whatever is in it', () => {
  assert.equal(
    printable('a\nb\tc\u001b[2Jd\u0007\u009b\u202e'),
    'a\\nb\\tc\\x1b[2Jd\\x07\\x9b\\u202e',
  );
  assert.equal(printable('Ärger – 日本 😀'), 'Ärger – 日本 😀');
});

test('names of an item are on one line, other texts keep theirs, and nothing reaches the terminal', () => {
  const item = {
    name: 'a\nb',
    text: 'one\n\ttwo\u001b[31m',
    bytes: 5,
    files: [{ path: 'x\ry' }],
    none: null,
  };
  assert.deepEqual(printableItem(item), {
    ...{ name: 'a\\nb', text: 'one\n\ttwo\\x1b[31m', bytes: 5 },
    ...{ files: [{ path: 'x\\ry' }], none: null },
  });
  const line = errorLine(new Error('Cannot read "\u001b]0;x\u0007"'), false);
  assert.equal(line, 'swarmkeep: Cannot read "\\x1b]0;x\\x07"');
});
