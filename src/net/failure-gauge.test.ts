import assert from 'node:assert/strict';
import { test } from 'node:test';
import { codeOf } from '#base/errors.ts';
import { type LogLine, memoryLogger } from '#base/logger.ts';
import { Registry } from '#metrics/registry.ts';
import { SimClock } from '#sim/clock.ts';
import { FailureGauge } from './failure-gauge.ts';

function newGauge(): {
  clock: SimClock;
  lines: LogLine[];
  told: Error[];
  gauge: FailureGauge;
} {
  const clock = new SimClock();
  const lines: LogLine[] = [];
  const told: Error[] = [];
  const gauge = new FailureGauge({
    clock,
    logger: memoryLogger(lines),
    metrics: new Registry(),
    name: 'UDP 127.0.0.1:6969',
    onLasting: (error) => told.push(error),
  });
  return { clock, lines, told, gauge };
}

const FAILURE = Object.assign(new Error('no buffer space'), { code: 'ENOBUFS' });

test('failures are logged once a second per kind, with their number', () => {
  const { clock, lines, gauge } = newGauge();
  for (let index = 0; index < 100; index++) gauge.failed('send', FAILURE);
  gauge.failed('receive', FAILURE);
  assert.equal(lines.length, 2);
  clock.advance(1000);
  gauge.failed('send', FAILURE);
  assert.equal(lines.length, 3);
  assert.equal(lines[2]?.fields['inRow'], 101);
});

test('a thousand failures in a row over ten seconds are lasting, and told once', () => {
  const { clock, told, gauge } = newGauge();
  for (let index = 0; index < 5000; index++) {
    clock.advance(5);
    gauge.failed('send', FAILURE);
  }
  assert.equal(told.length, 1);
  assert.equal(codeOf(told[0]), 'NET_SOCKET_FAILED');
});

test('a burst, or failures with successes between, are not lasting', () => {
  const { clock, told, gauge } = newGauge();
  for (let index = 0; index < 5000; index++) gauge.failed('send', FAILURE);
  gauge.worked('send');
  for (let index = 0; index < 5000; index++) {
    clock.advance(5);
    gauge.failed('send', FAILURE);
    if (index % 900 === 0) gauge.worked('send');
  }
  assert.deepEqual(told, []);
});
