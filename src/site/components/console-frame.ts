// The archetype "console": the parts of the operator's desk at the left (above, on a phone), one of
// them open.

import { html } from 'hono/html';
import { attribute, type Html } from './markup.ts';

export interface ConsoleLink {
  readonly label: string;
  readonly href: string;
  readonly current: boolean;
}

export function consoleFrame(label: string, links: readonly ConsoleLink[], body: Html): Html {
  const items = links.map(
    (link) =>
      html`<li><a href="${link.href}"${attribute('aria-current', link.current ? 'page' : undefined)}>${link.label}</a></li>`,
  );
  return html`<div class="console"><nav class="console-nav" aria-label="${label}"><ul>${items}</ul></nav><div>${body}</div></div>`;
}
