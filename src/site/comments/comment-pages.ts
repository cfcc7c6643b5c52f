// Writing comments, changing and removing them. Who may is asked here: members their own, the staff all.

import { memberNames } from '#site/accounts/members.ts';
import type { RouteHandlers } from '#site/admission.ts';
import { findTorrent, findTorrentByHash, type Torrent } from '#site/catalogue/find-torrent.ts';
import type { Html } from '#site/components/markup.ts';
import { ERROR_WORDS } from '#site/error-pages.ts';
import { sendNotices } from '#site/notices/notices.ts';
import { Refusal } from '#site/refusal.ts';
import { hrefTo } from '#site/routes.ts';
import { isUnseen } from '#site/shown.ts';
import { recordDeed } from '#site/staff-log/staff-deeds.ts';
import type { Visit } from '#site/visit.ts';
import {
  type CommentReader,
  commentsPanel,
  editMain,
  historyMain,
  removeMain,
} from './comment-views.ts';
import {
  addComment,
  type Comment,
  editComment,
  findComment,
  formerTexts,
  listComments,
  removeComment,
} from './comments.ts';

const LINES = 30;

export const commentRoutes: RouteHandlers = {
  comments: { POST: postComment },
  comment: { GET: showEdit, POST: postEdit },
  commentRemove: { GET: showRemove, POST: postRemove },
  commentHistory: { GET: showHistory },
};

/** The newest comments of a torrent, or those before an id in the query (`before`). */
export async function torrentComments(visit: Visit, torrent: Torrent): Promise<Html> {
  return await commentsOf(visit, torrent, { typed: '', error: undefined });
}

async function commentsOf(
  visit: Visit,
  torrent: Torrent,
  form: { readonly typed: string; readonly error: string | undefined },
): Promise<Html> {
  const { sql } = visit.parts;
  const before = visit.numberQuery('before');
  const page = { limit: LINES + 1, ...(before === undefined ? {} : { before }) };
  const found = await listComments(sql, torrent.id, page);
  const comments = found.slice(0, LINES).toReversed();
  const names = await memberNames(
    sql,
    comments.map((one) => one.memberId),
  );
  const { infoHash: hash } = torrent;
  const earlier = hrefTo('torrent', { hash }, { before: comments.at(0)?.id });
  const earlierHref = found.length > LINES ? `${earlier}#comments` : undefined;
  return commentsPanel({ hash, comments, names, reader: readerOf(visit), earlierHref, ...form });
}

function readerOf(visit: Visit): CommentReader {
  return {
    memberId: visit.signedIn().memberId,
    mayComment: visit.may('comment'),
    mayModerate: visit.may('moderate'),
    csrf: visit.csrfToken,
    nowMs: visit.nowMs,
  };
}

async function postComment(visit: Visit): Promise<Response> {
  const torrent = await findTorrentByHash(visit.parts.sql, visit.param('hash'));
  if (torrent === undefined || torrent.removedMs !== undefined) return await visit.notFound();
  const text = visit.form.text('text');
  const made = await writeComment(visit, torrent, text);
  if (made instanceof Refusal) {
    const main = await commentsOf(visit, torrent, { typed: text, error: made.message });
    return await visit.page({ title: 'Comments', main, section: 'torrents', status: 422 });
  }
  return visit.redirect(placeOf(torrent, made));
}

/** With a notice for whoever uploaded the torrent. */
export async function writeComment(
  visit: Visit,
  torrent: Torrent,
  text: string,
): Promise<Comment | Refusal> {
  const { memberId } = visit.signedIn();
  const made = await addComment(visit.parts, { torrentId: torrent.id, memberId, text });
  if (!(made instanceof Refusal) && torrent.uploaderId !== memberId) {
    await tellUploader(visit, torrent, made);
  }
  return made;
}

/** One notice a torrent and day, however much is said. */
async function tellUploader(visit: Visit, torrent: Torrent, made: Comment): Promise<void> {
  const { sql } = visit.parts;
  const day = new Date(visit.nowMs).toISOString().slice(0, 10);
  const notice = {
    memberId: torrent.uploaderId,
    kind: 'info',
    title: `“${torrent.title}” has a new comment`,
    body: `${visit.signedIn().name} wrote about your torrent.`,
    link: placeOf(torrent, made),
    once: `comments ${torrent.id} ${day}`,
  } as const;
  await sql.transaction<object, void>((transaction) =>
    sendNotices(transaction, [notice], visit.nowMs),
  );
}

function placeOf(torrent: Torrent, comment: Comment): string {
  return `${hrefTo('torrent', { hash: torrent.infoHash })}#comment-${comment.id}`;
}

