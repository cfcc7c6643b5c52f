// The gallery on a torrent's page, and the pictures in it.

import { html } from 'hono/html';
import type { RouteHandlers } from '#site/admission.ts';
import { findTorrentByHash } from '#site/catalogue/find-torrent.ts';
import { icon } from '#site/components/icon.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { type Crumb, pageHead } from '#site/components/page-head.ts';
import { panel } from '#site/components/panel.ts';
import { plural } from '#site/format/number.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import type { Sql } from '#sql/sql.ts';
import { type MediaExtract, mediaOf, type Named, type TextExtract, textsOf } from './extracts.ts';
import { factWords } from './media-facts.ts';
import { pictureResponse } from './picture-response.ts';
import { type NamedPreview, previewsOf } from './previews.ts';

/** What is shown of a torrent's files: pictures, beginnings of texts, and what media are. */
export interface ShownPreviews {
  readonly pictures: readonly NamedPreview[];
  readonly texts: readonly (TextExtract & Named)[];
  readonly media: readonly (MediaExtract & Named)[];
}

export async function shownPreviews(sql: Sql, torrentId: number): Promise<ShownPreviews> {
  const [pictures, texts, media] = await Promise.all([
    previewsOf(sql, torrentId),
    textsOf(sql, torrentId),
    mediaOf(sql, torrentId),
  ]);
  return { pictures, texts, media };
}

/** Nothing when there are no previews. A picture leads to its file where the reader is given that. */
export function previewsPanel(hash: string, shown: ShownPreviews, isGiven: boolean): Html {
  return gallery(shown, {
    preview: (position) => hrefTo('torrentPreview', { hash, entry: position }),
    file: (position) => (isGiven ? hrefTo('torrentContent', { hash, entry: position }) : undefined),
  });
}

/** Pictures, then the files that have none, with where each is for who may have it. */
export function gallery(
  { pictures, texts, media }: ShownPreviews,
  hrefs: {
    readonly preview: (position: number) => string;
    readonly file: (position: number) => string | undefined;
  },
): Html {
  const facts = new Map(media.map((one) => [one.position, factWords(one.facts)]));
  const shown = new Set(pictures.map(({ position }) => position));
  const others = media.filter(({ position }) => !shown.has(position));
  const count = pictures.length + texts.length + others.length;
  if (count === 0) return NOTHING;
  const items = pictures.map(({ position, name, width, height }) => {
    const words = facts.get(position);
    const below =
      words === undefined ? NOTHING : html`<br><span class="small muted">${words}</span>`;
    const picture = html`<img src="${hrefs.preview(position)}" alt="" width="${width}" height="${height}" loading="lazy"><span class="small">${name}</span>${below}`;
    const href = hrefs.file(position);
    return href === undefined
      ? html`<li><span>${picture}</span></li>`
      : html`<li><a href="${href}">${picture}</a></li>`;
  });
  const line = (name: Html | string, words: string): Html =>
    html`<li><div class="tree-line">${icon('file')}<span class="name">${name} <span class="muted small">${words}</span></span></div></li>`;
  const lines = [
    ...others.map(({ name, position }) => line(name, facts.get(position) ?? '')),
    ...texts.map(({ name, position, kind }) =>
      line(html`<a href="${hrefs.preview(position)}">${name}</a>`, KIND_WORDS[kind]),
    ),
  ];
  return panel({
    title: 'Previews',
    aside: plural(count, 'file'),
    body: html`${items.length === 0 ? NOTHING : html`<ul class="gallery">${items}</ul>`}${lines.length === 0 ? NOTHING : html`<ul class="tree">${lines}</ul>`}`,
  });
}

const KIND_WORDS = { text: 'how it begins', subtitles: 'what is said' } as const;

async function showPreview(visit: Visit): Promise<Response> {
  const torrent = await findTorrentByHash(visit.parts.sql, visit.param('hash'));
  if (torrent === undefined || torrent.removedMs !== undefined) return await visit.notFound();
  const entry = visit.param('entry');
  const position = /^\d{1,10}$/.test(entry) ? Number(entry) : -1;
  const crumbs = [
    { label: 'Torrents', href: href('torrents') },
    { label: torrent.title, href: hrefTo('torrent', { hash: torrent.infoHash }) },
  ];
  return await previewAnswer(visit, torrent.id, { position, crumbs });
}

/** The picture of a file, or the page of a text's beginning, for who may see it. */
export async function previewAnswer(
  visit: Visit,
  torrentId: number,
  of: { readonly position: number; readonly crumbs: readonly Crumb[] },
): Promise<Response> {
  const texts = await textsOf(visit.parts.sql, torrentId);
  const text = texts.find(({ position }) => position === of.position);
  if (text !== undefined) return await textPage(visit, text, of.crumbs);
  return await previewResponse(visit, torrentId, of.position);
}

/** The picture of a file, for who may see it. */
export async function previewResponse(
  visit: Visit,
  torrentId: number,
  position: number,
): Promise<Response> {
  const previews = await previewsOf(visit.parts.sql, torrentId);
  const preview = previews.find((one) => one.position === position);
  if (preview === undefined) return await visit.notFound();
  return await pictureResponse(visit, preview.ref);
}

async function textPage(
  visit: Visit,
  { name, ref, kind }: TextExtract & Named,
  crumbs: readonly Crumb[],
): Promise<Response> {
  const bytes = await visit.parts.content?.blob(ref);
  if (bytes === undefined) return await visit.notFound();
  const lead = kind === 'text' ? 'How the file begins.' : 'What is said first, and when.';
  const head = pageHead({ title: name, lead, crumbs });
  const text = Buffer.from(bytes).toString('utf8');
  const main = html`${head}<div class="markdown"><pre tabindex="0">${text}</pre></div>`;
  return await visit.page({ title: name, main });
}

export const previewRoutes: RouteHandlers = {
  torrentPreview: { GET: showPreview },
};
