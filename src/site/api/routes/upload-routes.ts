// Uploading in the steps of the pages: a .torrent is sent and waits, what is in it is shown, its words make
// it a torrent. And all of it in one request, for programs that know the words.

import { z } from 'zod';
import { apiRoute, list } from '#site/api/api-route.ts';
import { Problem } from '#site/api/problem.ts';
import type { CatalogueTables } from '#site/catalogue/catalogue-tables.ts';
import { findTorrent, shownHash } from '#site/catalogue/find-torrent.ts';
import { prepareApart } from '#site/catalogue/prepare-apart.ts';
import {
  type Duplicate,
  findDuplicate,
  type PreparedTorrent,
  titleOf,
} from '#site/catalogue/prepared-torrent.ts';
import type { TorrentWords } from '#site/catalogue/torrent-words.ts';
import { parseTags } from '#site/catalogue/torrent-words.ts';
import { addTorrent } from '#site/catalogue/torrents.ts';
import { discardDraft, findDraft, keepDraft } from '#site/catalogue/upload-drafts.ts';
import { Refusal } from '#site/refusal.ts';
import type { Visit } from '#site/visit.ts';
import { byteCount, infoHash, wordsFields } from './shapes.ts';
import { torrentAnswer, torrentSchema } from './torrent-routes.ts';

const FILES_SHOWN_MAX = 500;
const GONE = 'This upload was saved, discarded or left for too long. Send the file again.';

const draftParams = z.strictObject({
  draft: z.string().regex(/^[0-9a-f]{32}$/, 'expected the id of an upload'),
});

const duplicateSchema = z
  .strictObject({
    by: z.enum(['hash', 'content']).describe('`content`: another hash, the same files.'),
    infoHash,
    title: z.string(),
  })
  .meta({ id: 'Duplicate' });

const uploadSchema = z
  .strictObject({
    draft: z.string().describe('By which it is saved or discarded; only you can.'),
    name: z.string(),
    infoHash: infoHash.describe('As it would be saved.'),
    hashChanged: z.boolean().describe('Then the file that was sent is not the one to seed with.'),
    notes: list(z.string()).describe('What was changed in the file, and why.'),
    warnings: list(z.string()),
    sizeBytes: byteCount,
    fileCount: z.int(),
    files: list(z.strictObject({ path: z.string(), sizeBytes: byteCount })).describe(
      `The first ${FILES_SHOWN_MAX} files and folders.`,
    ),
    proposed: z
      .strictObject({ title: z.string(), category: z.string(), tags: list(z.string()) })
      .describe('Words to start from.'),
    duplicate: duplicateSchema.nullable().describe('What is here already and would refuse it.'),
  })
  .meta({ id: 'Upload' });

const savedSchema = z.strictObject({
  torrent: torrentSchema,
  hashChanged: z.boolean().describe('Then seed with the file of `getTorrentFile`.'),
  notes: list(z.string()),
});

async function duplicateOf(visit: Visit, { by, existing }: Duplicate) {
  const torrent = await findTorrent(visit.parts.sql, existing.id);
  return { by, infoHash: torrent?.infoHash ?? '', title: existing.title };
}

async function uploadAnswer(
  visit: Visit,
  draft: string,
  prepared: PreparedTorrent,
): Promise<z.input<typeof uploadSchema>> {
  const { metainfo, hashChanged, notes, warnings, fileCount, entries, suggestions } = prepared;
  const catalogue = visit.parts.sql.read<CatalogueTables>();
  const duplicate = await findDuplicate(catalogue, prepared);
  const { infoHashV1: v1, infoHashV2: v2 } = metainfo;
  return {
    ...{ draft, name: metainfo.name, infoHash: shownHash(v1 ?? null, v2 ?? null) },
    ...{ hashChanged, notes, warnings, sizeBytes: metainfo.sizeBytes, fileCount },
    files: entries.slice(0, FILES_SHOWN_MAX).map(({ path, sizeBytes }) => ({ path, sizeBytes })),
    proposed: {
      title: titleOf(metainfo),
      ...{ category: suggestions.category, tags: suggestions.tags },
    },
    duplicate: duplicate === undefined ? null : await duplicateOf(visit, duplicate),
  };
}

