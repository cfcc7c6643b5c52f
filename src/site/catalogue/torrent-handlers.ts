// One torrent: its page, its download, editing and removing. What may be done with somebody else's
// torrent is decided here by `mayChange`, and nowhere else.

import { torrentTransfer } from '#accounting/totals.ts';
import { torrentHealth } from '#archive/catalogue/archive-health.ts';
import { wantedTorrent } from '#archive/catalogue/wanted-torrents.ts';
import { findMemberById } from '#site/accounts/members.ts';
import { torrentCommunity } from '#site/community/torrent-community.ts';
import { applyCover, coverForm, readCover } from '#site/covers/cover-pages.ts';
import { findCover } from '#site/covers/covers.ts';
import { creditNow } from '#site/credit/credit-now.ts';
import { countTokens } from '#site/credit/credit-tokens.ts';
import { isGivenTo, mayShareFrom } from '#site/downloads/is-given.ts';
import { ERROR_WORDS } from '#site/error-pages.ts';
import { largestAtTop } from '#site/folders/folder-rows.ts';
import { keptUpToDate } from '#site/live/live-pages.ts';
import { shownPreviews } from '#site/previews/preview-pages.ts';
import { Refusal } from '#site/refusal.ts';
import { hrefTo } from '#site/routes.ts';
import { swarmHistory } from '#site/series/series-panels.ts';
import { isUnseen } from '#site/shown.ts';
import { recordDeed } from '#site/staff-log/staff-deeds.ts';
import { newestHistory } from '#site/torrent-history/history-pages.ts';
import type { Visit } from '#site/visit.ts';
import { listCategories } from './categories.ts';
import { fileTree } from './file-page.ts';
import { findTorrentByHash, type Torrent } from './find-torrent.ts';
import { carriedUrls } from './magnet.ts';
import { myState, myTotals } from './my-state.ts';
import { replacementsOf } from './replacements.ts';
import { torrentFileFor, torrentFileName, webSeedsFor } from './torrent-file.ts';
import { type TorrentFiles, torrentView } from './torrent-view.ts';
import { parseTags } from './torrent-words.ts';
import { removeTorrent, updateTorrent } from './torrents.ts';
import { editView, removeView, type WordsForm } from './upload-view.ts';

const PEERS_SHOWN_MAX = 50;
const MY_PEERS_MAX = 1000;
const REMOVED_WORDS = 'This torrent was removed.';

export async function torrentPage(visit: Visit): Promise<Response> {
  visit.expectPage();
  const torrent = await torrentOf(visit);
  if (torrent === undefined) return await visit.notFound();
  const { swarms } = visit.parts;
  const { memberId } = visit.signedIn();
  const { uploader, files, totals, archive, ...shown } = await readPage(visit, torrent);
  const download = (await isGivenTo(visit, torrent)) ? wholeDownload(torrent, files) : undefined;
  const { infoHash: hash } = torrent;
  const mayShare = download !== undefined && mayShareFrom(visit);
  const shareHref = mayShare ? hrefTo('torrentShare', { hash }) : undefined;
  const isHere = uploader !== undefined && uploader.state !== 'removed';
  const mine = swarms
    .peersOfMember(memberId, MY_PEERS_MAX)
    .filter((peer) => peer.torrentId === torrent.id);
  const main = torrentView({
    torrent,
    uploader: isHere ? uploader.name : undefined,
    isUploader: torrent.uploaderId === memberId,
    mayChange: mayChange(visit, torrent),
    mayDownload: visit.may('download'),
    hasMagnet: visit.parts.config.magnets,
    live: swarms.counts(torrent.id) ?? { seeders: 0, leechers: 0, completed: torrent.completed },
    peers: swarms.peersOfTorrent(torrent.id, PEERS_SHOWN_MAX),
    archivePeerId: swarms.archivePeerId,
    files,
    mine: myState(torrent.sizeBytes, mine, totals.get(torrent.id)),
    mayOpenCredit: visit.may('administer'),
    ...shown,
    archive: { ...archive, download, shareHref },
    nowMs: visit.nowMs,
  });
  const { title } = torrent;
  return await visit.page({ title, section: 'torrents', main, ...keptUpToDate(visit) });
}

