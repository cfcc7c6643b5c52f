// The few drawings of the site, inside the page so that they take the text's colour. They stand
// beside words and are hidden from screen readers.

import { html, raw } from 'hono/html';
import type { Html } from './markup.ts';

const DRAWINGS = {
  up: 'M12 20V5M5 12l7-7 7 7',
  down: 'M12 4v15M5 12l7 7 7-7',
  right: 'M9 5l7 7-7 7',
  left: 'M15 5l-7 7 7 7',
  open: 'M6 9l6 6 6-6',
  check: 'M4 12.5l5 5L20 6.5',
  cross: 'M6 6l12 12M18 6L6 18',
  warn: 'M12 3.5L22 20.5H2zM12 10v5M12 18v.01',
  info: 'M12 2.5a9.5 9.5 0 100 19 9.5 9.5 0 000-19zM12 11v6M12 7.5v.01',
  search: 'M10.5 4a6.5 6.5 0 100 13 6.5 6.5 0 000-13zM15.5 15.5L21 21',
  folder: 'M3 6.5a1 1 0 011-1h5l2 2.5h9a1 1 0 011 1V18a1 1 0 01-1 1H4a1 1 0 01-1-1z',
  file: 'M6 3h8l4 4.5V21H6zM14 3v5h4',
  box: 'M12 2.8l8 4.6v9.2l-8 4.6-8-4.6V7.4zM4 7.4l8 4.6 8-4.6M12 12v9.2',
  people:
    'M9 11a4 4 0 100-8 4 4 0 000 8zM2 21c0-4 3-6.5 7-6.5s7 2.5 7 6.5M16 3.5a4 4 0 010 7M18.5 15c2.2.9 3.5 3 3.5 6',
  key: 'M8 10a5 5 0 105 5 5 5 0 00-5-5zM11.5 11.5L20 3M16 7l3 3',
  plus: 'M12 5v14M5 12h14',
} as const;

export type IconName = keyof typeof DRAWINGS;

export function icon(name: IconName, className = ''): Html {
  return html`<svg class="${className === '' ? 'icon' : `icon ${className}`}" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d="${raw(DRAWINGS[name])}"></path></svg>`;
}

/** The mark: a cell of a comb with the part that is kept inside. */
export function mark(): Html {
  return html`<svg viewBox="0 0 24 24" aria-hidden="true" focusable="false" fill="none" stroke="currentColor" stroke-width="2.25" stroke-linejoin="round"><path d="M12 2l8.7 5v10L12 22l-8.7-5V7z"></path><path d="M12 7.6l3.8 2.2v4.4L12 16.4l-3.8-2.2V9.8z" fill="currentColor"></path></svg>`;
}

/** The same, as a file for the browser's tab. */
export const MARK_FILE =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#2f93b8" ' +
  'stroke-width="2.25" stroke-linejoin="round"><path d="M12 2l8.7 5v10L12 22l-8.7-5V7z"/>' +
  '<path d="M12 7.6l3.8 2.2v4.4L12 16.4l-3.8-2.2V9.8z" fill="#2f93b8"/></svg>';
