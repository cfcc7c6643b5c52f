// For the list and the page of a torrent: numbers that change while somebody looks at them. It asks for
// the torrents that the page shows, and writes what comes into the elements that say so by `data-live`:
// first a letter, what it is (components/live.ts), then the torrent's number. Nothing moves: rows keep
// their order, and figures their columns.
//
// A hidden page asks for nothing. One that was refused, because many others are open, waits: longer each
// time, and not all as long.

import { href } from '#site/routes.ts';

export const liveScript = `'use strict';
(() => {
  const WAIT_MS_MIN = 5000;
  const WAIT_MS_MAX = 300000;
  const shown = new Map();
  for (const element of document.querySelectorAll('[data-live]')) {
    const key = element.dataset.live;
    shown.set(key, [...(shown.get(key) ?? []), element]);
  }
  const ids = new Set([...shown.keys()].map((key) => key.slice(1)));
  if (ids.size === 0 || typeof EventSource === 'undefined') return;
  let source;
  let timer;
  let waitMs = WAIT_MS_MIN;

  const write = (element, kind, text) => {
    if (kind !== 'h') {
      if (element.textContent !== text) element.textContent = text;
      return;
    }
    const at = text.indexOf(' ');
    const word = text.slice(at + 1);
    if (element.textContent === word) return;
    element.className = 'health health-' + text.slice(0, at);
    element.textContent = word;
  };
  const close = () => {
    clearTimeout(timer);
    if (source !== undefined) source.close();
    source = undefined;
  };
  const open = () => {
    close();
    if (document.hidden) return;
    source = new EventSource('${href('liveCounts')}?torrents=' + [...ids].join(','));
    source.onmessage = (message) => {
      waitMs = WAIT_MS_MIN;
      for (const [id, row] of Object.entries(JSON.parse(message.data))) {
        for (const [kind, text] of Object.entries(row)) {
          for (const element of shown.get(kind + id) ?? []) write(element, kind, text);
        }
      }
    };
    source.onerror = (event) => {
      // A line that was cut is opened again by the browser; a refusal is final.
      if (source === undefined || source.readyState !== EventSource.CLOSED) return;
      close();
      // When it came is chance enough.
      timer = setTimeout(open, waitMs * (0.5 + (event.timeStamp % 1000) / 1000));
      waitMs = Math.min(2 * waitMs, WAIT_MS_MAX);
    };
  };
  document.addEventListener('visibilitychange', open);
  // A page that is left open in the browser's history holds no line.
  window.addEventListener('pagehide', close);
  window.addEventListener('pageshow', (event) => { if (event.persisted) open(); });
  open();
})();
`;
