// Torrents: the list, one with its swarm, changing and removing it. Their files are in file-routes.ts.

import { z } from 'zod';
import { torrentTransfer } from '#accounting/totals.ts';
import { findMemberById } from '#site/accounts/members.ts';
import { apiRoute, list } from '#site/api/api-route.ts';
import { limitField, pageOf, pageQuery } from '#site/api/paging.ts';
import { Problem } from '#site/api/problem.ts';
import { commonTags, listCategories } from '#site/catalogue/categories.ts';
import { findTorrentByHash, type Torrent } from '#site/catalogue/find-torrent.ts';
import {
  AGE_FILTERS,
  listQueryOf,
  MINE_FILTERS,
  readFilters,
  SEED_FILTERS,
} from '#site/catalogue/list-filters.ts';
import { owedTorrents } from '#site/catalogue/list-marks.ts';
import { myState, myTotals } from '#site/catalogue/my-state.ts';
import { mayChange, tellStaffDeed } from '#site/catalogue/torrent-handlers.ts';
import { listTorrents, type TorrentSort } from '#site/catalogue/torrent-list.ts';
import { wordsVersion } from '#site/catalogue/torrent-words.ts';
import { removeTorrent, updateTorrent } from '#site/catalogue/torrents.ts';
import { creditNow } from '#site/credit/credit-now.ts';
import { spendToken } from '#site/credit/credit-tokens.ts';
import { isGivenTo } from '#site/downloads/is-given.ts';
import { clientName } from '#site/format/client.ts';
import { Refusal } from '#site/refusal.ts';
import { swarmHistory } from '#site/series/series-panels.ts';
import type { Visit } from '#site/visit.ts';
import {
  byteCount,
  hashParams,
  infoHash,
  liveSchema,
  movedFields,
  movedOf,
  time,
  version,
  wordsFields,
} from './shapes.ts';

const MY_PEERS_MAX = 1000;
const PEERS_MAX = 200;
const COMMON_TAGS = 100;

const sizeField = z.string().max(40).describe('As `700 MiB`, or bytes.');

const listedFields = {
  id: z.int(),
  infoHash,
  title: z.string(),
  category: z.string().describe('Slug.'),
  tags: list(z.string()),
  sizeBytes: byteCount,
  fileCount: z.int(),
  createdMs: time,
  swarm: liveSchema,
};

const mineSchema = z
  .strictObject({
    state: z
      .enum(['never', 'begun', 'leeching', 'seeding', 'completed', 'owed'])
      .describe('`owed`: left before it was seeded as long as the rules ask.'),
    part: z
      .number()
      .min(0)
      .max(1)
      .nullable()
      .describe('How much a leeching client has; else null.'),
  })
  .meta({ id: 'MyState' });

const listedSchema = z
  .strictObject({ ...listedFields, mine: mineSchema })
  .meta({ id: 'ListedTorrent' });

export const torrentSchema = z
  .strictObject({
    ...listedFields,
    infoHashV1: z.string().nullable().describe('40 lower-case hexadecimal digits.'),
    infoHashV2: z.string().nullable().describe('64 lower-case hexadecimal digits.'),
    name: z.string().describe('As in the info dictionary.'),
    description: z.string().describe('Markdown.'),
    uploader: z.string().nullable().describe('Null when their account is gone.'),
    source: z.string(),
    uploadNotes: list(z.string()).describe('What the upload changed in the file, and why.'),
    pieceLength: byteCount,
    removed: z
      .strictObject({ atMs: time, reason: z.string() })
      .nullable()
      .describe('Null while it is there.'),
    mayChange: z.boolean().describe('Whether you may edit and remove it.'),
    version,
    isGiven: z.boolean().describe('Whether the archive gives its content to you.'),
  })
  .meta({ id: 'Torrent' });

function live(visit: Visit, torrent: { readonly id: number; readonly completed: number }) {
  const { seeders, leechers, completed } = visit.parts.swarms.counts(torrent.id) ?? {
    ...{ seeders: 0, leechers: 0, completed: torrent.completed },
  };
  return { seeders, leechers, completed };
}

/** Removed ones too. */
export async function torrentOf(visit: Visit, hash: string): Promise<Torrent | Problem> {
  const torrent = await findTorrentByHash(visit.parts.sql, hash);
  return torrent ?? new Problem('not-found', 'No torrent has this hash.');
}

/** One that is not removed. */
export async function torrentHere(visit: Visit, hash: string): Promise<Torrent | Problem> {
  const torrent = await torrentOf(visit, hash);
  if (torrent instanceof Problem || torrent.removedMs === undefined) return torrent;
  return new Problem('not-found', `This torrent was removed: ${torrent.removedReason}`);
}

