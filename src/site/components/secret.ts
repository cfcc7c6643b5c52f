// Something to copy and keep: an announce address, a password that is shown once.

import { html } from 'hono/html';
import type { Html } from './markup.ts';

/** Shown at once. One click selects all of it. */
export function secret(text: string): Html {
  return html`<code class="secret">${text}</code>`;
}

/** Shown after the reader asks for it, so that nobody reads it over a shoulder. */
export function reveal(label: string, body: Html): Html {
  return html`<details class="reveal"><summary>${label}</summary>${body}</details>`;
}
