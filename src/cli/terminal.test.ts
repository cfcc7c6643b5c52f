import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#sim/clock.ts';
import { TerminalOutput } from './terminal.ts';

function watched(isTTY: boolean) {
  const clock = new SimClock();
  const said: string[] = [];
  const stderr = { isTTY, write: (text: string) => said.push(text) };
  const stdout = { write: (text: string) => said.push(text) };
  const terminal = { stdout, stderr, clock };
  const output = new TerminalOutput(terminal, () => 'item', new AbortController().signal);
  return { clock, said, output };
}

test('where lines are kept the last one says how far the work came, and each work has its own rate', () => {
  const { clock, said, output } = watched(false);
  for (let done = 0; done <= 400; done += 100) {
    output.progress({ what: 'references read', done, total: 0 });
    clock.advance(1000);
  }
  for (let done = 0; done <= 40; done += 20) {
    output.progress({ what: 'blobs', done, total: 30 });
    clock.advance(500);
  }
  output.item({});
  output.end();
  output.end();
  assert.deepEqual(said, [
    'references read: 0\n',
    'references read: 400, 100/s\n',
    'blobs: 0 of 30 (0 %)\n',
    'item\n',
    'blobs: 40 of 40 (100 %), 40/s\n',
  ]);
});

test('on a terminal the line is drawn over and taken away at the end', () => {
  const { said, output } = watched(true);
  output.progress({ what: 'blobs', done: 1, total: 2 });
  output.progress({ what: 'blobs', done: 2, total: 2 });
  output.end();
  assert.deepEqual(said, ['\r\u001b[Kblobs: 1 of 2 (50 %)', '\r\u001b[K']);
});
