// What members say of torrents and mark: comments, bookmarks, thanks, and what needs seeds.

import { z } from 'zod';
import { memberNames } from '#site/accounts/members.ts';
import { apiRoute, list } from '#site/api/api-route.ts';
import { cutPage, edge, numberPageQuery, pageOf } from '#site/api/paging.ts';
import { Problem } from '#site/api/problem.ts';
import { markTorrent } from '#site/bookmarks/bookmark-pages.ts';
import { markedBy } from '#site/bookmarks/torrent-marks.ts';
import { type TorrentLine, torrentLines } from '#site/collections/torrent-lines.ts';
import {
  changeComment,
  dropComment,
  mayChangeComment,
  writeComment,
} from '#site/comments/comment-pages.ts';
import {
  type Comment,
  commentVersion,
  findComment,
  formerTexts,
  listComments,
} from '#site/comments/comments.ts';
import { needingSeeds } from '#site/needs-seeds/needs-seeds-pages.ts';
import { Refusal } from '#site/refusal.ts';
import type { Visit } from '#site/visit.ts';
import {
  byteCount,
  hashParams,
  idParams,
  infoHash,
  memberNameSchema,
  time,
  version,
} from './shapes.ts';
import { torrentHere, torrentOf } from './torrent-routes.ts';

const commentSchema = z
  .strictObject({
    id: z.int(),
    member: memberNameSchema,
    text: z.string().describe('Markdown.'),
    createdMs: time,
    editedMs: time.nullable(),
    version,
  })
  .meta({ id: 'Comment' });

function commentOf(one: Comment, names: ReadonlyMap<number, string>) {
  const { id, memberId, text, createdMs, editedMs } = one;
  const member = { memberId, name: names.get(memberId) ?? null };
  const version = commentVersion(one);
  return { id, member, text, createdMs, editedMs: editedMs ?? null, version };
}

const commentsRoute = apiRoute(
  {
    name: 'listComments',
    method: 'GET',
    path: '/torrents/:hash/comments',
    tag: 'community',
    summary: 'What members say of a torrent, newest first.',
    permission: 'browse',
    pages: ['GET torrent'],
    params: hashParams,
    query: numberPageQuery,
    answer: { status: 200, json: pageOf(commentSchema) },
  },
  async ({ visit, params, query: { cursor, limit } }) => {
    const torrent = await torrentOf(visit, params.hash);
    if (torrent instanceof Problem) return torrent;
    const { sql } = visit.parts;
    const asked = { limit: limit + 1, ...edge('before', cursor) };
    const comments = await listComments(sql, torrent.id, asked);
    const names = await memberNames(
      sql,
      comments.map((one) => one.memberId),
    );
    const item = (one: Comment) => commentOf(one, names);
    return cutPage(comments, limit, { item, cursor: (one) => one.id });
  },
);

const textBody = { json: z.strictObject({ text: z.string().describe('Markdown.') }) };

const writeRoute = apiRoute(
  {
    name: 'writeComment',
    method: 'POST',
    path: '/torrents/:hash/comments',
    tag: 'community',
    summary: 'Say something of a torrent; its uploader is told once a day.',
    permission: 'comment',
    pages: ['POST comments'],
    params: hashParams,
    body: textBody,
    answer: { status: 201, json: z.strictObject({ id: z.int() }) },
  },
  async ({ visit, params, body }) => {
    const torrent = await torrentHere(visit, params.hash);
    if (torrent instanceof Problem) return torrent;
    const made = await writeComment(visit, torrent, body.text);
    return made instanceof Refusal ? made : { id: made.id };
  },
);

async function ownComment(visit: Visit, id: string): Promise<Comment | Problem> {
  const comment = await findComment(visit.parts.sql, Number(id));
  if (comment === undefined) return new Problem('not-found', 'This comment is gone.');
  if (mayChangeComment(visit, comment)) return comment;
  return new Problem('forbidden', 'Whoever wrote it and the staff may change it.');
}

const editRoute = apiRoute(
  {
    name: 'editComment',
    method: 'PATCH',
    path: '/comments/:id',
    tag: 'community',
    summary: 'Change a comment; what it said before stays to be read.',
    permission: 'comment',
    pages: ['GET comment', 'POST comment'],
    params: idParams,
    body: textBody,
    matches: true,
    answer: { status: 204 },
  },
  async ({ visit, params, body }) => {
    const comment = await ownComment(visit, params.id);
    if (comment instanceof Problem) return comment;
    const changed = await changeComment(visit, comment, body.text);
    return changed instanceof Refusal ? changed : undefined;
  },
);

