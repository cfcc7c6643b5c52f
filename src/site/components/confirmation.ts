// The page between wanting to destroy something and doing it. It asks once, in words that name the
// thing and say what cannot be undone.

import { html } from 'hono/html';
import { linkButton, submitButton } from './button.ts';
import { formActions, postForm } from './form.ts';
import { type Html, NOTHING } from './markup.ts';

export interface Confirmation {
  /** A question that names the thing: `Remove "Lectures 2026"?` */
  readonly question: string;
  /** What happens, and whether there is a way back. */
  readonly consequence: string | Html;
  readonly action: string;
  readonly csrf: string;
  /** The deed, not "OK": `Remove torrent`. */
  readonly confirmLabel: string;
  readonly cancelHref: string;
  /** More to fill in, such as a reason. */
  readonly fields?: Html;
}

export function confirmation(asked: Confirmation): Html {
  const body = html`${asked.fields ?? NOTHING}${formActions(
    submitButton({ label: asked.confirmLabel, kind: 'danger-solid' }),
    linkButton({ label: 'Keep everything as it is', href: asked.cancelHref, kind: 'quiet' }),
  )}`;
  return html`<div class="medium stack"><h1>${asked.question}</h1><div class="prose">${asked.consequence}</div>${postForm({ action: asked.action, csrf: asked.csrf, body })}</div>`;
}
