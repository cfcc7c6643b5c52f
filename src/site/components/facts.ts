// Terms and their values, and the large figures at the head of a page.

import { html } from 'hono/html';
import { type Html, NOTHING } from './markup.ts';

export interface Fact {
  readonly term: string;
  readonly value: string | number | Html;
}

/** A definition list. `figures` aligns the values at the right in tabular numerals. */
export function facts(items: readonly Fact[], options: { readonly figures?: boolean } = {}): Html {
  const lines = items.map(({ term, value }) => html`<div><dt>${term}</dt><dd>${value}</dd></div>`);
  return html`<dl class="${options.figures ? 'facts facts-figures' : 'facts'}">${lines}</dl>`;
}

export interface Stat {
  readonly label: string;
  readonly value: string | number | Html;
  readonly note?: string | Html;
}

/** Figures side by side, each with its name above and a remark below. */
export function stats(items: readonly Stat[]): Html {
  const cells = items.map(
    ({ label, value, note }) =>
      html`<div class="stat"><dt>${label}</dt><dd>${value}</dd>${note === undefined ? NOTHING : html`<dd class="note">${note}</dd>`}</div>`,
  );
  return html`<dl class="stats">${cells}</dl>`;
}
