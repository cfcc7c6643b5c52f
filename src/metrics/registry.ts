// Metrics: numbers that an operator's Prometheus collects. Each thread has a registry of its own;
// the one that answers /metrics asks the others for `collect()` and writes all of them as one text.
// A metric's name, unit and help stand where it is made. Names are `swarmkeep_<noun>_<unit>`, and a
// counter's ends in `_total`; docs/generated/metrics.md lists them.
//
// Bounds: a metric keeps at most `SERIES_MAX` combinations of label values. What comes after is
// counted in one series whose label values all read "other", so that outside input in a label can
// neither grow memory nor lose a count.

import { assert } from '#base/assert.ts';

export type MetricKind = 'counter' | 'gauge' | 'histogram';
export type Labels = Readonly<Record<string, string>>;

/** One combination of label values. `buckets` and `count` belong to histograms alone. */
export interface CollectedSeries {
  /** Sorted by label name. */
  readonly labels: readonly (readonly [name: string, value: string])[];
  /** The value of a counter or gauge, the sum of a histogram's observations. */
  readonly value: number;
  /** Observations per bucket, not cumulative, the last one for everything above the last bound. */
  readonly buckets: readonly number[];
}

export interface CollectedMetric {
  readonly name: string;
  readonly help: string;
  readonly kind: MetricKind;
  /** A histogram's upper bounds, ascending, without the last, infinite one. */
  readonly bounds: readonly number[];
  readonly series: readonly CollectedSeries[];
}

/** A registry's content as plain data: it may cross a MessagePort. */
export type Collected = readonly CollectedMetric[];

export interface Counter {
  /** `count` is at least 0. */
  add(count: number, labels?: Labels): void;
}

export interface Gauge {
  set(value: number, labels?: Labels): void;
  /** `change` may be negative. */
  add(change: number, labels?: Labels): void;
}

export interface Histogram {
  observe(value: number, labels?: Labels): void;
  /** What somebody counted by itself: observations per bucket, the last above all bounds, and sum. */
  observeMany(buckets: ArrayLike<number>, sum: number): void;
}

const SERIES_MAX = 200;
const OTHER = 'other';
const NAME = /^[a-z][a-z0-9_]*$/;

export class Registry {
  readonly #metrics = new Map<string, Metric>();

  /** The same name gives the same counter again. */
  counter(name: string, help: string): Counter {
    return this.#metric({ name, help, kind: 'counter', bounds: [] });
  }

  gauge(name: string, help: string): Gauge {
    return this.#metric({ name, help, kind: 'gauge', bounds: [] });
  }

  /** `bounds` are upper bounds, ascending; everything above the last one has a bucket of its own. */
  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    return this.#metric({ name, help, kind: 'histogram', bounds });
  }

  collect(): Collected {
    return [...this.#metrics.values()].map((metric) => metric.collect());
  }

  /** Prometheus' text format 0.0.4. */
  render(): string {
    return renderCollected([this.collect()]);
  }

  #metric(shape: MetricShape): Metric {
    const known = this.#metrics.get(shape.name);
    if (known !== undefined) {
      assert(known.shape.kind === shape.kind, 'a metric keeps its kind');
      return known;
    }
    const metric = new Metric(shape);
    this.#metrics.set(shape.name, metric);
    return metric;
  }
}

/**
 * The registries of several threads as one Prometheus text. Series with the same labels are summed,
 * gauges too: a gauge that makes no sense as a sum must be set by one thread only.
 */
export function renderCollected(list: readonly Collected[]): string {
  const merged = new Map<string, Metric>();
  for (const metric of list.flat()) {
    let target = merged.get(metric.name);
    if (target === undefined) {
      target = new Metric(metric);
      merged.set(metric.name, target);
    }
    target.merge(metric);
  }
  const byName = [...merged.values()].sort((a, b) => (a.shape.name < b.shape.name ? -1 : 1));
  return byName.map((metric) => renderMetric(metric.collect())).join('');
}

type MetricShape = Pick<CollectedMetric, 'name' | 'help' | 'kind' | 'bounds'>;

interface Series {
  readonly labels: CollectedSeries['labels'];
  value: number;
  readonly buckets: number[];
}

class Metric implements Counter, Gauge, Histogram {
  readonly shape: MetricShape;
  readonly #series = new Map<string, Series>();
  /** The series without labels, found without a look-up: the usual case on a hot path. */
  #plain: Series | undefined;

