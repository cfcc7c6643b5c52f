// Counts and parts for people.

const GROUPED = new Intl.NumberFormat('en-GB', { maximumFractionDigits: 0 });

/** `1,234,567`. */
export function formatCount(count: number): string {
  // A list shows hundreds of them, and the formatter is slow.
  if (!Number.isSafeInteger(count) || count < 0) return GROUPED.format(count);
  let text = `${count}`;
  for (let at = text.length - 3; at > 0; at -= 3) text = `${text.slice(0, at)},${text.slice(at)}`;
  return text;
}

/** `1 seeder`, `3 seeders`, `2 entries` when the plural is given. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** `63 %`; only nothing is `0 %` and only all is `100 %`. */
export function formatPercent(part: number): string {
  if (!(part > 0)) return '0 %';
  if (part >= 1) return '100 %';
  return `${Math.min(99, Math.max(1, Math.round(part * 100)))} %`;
}
