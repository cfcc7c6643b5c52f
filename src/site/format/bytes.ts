// Sizes for people, in binary units.

import { formatCount } from './number.ts';

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'] as const;

/** `0 bytes`, `1 byte`, `1.46 GiB`: three digits, never rounded up to 1024 of a unit. */
export function formatBytes(count: number): string {
  if (count < 0) return `-${formatBytes(-count)}`;
  if (count < 1024) return formatBytesExact(Math.trunc(count));
  let value = count;
  let unit = 0;
  // 1023.5 KiB would read "1024 KiB", so such values belong to the next unit.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** `1,567,890 bytes`. */
export function formatBytesExact(count: number): string {
  return `${formatCount(count)} ${count === 1 ? 'byte' : 'bytes'}`;
}
