// Counts of a UDP socket. A batch adds to plain numbers; they reach the registry once a second while
// there is traffic, because finding a labelled series costs as much as an answer.

import type { Clock, Timer } from '#base/clock.ts';
import type { Counter, Registry } from '#metrics/registry.ts';

const PUBLISH_MS = 1000;

export class UdpCounts {
  readonly #clock: Clock;
  readonly #dropped: Counter;
  readonly #bytes: Counter;
  readonly #publishDue = (): void => this.#publish();
  #bytesIn = 0;
  #bytesOut = 0;
  #timer: Timer | undefined;

  constructor(world: { readonly clock: Clock; readonly metrics: Registry }) {
    this.#clock = world.clock;
    this.#dropped = world.metrics.counter(
      'swarmkeep_udp_datagrams_dropped_total',
      'Datagrams that were not handled or not sent, by reason.',
    );
    this.#bytes = world.metrics.counter(
      'swarmkeep_udp_bytes_total',
      'Bytes of datagrams, by direction.',
    );
  }

  received(bytes: number): void {
    this.#bytesIn += bytes;
    this.#timer ??= this.#clock.after(PUBLISH_MS, this.#publishDue);
  }

  sent(bytes: number): void {
    this.#bytesOut += bytes;
    if (bytes > 0) this.#timer ??= this.#clock.after(PUBLISH_MS, this.#publishDue);
  }

  dropped(reason: string, datagrams = 1): void {
    if (datagrams > 0) this.#dropped.add(datagrams, { reason });
  }

  close(): void {
    this.#timer?.cancel();
    this.#publish();
  }

  #publish(): void {
    this.#timer = undefined;
    if (this.#bytesIn > 0) this.#bytes.add(this.#bytesIn, { direction: 'in' });
    if (this.#bytesOut > 0) this.#bytes.add(this.#bytesOut, { direction: 'out' });
    this.#bytesIn = 0;
    this.#bytesOut = 0;
  }
}