  constructor(shape: MetricShape) {
    assert(NAME.test(shape.name), 'a metric name is lower-case words joined by _');
    assert(
      shape.bounds.every((bound, at) => at === 0 || bound > (shape.bounds[at - 1] ?? bound)),
      'histogram bounds ascend',
    );
    this.shape = shape;
  }

  add(change: number, labels?: Labels): void {
    assert(change >= 0 || this.shape.kind === 'gauge', 'a counter only grows');
    this.#find(labels).value += change;
  }

  set(value: number, labels?: Labels): void {
    this.#find(labels).value = value;
  }

  observe(value: number, labels?: Labels): void {
    const series = this.#find(labels);
    const { bounds } = this.shape;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] ?? value)) bucket++;
    series.buckets[bucket] = (series.buckets[bucket] ?? 0) + 1;
    series.value += value;
  }

  observeMany(buckets: ArrayLike<number>, sum: number): void {
    const series = this.#find(undefined);
    assert(buckets.length === series.buckets.length, 'each bucket has its count');
    for (let at = 0; at < buckets.length; at++) series.buckets[at]! += buckets[at]!;
    series.value += sum;
  }

  collect(): CollectedMetric {
    const series = [...this.#series.values()].map((one) => ({
      labels: one.labels,
      value: one.value,
      buckets: [...one.buckets],
    }));
    return { ...this.shape, series };
  }

  merge(other: CollectedMetric): void {
    assert(other.kind === this.shape.kind, 'threads agree on a metric’s kind');
    for (const { labels, value, buckets } of other.series) {
      const series = this.#series.get(keyOf(labels)) ?? this.#make(labels);
      series.value += value;
      assert(buckets.length === series.buckets.length, 'threads agree on a histogram’s bounds');
      for (const [at, count] of buckets.entries()) {
        series.buckets[at] = (series.buckets[at] ?? 0) + count;
      }
    }
  }

  #find(labels: Labels | undefined): Series {
    if (labels === undefined) {
      this.#plain ??= this.#make([]);
      return this.#plain;
    }
    const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
    const known = this.#series.get(keyOf(sorted));
    if (known !== undefined) return known;
    if (this.#series.size < SERIES_MAX) return this.#make(sorted);
    const rest = sorted.map(([name]) => [name, OTHER] as const);
    return this.#series.get(keyOf(rest)) ?? this.#make(rest);
  }

  #make(labels: CollectedSeries['labels']): Series {
    const isHistogram = this.shape.kind === 'histogram';
    const buckets = new Array<number>(isHistogram ? this.shape.bounds.length + 1 : 0).fill(0);
    const series: Series = { labels, value: 0, buckets };
    this.#series.set(keyOf(labels), series);
    return series;
  }
}

/** Label values come from outside, so they are delimited by what JSON escapes. */
function keyOf(labels: CollectedSeries['labels']): string {
  return JSON.stringify(labels);
}

function renderMetric(metric: CollectedMetric): string {
  const lines = [
    `# HELP ${metric.name} ${metric.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
    `# TYPE ${metric.name} ${metric.kind}`,
  ];
  for (const series of metric.series) {
    if (metric.kind === 'histogram') lines.push(...histogramLines(metric, series));
    else lines.push(`${metric.name}${labelText(series.labels)} ${numberText(series.value)}`);
  }
  return `${lines.join('\n')}\n`;
}

function histogramLines(metric: CollectedMetric, series: CollectedSeries): string[] {
  const { name, bounds } = metric;
  let count = 0;
  const lines = series.buckets.map((inBucket, at) => {
    count += inBucket;
    const bound = bounds[at] ?? Number.POSITIVE_INFINITY;
    return `${name}_bucket${labelText([...series.labels, ['le', numberText(bound)]])} ${count}`;
  });
  const labels = labelText(series.labels);
  return [
    ...lines,
    `${name}_sum${labels} ${numberText(series.value)}`,
    `${name}_count${labels} ${count}`,
  ];
}

function labelText(labels: CollectedSeries['labels']): string {
  if (labels.length === 0) return '';
  const pairs = labels.map(([name, value]) => {
    const escaped = value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
    return `${name}="${escaped}"`;
  });
  return `{${pairs.join(',')}}`;
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}