async function save(visit: Visit, bytes: Uint8Array, words: TorrentWords) {
  const added = await addTorrent(visit.parts, {
    ...{ bytes, uploaderId: visit.signedIn().memberId },
    ...words,
    isStaff: visit.may('administer'),
  });
  if (added instanceof Refusal) return added;
  if (added.kind === 'duplicate') {
    const { infoHash: hash, title } = await duplicateOf(visit, added);
    return new Problem('conflict', `It is here already: “${title}”, ${hash}.`);
  }
  const { torrent, hashChanged, notes } = added;
  return { torrent: await torrentAnswer(visit, torrent), hashChanged, notes };
}

const beginRoute = apiRoute(
  {
    name: 'beginUpload',
    method: 'POST',
    path: '/uploads',
    tag: 'uploads',
    summary: 'Send a .torrent and see what is in it; nothing is in the catalogue yet.',
    permission: 'upload',
    parses: true,
    pages: ['GET upload', 'POST upload'],
    body: { bytes: 'application/x-bittorrent' },
    answer: { status: 201, json: uploadSchema },
  },
  async ({ visit, bytes }) => {
    const { parts } = visit;
    const prepared = await prepareApart(parts.config, bytes);
    if (prepared instanceof Refusal) return prepared;
    const draft = await keepDraft(parts, visit.signedIn().memberId, bytes);
    return await uploadAnswer(visit, draft, prepared);
  },
);

const showRoute = apiRoute(
  {
    name: 'getUpload',
    method: 'GET',
    path: '/uploads/:draft',
    tag: 'uploads',
    summary: 'What is in an upload that waits.',
    permission: 'upload',
    parses: true,
    pages: ['GET uploadDraft'],
    params: draftParams,
    answer: { status: 200, json: uploadSchema },
  },
  async ({ visit, params }) => {
    const { parts } = visit;
    const bytes = await findDraft(parts, visit.signedIn().memberId, params.draft);
    if (bytes === undefined) return new Problem('not-found', GONE);
    const prepared = await prepareApart(parts.config, bytes);
    return prepared instanceof Refusal
      ? prepared
      : await uploadAnswer(visit, params.draft, prepared);
  },
);

const saveRoute = apiRoute(
  {
    name: 'saveUpload',
    method: 'POST',
    path: '/uploads/:draft',
    tag: 'uploads',
    summary: 'Make a torrent of an upload that waits: in force at the trackers within a second.',
    permission: 'upload',
    parses: true,
    pages: ['POST uploadDraft'],
    params: draftParams,
    body: { json: z.strictObject(wordsFields) },
    answer: { status: 201, json: savedSchema },
  },
  async ({ visit, params, body }) => {
    const { parts } = visit;
    const { memberId } = visit.signedIn();
    const bytes = await findDraft(parts, memberId, params.draft);
    if (bytes === undefined) return new Problem('not-found', GONE);
    const saved = await save(visit, bytes, body);
    if ('torrent' in saved) await discardDraft(parts.sql, memberId, params.draft);
    return saved;
  },
);

const discardRoute = apiRoute(
  {
    name: 'discardUpload',
    method: 'DELETE',
    path: '/uploads/:draft',
    tag: 'uploads',
    summary: 'Forget an upload that waits. Nothing happens when it is gone already.',
    permission: 'upload',
    pages: ['POST uploadDiscard'],
    params: draftParams,
    answer: { status: 204 },
  },
  async ({ visit, params }) => {
    await discardDraft(visit.parts.sql, visit.signedIn().memberId, params.draft);
    return undefined;
  },
);

const addRoute = apiRoute(
  {
    name: 'addTorrent',
    method: 'POST',
    path: '/torrents',
    tag: 'uploads',
    summary: 'Send a .torrent with its words: the two steps in one.',
    permission: 'upload',
    parses: true,
    pages: ['POST upload', 'POST uploadDraft'],
    query: z.strictObject({
      title: z.string().optional().describe("Without it, made of the torrent's name."),
      category: z.string().optional().describe('Slug. Without it, by the endings of the files.'),
      tags: z.string().default('').describe('Names with commas between.'),
      description: z.string().default('').describe('Markdown.'),
    }),
    body: { bytes: 'application/x-bittorrent' },
    answer: { status: 201, json: savedSchema },
  },
  async ({ visit, query, bytes }) => {
    const prepared = await prepareApart(visit.parts.config, bytes);
    if (prepared instanceof Refusal) return prepared;
    return await save(visit, bytes, {
      title: query.title ?? titleOf(prepared.metainfo),
      category: query.category ?? prepared.suggestions.category,
      tags: parseTags(query.tags),
      description: query.description,
    });
  },
);

export const uploadRoutes = [beginRoute, showRoute, saveRoute, discardRoute, addRoute];
