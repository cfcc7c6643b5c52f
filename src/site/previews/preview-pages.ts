// The gallery on a torrent's page, and the pictures in it.

import { html } from 'hono/html';
import type { RouteHandlers } from '#site/admission.ts';
import { findTorrentByHash } from '#site/catalogue/find-torrent.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { panel } from '#site/components/panel.ts';
import { plural } from '#site/format/number.ts';
import { hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { imageSize } from './image-head.ts';
import { type NamedPreview, previewsOf } from './previews.ts';

/** Nothing when there are no previews. A picture leads to its file where the reader is given that. */
export function previewsPanel(
  hash: string,
  previews: readonly NamedPreview[],
  isGiven: boolean,
): Html {
  if (previews.length === 0) return NOTHING;
  const items = previews.map(({ position, name, width, height }) => {
    const picture = html`<img src="${hrefTo('torrentPreview', { hash, entry: position })}" alt="" width="${width}" height="${height}" loading="lazy"><span class="small">${name}</span>`;
    const href = hrefTo('torrentContent', { hash, entry: position });
    return isGiven
      ? html`<li><a href="${href}">${picture}</a></li>`
      : html`<li><span>${picture}</span></li>`;
  });
  return panel({
    title: 'Previews',
    aside: plural(previews.length, 'file'),
    body: html`<ul class="gallery">${items}</ul>`,
  });
}

async function showPreview(visit: Visit): Promise<Response> {
  const { sql, content } = visit.parts;
  const torrent = await findTorrentByHash(sql, visit.param('hash'));
  if (torrent === undefined || torrent.removedMs !== undefined || content === undefined) {
    return await visit.notFound();
  }
  const position = visit.param('entry');
  const previews = await previewsOf(sql, torrent.id);
  const preview = previews.find((one) => String(one.position) === position);
  const bytes = preview && (await content.blob(preview.ref));
  const type = bytes && imageSize(bytes)?.type;
  if (preview === undefined || bytes === undefined || type === undefined) {
    return await visit.notFound();
  }
  const etag = `"${preview.ref}"`;
  const headers = { etag, 'cache-control': 'private, max-age=86400' };
  if (visit.header('if-none-match') === etag) return new Response(null, { status: 304, headers });
  return new Response(new Uint8Array(bytes), { headers: { ...headers, 'content-type': type } });
}

export const previewRoutes: RouteHandlers = {
  torrentPreview: { GET: showPreview },
};