async function changeable(visit: Visit, hash: string): Promise<Torrent | Problem> {
  const torrent = await torrentHere(visit, hash);
  if (torrent instanceof Problem || mayChange(visit, torrent)) return torrent;
  return new Problem('forbidden', 'Its uploader and the staff may change it.');
}

export async function torrentAnswer(
  visit: Visit,
  torrent: Torrent,
): Promise<z.input<typeof torrentSchema>> {
  const uploader = await findMemberById(visit.parts.sql, torrent.uploaderId);
  const { id, infoHash: hash, title, category, tags, sizeBytes, fileCount, createdMs } = torrent;
  const { name, description, source, uploadNotes, pieceLength, removedMs } = torrent;
  return {
    ...{ id, infoHash: hash, title, category, tags, sizeBytes, fileCount, createdMs },
    swarm: live(visit, torrent),
    infoHashV1: torrent.infoHashV1 ?? null,
    infoHashV2: torrent.infoHashV2 ?? null,
    ...{ name, description, source, uploadNotes, pieceLength },
    uploader: uploader === undefined || uploader.state === 'removed' ? null : uploader.name,
    removed: removedMs === undefined ? null : { atMs: removedMs, reason: torrent.removedReason },
    mayChange: mayChange(visit, torrent),
    version: wordsVersion(torrent),
    isGiven: await isGivenTo(visit, torrent),
  };
}

const SORTED_BY = [
  ...(['added', 'title', 'size', 'files', 'seeders', 'leechers', 'completed'] as const),
] as const satisfies readonly TorrentSort[];
const SORTS = SORTED_BY.flatMap((name) => [name, `-${name}`]);

/** The fields of the page's address, so that both find the same. */
const listQuery = z.strictObject({
  q: z.string().optional().describe('Words that title, description, tags or files have.'),
  category: z.string().max(100).optional().describe('Slug.'),
  tags: z.string().optional().describe('Names with commas between; a torrent has all of them.'),
  'size-from': sizeField.optional(),
  'size-to': sizeField.optional(),
  added: z
    .enum(AGE_FILTERS.map(String) as [string, ...string[]])
    .optional()
    .describe('Within so many days.'),
  seeds: z.enum(SEED_FILTERS).optional(),
  mine: z.enum(MINE_FILTERS).optional().describe('What you have to do with it.'),
  sort: z
    .enum(SORTS as [string, ...string[]])
    .optional()
    .describe('Descending with `-`. Without it: best first with `q`, else newest first.'),
  cursor: pageQuery.shape.cursor,
  limit: limitField,
});

const listRoute = apiRoute(
  {
    name: 'listTorrents',
    method: 'GET',
    path: '/torrents',
    tag: 'torrents',
    summary: 'The torrents that fit the filters, page by page, with what you have to do with each.',
    permission: 'browse',
    pages: ['GET torrents', 'GET home'],
    query: listQuery,
    answer: {
      status: 200,
      json: pageOf(listedSchema).extend({
        total: z.int().describe('On all pages; counted up to 10,000.'),
        isTotalExact: z.boolean(),
        corrections: list(z.strictObject({ asked: z.string(), read: list(z.string()) })).describe(
          'Words of `q` that are not here, and what was looked for instead.',
        ),
      }),
    },
  },
  async ({ visit, query }) => {
    const { sql, swarms } = visit.parts;
    const { cursor, limit, ...fields } = query;
    const { memberId } = visit.signedIn();
    const filters = readFilters((field) => [fields[field] ?? '']);
    const mine = swarms.peersOfMember(memberId, MY_PEERS_MAX);
    const owed = await owedTorrents(visit.parts, memberId, visit.nowMs);
    const found = await listTorrents(sql, {
      ...listQueryOf(filters, { memberId, nowMs: visit.nowMs, peers: mine, owed }),
      ...(cursor === undefined ? {} : { cursor }),
      rowsMax: limit,
    });
    const ids = found.rows.map((row) => row.id);
    const totals = await myTotals(sql, memberId, ids);
    const peers = Map.groupBy(mine, (one) => one.torrentId);
    const items = found.rows.map((row) => {
      const isOwed = owed.has(row.id);
      const state = myState(row.sizeBytes, peers.get(row.id) ?? [], totals.get(row.id), isOwed);
      const { id, infoHash: hash, title, sizeBytes, fileCount, createdMs } = row;
      return {
        ...{ id, infoHash: hash, title, category: row.category, tags: row.tags },
        ...{ sizeBytes, fileCount, createdMs, swarm: live(visit, row) },
        mine: { state: state.kind, part: state.kind === 'leeching' ? state.part : null },
      };
    });
    const { nextCursor = null, total, isTotalExact, corrections } = found;
    return { items, nextCursor, total, isTotalExact, corrections };
  },
);

