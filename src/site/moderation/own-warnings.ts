// The warnings of a member as their profile shows them, to themselves and to the staff: why and until
// when. Who gave one, and the staff's notes, stand in the console alone.

import { html } from 'hono/html';
import { badge } from '#site/components/badge.ts';
import { date, timeAgo, timeUntil } from '#site/components/figures.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { panel } from '#site/components/panel.ts';
import { plural } from '#site/format/number.ts';
import { isInForce, type Warning } from './warnings.ts';

const SHOWN_MAX = 20;

export type WarningState = 'in-force' | 'over' | 'withdrawn';

export function stateOf(warning: Warning, nowMs: number): WarningState {
  if (warning.withdrawnMs !== undefined) return 'withdrawn';
  return isInForce(warning, nowMs) ? 'in-force' : 'over';
}

/** Newest first; nothing without any. */
export function ownWarningsPanel(warnings: readonly Warning[], nowMs: number): Html {
  if (warnings.length === 0) return NOTHING;
  const inForce = warnings.filter((one) => stateOf(one, nowMs) === 'in-force').length;
  const items = warnings.slice(0, SHOWN_MAX).map((one) => {
    const words = html`<p class="as-typed">${one.reason}</p><p class="small muted">Given ${timeAgo(one.givenMs, nowMs)}. ${untilWords(one, nowMs)}</p>`;
    return html`<li class="stack-tight">${stateBadge(one, nowMs)}${words}</li>`;
  });
  const aside = inForce === 0 ? 'none in force' : `${plural(inForce, 'warning')} in force`;
  const list = html`<ul class="plain stack">${items}</ul>`;
  return panel({ title: 'Warnings', id: 'warnings', aside, body: list });
}

function stateBadge(warning: Warning, nowMs: number): Html {
  switch (stateOf(warning, nowMs)) {
    case 'in-force':
      return badge('warn', 'In force');
    case 'over':
      return badge('plain', 'Over');
    case 'withdrawn':
      return badge('plain', 'Withdrawn');
  }
}

function untilWords(warning: Warning, nowMs: number): Html {
  const { withdrawnMs, expiresMs } = warning;
  if (withdrawnMs !== undefined) return html`Withdrawn ${timeAgo(withdrawnMs, nowMs)}.`;
  if (!isInForce(warning, nowMs)) return html`It ended ${timeAgo(expiresMs, nowMs)}.`;
  return html`In force until ${date(expiresMs)}: it ends ${timeUntil(expiresMs, nowMs)}.`;
}
