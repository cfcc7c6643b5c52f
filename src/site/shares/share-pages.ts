// Shares as their members and the staff see them: making one, the list, ending one.

import type { RouteHandlers } from '#site/admission.ts';
import { NO_PARENT } from '#site/catalogue/file-entries.ts';
import { findTorrentByHash, type Torrent } from '#site/catalogue/find-torrent.ts';
import { inConsole } from '#site/console/console-views.ts';
import { isGivenTo } from '#site/downloads/is-given.ts';
import { type FolderRow, folderRow } from '#site/folders/folder-rows.ts';
import { Refusal } from '#site/refusal.ts';
import { href, hrefTo } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { newShareMain, type ShareForm, shareMadeMain } from './new-share-views.ts';
import type { NewShareItem } from './share-items.ts';
import { sharesMain } from './share-views.ts';
import { postUnlock, shareDownload, sharePage, sharePreview, shareSeed } from './shared-content.ts';
import {
  addToShare,
  listedState,
  listShares,
  makeShare,
  revokeShare,
  SHARES_LISTED_MAX,
} from './shares.ts';

/** What the form is about. */
interface Wanted {
  readonly torrent: Torrent;
  /** Undefined for all of it. */
  readonly row: FolderRow | undefined;
}

const DAYS = 7;

async function showNew(visit: Visit): Promise<Response> {
  const wanted = await wantedOf(visit, visit.query('entry'));
  if (wanted === undefined) return await visit.notFound();
  const days = Math.min(DAYS, visit.parts.config.shareDaysMax);
  const values = { days: String(days), downloads: '', depth: 'deep', into: '' } as const;
  return await newPage(visit, wanted, { values });
}

async function postNew(visit: Visit): Promise<Response> {
  const { form, parts } = visit;
  const wanted = await wantedOf(visit, form.text('entry'));
  if (wanted === undefined) return await visit.notFound();
  const { torrent, row } = wanted;
  const into = form.text('into');
  // A collection is shallow unless it is said otherwise; a share of one thing is deep.
  const isDeep =
    into === '' ? form.text('depth') !== 'shallow' : form.text('added-depth') === 'deep';
  const values: ShareForm = {
    days: form.text('days').trim(),
    downloads: form.text('downloads').trim(),
    depth: isDeep ? 'deep' : 'shallow',
    into,
  };
  const item = {
    ...{ torrentId: torrent.id, position: row?.position ?? NO_PARENT },
    label: row?.name ?? torrent.title,
    depth: isDeep || row?.isFolder === false ? undefined : 0,
  };
  if (values.into !== '') return await addToOwn(visit, wanted, { values, item });
  const made = await makeShare(parts, {
    memberId: visit.signedIn().memberId,
    items: [item],
    label: item.label,
    days: /^\d{1,5}$/.test(values.days) ? Number(values.days) : Number.NaN,
    downloadsMax: countOf(values.downloads),
    password: form.text('password'),
  });
  if (made instanceof Refusal) return await newPage(visit, wanted, { values, refusal: made });
  const path = hrefTo('share', { token: made.token });
  const main = shareMadeMain({ url: visit.addresses.siteUrl + path, path, torrent });
  return await visit.page({ title: 'The share is ready', section: 'torrents', main });
}

async function addToOwn(
  visit: Visit,
  wanted: Wanted,
  { values, item }: { readonly values: ShareForm; readonly item: NewShareItem },
): Promise<Response> {
  const shareId = /^\d{1,10}$/.test(values.into) ? Number(values.into) : 0;
  const to = { shareId, memberId: visit.signedIn().memberId };
  const refusal = await addToShare(visit.parts, to, item);
  if (refusal !== undefined) return await newPage(visit, wanted, { values, refusal });
  const text = `The link of share ${shareId} leads to “${item.label}” too.`;
  return visit.redirect(href('shares'), { kind: 'good', text });
}

