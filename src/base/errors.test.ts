import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AssertionFailure, assert as assertOurs, unreachable } from './assert.ts';
import { CodedError, codeOf, messageOf } from './errors.ts';
import { type LogLine, memoryLogger } from './logger.ts';

class DiskError extends CodedError<'DISK_FULL'> {}

test('a coded error carries its code, its class as name, and its cause', () => {
  const error = new DiskError('DISK_FULL', 'Cannot write', { cause: new Error('no room') });
  assert.equal(codeOf(error), 'DISK_FULL');
  assert.equal(error.name, 'DiskError');
  assert.equal(messageOf(error), 'Cannot write: no room');
});

test('codeOf() and messageOf() take whatever was thrown', () => {
  for (const thrown of [undefined, null, 'text', 7, {}, { code: 7 }]) {
    assert.equal(codeOf(thrown), undefined);
  }
  assert.equal(messageOf('text'), 'text');
  assert.equal(messageOf(undefined), 'undefined');
});

test('assert() throws what nothing catches by its code', () => {
  assertOurs(true, 'holds');
  assert.throws(() => assertOurs(false, 'does not hold'), AssertionFailure);
  assert.throws(() => unreachable('odd' as never), /unreachable case odd/);
});

test('a logger for a module names it on each line', () => {
  const lines: LogLine[] = [];
  memoryLogger(lines).for('tracker/udp').warn('Slow', { ms: 5 });
  const expected = { level: 'warn', module: 'tracker/udp', message: 'Slow', fields: { ms: 5 } };
  assert.deepEqual(lines, [expected]);
});
