// The way through a list by pages: previous and next, with what is shown between them.

import { html } from 'hono/html';
import { linkButton } from './button.ts';
import { icon } from './icon.ts';
import { type Html, NOTHING } from './markup.ts';

export interface Pager {
  readonly previousHref?: string;
  readonly nextHref?: string;
  /** `Torrents 51 to 100 of 1,204`. */
  readonly summary: string;
}

export function pager({ previousHref, nextHref, summary }: Pager): Html {
  const previous =
    previousHref === undefined
      ? NOTHING
      : linkButton({ href: previousHref, label: html`${icon('left')} Previous` });
  const next =
    nextHref === undefined
      ? NOTHING
      : linkButton({ href: nextHref, label: html`Next ${icon('right')}` });
  return html`<nav class="pager" aria-label="Pages"><p>${summary}</p><div class="row">${previous}${next}</div></nav>`;
}
