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
}

export function emptyState({ title, text, action, icon: drawing = 'box' }: EmptyState): Html {
  const row = action === undefined ? NOTHING : html`<div class="row">${action}</div>`;
  return html`<div class="empty">${icon(drawing)}<h2>${title}</h2><p>${text}</p>${row}</div>`;
}
