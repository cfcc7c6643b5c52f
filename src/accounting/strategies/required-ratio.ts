// `required-ratio`: how much must be given back grows with how much was taken, in ten steps, and falls
// with the share of the taken torrents that the member goes on seeding.
//
//   required = max(step's min, step's max * (1 - seeded mean / snatches))
//
//   seeded mean   torrents seeded at a time, on average over the last 7 days (for members of less than
//                 7 days since they joined, but never over less than 72 hours: an hour's seeding on the
//                 first day is not a week's)
//   snatches      torrents completed that still exist

import { type DayHistory, type MemberHistory, ratioOf, type Strategy } from './strategy.ts';

const GIB = 2 ** 30;
const DAY_MS = 86_400_000;
const WINDOW_MS = 7 * DAY_MS;
const WINDOW_MS_MIN = 3 * DAY_MS;

/** From `fromGib` downloaded on, up to the next row. */
export const REQUIRED_RATIO_STEPS = [
  { fromGib: 0, max: 0, min: 0 },
  { fromGib: 5, max: 0.15, min: 0 },
  { fromGib: 10, max: 0.2, min: 0 },
  { fromGib: 20, max: 0.3, min: 0.05 },
  { fromGib: 30, max: 0.4, min: 0.1 },
  { fromGib: 40, max: 0.5, min: 0.2 },
  { fromGib: 50, max: 0.6, min: 0.3 },
  { fromGib: 60, max: 0.6, min: 0.4 },
  { fromGib: 80, max: 0.6, min: 0.5 },
  { fromGib: 100, max: 0.6, min: 0.6 },
] as const;

export function requiredRatio(): Strategy {
  return { name: 'required-ratio', judge };
}

function judge(history: MemberHistory): ReturnType<Strategy['judge']> {
  const { downloadedBytes } = history;
  const step = REQUIRED_RATIO_STEPS.findLast(({ fromGib }) => downloadedBytes >= fromGib * GIB)!;
  if (step.max === 0) {
    const graceBytes = REQUIRED_RATIO_STEPS[1].fromGib * GIB;
    return { state: 'met', findings: [{ kind: 'grace', downloadedBytes, graceBytes }] };
  }
  const snatches = history.torrents.filter((torrent) => torrent.completedMs > 0).length;
  const seededMean = seededMeanOf(history);
  const share = snatches === 0 ? 0 : Math.min(1, seededMean / snatches);
  const required = Math.max(step.min, step.max * (1 - share));
  const ratio = ratioOf(history.uploadedBytes, downloadedBytes);
  return {
    state: ratio >= required ? 'met' : 'short',
    findings: [
      { kind: 'ratio', ratio, required },
      {
        kind: 'seeded-share',
        seededMean,
        snatches,
        requiredMax: step.max,
        requiredMin: step.min,
      },
    ],
  };
}

function seededMeanOf({ nowMs, joinedMs, days }: MemberHistory): number {
  const windowMs = Math.min(WINDOW_MS, Math.max(WINDOW_MS_MIN, nowMs - joinedMs));
  const sinceMs = nowMs - windowMs;
  let seconds = 0;
  for (const day of days) seconds += day.seedSeconds * shareAfter(day, sinceMs);
  return (seconds * 1000) / windowMs;
}

/** The part of a day that lies behind `sinceMs`: days are all that is kept. */
function shareAfter({ dayMs }: DayHistory, sinceMs: number): number {
  return Math.min(1, Math.max(0, (dayMs + DAY_MS - sinceMs) / DAY_MS));
}