/** All that the page shows beside the torrent itself, asked for at once. */
async function readPage(visit: Visit, torrent: Torrent) {
  const { sql } = visit.parts;
  const { memberId } = visit.signedIn();
  const { id } = torrent;
  const [uploader, files, transfer, totals, credit, tokens, history, health, wanted, ...others] =
    await Promise.all([
      findMemberById(sql, torrent.uploaderId),
      filesShown(visit, id),
      torrentTransfer(sql, memberId, id),
      myTotals(sql, memberId, [id]),
      creditNow(sql, { memberId, torrentId: id }, visit.nowMs),
      countTokens(sql, memberId, visit.nowMs),
      swarmHistory(sql, id, visit.nowMs),
      torrentHealth(sql, id),
      wantedTorrent(sql, id),
      replacementsOf(sql, torrent),
      shownPreviews(sql, id),
      findCover(sql, id),
      torrentCommunity(visit, torrent),
      newestHistory(visit, torrent),
    ]);
  const [replacements, previews, cover, community, past] = others;
  return {
    ...{ uploader, files, transfer, totals, credit, tokens, history },
    ...{ archive: { health, wanted }, replacements, previews, cover, community, past },
  };
}

export async function downloadTorrent(visit: Visit): Promise<Response> {
  const torrent = await torrentOf(visit);
  if (torrent === undefined) return await visit.notFound();
  return await torrentFileAnswer(visit, torrent, visit.signedIn().memberId);
}

/** The .torrent with the member's own announce URLs. */
export async function torrentFileAnswer(
  visit: Visit,
  torrent: Torrent,
  memberId: number,
): Promise<Response> {
  if (torrent.removedMs !== undefined) return await visit.notFound(REMOVED_WORDS);
  const { sql } = visit.parts;
  const given = await carriedUrls(visit, torrent.id, memberId);
  if (given === undefined) return await visit.error(ERROR_WORDS.forbidden);
  const { member, urls } = given;
  const { siteUrl } = visit.addresses;
  const webSeeds = await webSeedsFor(sql, torrent, { member, siteUrl });
  const bytes = await torrentFileFor(sql, torrent.id, { urls, webSeeds });
  if (bytes === undefined) return await visit.notFound();
  const name = torrentFileName(torrent.title);
  return visit.download(bytes, { name, type: 'application/x-bittorrent' });
}

export async function editPage(visit: Visit): Promise<Response> {
  const torrent = await changeable(visit);
  if (torrent instanceof Response) return torrent;
  const { title, category, tags, description } = torrent;
  const values = { title, category, tags: tags.join(', '), description };
  return await showEdit(visit, torrent, values);
}

export async function postEdit(visit: Visit): Promise<Response> {
  const torrent = await changeable(visit);
  if (torrent instanceof Response) return torrent;
  const values = readWords(visit);
  await tellStaffDeed(visit, torrent, 'torrentEdit', values.title);
  const cover = await readCover(visit);
  if (cover instanceof Refusal) return await showEdit(visit, torrent, values, cover);
  const result = await updateTorrent(visit.parts, torrent.id, {
    ...values,
    tags: parseTags(values.tags),
    changedBy: visit.signedIn().memberId,
    shown: visit.shown,
  });
  if (result instanceof Refusal) {
    const now = isUnseen(result) ? await changeable(visit) : torrent;
    return now instanceof Response ? now : await showEdit(visit, now, values, result);
  }
  if (cover !== undefined) await applyCover(visit, torrent.id, cover);
  const path = hrefTo('torrent', { hash: torrent.infoHash });
  return visit.redirect(path, { kind: 'good', text: 'The changes are saved.' });
}