const dropRoute = apiRoute(
  {
    name: 'removeComment',
    method: 'DELETE',
    path: '/comments/:id',
    tag: 'community',
    summary: 'Remove a comment with all that stood in it before.',
    permission: 'comment',
    pages: ['GET commentRemove', 'POST commentRemove'],
    params: idParams,
    answer: { status: 204 },
  },
  async ({ visit, params }) => {
    const comment = await ownComment(visit, params.id);
    if (comment instanceof Problem) return comment;
    await dropComment(visit, comment);
    return undefined;
  },
);

const historyRoute = apiRoute(
  {
    name: 'getCommentHistory',
    method: 'GET',
    path: '/comments/:id/history',
    tag: 'community',
    summary: 'What a comment said before, the latest first.',
    permission: 'browse',
    pages: ['GET commentHistory'],
    params: idParams,
    answer: {
      status: 200,
      json: z.strictObject({
        items: list(
          z.strictObject({ text: z.string(), editedBy: memberNameSchema, editedMs: time }),
        ),
      }),
    },
  },
  async ({ visit, params }) => {
    const { sql } = visit.parts;
    const comment = await findComment(sql, Number(params.id));
    if (comment === undefined) return new Problem('not-found', 'This comment is gone.');
    const former = await formerTexts(sql, comment.id);
    const names = await memberNames(
      sql,
      former.map((one) => one.editedBy),
    );
    const items = former.map(({ text, editedBy, editedMs }) => ({
      ...{ text, editedMs, editedBy: { memberId: editedBy, name: names.get(editedBy) ?? null } },
    }));
    return { items };
  },
);

export const lineSchema = z
  .strictObject({
    id: z.int(),
    infoHash,
    title: z.string(),
    sizeBytes: byteCount,
    isRemoved: z.boolean(),
    seeders: z.int(),
    leechers: z.int(),
  })
  .meta({ id: 'TorrentLine' });
const linesSchema = z.strictObject({ items: list(lineSchema) });

export function lineOf({
  id,
  infoHash: hash,
  title,
  sizeBytes,
  isRemoved,
  seeders,
  leechers,
}: TorrentLine) {
  return { id, infoHash: hash, title, sizeBytes, isRemoved, seeders, leechers };
}

const bookmarksRoute = apiRoute(
  {
    name: 'listBookmarks',
    method: 'GET',
    path: '/me/bookmarks',
    tag: 'community',
    summary: 'Torrents that you keep an eye on, the newest first, at most 500.',
    permission: 'browse',
    pages: ['GET bookmarks'],
    answer: { status: 200, json: linesSchema },
  },
  async ({ visit }) => {
    const marked = await markedBy(visit.parts.sql, 'bookmark', visit.signedIn().memberId);
    return { items: (await torrentLines(visit.parts, [...marked.keys()])).map(lineOf) };
  },
);

export const isSetBody = { json: z.strictObject({ isSet: z.boolean() }) };

const bookmarkRoute = apiRoute(
  {
    name: 'bookmarkTorrent',
    method: 'PUT',
    path: '/torrents/:hash/bookmark',
    tag: 'community',
    summary: 'Bookmark a torrent, or forget it.',
    permission: 'browse',
    pages: ['POST torrentBookmark'],
    params: hashParams,
    body: isSetBody,
    answer: { status: 204 },
  },
  async ({ visit, params, body }) => {
    const torrent = await torrentOf(visit, params.hash);
    if (torrent instanceof Problem) return torrent;
    return await markTorrent(visit, torrent, { mark: 'bookmark', isSet: body.isSet });
  },
);

const thanksRoute = apiRoute(
  {
    name: 'thankForTorrent',
    method: 'PUT',
    path: '/torrents/:hash/thanks',
    tag: 'community',
    summary: 'Thank for a torrent, or take it back.',
    permission: 'comment',
    pages: ['POST torrentThanks'],
    params: hashParams,
    body: isSetBody,
    answer: { status: 204 },
  },
  async ({ visit, params, body }) => {
    const torrent = await torrentOf(visit, params.hash);
    if (torrent instanceof Problem) return torrent;
    return await markTorrent(visit, torrent, { mark: 'thanks', isSet: body.isSet });
  },
);

const needsRoute = apiRoute(
  {
    name: 'listTorrentsNeedingSeeds',
    method: 'GET',
    path: '/needs-seeds',
    tag: 'community',
    summary: 'Torrents that nobody seeds: those that you had all of, and others.',
    permission: 'browse',
    pages: ['GET needsSeeds'],
    answer: {
      status: 200,
      json: z.strictObject({ mine: list(lineSchema), others: list(lineSchema) }),
    },
  },
  async ({ visit }) => {
    const { mine, others } = await needingSeeds(visit);
    return { mine: mine.map(lineOf), others: others.map(lineOf) };
  },
);

export const communityRoutes = [
  ...[commentsRoute, writeRoute, editRoute, dropRoute, historyRoute],
  ...[bookmarksRoute, bookmarkRoute, thanksRoute, needsRoute],
];
