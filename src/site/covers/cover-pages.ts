// The cover in forms and on pages: what a form sent of it, who may see it, and its bytes.

import { html } from 'hono/html';
import type { RouteHandlers } from '#site/admission.ts';
import { findTorrentByHash, type Torrent } from '#site/catalogue/find-torrent.ts';
import { withCover } from '#site/components/cover.ts';
import { checkField, fileField, textField } from '#site/components/form.ts';
import { type Html, NOTHING } from '#site/components/markup.ts';
import { formatBytes } from '#site/format/bytes.ts';
import { pictureResponse } from '#site/previews/picture-response.ts';
import { Refusal } from '#site/refusal.ts';
import { hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import {
  COVER_LIMITS,
  type Cover,
  cleanAlt,
  findCover,
  type PreparedCover,
  prepareCover,
  removeCover,
  setCover,
  setCoverAlt,
} from './covers.ts';

const TYPES = 'image/jpeg,image/png,image/webp,image/avif';
const VERSION_CHARS = 16;

export const coverRoutes: RouteHandlers = {
  torrentCover: { GET: showCover },
};

/** What a form says of the cover. */
export interface SentCover {
  /** Undefined when no picture was chosen. */
  readonly picture: PreparedCover | undefined;
  readonly alt: string;
  readonly isRemoved: boolean;
}

/** The picture is made and stored already; nothing shows it yet. */
export async function readCover(visit: Visit): Promise<SentCover | Refusal | undefined> {
  const pictures = visit.parts.content?.pictures;
  if (pictures === undefined) return undefined;
  const alt = cleanAlt(visit.form.text('coverAlt'));
  if (alt instanceof Refusal) return alt;
  const file = await visit.form.file('cover');
  const isRemoved = visit.form.texts('coverRemove').includes('yes');
  if (file === undefined) return { picture: undefined, alt, isRemoved };
  const world = { pictures, config: visit.parts.config };
  const picture = await prepareCover(world, file.bytes, visit.request.signal);
  return picture instanceof Refusal ? picture : { picture, alt, isRemoved: false };
}

/** Whether the visitor may is the caller's to check. */
export async function applyCover(
  visit: Visit,
  torrentId: number,
  { picture, alt, isRemoved }: SentCover,
): Promise<void> {
  const { sql, clock } = visit.parts;
  // Not the time of the request: a torrent that came with it is there since.
  const atMs = clock.nowMs();
  const change = { torrentId, memberId: visit.signedIn().memberId, atMs };
  if (picture !== undefined) await setCover(sql, change, { ...picture, alt });
  else if (isRemoved) await removeCover(sql, change);
  else await setCoverAlt(sql, torrentId, alt);
}

export interface CoverForm {
  /** Undefined where no pictures can be kept. */
  readonly bytesMax: number | undefined;
  /** The one that is there. */
  readonly now:
    | { readonly hash: string; readonly title: string; readonly cover: Cover }
    | undefined;
  readonly alt: string;
  readonly errors: Readonly<Record<string, string>>;
}

/** Of a new torrent, or of one that is edited. */
export function coverForm(
  visit: Visit,
  errors: Readonly<Record<string, string>>,
  now?: { readonly torrent: Torrent; readonly cover: Cover | undefined },
): CoverForm {
  const { content, config } = visit.parts;
  const { torrent, cover } = now ?? {};
  const isSentBack = visit.form.names().includes('coverAlt');
  return {
    bytesMax: content?.pictures === undefined ? undefined : config.coverBytesMax,
    now:
      torrent === undefined || cover === undefined
        ? undefined
        : { hash: torrent.infoHash, title: torrent.title, cover },
    alt: isSentBack ? visit.form.text('coverAlt') : (cover?.alt ?? ''),
    errors,
  };
}

export function coverFields({ bytesMax, now, alt, errors }: CoverForm): Html {
  if (bytesMax === undefined) return NOTHING;
  const file = fileField({
    name: 'cover',
    label: now === undefined ? 'Cover picture' : 'Another cover picture',
    hint: `JPEG, PNG, WebP or AVIF, at most ${formatBytes(bytesMax)}. It is made anew: nothing of where and when it was taken is kept.`,
    error: errors['cover'],
    accept: TYPES,
  });
  const words = textField({
    name: 'coverAlt',
    label: 'What the picture shows',
    hint: 'For those who do not see it.',
    value: alt,
    error: errors['coverAlt'],
    lengthMax: COVER_LIMITS.altCharsMax,
    autocomplete: 'off',
  });
  const both = html`${file}${words}`;
  if (now === undefined) return both;
  const remove = checkField({
    name: 'coverRemove',
    label: 'The picture that is there',
    options: [{ value: 'yes', label: 'Take it away' }],
    values: [],
  });
  return html`${coverBeside(now.hash, now, remove)}${both}`;
}

/** The torrent's picture with words beside it; the words alone when it has none. */
export function coverBeside(
  hash: string,
  { title, cover }: { readonly title: string; readonly cover: Cover | undefined },
  words: Html,
): Html {
  if (cover === undefined) return words;
  const { width, height } = cover;
  const alt = cover.alt === '' ? `Cover of “${title}”` : cover.alt;
  return withCover({ src: coverHref(hash, cover), width, height, alt }, words);
}

/** Another address for another picture, so that browsers keep what they have. */
function coverHref(hash: string, { ref }: Cover): string {
  return hrefTo('torrentCover', { hash }, { v: version(ref) });
}

export function thumbHref(hash: string, { thumbRef }: Cover): string {
  return hrefTo('torrentCover', { hash }, { size: 'small', v: version(thumbRef) });
}

function version(ref: string): string {
  return ref.slice(ref.indexOf('-') + 1).slice(0, VERSION_CHARS);
}

async function showCover(visit: Visit): Promise<Response> {
  const torrent = await findTorrentByHash(visit.parts.sql, visit.param('hash'));
  if (torrent === undefined || torrent.removedMs !== undefined) return await visit.notFound();
  return await coverResponse(visit, torrent.id);
}

/** Its bytes, small ones when the query says so, for who may see the torrent. */
export async function coverResponse(visit: Visit, torrentId: number): Promise<Response> {
  const cover = await findCover(visit.parts.sql, torrentId);
  const ref = visit.query('size') === 'small' ? cover?.thumbRef : cover?.ref;
  if (ref === undefined) return await visit.notFound('It has no cover.');
  return await pictureResponse(visit, ref);
}
