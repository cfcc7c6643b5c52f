// The sentence on a torrent's page when not everything counts in full.

import { html } from 'hono/html';
import type { Credit } from '#accounting/credit.ts';
import { timeUntil } from '#site/components/figures.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { notice } from '#site/components/notice.ts';
import { creditWords } from './credit-form.ts';

export interface CreditNow {
  readonly credit: Credit;
  /** When it becomes less good for the member; undefined when nobody set an end. */
  readonly untilMs: number | undefined;
}

export function creditNotice(now: CreditNow | undefined, nowMs: number): Html {
  if (now === undefined) return NOTHING;
  const until = now.untilMs === undefined ? NOTHING : html` Ends ${timeUntil(now.untilMs, nowMs)}.`;
  const words = html`<strong>${creditWords(now.credit)}</strong> for you, on this torrent.${until}`;
  return html`<div class="flashes">${notice('good', words)}</div>`;
}