function countOf(text: string): number | undefined {
  if (text === '') return undefined;
  return /^\d{1,7}$/.test(text) ? Number(text) : Number.NaN;
}

async function newPage(
  visit: Visit,
  { torrent, row }: Wanted,
  typed: { readonly values: ShareForm; readonly refusal?: Refusal },
): Promise<Response> {
  const { values, refusal } = typed;
  const { sql, config } = visit.parts;
  const listed = await listShares(sql, { memberId: visit.signedIn().memberId });
  const own = listed.filter((share) => listedState(share, visit.nowMs) === 'open');
  const main = newShareMain({
    csrf: visit.csrfToken,
    ...{ torrent, row, values, own, daysMax: config.shareDaysMax },
    errors: refusal === undefined ? {} : { [refusal.field ?? 'days']: refusal.message },
  });
  const status = refusal === undefined ? 200 : 422;
  return await visit.page({ title: 'Share', section: 'torrents', main, status });
}

/** Only what can be given can be shared. */
async function wantedOf(visit: Visit, entry: string): Promise<Wanted | undefined> {
  const { sql, config } = visit.parts;
  const torrent = await findTorrentByHash(sql, visit.param('hash'));
  if (torrent === undefined || config.sharesPerMemberMax === 0) return undefined;
  if (!(await isGivenTo(visit, torrent))) return undefined;
  if (entry === '') return { torrent, row: undefined };
  if (!/^\d{1,10}$/.test(entry)) return undefined;
  const row = await folderRow(sql, torrent.id, Number(entry));
  return row && { torrent, row };
}

async function showOwn(visit: Visit): Promise<Response> {
  return await listPage(visit, visit.signedIn().memberId);
}

async function showAll(visit: Visit): Promise<Response> {
  return await listPage(visit, undefined);
}

async function listPage(visit: Visit, memberId: number | undefined): Promise<Response> {
  const before = visit.query('before');
  const found = await listShares(visit.parts.sql, {
    ...(memberId === undefined ? {} : { memberId }),
    before: /^\d{1,10}$/.test(before) ? Number(before) : undefined,
  });
  const shares = found.slice(0, SHARES_LISTED_MAX);
  const isMore = found.length > shares.length;
  const route = memberId === undefined ? 'consoleShares' : 'shares';
  const main = sharesMain({
    ...{ shares, csrf: visit.csrfToken, nowMs: visit.nowMs, isOwn: memberId !== undefined },
    ...(isMore ? { nextHref: href(route, { before: shares.at(-1)?.id }) } : {}),
  });
  const isAll = memberId === undefined;
  return await visit.page({
    title: 'Shares',
    section: isAll ? 'console' : 'me',
    main: isAll ? inConsole('shares', main) : main,
  });
}

async function postRevoke(visit: Visit): Promise<Response> {
  return await revoke(visit, visit.signedIn().memberId, href('shares'));
}

async function postRevokeAny(visit: Visit): Promise<Response> {
  return await revoke(visit, undefined, href('consoleShares'));
}

async function revoke(visit: Visit, memberId: number | undefined, back: string): Promise<Response> {
  const id = visit.numberParam('id');
  const isRevoked = id !== undefined && (await revokeShare(visit.parts, id, memberId));
  return visit.redirect(
    back,
    isRevoked
      ? { kind: 'good', text: 'The share is revoked. Downloads by it end within a second.' }
      : { kind: 'warn', text: 'There is no such share, or it was revoked before.' },
  );
}

export const shareRoutes: RouteHandlers = {
  torrentShare: { GET: showNew, POST: postNew },
  shares: { GET: showOwn },
  shareRevoke: { POST: postRevoke },
  consoleShares: { GET: showAll },
  consoleShareRevoke: { POST: postRevokeAny },
  share: { GET: sharePage, POST: postUnlock },
  shareContent: { GET: shareDownload },
  sharePreview: { GET: sharePreview },
  shareSeed: { GET: shareSeed },
};
