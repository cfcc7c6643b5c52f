// A titled box for one subject, and boxes beside one another.

import { html } from 'hono/html';
import { type Html, NOTHING } from './markup.ts';

export interface Panel {
  readonly title: string;
  readonly body: Html;
  /** A count or a link at the right of the heading. */
  readonly aside?: string | Html;
  /** The body is a table or a list that reaches the edges. */
  readonly flush?: boolean;
  /** For links to this part of the page. */
  readonly id?: string;
}

export function panel({ title, body, aside, flush, id }: Panel): Html {
  const side = aside === undefined ? NOTHING : html`<div class="small">${aside}</div>`;
  const anchor = id === undefined ? NOTHING : html` id="${id}"`;
  return html`<section class="${flush ? 'panel panel-flush' : 'panel'}"${anchor}><div class="panel-head"><h2>${title}</h2>${side}</div><div class="panel-body">${body}</div></section>`;
}

/** Panels side by side where there is room. */
export function panels(...boxes: readonly Html[]): Html {
  return html`<div class="panels">${boxes}</div>`;
}
