// Times for people: relative in lists, exact in UTC on demand. All take Unix milliseconds.

import { plural } from './number.ts';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MONTH = 30.44 * DAY;
const YEAR = 365.25 * DAY;

const MONTHS = [
  'Jan',
  'Feb',
  'Mar',
  'Apr',
  'May',
  'Jun',
  'Jul',
  'Aug',
  'Sep',
  'Oct',
  'Nov',
  'Dec',
] as const;

/** `just now`, `5 minutes ago`, `3 days ago`. A time ahead of the clock is `just now`. */
export function formatAgo(atMs: number, nowMs: number): string {
  const ageMs = nowMs - atMs;
  return ageMs < MINUTE ? 'just now' : `${formatDuration(ageMs)} ago`;
}

/** `in 3 days`; `now` when it is past. */
export function formatUntil(atMs: number, nowMs: number): string {
  const restMs = atMs - nowMs;
  return restMs <= 0 ? 'now' : `in ${formatDuration(restMs)}`;
}

/** The largest unit that fits, rounded down: `1 minute`, `23 hours`, `2 years`. */
export function formatDuration(lengthMs: number): string {
  const units: readonly (readonly [number, string])[] = [
    [YEAR, 'year'],
    [MONTH, 'month'],
    [DAY, 'day'],
    [HOUR, 'hour'],
    [MINUTE, 'minute'],
  ];
  for (const [size, name] of units) {
    if (lengthMs >= size) return plural(Math.floor(lengthMs / size), name);
  }
  return plural(Math.max(0, Math.floor(lengthMs / SECOND)), 'second');
}

/** `12 Mar 2026`, in UTC. */
export function formatDate(atMs: number): string {
  const at = new Date(atMs);
  return `${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}`;
}

/** `12 Mar 2026, 14:03:22 UTC`. */
export function formatUtc(atMs: number): string {
  return `${formatDate(atMs)}, ${new Date(atMs).toISOString().slice(11, 19)} UTC`;
}

/** `2026-03-12T14:03:22Z`, for machines. */
export function formatIso(atMs: number): string {
  return `${new Date(atMs).toISOString().slice(0, 19)}Z`;
}
