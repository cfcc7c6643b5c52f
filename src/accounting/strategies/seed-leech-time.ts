// `seed-leech-time`: over the last days a member must have seeded so many hours for each hour of
// downloading.

import { ratioOf, type Strategy } from './strategy.ts';

const DAY_MS = 86_400_000;

export interface SeedLeechTimeSettings {
  readonly required: number;
  readonly windowDays: number;
  /** Up to so many seconds of downloading in the window nothing is asked. */
  readonly graceSeconds: number;
}

export function seedLeechTime(settings: SeedLeechTimeSettings): Strategy {
  const { required, windowDays, graceSeconds } = settings;
  return {
    name: 'seed-leech-time',
    judge({ nowMs, days }) {
      const sinceMs = nowMs - windowDays * DAY_MS;
      let [seedSeconds, leechSeconds] = [0, 0];
      for (const day of days) {
        // A day counts whole when any of it lies in the window.
        if (day.dayMs + DAY_MS <= sinceMs) continue;
        seedSeconds += day.seedSeconds;
        leechSeconds += day.leechSeconds;
      }
      const isMet = leechSeconds <= graceSeconds || ratioOf(seedSeconds, leechSeconds) >= required;
      return {
        state: isMet ? 'met' : 'short',
        findings: [
          {
            kind: 'seed-leech-time',
            ...{ seedSeconds, leechSeconds, windowDays, required, graceSeconds },
          },
        ],
      };
    },
  };
}