const getRoute = apiRoute(
  {
    name: 'getTorrent',
    method: 'GET',
    path: '/torrents/:hash',
    tag: 'torrents',
    summary: 'One torrent; also when it was removed, with the reason.',
    permission: 'browse',
    pages: ['GET torrent'],
    params: hashParams,
    answer: { status: 200, json: torrentSchema },
    version: (answer) => answer.version,
  },
  async ({ visit, params }) => {
    const torrent = await torrentOf(visit, params.hash);
    return torrent instanceof Problem ? torrent : await torrentAnswer(visit, torrent);
  },
);

const editRoute = apiRoute(
  {
    name: 'editTorrent',
    method: 'PATCH',
    path: '/torrents/:hash',
    tag: 'torrents',
    summary: 'Change what is written about a torrent; what is left out stays.',
    permission: 'upload',
    pages: ['GET torrentEdit', 'POST torrentEdit'],
    params: hashParams,
    body: { json: z.strictObject(wordsFields).partial() },
    matches: true,
    answer: { status: 200, json: torrentSchema },
  },
  async ({ visit, params, body }) => {
    const torrent = await changeable(visit, params.hash);
    if (torrent instanceof Problem) return torrent;
    await tellStaffDeed(visit, torrent, 'torrentEdit', `title: ${body.title ?? torrent.title}`);
    const changed = await updateTorrent(visit.parts, torrent.id, (before) => ({
      title: body.title ?? before.title,
      category: body.category ?? before.category,
      tags: body.tags ?? before.tags,
      description: body.description ?? before.description,
      changedBy: visit.signedIn().memberId,
      shown: visit.shown,
    }));
    return changed instanceof Refusal ? changed : await torrentAnswer(visit, changed);
  },
);

const removeRoute = apiRoute(
  {
    name: 'removeTorrent',
    method: 'DELETE',
    path: '/torrents/:hash',
    tag: 'torrents',
    summary: 'Remove a torrent: trackers refuse it with the reason within a second.',
    permission: 'upload',
    pages: ['GET torrentRemove', 'POST torrentRemove'],
    params: hashParams,
    query: z.strictObject({ reason: z.string().describe('Members and their clients read it.') }),
    answer: { status: 204 },
  },
  async ({ visit, params, query }) => {
    const torrent = await changeable(visit, params.hash);
    if (torrent instanceof Problem) return torrent;
    await tellStaffDeed(visit, torrent, 'torrentRemove', `reason: ${query.reason}`);
    const removal = { torrentId: torrent.id, removedBy: visit.signedIn().memberId };
    const removed = await removeTorrent(visit.parts, { ...removal, reason: query.reason });
    return removed instanceof Refusal ? removed : undefined;
  },
);

const peerSchema = z
  .strictObject({
    client: z.string(),
    state: z.enum(['seeder', 'leecher', 'partial-seed']),
    leftBytes: byteCount.nullable().describe('What it still lacks; null when it does not say.'),
    isArchive: z.boolean().describe("The site's own peer."),
    lastSeenMs: time,
  })
  .meta({ id: 'Peer' });

/** As `changeable`; what the staff does to another's stands in its log. */
export async function changeableTorrent(
  visit: Visit,
  hash: string,
  words: string,
): Promise<Torrent | Problem> {
  const torrent = await changeable(visit, hash);
  if (!(torrent instanceof Problem)) await tellStaffDeed(visit, torrent, 'torrentEdit', words);
  return torrent;
}

const pointSchema = z.strictObject({ atMs: time, mean: z.number() });

