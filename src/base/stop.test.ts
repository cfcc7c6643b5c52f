// Stopping: order, time limits, and that a failure is heard of.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '#sim/clock.ts';
import { sleep } from './clock.ts';
import { codeOf, messageOf } from './errors.ts';
import { type LogLine, memoryLogger } from './logger.ts';
import { Stop } from './stop.ts';

function world() {
  const lines: LogLine[] = [];
  const clock = new SimClock();
  return { clock, lines, stop: new Stop({ clock, logger: memoryLogger(lines) }) };
}

test('close() ends parts in the reverse order, each after the one before it has ended', async () => {
  const { clock, stop } = world();
  const ended: string[] = [];
  for (const name of ['log', 'sql', 'site']) {
    stop.closeLater(name, async () => {
      await sleep(clock, 10);
      ended.push(name);
    });
  }
  await clock.until(stop.close(1000));
  assert.deepEqual(ended, ['site', 'sql', 'log']);
  await stop.close(1000);
  assert.equal(ended.length, 3);
});

test('an owned loop is told to end by the signal, and its abort is no failure', async () => {
  const { clock, lines, stop } = world();
  stop.own('relay', sleep(clock, 1_000_000, stop.signal));
  await clock.until(stop.close(1000));
  assert.deepEqual(lines, []);
});

test('the owner hears of the first failure of an owned part', async () => {
  const { clock, lines, stop } = world();
  stop.own('ledger', Promise.reject(new Error('disk gone')));
  const failure = await clock.until(stop.failed);
  assert.equal(messageOf(failure), 'The part "ledger" failed: disk gone');
  assert.equal(lines.length, 1);
  await clock.until(stop.close(1000));
});

test('a part that does not end is left after its limit, and the rest still closes', async () => {
  const { clock, lines, stop } = world();
  let isLogClosed = false;
  stop.closeLater('log', async () => {
    isLogClosed = true;
  });
  stop.closeLater('site', () => new Promise(() => undefined));
  const closed = stop.close(500).catch((error: unknown) => error);
  assert.equal(codeOf(await clock.until(closed)), 'STOP_TIMED_OUT');
  assert.equal(isLogClosed, true);
  assert.equal(lines[0]?.message, 'Cannot end "site" in 500 ms: it is still running');
});

test('a part that fails to close is reported, and the rest still closes', async () => {
  const { clock, stop } = world();
  let isLogClosed = false;
  stop.closeLater('log', async () => {
    isLogClosed = true;
  });
  stop.closeLater('site', () => Promise.reject(new Error('port is gone')));
  const closed = stop.close(500).catch((error: unknown) => error);
  assert.equal(messageOf(await clock.until(closed)), 'The part "site" failed: port is gone');
  assert.equal(isLogClosed, true);
});
