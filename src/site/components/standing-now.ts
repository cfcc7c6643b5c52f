// Above a form that came too late: what somebody else saved since it was opened. What was typed stays in
// the form below, which shows this version now: sent again, it is taken.

import { html } from 'hono/html';
import type { Html } from './markup.ts';
import { refusalNotice } from './notice.ts';
import { panel } from './panel.ts';

export interface Standing {
  readonly label: string;
  readonly text: string;
}

export function standingNow(said: readonly Standing[]): Html {
  const lines = said.map(
    ({ label, text }) =>
      html`<div class="stack-tight"><h3>${label}</h3>${text === '' ? html`<p class="muted">Nothing.</p>` : html`<pre dir="auto">${text}</pre>`}</div>`,
  );
  const words = html`<strong>Somebody changed this since you opened it. Nothing was saved.</strong><p>What stands there now is below, and under it what you wrote. Send that again to have it stand instead.</p>`;
  const now = panel({
    title: 'What stands there now',
    body: html`<div class="stack said">${lines}</div>`,
  });
  return html`<div class="stack">${refusalNotice(words)}${now}</div>`;
}
