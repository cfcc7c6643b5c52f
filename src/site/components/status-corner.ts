// The state of the whole in the corner of each page, for the staff: a word with its shape, and behind it
// what it is made of. It opens and closes without a script.

import { html } from 'hono/html';
import { plural } from '#site/format/number.ts';
import { type Health, healthMark } from './badge.ts';
import type { Html } from './markup.ts';

export interface StatusLine {
  /** What it is about: `Scrub`. */
  readonly label: string;
  /** How it stands: `proven within 12 days`. */
  readonly words: string;
  /** What somebody has to look at. */
  readonly problems: number;
  /** Where more is told of it. */
  readonly href: string;
}

export function statusCorner(lines: readonly StatusLine[]): Html {
  const problems = lines.reduce((sum, line) => sum + line.problems, 0);
  const state: Health =
    problems === 0
      ? { kind: 'good', word: 'All well' }
      : { kind: 'bad', word: plural(problems, 'problem') };
  const items = lines.map(({ label, words, problems: own, href }) => {
    const mark = healthMark({ kind: own === 0 ? 'good' : 'bad', word: label });
    return html`<li><a href="${href}">${mark}<span class="small muted">${words}</span></a></li>`;
  });
  return html`<details class="menu status-corner"><summary><span class="visually-hidden">Status: </span>${healthMark(state)}</summary><div class="menu-items"><ul>${items}</ul></div></details>`;
}
