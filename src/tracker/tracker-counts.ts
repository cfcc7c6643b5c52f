// What the doors and the announcer count. Plain numbers at fixed places, because a labelled counter
// costs a look-up that an announce need not pay; `publish` moves them to the registry once a second.

import type { Registry } from '#metrics/registry.ts';
import { DOOR } from '#swarm/announce-slot.ts';

const DOORS = ['udp', 'http', 'websocket'] as const;
const FAMILIES = [4, 6] as const;
const KINDS = [
  'connects',
  'announces',
  'scrapes',
  'refused',
  'dropped',
  'waited',
  'ignored',
] as const;
export type CountKind = (typeof KINDS)[number];

const ANSWER_BYTES_BOUNDS = [20, 50, 100, 200, 400, 800, 1500, 3000, 6000, 12_000];
/** The bucket of each size up to the last bound; what is above has the bucket after them. */
const ANSWER_BUCKETS: Uint8Array = Uint8Array.from({ length: 12_001 }, (_, bytes) =>
  ANSWER_BYTES_BOUNDS.findIndex((bound) => bytes <= bound),
);
const KIND_AT: Readonly<Record<CountKind, number>> = {
  connects: 0,
  announces: 1,
  scrapes: 2,
  refused: 3,
  dropped: 4,
  waited: 5,
  ignored: 6,
};
const ANNOUNCES = KIND_AT.announces;

export class TrackerCounts {
  /** Announces that met a full append queue or a full waiting table (A8). */
  backPressured = 0;
  /** Records of batches that could not be appended. */
  recordsLost = 0;
  /** Packets of sessions that were over when they came (delta.ts). */
  staleAnnounces = 0;
  readonly #numbers = new Float64Array(DOORS.length * FAMILIES.length * KINDS.length);
  readonly #published = new Float64Array(this.#numbers.length);
  readonly #refusals = new Map<string, number>();
  readonly #answers = new Uint32Array(ANSWER_BYTES_BOUNDS.length + 1);
  #answerBytes = 0;
  readonly #requests: ReturnType<Registry['counter']>;
  readonly #errors: ReturnType<Registry['counter']>;
  readonly #pressure: ReturnType<Registry['counter']>;
  readonly #lost: ReturnType<Registry['counter']>;
  readonly #stale: ReturnType<Registry['counter']>;
  readonly #bytes: ReturnType<Registry['histogram']>;
  #pressurePublished = 0;
  #lostPublished = 0;
  #stalePublished = 0;

  constructor(metrics: Registry) {
    this.#requests = metrics.counter(
      'swarmkeep_tracker_requests_total',
      'What clients asked and what became of it, by door and family.',
    );
    this.#errors = metrics.counter(
      'swarmkeep_tracker_refusals_total',
      'Announces and scrapes that were refused, by reason.',
    );
    this.#pressure = metrics.counter(
      'swarmkeep_tracker_back_pressure_total',
      'Announces that met a full append queue or too many waiting answers.',
    );
    this.#lost = metrics.counter(
      'swarmkeep_tracker_records_lost_total',
      'Transfer records whose append failed; their baselines were put back.',
    );
    this.#stale = metrics.counter(
      'swarmkeep_tracker_stale_total',
      'Late announces of sessions that were over: they credited, changed and closed nothing.',
    );
    this.#bytes = metrics.histogram(
      'swarmkeep_tracker_answer_bytes',
      'Size of answers to announces.',
      ANSWER_BYTES_BOUNDS,
    );
  }

  count(door: number, family: 4 | 6, kind: CountKind): void {
    this.#numbers[place(door, family, kind)]! += 1;
  }

  /** The same as `count` with 'announces', without a look-up: it comes with every datagram. */
  announced(door: number, family: 4 | 6): void {
    this.#numbers[(door * FAMILIES.length + (family === 6 ? 1 : 0)) * KINDS.length + ANNOUNCES]! +=
      1;
  }

  refused(code: string): void {
    this.#refusals.set(code, (this.#refusals.get(code) ?? 0) + 1);
  }

  answered(bytes: number): void {
    this.#answers[ANSWER_BUCKETS[bytes] ?? ANSWER_BYTES_BOUNDS.length]! += 1;
    this.#answerBytes += bytes;
  }

  /** Totals since the start, for the status. */
  totals(): Record<CountKind, number> {
    const totals = {} as Record<CountKind, number>;
    for (const kind of KINDS) {
      totals[kind] = 0;
      for (const door of Object.values(DOOR)) {
        for (const family of FAMILIES) {
          totals[kind] += this.#numbers[place(door, family, kind)]!;
        }
      }
    }
    return totals;
  }

  publish(): void {
    for (const door of Object.values(DOOR)) {
      for (const family of FAMILIES) this.#publishPlace(door, family);
    }
    for (const [reason, count] of this.#refusals) this.#errors.add(count, { reason });
    this.#refusals.clear();
    this.#bytes.observeMany(this.#answers, this.#answerBytes);
    this.#answers.fill(0);
    this.#answerBytes = 0;
    this.#pressure.add(this.backPressured - this.#pressurePublished);
    this.#pressurePublished = this.backPressured;
    this.#lost.add(this.recordsLost - this.#lostPublished);
    this.#lostPublished = this.recordsLost;
    this.#stale.add(this.staleAnnounces - this.#stalePublished);
    this.#stalePublished = this.staleAnnounces;
  }

  #publishPlace(door: number, family: 4 | 6): void {
    for (const kind of KINDS) {
      const at = place(door, family, kind);
      const fresh = this.#numbers[at]! - this.#published[at]!;
      if (fresh === 0) continue;
      this.#published[at] = this.#numbers[at]!;
      this.#requests.add(fresh, { door: DOORS[door] ?? 'udp', family: `ipv${family}`, kind });
    }
  }
}

function place(door: number, family: 4 | 6, kind: CountKind): number {
  return (door * FAMILIES.length + (family === 6 ? 1 : 0)) * KINDS.length + KIND_AT[kind];
}
