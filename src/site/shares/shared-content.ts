// What somebody with a link sees and takes: the page of a share, its folders, its downloads. The same page
// is JSON for programs that ask for it, and a torrent's is its .torrent. docs/shares.md tells programs how.

import { createHmac } from 'node:crypto';
import { TOP } from '#archive/downloads/content-tree.ts';
import type { Grant } from '#archive/downloads/granted-body.ts';
import { utf8 } from '#base/bytes.ts';
import { secretEqual } from '#base/secret-equal.ts';
import { NO_PARENT } from '#site/catalogue/file-entries.ts';
import { torrentFileFor, torrentFileName } from '#site/catalogue/torrent-file.ts';
import { downloadRequest, downloadResponse } from '#site/downloads/download-response.ts';
import {
  childOf,
  type FolderOrder,
  type FolderRow,
  folderPage,
  wayTo,
} from '#site/folders/folder-rows.ts';
import { previewAnswer, type ShownPreviews, shownPreviews } from '#site/previews/preview-pages.ts';
import { hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import type { PasswordTry } from './share-passwords.ts';
import {
  depthLeft,
  isCollection,
  isWithin,
  type Shared,
  type Spot,
  sharedOf,
  spotName,
  spotOf,
} from './share-places.ts';
import { collectionJson, placeHref, spotJson } from './shared-json.ts';
import { collectionMain, spotMain, unlockMain } from './shared-views.ts';
import { giveBackDownload, isItemOpen, type Share, stateOf, takeDownload } from './shares.ts';

const OVER_WORDS =
  'The link is over, was revoked, or has a mistake in it. Ask whoever sent it for another one.';
const USED_WORDS = 'This link was used as often as it may be.';
const WRONG_WORDS = 'This is not the password.';
const MANY_WORDS =
  'There were too many wrong passwords from your address. Try again in ten minutes.';
const RETRY_SECONDS = 600;
const NO_PREVIEWS: ShownPreviews = { pictures: [], texts: [], media: [] };

export async function sharePage(visit: Visit): Promise<Response> {
  const shared = await unlocked(visit);
  if (shared instanceof Response) return shared;
  const named = visit.query('in');
  if (named === '' && isCollection(shared)) return varied(await collectionPage(visit, shared));
  const spot = await spotOf(visit, shared, named === '' ? 'all' : named);
  if (spot === undefined) return await visit.notFound();
  const kind = wantedKind(visit.header('accept'));
  if (kind === 'torrent') return varied(await torrentAnswer(visit, shared, spot));
  return varied(await spotPage(visit, { shared, spot, isJson: kind === 'json' }));
}

async function collectionPage(visit: Visit, shared: Shared): Promise<Response> {
  const kind = wantedKind(visit.header('accept'));
  if (kind === 'torrent') {
    return refused(
      406,
      'A collection has no .torrent: ask the page of a torrent in it for its own.',
    );
  }
  const view = { shared, nowMs: visit.nowMs };
  if (kind === 'json') return Response.json(collectionJson(view, visit.addresses.siteUrl));
  return await visit.page({ title: shared.share.label, main: collectionMain(view) });
}

interface SpotAsked {
  readonly shared: Shared;
  readonly spot: Spot;
  readonly isJson: boolean;
}

async function spotPage(visit: Visit, { shared, spot, isJson }: SpotAsked): Promise<Response> {
  const { sql } = visit.parts;
  const { row, torrent } = spot;
  const order: FolderOrder = visit.query('sort') === 'size' ? 'size' : 'name';
  const page =
    row?.isFolder === false
      ? { rows: [row], hasPrevious: false, hasNext: false }
      : await folderPage(sql, {
          torrentId: torrent.id,
          folder: row?.position ?? NO_PARENT,
          order,
          after: numberOf(visit.query('after')),
          before: numberOf(visit.query('before')),
        });
  const way = row === undefined ? [] : await wayTo(sql, torrent.id, row);
  const view = {
    ...{ shared, spot, page, order, nowMs: visit.nowMs, way: belowRoot(way, spot) },
    previews: isJson ? NO_PREVIEWS : await previewsAt(visit, spot),
  } as const;
  if (isJson) return Response.json(spotJson(view, visit.addresses.siteUrl));
  return await visit.page({ title: row?.name ?? spot.item.label, main: spotMain(view) });
}

/** Of what lies right here. */
async function previewsAt(visit: Visit, { torrent, row }: Spot): Promise<ShownPreviews> {
  const { pictures, texts, media } = await shownPreviews(visit.parts.sql, torrent.id);
  const here = row?.position ?? NO_PARENT;
  const isHere = (one: { readonly position: number; readonly parent: number }): boolean =>
    row?.isFolder === false ? one.position === here : one.parent === here;
  return {
    pictures: pictures.filter(isHere),
    texts: texts.filter(isHere),
    media: media.filter(isHere),
  };
}

/** Without trackers, which know nobody who has no account; what is shared freely has its web seed. */
async function torrentAnswer(visit: Visit, shared: Shared, spot: Spot): Promise<Response> {
  const { share, token } = shared;
  const { torrent, row, item } = spot;
  if (row !== undefined || item.depth !== undefined) {
    return refused(406, 'Only a torrent that is shared with all that is in it has a .torrent.');
  }
  const isFree = share.passwordHash === undefined && share.downloadsMax === undefined;
  const seed = hrefTo('shareSeed', { token, entry: spotName(shared, spot) }).replace('*', '');
  const webSeeds = isFree ? [visit.addresses.siteUrl + seed] : [];
  const bytes = await torrentFileFor(visit.parts.sql, torrent.id, { urls: {}, webSeeds });
  if (bytes === undefined) return await visit.notFound(OVER_WORDS);
  const name = torrentFileName(torrent.title);
  return visit.download(bytes, { name, type: 'application/x-bittorrent' });
}

/** The password of a share. */
export async function postUnlock(visit: Visit): Promise<Response> {
  const shared = await sharedOf(visit);
  if (shared === undefined) return await visit.notFound(OVER_WORDS);
  const { share, token } = shared;
  const here = hrefTo('share', { token });
  if (share.passwordHash === undefined) return visit.redirect(here);
  const { sharePasswords } = visit.parts;
  const found = await sharePasswords.try(share, visit.address, visit.form.text('password'));
  if (found !== 'right') return await askPassword(visit, shared, found);
  visit.cookies.setBelow(here, 'share', unlockOf(token, share.passwordHash));
  return visit.redirect(here);
}

export async function shareDownload(visit: Visit): Promise<Response> {
  const shared = await unlocked(visit);
  if (shared instanceof Response) return shared;
  const spot = await spotOf(visit, shared, visit.param('entry'));
  return spot === undefined ? await visit.notFound() : await give(visit, shared, spot);
}

/** A torrent's files by their paths, for clients that take them by its .torrent (BEP 19). */
export async function shareSeed(visit: Visit): Promise<Response> {
  const shared = await unlocked(visit);
  if (shared instanceof Response) return shared;
  const top = await spotOf(visit, shared, visit.param('entry'));
  if (top === undefined || top.row !== undefined) return await visit.notFound();
  const row = await rowAt(visit, top);
  const isGiven = row?.isFolder === false && isWithin(top.item, undefined, row);
  return isGiven ? await give(visit, shared, { ...top, row }) : await visit.notFound();
}

/** What the path after the entry names, as BEP 19 has it: the torrent's name, then the file's path. */
async function rowAt(visit: Visit, { torrent }: Spot): Promise<FolderRow | undefined> {
  const names = namesOf(new URL(visit.request.url).pathname).slice(4);
  const { sql } = visit.parts;
  const alone = names.length === 1 ? names : names[0] === torrent.name ? names.slice(1) : [];
  let row: FolderRow | undefined;
  for (const name of alone) {
    const folder: number = row?.position ?? NO_PARENT;
    row = await childOf(sql, { torrentId: torrent.id, folder }, name);
    if (row === undefined) return undefined;
  }
  return row;
}

function namesOf(pathname: string): string[] {
  try {
    return pathname.split('/').slice(1).map(decodeURIComponent);
  } catch {
    return [];
  }
}

async function give(visit: Visit, shared: Shared, spot: Spot): Promise<Response> {
  const { content, sql } = visit.parts;
  if (content === undefined) return await visit.notFound(OVER_WORDS);
  const { share } = shared;
  const { torrent, row } = spot;
  const asked = downloadRequest(visit);
  // Where downloads are counted each one is whole: parts of one would be as many as somebody likes.
  const request =
    share.downloadsMax === undefined ? asked : { ...asked, range: undefined, ifRange: undefined };
  const isLeft = request.isHead
    ? stateOf(share, visit.nowMs) === 'open'
    : await takeDownload(sql, share.id);
  if (!isLeft) return await visit.notFound(USED_WORDS);
  const grant = shareGrant(visit, share, spot);
  const isFile = row?.isFolder === false;
  const answer = isFile
    ? await content.downloads.file(request, { torrent, path: row.path, grant })
    : await content.downloads.tar(request, {
        ...{ torrent, folder: row ?? TOP, grant, depth: depthLeft(spot) },
      });
  // What could not be given, or is there already, is not counted.
  const isGiven = answer !== undefined && answer.status < 300;
  if (!isGiven && !request.isHead) await giveBackDownload(sql, share.id);
  if (answer === undefined) return await visit.notFound(OVER_WORDS);
  const name = row?.name ?? torrent.name;
  return downloadResponse(
    answer,
    isFile
      ? { name, type: 'application/octet-stream' }
      : { name: `${name}.tar`, type: 'application/x-tar' },
    visit.request.signal,
  );
}

/** A small picture of a file, or how its text begins. */
export async function sharePreview(visit: Visit): Promise<Response> {
  const shared = await unlocked(visit);
  if (shared instanceof Response) return shared;
  const spot = await spotOf(visit, shared, visit.param('entry'));
  if (spot?.row === undefined) return await visit.notFound();
  const crumbs = [
    { label: shared.share.label, href: placeHref(shared, undefined) },
    { label: spot.row.name, href: placeHref(shared, spot) },
  ];
  return await previewAnswer(visit, spot.torrent.id, { position: spot.row.position, crumbs });
}

function shareGrant({ parts }: Visit, share: Share, { item }: Spot): Grant {
  return {
    holder: `share ${share.id}`,
    mayStay: () => isItemOpen(parts, item),
    onSent: (bytes) => parts.shareTraffic.add(share.id, bytes),
  };
}

/** Nobody sees the names of the folders that a shared one lies in. */
function belowRoot(way: readonly FolderRow[], { root }: Spot): readonly FolderRow[] {
  return root === undefined ? way : way.filter((row) => row.path.startsWith(root.path));
}

/** The share, or what is answered instead: that it is over, or that its password is wanted. */
async function unlocked(visit: Visit): Promise<Shared | Response> {
  const shared = await sharedOf(visit);
  if (shared === undefined) return await visit.notFound(OVER_WORDS);
  const { share, token } = shared;
  if (share.passwordHash === undefined) return shared;
  const sent = visit.cookies.get('share');
  if (secretEqual(utf8(unlockOf(token, share.passwordHash)), utf8(sent))) return shared;
  // Programs say it with each request: `curl -u :password`.
  const basic = /^Basic +([A-Za-z0-9+/=]{1,2000})$/i.exec(visit.header('authorization'))?.[1];
  if (basic === undefined) return await askPassword(visit, shared);
  const pair = Buffer.from(basic, 'base64').toString('utf8');
  const password = pair.slice(pair.indexOf(':') + 1);
  const found = await visit.parts.sharePasswords.try(share, visit.address, password);
  return found === 'right' ? shared : await askPassword(visit, shared, found);
}

/** Only who had the link and its password was given it; another password ends it. */
function unlockOf(token: string, passwordHash: string): string {
  return createHmac('sha256', utf8(passwordHash)).update(`share ${token}`).digest('base64url');
}

async function askPassword(
  visit: Visit,
  { token }: Shared,
  found?: Exclude<PasswordTry, 'right'>,
): Promise<Response> {
  const isMany = found === 'too-many';
  const error = found === undefined ? undefined : isMany ? MANY_WORDS : WRONG_WORDS;
  if (!visit.header('accept').includes('text/html') && visit.request.method !== 'POST') {
    const answer = refused(isMany ? 429 : 401, error ?? 'This share has a password.');
    if (isMany) answer.headers.set('retry-after', String(RETRY_SECONDS));
    else answer.headers.set('www-authenticate', 'Basic realm="share", charset="UTF-8"');
    return answer;
  }
  const here = hrefTo('share', { token });
  const isHere = new URL(visit.request.url).pathname === here;
  if (!isHere) return visit.redirect(here);
  const main = unlockMain({ token, csrf: visit.csrfToken, error });
  const status = error === undefined ? 200 : isMany ? 429 : 422;
  return await visit.page({ title: 'A password is wanted', main, status });
}

/** For programs: a status and a sentence. */
function refused(status: 401 | 406 | 429, error: string): Response {
  return Response.json({ error }, { status, headers: { 'cache-control': 'no-store' } });
}

type AnswerKind = 'page' | 'json' | 'torrent';

const KINDS: Readonly<Record<string, AnswerKind>> = {
  'text/html': 'page',
  'application/json': 'json',
  'application/x-bittorrent': 'torrent',
};

/** By the header's weights; of equal ones the first. The page for whoever takes anything. */
export function wantedKind(accept: string): AnswerKind {
  let best: { readonly kind: AnswerKind; readonly weight: number } = { kind: 'page', weight: 0 };
  for (const part of accept.slice(0, 1000).split(',')) {
    const [type = '', ...parameters] = part.split(';').map((word) => word.trim().toLowerCase());
    const kind = KINDS[type];
    const said = parameters.find((word) => word.startsWith('q='))?.slice(2);
    const weight = said === undefined ? 1 : Number(said);
    if (kind !== undefined && weight > best.weight) best = { kind, weight };
  }
  return best.kind;
}

/** The same address answers several ways. */
function varied(answer: Response): Response {
  answer.headers.append('vary', 'accept');
  return answer;
}

function numberOf(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
}
