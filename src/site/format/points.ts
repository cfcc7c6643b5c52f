// Bonus points for people. They are kept in thousandths.

import { formatCount } from './number.ts';

/** `0.43`, `12.5`, `1,204`: rounded down, so that nobody is shown a point that they cannot spend. */
export function formatPoints(milliPoints: number): string {
  if (milliPoints < 0) return `−${formatPoints(-milliPoints)}`;
  if (milliPoints >= 100_000 || milliPoints % 1000 === 0) {
    return formatCount(Math.floor(milliPoints / 1000));
  }
  return (Math.floor(milliPoints / 10) / 100).toFixed(2);
}
