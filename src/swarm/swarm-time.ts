// Time as the swarm keeps it: whole seconds since the memory's start, from the monotonic clock, so
// that a jump of the wall clock neither ends peers nor keeps them (T13). Each thread's monotonic
// clock has a start of its own; how far it lies from the memory's is measured once, when the thread
// makes its Swarm. Unix seconds are derived at the moment of asking, from age and wall clock.

import type { Clock } from '#base/clock.ts';

export class SwarmTime {
  /** Since the memory's start, as of the last read(). */
  seconds = 0;
  /** Wall time as of the last read(). */
  unixSeconds = 0;
  readonly #clock: Clock;
  readonly #offsetMs: number;
  #monotonicMs = -1;
  #nowMs = -1;

  constructor(clock: Clock, startedMs: number) {
    this.#clock = clock;
    this.#offsetMs = Math.max(0, clock.nowMs() - startedMs) - clock.monotonicMs();
    this.read();
  }

  read(): void {
    const monotonicMs = this.#clock.monotonicMs();
    const nowMs = this.#clock.nowMs();
    // Announces of one batch come at one time.
    if (monotonicMs === this.#monotonicMs && nowMs === this.#nowMs) return;
    this.#monotonicMs = monotonicMs;
    this.#nowMs = nowMs;
    this.seconds = Math.floor((monotonicMs + this.#offsetMs) / 1000);
    this.unixSeconds = Math.floor(nowMs / 1000);
  }

  toUnix(seconds: number): number {
    return this.unixSeconds - (this.seconds - seconds);
  }

  /** A time in the future reads as now; one long past is held at what 31 bits can tell. */
  fromUnix(unixSeconds: number): number {
    const age = Math.min(Math.max(this.unixSeconds - unixSeconds, 0), 0x3fff_ffff);
    return this.seconds - age;
  }
}
