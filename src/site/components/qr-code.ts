// A QR code as a drawing in the page: dark on light in both themes, since readers expect that, with the
// quiet edge of four cells that the standard asks for.

import { html, raw } from 'hono/html';
import { encode } from 'uqr';
import type { Html } from './markup.ts';

const EDGE = 4;

/** `label` says what it holds, for those who do not see it. */
export function qrCode(text: string, label: string): Html {
  const { data, size } = encode(text, { ecc: 'M', border: 0 });
  const cells = data.flatMap((row, y) =>
    row.flatMap((isDark, x) => (isDark ? [`M${x + EDGE} ${y + EDGE}h1v1h-1z`] : [])),
  );
  const edge = size + 2 * EDGE;
  return html`<svg class="qr-code" viewBox="0 0 ${edge} ${edge}" role="img" aria-label="${label}" shape-rendering="crispEdges"><rect width="${edge}" height="${edge}"></rect><path d="${raw(cells.join(''))}"></path></svg>`;
}
