// What a script keeps up to date while a page is open (client/live-script.ts): each such element says what
// it tells of which torrent. Without the script the page is as complete, and as old as it is.

import { html } from 'hono/html';
import { attribute, type Html } from './markup.ts';

/**
 * Seeders, leechers, completed as figures; health by word and shape; who is here in words; and what
 * follows from it, where the archive has not (v) and has (k) all of the torrent.
 */
export type LiveKind = 's' | 'l' | 'c' | 'h' | 'w' | 'v' | 'k';

export interface Live {
  readonly torrentId: number;
}

/** ` data-live="s57"`, or nothing. */
export function liveAttribute(kind: LiveKind, live: Live | undefined): Html {
  return attribute('data-live', live === undefined ? undefined : `${kind}${live.torrentId}`);
}

export function liveText(kind: LiveKind, live: Live, text: string): Html {
  return html`<span${liveAttribute(kind, live)}>${text}</span>`;
}