interface Found {
  readonly comment: Comment;
  readonly backHref: string;
}

async function findOf(visit: Visit): Promise<Found | undefined> {
  const { sql } = visit.parts;
  const id = visit.numberParam('id');
  const comment = id === undefined ? undefined : await findComment(sql, id);
  if (comment === undefined) return undefined;
  const torrent = await findTorrent(sql, comment.torrentId);
  return torrent === undefined ? undefined : { comment, backHref: placeOf(torrent, comment) };
}

/** What the visitor may change; else the answer. */
async function changeable(visit: Visit): Promise<Found | Response> {
  const found = await findOf(visit);
  if (found === undefined) return await visit.notFound('This comment is gone.');
  if (mayChangeComment(visit, found.comment)) return found;
  return await visit.error(ERROR_WORDS.forbidden);
}

export function mayChangeComment(visit: Visit, comment: Comment): boolean {
  return comment.memberId === visit.signedIn().memberId || visit.may('moderate');
}

async function showEdit(visit: Visit): Promise<Response> {
  const found = await changeable(visit);
  if (found instanceof Response) return found;
  return await editPage(visit, found, { text: found.comment.text, error: undefined });
}

async function editPage(
  visit: Visit,
  { comment, backHref }: Found,
  typed: {
    readonly text: string;
    readonly error: string | undefined;
    /** Somebody else was first. */
    readonly isLate?: boolean;
  },
): Promise<Response> {
  const { isLate = false } = typed;
  const main = editMain({ comment, csrf: visit.csrfToken, backHref, isLate, ...typed });
  const status = isLate ? 409 : typed.error === undefined ? 200 : 422;
  return await visit.page({ title: 'Edit a comment', main, section: 'torrents', status });
}

async function postEdit(visit: Visit): Promise<Response> {
  const found = await changeable(visit);
  if (found instanceof Response) return found;
  const { comment, backHref } = found;
  const text = visit.form.text('text');
  const edited = await changeComment(visit, comment, text);
  if (edited instanceof Refusal) {
    if (!isUnseen(edited)) return await editPage(visit, found, { text, error: edited.message });
    const now = await changeable(visit);
    if (now instanceof Response) return now;
    return await editPage(visit, now, { text, error: undefined, isLate: true });
  }
  return visit.redirect(backHref, { kind: 'good', text: 'The comment is saved.' });
}

async function showRemove(visit: Visit): Promise<Response> {
  const found = await changeable(visit);
  if (found instanceof Response) return found;
  const { comment, backHref } = found;
  const names = await memberNames(visit.parts.sql, [comment.memberId]);
  const by = names.get(comment.memberId) ?? 'a former member';
  const main = removeMain({ comment, by, csrf: visit.csrfToken, backHref });
  return await visit.page({ title: 'Remove a comment', main, section: 'torrents' });
}

async function postRemove(visit: Visit): Promise<Response> {
  const found = await changeable(visit);
  if (found instanceof Response) return found;
  const { comment, backHref } = found;
  await dropComment(visit, comment);
  const path = backHref.replace(/#.*$/, '');
  return visit.redirect(path, { kind: 'good', text: 'The comment is removed.' });
}

/** By who may. */
export async function changeComment(
  visit: Visit,
  comment: Comment,
  text: string,
): Promise<Comment | Refusal> {
  await tellStaff(visit, comment, 'commentEdit');
  const editedBy = visit.signedIn().memberId;
  const { shown } = visit;
  return await editComment(visit.parts, { id: comment.id, text, editedBy, shown });
}

/** By who may. */
export async function dropComment(visit: Visit, comment: Comment): Promise<void> {
  await tellStaff(visit, comment, 'commentRemove');
  await removeComment(visit.parts, comment.id);
}

/** What the staff does to the words of others stands in its log. */
async function tellStaff(visit: Visit, comment: Comment, action: string): Promise<void> {
  if (comment.memberId === visit.signedIn().memberId) return;
  const words = `It said: ${comment.text}`;
  await recordDeed(visit, { action, subject: `comment ${comment.id}`, words });
}

async function showHistory(visit: Visit): Promise<Response> {
  const found = await findOf(visit);
  if (found === undefined) return await visit.notFound('This comment is gone.');
  const { comment, backHref } = found;
  const { sql } = visit.parts;
  const former = await formerTexts(sql, comment.id);
  const names = await memberNames(
    sql,
    former.map((one) => one.editedBy),
  );
  const main = historyMain({ comment, former, names, backHref, nowMs: visit.nowMs });
  return await visit.page({ title: 'A comment before', main, section: 'torrents' });
}
