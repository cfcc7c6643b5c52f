// Shares: links by which people without an account take what the archive keeps.

import { z } from 'zod';
import { apiRoute, list } from '#site/api/api-route.ts';
import { edge, pageOf } from '#site/api/paging.ts';
import { Problem } from '#site/api/problem.ts';
import { NO_PARENT } from '#site/catalogue/file-entries.ts';
import { isGivenTo } from '#site/downloads/is-given.ts';
import { folderRow } from '#site/folders/folder-rows.ts';
import { Refusal } from '#site/refusal.ts';
import { hrefTo } from '#site/routes.ts';
import { SHARE_ITEMS_MAX } from '#site/shares/share-items.ts';
import {
  addToShare,
  type ListedShare,
  listedState,
  listShares,
  makeShare,
  revokeShare,
  SHARES_LISTED_MAX,
} from '#site/shares/shares.ts';
import type { Visit } from '#site/visit.ts';
import { byteCount, hashParams, idParams, infoHash, time } from './shapes.ts';
import { torrentHere } from './torrent-routes.ts';

/** Levels of folders, more than any torrent has. */
const DEPTH_MAX = 200;
const GONE = 'There is no such share, or it was revoked before.';

const wantedItem = z
  .strictObject({
    infoHash: hashParams.shape.hash,
    entry: z.int().min(0).optional().describe('Position of a file or folder; all of it without.'),
    depth: z
      .int()
      .min(0)
      .max(DEPTH_MAX)
      .optional()
      .describe('Levels of folders below it, 0 for none; as many as there are without.'),
  })
  .meta({ id: 'SharedItem' });

const shareSchema = z
  .strictObject({
    id: z.int(),
    member: z.string(),
    label: z.string(),
    state: z.enum(['open', 'used-up', 'revoked', 'expired', 'let-go']),
    hasPassword: z.boolean(),
    createdMs: time,
    expiresMs: time,
    downloads: z.int(),
    downloadsMax: z.int().nullable().describe('Null is without bound.'),
    sentBytes: byteCount,
    items: list(
      z.strictObject({
        infoHash,
        title: z.string(),
        kind: z.enum(['torrent', 'folder', 'file']),
        path: z.string().describe("From the torrent's top; empty of a torrent."),
        depth: z.int().nullable(),
        sizeBytes: byteCount,
        isOpen: z.boolean(),
      }),
    ),
  })
  .meta({ id: 'Share' });

function shareOf(share: ListedShare, nowMs: number): z.input<typeof shareSchema> {
  const { id, member, label, createdMs, expiresMs, downloads, downloadsMax, sentBytes } = share;
  return {
    ...{ id, member, label, state: listedState(share, nowMs), createdMs, expiresMs },
    hasPassword: share.passwordHash !== undefined,
    ...{ downloads, downloadsMax: downloadsMax ?? null, sentBytes },
    items: share.items.map((item) => ({
      ...{ infoHash: item.infoHash, title: item.torrentTitle, kind: item.kind, path: item.path },
      ...{ depth: item.depth ?? null, sizeBytes: item.sizeBytes, isOpen: item.isOpen },
    })),
  };
}

const pageQuery = z.strictObject({
  cursor: z
    .string()
    .regex(/^\d{1,15}$/)
    .optional(),
});

async function sharePage(visit: Visit, cursor: string | undefined, memberId?: number) {
  const found = await listShares(visit.parts.sql, {
    ...(memberId === undefined ? {} : { memberId }),
    ...edge('before', cursor),
  });
  const shown = found.slice(0, SHARES_LISTED_MAX);
  const last = shown.at(-1);
  const hasMore = found.length > shown.length && last !== undefined;
  return {
    items: shown.map((share) => shareOf(share, visit.nowMs)),
    nextCursor: hasMore ? String(last.id) : null,
  };
}

/** Only what can be given can be shared. */
async function itemOf(visit: Visit, wanted: z.output<typeof wantedItem>) {
  const torrent = await torrentHere(visit, wanted.infoHash);
  if (torrent instanceof Problem) return torrent;
  if (!(await isGivenTo(visit, torrent))) {
    return new Problem('forbidden', `The archive does not give “${torrent.title}” to you.`);
  }
  const { entry, depth } = wanted;
  const row = entry === undefined ? undefined : await folderRow(visit.parts.sql, torrent.id, entry);
  if (entry !== undefined && row === undefined) {
    return new Problem('not-found', `“${torrent.title}” has nothing at position ${entry}.`);
  }
  return {
    ...{ torrentId: torrent.id, position: row?.position ?? NO_PARENT },
    label: row?.name ?? torrent.title,
    depth: row?.isFolder === false ? undefined : depth,
  };
}

