// The picture that stands for a torrent: large beside its words, small beside its title in a list of
// cards. Its room is there before it is loaded, so that nothing moves.

import { html } from 'hono/html';
import type { Html } from './markup.ts';

export interface CoverPicture {
  readonly src: string;
  readonly width: number;
  readonly height: number;
  /** What it shows. */
  readonly alt: string;
}

/** With the words beside it, or above them where there is little room. */
export function withCover({ src, width, height, alt }: CoverPicture, words: Html): Html {
  return html`<div class="with-cover"><img class="cover" src="${src}" alt="${alt}" width="${width}" height="${height}"><div>${words}</div></div>`;
}

/** Says nothing that the title beside it does not say. Lists show it where their rows are cards. */
export function thumb(src: string): Html {
  return html`<img class="thumb" src="${src}" alt="" width="56" height="56" loading="lazy">`;
}
