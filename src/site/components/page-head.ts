// The top of a page's own part: where it lies, its one h1, a line that sums it up, its actions.

import { html } from 'hono/html';
import { type Html, NOTHING } from './markup.ts';

export interface Crumb {
  readonly label: string;
  readonly href: string;
}

export interface PageHead {
  readonly title: string | Html;
  /** One sentence under the title. */
  readonly lead?: string | Html;
  readonly crumbs?: readonly Crumb[];
  readonly actions?: Html | readonly Html[];
}

export function pageHead({ title, lead, crumbs = [], actions }: PageHead): Html {
  const path =
    crumbs.length === 0
      ? NOTHING
      : html`<nav class="crumbs" aria-label="Where this is"><ol>${crumbs.map((crumb) => html`<li><a href="${crumb.href}">${crumb.label}</a></li>`)}</ol></nav>`;
  const line = lead === undefined ? NOTHING : html`<div class="lead">${lead}</div>`;
  const buttons = actions === undefined ? NOTHING : html`<div class="row">${actions}</div>`;
  return html`<div class="page-head"><div>${path}<h1>${title}</h1>${line}</div>${buttons}</div>`;
}

/** The archetype "item": the thing itself at the left, facts about it at the right. */
export function columns(main: Html, side: Html): Html {
  return html`<div class="columns"><div>${main}</div><div>${side}</div></div>`;
}
