// How old a mark is when the clock was set meanwhile. The wall clock is compared with one that only goes
// on: where it ran ahead between two collections, marks from before are younger by as much than they look.
// The machine's own uptime is the same for every process until it starts anew, so that also a clock that
// was set while no program ran makes no blob older. Who has no uptime compares within a process.
//
//   wall     ----|--- mark ---|=== set forward ===|--- collection ---
//   uptime   ----|------------|--------------------- step = how much wall went on, and uptime did not

import type { Clock } from '#base/clock.ts';

/** Less is the clock's own unrest. */
const STEP_MS_MIN = 5000;
const JUMPS_MAX = 100;

/** The machine since it started, which it goes on with whoever runs. */
export interface BootClock {
  /** Another one after each start of the machine. */
  readonly id: string;
  uptimeMs(): number;
}

interface Jump {
  /** By the wall clock; marks since before it are younger by `byMs`. */
  readonly fromMs: number;
  readonly byMs: number;
}

export interface ClockJumpsWorld {
  readonly clock: Clock;
  readonly boot: BootClock | undefined;
  /** Marks of this age are due whatever was before. */
  readonly ageMs: number;
}

export class ClockJumps {
  readonly #world: ClockJumpsWorld;
  #jumps: Jump[] = [];
  /** By how much the wall clock was ahead of the other one when it was last looked at. */
  #offsetMs: number | undefined;
  /** The same at the last look, by the process's own clock: that is cheap enough to ask for each mark. */
  #ownOffsetMs: number;

  /** From what `text` gave before; of what is no such text nothing is known. */
  constructor(world: ClockJumpsWorld, text: string | undefined) {
    this.#world = world;
    this.#ownOffsetMs = ownOffsetOf(world);
    const known = parsed(text);
    if (known === undefined) return;
    this.#jumps = [...known.jumps];
    if (world.boot !== undefined && known.boot === world.boot.id) this.#offsetMs = known.offsetMs;
  }

  /** To be written down before anything is removed by what was seen. */
  get text(): string {
    const { boot } = this.#world;
    return JSON.stringify({ boot: boot?.id ?? '', offsetMs: this.#offsetMs, jumps: this.#jumps });
  }

  /** At the beginning of a collection. */
  look(): void {
    const { clock, boot, ageMs } = this.#world;
    const nowMs = clock.nowMs();
    this.#ownOffsetMs = ownOffsetOf(this.#world);
    const offsetMs = boot === undefined ? this.#ownOffsetMs : nowMs - boot.uptimeMs();
    const stepMs = offsetMs - (this.#offsetMs ?? offsetMs);
    if (this.#offsetMs === undefined || Math.abs(stepMs) >= STEP_MS_MIN) this.#offsetMs = offsetMs;
    if (stepMs >= STEP_MS_MIN) this.#jumps.push({ fromMs: nowMs, byMs: stepMs });
    else if (stepMs <= -STEP_MS_MIN) this.#takeBack(-stepMs);
    // One that was seen while the clock was ahead did not come after now.
    this.#jumps = this.#jumps
      .map(({ fromMs, byMs }) => ({ fromMs: Math.min(fromMs, nowMs), byMs }))
      .filter(({ fromMs }) => nowMs - fromMs < ageMs);
    while (this.#jumps.length > JUMPS_MAX) {
      const [one, other] = this.#jumps.splice(0, 2) as [Jump, Jump];
      const fromMs = Math.max(one.fromMs, other.fromMs);
      this.#jumps.unshift({ fromMs, byMs: one.byMs + other.byMs });
    }
  }

  /** How long ago that was, at least. */
  ageOf(sinceMs: number): number {
    // Also what was set since the look.
    const stepMs = ownOffsetOf(this.#world) - this.#ownOffsetMs;
    let ageMs = this.#world.clock.nowMs() - sinceMs - (stepMs >= STEP_MS_MIN ? stepMs : 0);
    for (const { fromMs, byMs } of this.#jumps) if (sinceMs < fromMs) ageMs -= byMs;
    return ageMs;
  }

  /** A clock that was set back was ahead before: the newest jumps were none. */
  #takeBack(byMs: number): void {
    for (let left = byMs; left > 0; ) {
      const last = this.#jumps.pop();
      if (last === undefined) return;
      if (last.byMs > left) this.#jumps.push({ ...last, byMs: last.byMs - left });
      left -= last.byMs;
    }
  }
}

function ownOffsetOf({ clock }: ClockJumpsWorld): number {
  return clock.nowMs() - clock.monotonicMs();
}

interface Known {
  readonly boot: string;
  readonly offsetMs: number;
  readonly jumps: readonly Jump[];
}

function parsed(text: string | undefined): Known | undefined {
  try {
    const value = JSON.parse(text ?? '') as Partial<Known> | null;
    if (typeof value?.boot !== 'string' || !Number.isFinite(value.offsetMs)) return undefined;
    if (!Array.isArray(value.jumps) || value.jumps.length > JUMPS_MAX) return undefined;
    const isWhole = (value.jumps as readonly (Partial<Jump> | null)[]).every(
      (jump) => Number.isFinite(jump?.fromMs) && Number.isFinite(jump?.byMs),
    );
    return isWhole ? (value as Known) : undefined;
  } catch {
    return undefined;
  }
}
