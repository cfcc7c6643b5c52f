// How long the doors take: a batch of datagrams from its first to its last answer, and one of so many
// HTTP requests. A clock for every packet would cost more than some packets do.

import type { Clock } from '#base/clock.ts';
import type { Registry } from '#metrics/registry.ts';

const BOUNDS = [
  0.000_01, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1,
];
/** Of the HTTP door's inputs one in so many is timed. */
const HTTP_INPUTS_PER_SAMPLE = 64;

export class DoorLatency {
  readonly #clock: Clock;
  readonly #udp: ReturnType<Registry['histogram']>;
  readonly #http: ReturnType<Registry['histogram']>;
  #inputs = 0;

  constructor(options: { readonly clock: Clock; readonly metrics: Registry }) {
    this.#clock = options.clock;
    this.#udp = options.metrics.histogram(
      'swarmkeep_tracker_udp_batch_seconds',
      'Time from a batch of datagrams in hand to all of its answers handed over.',
      BOUNDS,
    );
    this.#http = options.metrics.histogram(
      'swarmkeep_tracker_http_input_seconds',
      'Time to handle what arrived on an HTTP or WebSocket connection; one in 64 is measured.',
      BOUNDS,
    );
  }

  startMs(): number {
    return this.#clock.monotonicMs();
  }

  udpDone(sinceMs: number): void {
    this.#udp.observe((this.#clock.monotonicMs() - sinceMs) / 1000);
  }

  /** The first input is timed, so that a quiet tracker shows something too. */
  get timesHttp(): boolean {
    return this.#inputs++ % HTTP_INPUTS_PER_SAMPLE === 0;
  }

  httpDone(sinceMs: number): void {
    this.#http.observe((this.#clock.monotonicMs() - sinceMs) / 1000);
  }
}
