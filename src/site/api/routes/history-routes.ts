// What became of a torrent, as its history tells it.

import { z } from 'zod';
import { apiRoute, list } from '#site/api/api-route.ts';
import { pageOf, pageQuery } from '#site/api/paging.ts';
import { Problem } from '#site/api/problem.ts';
import { actorNames } from '#site/torrent-history/history-pages.ts';
import { actorOf, historyWords } from '#site/torrent-history/history-views.ts';
import { type HistoryEntry, torrentHistory } from '#site/torrent-history/torrent-history.ts';
import { hashParams, infoHash, memberNameSchema, time } from './shapes.ts';
import { torrentOf } from './torrent-routes.ts';

const entrySchema = z
  .strictObject({
    atMs: time,
    kind: z.enum([
      ...(['uploaded', 'edited', 'removed', 'replaces', 'freed', 'exempted'] as const),
      ...(['kept', 'unkept', 'cover', 'comments-removed'] as const),
    ]),
    words: z.string().describe('As the page says it.'),
    actor: z
      .enum(['uploader', 'operator', 'staff'])
      .nullable()
      .describe('Who did it; null where it was nobody in particular.'),
    member: memberNameSchema.nullable().describe('Who it was, for moderators; null else.'),
    fields: list(
      z.strictObject({
        field: z.enum(['title', 'category', 'tags', 'description']),
        from: z.string().nullable().describe('Null of descriptions, but for moderators.'),
        to: z.string().nullable().describe('Null of descriptions.'),
      }),
    ).describe('What an edit changed.'),
    otherInfoHash: infoHash.nullable().describe('Of the torrent that it took the place of.'),
  })
  .meta({ id: 'HistoryEntry' });

const historyRoute = apiRoute(
  {
    name: 'getTorrentHistory',
    method: 'GET',
    path: '/torrents/:hash/history',
    tag: 'torrents',
    summary: 'What became of a torrent, newest first; of a removed one too.',
    permission: 'browse',
    pages: ['GET torrentHistory'],
    params: hashParams,
    query: pageQuery,
    answer: { status: 200, json: pageOf(entrySchema) },
  },
  async ({ visit, params, query: { cursor, limit } }) => {
    const torrent = await torrentOf(visit, params.hash);
    if (torrent instanceof Problem) return torrent;
    const page = { limit, ...(cursor === undefined ? {} : { cursor }) };
    const { entries, nextCursor = null } = await torrentHistory(visit.parts.sql, torrent, page);
    const names = await actorNames(visit, entries);
    const items = entries.map((entry) => {
      const { atMs, kind, memberId } = entry;
      const isNamed = names !== undefined && memberId !== undefined && memberId !== 0;
      return {
        ...{ atMs, kind, words: historyWords(entry), actor: actorOf(entry, torrent) ?? null },
        member: isNamed ? { memberId, name: names.get(memberId) ?? null } : null,
        fields: fieldsOf(entry, names !== undefined),
        otherInfoHash: entry.kind === 'replaces' ? entry.other.infoHash : null,
      };
    });
    return { items, nextCursor };
  },
);

function fieldsOf(entry: HistoryEntry, isStaff: boolean) {
  if (entry.kind !== 'edited') return [];
  return entry.fields.map((change) =>
    change.field === 'description'
      ? { field: change.field, from: isStaff ? change.from : null, to: null }
      : { field: change.field, from: change.from, to: change.to },
  );
}

export const historyRoutes = [historyRoute];
