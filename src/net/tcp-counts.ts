// Counts of a TCP server. A turn adds to plain numbers; they reach the registry once a second while
// there is traffic, because finding a labelled series costs as much as an answer.

import type { Clock, Timer } from '#base/clock.ts';
import type { Counter, Registry } from '#metrics/registry.ts';

const PUBLISH_MS = 1000;

export class TcpCounts {
  readonly #clock: Clock;
  readonly #accepted: Counter;
  readonly #dropped: Counter;
  readonly #bytes: Counter;
  readonly #publishDue = (): void => this.#publish();
  #acceptedCount = 0;
  #bytesIn = 0;
  #bytesOut = 0;
  #timer: Timer | undefined;

  constructor(world: { readonly clock: Clock; readonly metrics: Registry }) {
    const { metrics } = world;
    this.#clock = world.clock;
    this.#accepted = metrics.counter(
      'swarmkeep_tcp_connections_total',
      'TCP connections accepted.',
    );
    this.#dropped = metrics.counter(
      'swarmkeep_tcp_connections_dropped_total',
      'TCP connections that were closed by the server before their end, by reason.',
    );
    this.#bytes = metrics.counter('swarmkeep_tcp_bytes_total', 'Bytes over TCP, by direction.');
  }

  accepted(connections: number): void {
    this.#acceptedCount += connections;
    this.#timer ??= this.#clock.after(PUBLISH_MS, this.#publishDue);
  }

  received(bytes: number): void {
    this.#bytesIn += bytes;
    this.#timer ??= this.#clock.after(PUBLISH_MS, this.#publishDue);
  }

  sent(bytes: number): void {
    this.#bytesOut += bytes;
    this.#timer ??= this.#clock.after(PUBLISH_MS, this.#publishDue);
  }

  dropped(reason: string, connections = 1): void {
    this.#dropped.add(connections, { reason });
  }

  close(): void {
    this.#timer?.cancel();
    this.#publish();
  }

  #publish(): void {
    this.#timer = undefined;
    if (this.#acceptedCount > 0) this.#accepted.add(this.#acceptedCount);
    if (this.#bytesIn > 0) this.#bytes.add(this.#bytesIn, { direction: 'in' });
    if (this.#bytesOut > 0) this.#bytes.add(this.#bytesOut, { direction: 'out' });
    this.#acceptedCount = 0;
    this.#bytesIn = 0;
    this.#bytesOut = 0;
  }
}
