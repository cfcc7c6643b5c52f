// The log's numbers for Prometheus.

import type { Counter, Gauge, Histogram, Registry } from '#metrics/registry.ts';

const SYNC_SECONDS = [0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.2, 1, 5];

export class LogMetrics {
  readonly records: Counter;
  readonly bytes: Counter;
  readonly failures: Counter;
  readonly refusals: Counter;
  readonly syncSeconds: Histogram;
  readonly recordsRead: Counter;
  readonly damage: Counter;
  readonly tornTails: Counter;
  readonly scrubBytes: Counter;
  readonly scrubSegments: Counter;
  readonly scrubDamage: Counter;
  readonly scrubbed: Gauge;
  readonly removedSegments: Counter;
  readonly compactedRecords: Counter;
  readonly hooks: Counter;
  readonly hookFailures: Counter;
  readonly hooksDropped: Counter;
  readonly consumerLag: Gauge;

  constructor(registry: Registry) {
    this.records = registry.counter('swarmkeep_log_appended_records_total', 'Records appended.');
    this.bytes = registry.counter(
      'swarmkeep_log_written_bytes_total',
      'Bytes of batches written, with the room up to the next sector.',
    );
    this.failures = registry.counter(
      'swarmkeep_log_append_failures_total',
      'Writes or syncs that the disk refused; their appends were taken back.',
    );
    this.refusals = registry.counter(
      'swarmkeep_log_append_refusals_total',
      'Appends refused because log.queueBytesMax were waiting.',
    );
    this.syncSeconds = registry.histogram(
      'swarmkeep_log_sync_seconds',
      'Time of one sync of a segment.',
      SYNC_SECONDS,
    );
    this.recordsRead = registry.counter('swarmkeep_log_read_records_total', 'Records read.');
    this.damage = registry.counter(
      'swarmkeep_log_damage_total',
      'Damaged places found below a durable mark.',
    );
    this.tornTails = registry.counter(
      'swarmkeep_log_torn_tails_total',
      'Torn tails cut at start; nothing in them had been acknowledged as on disk.',
    );
    this.scrubBytes = registry.counter(
      'swarmkeep_log_scrubbed_bytes_total',
      'Bytes that the scrub of sealed segments has read.',
    );
    this.scrubSegments = registry.counter(
      'swarmkeep_log_scrubbed_segments_total',
      'Sealed segments that the scrub has read to their end.',
    );
    this.scrubDamage = registry.counter(
      'swarmkeep_log_scrub_damage_total',
      'Damaged places that the scrub was the first to find.',
    );
    this.scrubbed = registry.gauge(
      'swarmkeep_log_scrub_last_pass_timestamp_seconds',
      'When the last whole pass of the scrub ended, Unix time; 0 before the first.',
    );
    this.removedSegments = registry.counter(
      'swarmkeep_log_removed_segments_total',
      'Oldest segments that retention, or a topic at its size, has removed.',
    );
    this.compactedRecords = registry.counter(
      'swarmkeep_log_compacted_records_total',
      'Records that compaction has dropped because a newer one had their key.',
    );
    this.hooks = registry.counter(
      'swarmkeep_log_delete_hooks_total',
      'Delete hooks that have succeeded.',
    );
    this.hookFailures = registry.counter(
      'swarmkeep_log_delete_hook_failures_total',
      'Delete hooks that have failed; they are tried again.',
    );
    this.hooksDropped = registry.counter(
      'swarmkeep_log_delete_hooks_dropped_total',
      'Delete hooks that were given up after log.deleteHookTriesMax failures.',
    );
    this.consumerLag = registry.gauge(
      'swarmkeep_log_consumer_lag_records',
      'Records from where a consumer has committed to the end of its topic.',
    );
  }
}
