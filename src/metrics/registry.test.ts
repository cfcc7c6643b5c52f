// The registry: what is counted, what a scrape reads, what threads add up to.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Registry, renderCollected } from './registry.ts';

test('counters, gauges and their labels are written in Prometheus text', () => {
  const registry = new Registry();
  const announces = registry.counter('swarmkeep_announces_total', 'Announces, by door.');
  announces.add(2, { door: 'udp', event: 'none' });
  announces.add(1, { event: 'none', door: 'udp' });
  announces.add(1, { door: 'http', event: 'started' });
  registry.gauge('swarmkeep_members', 'Members that may announce.').set(7);
  assert.equal(
    registry.render(),
    [
      '# HELP swarmkeep_announces_total Announces, by door.',
      '# TYPE swarmkeep_announces_total counter',
      'swarmkeep_announces_total{door="udp",event="none"} 3',
      'swarmkeep_announces_total{door="http",event="started"} 1',
      '# HELP swarmkeep_members Members that may announce.',
      '# TYPE swarmkeep_members gauge',
      'swarmkeep_members 7',
      '',
    ].join('\n'),
  );
});

test('help and label values are escaped', () => {
  const registry = new Registry();
  registry.counter('swarmkeep_odd_total', 'A \\ and\na line.').add(1, { code: 'a"b\\c\nd' });
  assert.equal(
    registry.render(),
    '# HELP swarmkeep_odd_total A \\\\ and\\na line.\n' +
      '# TYPE swarmkeep_odd_total counter\n' +
      'swarmkeep_odd_total{code="a\\"b\\\\c\\nd"} 1\n',
  );
});

test('a histogram writes cumulative buckets, sum and count; a bound belongs to its bucket', () => {
  const registry = new Registry();
  const wait = registry.histogram('swarmkeep_wait_seconds', 'Waits.', [0.25, 1]);
  for (const seconds of [0.25, 0.5, 1, 4]) wait.observe(seconds);
  assert.deepEqual(registry.render().split('\n').slice(2), [
    'swarmkeep_wait_seconds_bucket{le="0.25"} 1',
    'swarmkeep_wait_seconds_bucket{le="1"} 3',
    'swarmkeep_wait_seconds_bucket{le="+Inf"} 4',
    'swarmkeep_wait_seconds_sum 5.75',
    'swarmkeep_wait_seconds_count 4',
    '',
  ]);
});

test('the same name gives the same metric, and another kind of it is our fault', () => {
  const registry = new Registry();
  registry.counter('swarmkeep_a_total', 'A.').add(1);
  registry.counter('swarmkeep_a_total', 'A.').add(1);
  assert.match(registry.render(), /^swarmkeep_a_total 2$/m);
  assert.throws(() => registry.gauge('swarmkeep_a_total', 'A.'), /keeps its kind/);
  assert.throws(() => registry.counter('swarmkeep_a_total', 'A.').add(-1), /only grows/);
  assert.throws(() => registry.counter('Swarmkeep a', 'A.'), /lower-case/);
});

test('label values beyond the limit are counted together, and none is lost', () => {
  const registry = new Registry();
  const odd = registry.counter('swarmkeep_odd_total', 'Odd.');
  for (let at = 0; at < 1000; at++) odd.add(1, { client: `c${at}` });
  const series = registry.collect()[0]?.series ?? [];
  assert.equal(series.length, 201);
  assert.deepEqual(series.at(-1), { labels: [['client', 'other']], value: 800, buckets: [] });
});

test('renderCollected() sums what several threads counted', () => {
  const threads = [1, 2].map((weight) => {
    const registry = new Registry();
    registry.counter('swarmkeep_b_total', 'B.').add(weight, { door: 'udp' });
    registry.histogram('swarmkeep_wait_seconds', 'Waits.', [1]).observe(weight);
    if (weight === 2) registry.gauge('swarmkeep_a', 'Only one thread has it.').set(5);
    // What crosses a MessagePort is a structured clone.
    return structuredClone(registry.collect());
  });
  const text = renderCollected(threads);
  assert.match(text, /^swarmkeep_b_total\{door="udp"\} 3$/m);
  assert.match(text, /^swarmkeep_a 5$/m);
  assert.match(text, /^swarmkeep_wait_seconds_bucket\{le="1"\} 1$/m);
  assert.match(text, /^swarmkeep_wait_seconds_bucket\{le="\+Inf"\} 2$/m);
  assert.match(text, /^swarmkeep_wait_seconds_sum 3$/m);
  assert.equal(text.indexOf('# HELP swarmkeep_a '), 0);
});

test('observeMany() adds what was counted elsewhere to the same buckets', () => {
  const registry = new Registry();
  const one = registry.histogram('swarmkeep_one_seconds', 'One by one.', [1, 2]);
  const many = registry.histogram('swarmkeep_many_seconds', 'All at once.', [1, 2]);
  for (const value of [1, 2, 2, 7]) one.observe(value);
  many.observe(2);
  many.observeMany([1, 1, 1], 10);
  const [first, second] = registry.collect();
  assert.deepEqual(second?.series, first?.series);
});