const swarmRoute = apiRoute(
  {
    name: 'getTorrentSwarm',
    method: 'GET',
    path: '/torrents/:hash/swarm',
    tag: 'torrents',
    summary: 'Who is in the swarm now, without addresses, and how it was hour by hour over a week.',
    permission: 'browse',
    pages: ['GET torrent'],
    params: hashParams,
    answer: {
      status: 200,
      json: z.strictObject({
        swarm: liveSchema,
        peers: list(peerSchema).describe(`At most ${PEERS_MAX}.`),
        seeders: list(pointSchema),
        leechers: list(pointSchema),
      }),
    },
  },
  async ({ visit, params }) => {
    const torrent = await torrentHere(visit, params.hash);
    if (torrent instanceof Problem) return torrent;
    const { swarms, sql } = visit.parts;
    const history = await swarmHistory(sql, torrent.id, visit.nowMs);
    const points = (of: typeof history.seeders) =>
      of.map((point) => ({ atMs: point.atMs, mean: point.mean }));
    const archive = Buffer.from(swarms.archivePeerId);
    return {
      swarm: live(visit, torrent),
      peers: swarms.peersOfTorrent(torrent.id, PEERS_MAX).map((peer) => ({
        client: clientName(peer.peerId),
        state: peer.state,
        leftBytes: peer.left >= Number.MAX_SAFE_INTEGER ? null : peer.left,
        isArchive: archive.equals(peer.peerId),
        lastSeenMs: peer.lastSeenSeconds * 1000,
      })),
      seeders: points(history.seeders),
      leechers: points(history.leechers),
    };
  },
);

const mineRoute = apiRoute(
  {
    name: 'getMyTransfer',
    method: 'GET',
    path: '/torrents/:hash/mine',
    tag: 'torrents',
    summary: 'What you moved of this torrent, and what is free of it for you now.',
    permission: 'browse',
    pages: ['GET torrent'],
    params: hashParams,
    answer: {
      status: 200,
      json: z.strictObject({
        ...movedFields,
        seedSeconds: z.int(),
        completedMs: time.nullable(),
        uploadCreditPercent: z.int().describe('Of what you give now.'),
        downloadCreditPercent: z.int().describe('Of what you take now; 0 is free.'),
      }),
    },
  },
  async ({ visit, params }) => {
    const torrent = await torrentOf(visit, params.hash);
    if (torrent instanceof Problem) return torrent;
    const { memberId } = visit.signedIn();
    const { sql } = visit.parts;
    const transfer = await torrentTransfer(sql, memberId, torrent.id);
    const now = await creditNow(sql, { memberId, torrentId: torrent.id }, visit.nowMs);
    const none = {
      ...{ uploadedBytes: 0, downloadedBytes: 0 },
      ...{ creditedUploadedBytes: 0, creditedDownloadedBytes: 0 },
    };
    return {
      ...movedOf(transfer ?? none),
      seedSeconds: transfer?.seedSeconds ?? 0,
      completedMs: transfer?.completedMs ?? null,
      uploadCreditPercent: now?.credit.uploadCreditPercent ?? 100,
      downloadCreditPercent: now?.credit.downloadCreditPercent ?? 100,
    };
  },
);

const tokenRoute = apiRoute(
  {
    name: 'spendFreeleechToken',
    method: 'POST',
    path: '/torrents/:hash/freeleech-token',
    tag: 'torrents',
    summary: 'Spend a token: what you take of this torrent does not count for a while.',
    permission: 'download',
    pages: ['GET torrentToken', 'POST torrentToken'],
    params: hashParams,
    answer: { status: 204 },
  },
  async ({ visit, params }) => {
    const torrent = await torrentHere(visit, params.hash);
    if (torrent instanceof Problem) return torrent;
    const { memberId } = visit.signedIn();
    const { parts, nowMs } = visit;
    const now = await creditNow(parts.sql, { memberId, torrentId: torrent.id }, nowMs);
    if (now?.credit.downloadCreditPercent === 0) {
      return new Problem('conflict', 'It is free for you already; your token was kept.');
    }
    const { tokenWindowMs: windowMs } = parts.config;
    const spent = await spendToken(parts, { memberId, torrentId: torrent.id, windowMs });
    return spent instanceof Refusal ? spent : undefined;
  },
);

const categoriesRoute = apiRoute(
  {
    name: 'listCategories',
    method: 'GET',
    path: '/categories',
    tag: 'torrents',
    summary: 'The categories in the order of the operator, and the tags that most torrents have.',
    permission: 'browse',
    pages: ['GET torrents'],
    answer: {
      status: 200,
      json: z.strictObject({
        categories: list(z.strictObject({ slug: z.string(), name: z.string() })),
        tags: list(z.strictObject({ name: z.string(), torrents: z.int() })),
      }),
    },
  },
  async ({ visit }) => {
    const { sql } = visit.parts;
    const categories = await listCategories(sql);
    return {
      categories: categories.map(({ slug, name }) => ({ slug, name })),
      tags: await commonTags(sql, COMMON_TAGS),
    };
  },
);

export const torrentRoutes = [
  listRoute,
  getRoute,
  editRoute,
  removeRoute,
  swarmRoute,
  mineRoute,
  tokenRoute,
  categoriesRoute,
];
