// The log server's numbers for Prometheus.

import type { Counter, Gauge, Registry } from '#metrics/registry.ts';

const BATCH_LABEL = { command: 'BATCH' };
const APPEND_LABEL = { command: 'APPEND' };

export class ServerMetrics {
  readonly connections: Gauge;
  readonly accepted: Counter;
  readonly refused: Counter;
  readonly requests: Counter;
  readonly errors: Counter;
  readonly dropped: Counter;
  readonly receivedBytes: Counter;
  readonly sentBytes: Counter;
  /** Counted here, and told to the counter by `tellAppends`. */
  batches = 0;
  singles = 0;

  constructor(registry: Registry) {
    this.connections = registry.gauge(
      'swarmkeep_log_server_connections',
      'Connections to the log server.',
    );
    this.accepted = registry.counter(
      'swarmkeep_log_server_accepted_total',
      'Connections that the log server accepted.',
    );
    this.refused = registry.counter(
      'swarmkeep_log_server_refused_total',
      'Connections that the log server refused: too many, or a wrong secret.',
    );
    this.requests = registry.counter(
      'swarmkeep_log_server_requests_total',
      'Requests to the log server, by command.',
    );
    this.errors = registry.counter(
      'swarmkeep_log_server_errors_total',
      'Requests that the log server answered with an error, by code.',
    );
    this.dropped = registry.counter(
      'swarmkeep_log_server_dropped_total',
      'Connections that the log server closed: a deadline passed, or the protocol was broken.',
    );
    this.receivedBytes = registry.counter(
      'swarmkeep_log_server_received_bytes_total',
      'Bytes that arrived at the log server.',
    );
    this.sentBytes = registry.counter(
      'swarmkeep_log_server_sent_bytes_total',
      'Bytes of batches that the log server sent.',
    );
  }
  /** Once for all appends of a turn: finding a counter by its label costs as much as an append. */
  tellAppends(): void {
    if (this.batches > 0) this.requests.add(this.batches, BATCH_LABEL);
    if (this.singles > 0) this.requests.add(this.singles, APPEND_LABEL);
    this.batches = 0;
    this.singles = 0;
  }
}
