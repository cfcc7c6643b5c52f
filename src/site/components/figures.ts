// Sizes, times and parts of a whole as they stand on pages: short, with the exact value on demand.

import { html } from 'hono/html';
import { formatBytes, formatBytesExact } from '#site/format/bytes.ts';
import { formatPercent } from '#site/format/number.ts';
import { formatAgo, formatDate, formatIso, formatUntil, formatUtc } from '#site/format/time.ts';
import type { Html } from './markup.ts';

/** `1.46 GiB`; the exact number is its machine value and its tooltip. */
export function bytes(count: number): Html {
  return html`<data class="figure" value="${count}" title="${formatBytesExact(count)}">${formatBytes(count)}</data>`;
}

/** `1.46 GiB (1,567,890,123 bytes)`, where there is room. */
export function bytesBoth(count: number): Html {
  if (count < 1024)
    return html`<data class="figure" value="${count}">${formatBytesExact(count)}</data>`;
  return html`<data class="figure" value="${count}">${formatBytes(count)}</data> <span class="muted small">(${formatBytesExact(count)})</span>`;
}

/** `3 hours ago`; the exact time is its machine value and its tooltip. */
export function timeAgo(atMs: number, nowMs: number): Html {
  return time(atMs, formatAgo(atMs, nowMs));
}

/** `in 3 days`. */
export function timeUntil(atMs: number, nowMs: number): Html {
  return time(atMs, formatUntil(atMs, nowMs));
}

/** `12 Mar 2026`. */
export function date(atMs: number): Html {
  return time(atMs, formatDate(atMs));
}

/** `3 hours ago (12 Mar 2026, 14:03 UTC)`, where there is room. */
export function timeBoth(atMs: number, nowMs: number): Html {
  return html`${timeAgo(atMs, nowMs)} <span class="muted small">(${formatUtc(atMs)})</span>`;
}

function time(atMs: number, text: string): Html {
  return html`<time class="nowrap" datetime="${formatIso(atMs)}" title="${formatUtc(atMs)}">${text}</time>`;
}

export interface Meter {
  /** 0 to 1. */
  readonly part: number;
  /** What it measures, for those who do not see it. */
  readonly label: string;
  readonly kind?: 'accent' | 'good' | 'warn' | 'bad';
}

/** A bar with its percentage in figures beside it. */
export function meter({ part, label, kind = 'accent' }: Meter): Html {
  const percent = formatPercent(part);
  const width = Math.round(Math.min(1, Math.max(0, part)) * 1000) / 10;
  return html`<span class="meter meter-${kind}"><svg role="img" aria-label="${label}: ${percent}" focusable="false"><rect width="${width}%" height="100%"></rect></svg><span class="figure">${percent}</span></span>`;
}