async function showEdit(
  visit: Visit,
  torrent: Torrent,
  values: WordsForm,
  refusal?: Refusal,
): Promise<Response> {
  const categories = await listCategories(visit.parts.sql);
  const cover = await findCover(visit.parts.sql, torrent.id);
  const isLate = isUnseen(refusal);
  const errors =
    refusal === undefined || isLate ? {} : { [refusal.field ?? 'title']: refusal.message };
  return await visit.page({
    title: `Edit ${torrent.title}`,
    section: 'torrents',
    status: refusal === undefined ? 200 : isLate ? 409 : 422,
    main: editView({
      ...{ csrf: visit.csrfToken, torrent, values, categories, errors, isLate },
      cover: coverForm(visit, errors, { torrent, cover }),
    }),
  });
}

export async function removePage(visit: Visit): Promise<Response> {
  const torrent = await changeable(visit);
  return torrent instanceof Response ? torrent : await showRemove(visit, torrent, '');
}

export async function postRemove(visit: Visit): Promise<Response> {
  const torrent = await changeable(visit);
  if (torrent instanceof Response) return torrent;
  const reason = visit.form.text('reason');
  const removedBy = visit.signedIn().memberId;
  await tellStaffDeed(visit, torrent, 'torrentRemove', reason);
  const result = await removeTorrent(visit.parts, { torrentId: torrent.id, removedBy, reason });
  if (result instanceof Refusal) return await showRemove(visit, torrent, reason, result);
  const path = hrefTo('torrent', { hash: torrent.infoHash });
  return visit.redirect(path, { kind: 'good', text: `“${torrent.title}” is removed.` });
}

async function showRemove(
  visit: Visit,
  torrent: Torrent,
  reason: string,
  refusal?: Refusal,
): Promise<Response> {
  const isUploader = torrent.uploaderId === visit.signedIn().memberId;
  const errors = refusal === undefined ? {} : { [refusal.field ?? 'reason']: refusal.message };
  return await visit.page({
    title: `Remove ${torrent.title}`,
    section: 'torrents',
    status: refusal === undefined ? 200 : 422,
    main: removeView({ csrf: visit.csrfToken, torrent, isUploader, reason, errors }),
  });
}

/** What the form of a torrent's words was sent with. */
export function readWords(visit: Visit): WordsForm {
  const { form } = visit;
  return {
    title: form.text('title'),
    category: form.text('category'),
    tags: form.text('tags'),
    description: form.text('description'),
  };
}

/** All of it: the file itself when it is one, else a tar. */
function wholeDownload({ infoHash: hash }: Torrent, files: TorrentFiles) {
  const only = 'nodes' in files && files.nodes.length === 1 ? files.nodes[0] : undefined;
  const isFile = only !== undefined && only.children === undefined;
  const entry = isFile ? only.position : 'all';
  const label = isFile ? 'Download the file' : 'Download all as tar';
  return { href: hrefTo('torrentContent', { hash, entry }), label };
}

/** All of them as a tree, or the largest of what lies at the top. */
async function filesShown(visit: Visit, torrentId: number): Promise<TorrentFiles> {
  const { sql } = visit.parts;
  const nodes = await fileTree(sql, torrentId);
  if (nodes !== undefined) return { nodes };
  return { largest: await largestAtTop(sql, torrentId) };
}

async function torrentOf(visit: Visit): Promise<Torrent | undefined> {
  return await findTorrentByHash(visit.parts.sql, visit.param('hash'));
}

/** What the staff does to the torrents of others stands in its log. */
export async function tellStaffDeed(
  visit: Visit,
  torrent: Torrent,
  action: 'torrentEdit' | 'torrentRemove',
  words: string,
): Promise<void> {
  if (torrent.uploaderId === visit.signedIn().memberId) return;
  await recordDeed(visit, { action, subject: `torrent ${torrent.id}`, words });
}

/** Its uploader, and staff. */
export function mayChange(visit: Visit, torrent: Torrent): boolean {
  return torrent.uploaderId === visit.signedIn().memberId || visit.may('moderate');
}

async function changeable(visit: Visit): Promise<Torrent | Response> {
  const torrent = await torrentOf(visit);
  if (torrent === undefined) return await visit.notFound();
  if (torrent.removedMs !== undefined) return await visit.notFound(REMOVED_WORDS);
  return mayChange(visit, torrent) ? torrent : await visit.error(ERROR_WORDS.forbidden);
}