const listRoute = apiRoute(
  {
    name: 'listShares',
    method: 'GET',
    path: '/me/shares',
    tag: 'shares',
    summary: `Your shares, newest first, ${SHARES_LISTED_MAX} a page; not their links.`,
    permission: 'share',
    pages: ['GET shares'],
    query: pageQuery,
    answer: { status: 200, json: pageOf(shareSchema) },
  },
  async ({ visit, query }) => await sharePage(visit, query.cursor, visit.signedIn().memberId),
);

const makeRoute = apiRoute(
  {
    name: 'makeShare',
    method: 'POST',
    path: '/me/shares',
    tag: 'shares',
    summary: 'Make a link to torrents, folders and files. It is in this answer and nowhere else.',
    permission: 'share',
    pages: ['GET torrentShare', 'POST torrentShare'],
    body: {
      json: z.strictObject({
        items: list(wantedItem).describe(`1 to ${SHARE_ITEMS_MAX}.`),
        label: z.string().optional().describe('Without it, the name of the first item.'),
        days: z.int().describe('How long it lasts, up to `site.shareDaysMax`.'),
        downloadsMax: z.int().optional(),
        password: z.string().default('').describe('Empty for none.'),
      }),
    },
    answer: { status: 201, json: z.strictObject({ id: z.int(), url: z.string() }) },
  },
  async ({ visit, body }) => {
    const { parts } = visit;
    if (parts.config.sharesPerMemberMax === 0) {
      return new Problem('forbidden', 'No shares are made here.');
    }
    const items: Exclude<Awaited<ReturnType<typeof itemOf>>, Problem>[] = [];
    for (const wanted of body.items.slice(0, SHARE_ITEMS_MAX + 1)) {
      const item = await itemOf(visit, wanted);
      if (item instanceof Problem) return item;
      items.push(item);
    }
    const { days, downloadsMax, password } = body;
    const made = await makeShare(parts, {
      ...{ memberId: visit.signedIn().memberId, items, days, downloadsMax, password },
      label: body.label ?? items[0]?.label ?? '',
    });
    if (made instanceof Refusal) return made;
    const url = visit.addresses.siteUrl + hrefTo('share', { token: made.token });
    return { id: made.id, url };
  },
);

const addRoute = apiRoute(
  {
    name: 'addToShare',
    method: 'POST',
    path: '/me/shares/:id/items',
    tag: 'shares',
    summary: 'Have the link of one of your shares lead to one thing more.',
    permission: 'share',
    pages: ['POST torrentShare'],
    params: idParams,
    body: { json: wantedItem },
    answer: { status: 204 },
  },
  async ({ visit, params, body }) => {
    const item = await itemOf(visit, body);
    if (item instanceof Problem) return item;
    const to = { shareId: Number(params.id), memberId: visit.signedIn().memberId };
    return await addToShare(visit.parts, to, item);
  },
);

const revokeRoute = apiRoute(
  {
    name: 'revokeShare',
    method: 'DELETE',
    path: '/me/shares/:id',
    tag: 'shares',
    summary: 'End a share: downloads by it end within a second.',
    permission: 'share',
    pages: ['POST shareRevoke'],
    params: idParams,
    answer: { status: 204 },
  },
  async ({ visit, params }) => {
    const { memberId } = visit.signedIn();
    const isDone = await revokeShare(visit.parts, Number(params.id), memberId);
    return isDone ? undefined : new Problem('not-found', GONE);
  },
);

const listAllRoute = apiRoute(
  {
    name: 'listAllShares',
    method: 'GET',
    path: '/console/shares',
    tag: 'shares',
    summary: 'The shares of all members, newest first.',
    permission: 'administer',
    pages: ['GET consoleShares'],
    query: pageQuery,
    answer: { status: 200, json: pageOf(shareSchema) },
  },
  async ({ visit, query }) => await sharePage(visit, query.cursor),
);

const revokeAnyRoute = apiRoute(
  {
    name: 'revokeAnyShare',
    method: 'DELETE',
    path: '/console/shares/:id',
    tag: 'shares',
    summary: "End anybody's share.",
    permission: 'administer',
    pages: ['POST consoleShareRevoke'],
    params: idParams,
    answer: { status: 204 },
  },
  async ({ visit, params }) => {
    const isDone = await revokeShare(visit.parts, Number(params.id), undefined);
    return isDone ? undefined : new Problem('not-found', GONE);
  },
);

export const shareRoutes = [
  ...[listRoute, makeRoute, addRoute, revokeRoute, listAllRoute, revokeAnyRoute],
];
