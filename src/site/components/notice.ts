// A message in its own box: what happened, or what to know before going on. Kind is told by icon and
// words as well as by colour.

import { html } from 'hono/html';
import { type IconName, icon } from './icon.ts';
import type { Html } from './markup.ts';

export type NoticeKind = 'info' | 'good' | 'warn' | 'bad';

const ICONS: Readonly<Record<NoticeKind, IconName>> = {
  info: 'info',
  good: 'check',
  warn: 'warn',
  bad: 'cross',
};

export function notice(kind: NoticeKind, body: string | Html): Html {
  const role = kind === 'bad' || kind === 'warn' ? 'alert' : 'status';
  return html`<div class="notice notice-${kind}" role="${role}">${icon(ICONS[kind])}<div>${body}</div></div>`;
}

/** Why what was sent was not done. The focus is in it when the page has come, without a script. */
export function refusalNotice(body: string | Html): Html {
  return html`<div class="notice notice-bad" role="alert" tabindex="-1" autofocus>${icon(ICONS.bad)}<div>${body}</div></div>`;
}
