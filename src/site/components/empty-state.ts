// What stands where a list has no lines: why, and what to do next.

import { html } from 'hono/html';
import { type IconName, icon } from './icon.ts';
import { type Html, NOTHING } from './markup.ts';

export interface EmptyState {
  readonly title: string;
  readonly text: string | Html;
  /** Usually a `linkButton`. */
  readonly action?: Html;
  readonly icon?: IconName;
  /** It is all there is on its page, so that its title is the page's. */
  readonly isPage?: boolean;
}

export function emptyState(state: EmptyState): Html {
  const { title, text, action, icon: drawing = 'box', isPage } = state;
  const heading = isPage ? html`<h1>${title}</h1>` : html`<h2>${title}</h2>`;
  const row = action === undefined ? NOTHING : html`<div class="row">${action}</div>`;
  return html`<div class="empty">${icon(drawing)}${heading}<p>${text}</p>${row}</div>`;
}
