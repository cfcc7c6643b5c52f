// What a member sees of themselves: ratio and standing, transfers, bonus, notices.

import { z } from 'zod';
import { bonusBalance, bonusEntries } from '#accounting/bonus/bonus.ts';
import { findingWords } from '#accounting/strategies/verdict-words.ts';
import { memberTotals } from '#accounting/totals.ts';
import { DAV_PREFIX } from '#archive/webdav/webdav.ts';
import { toHex } from '#base/bytes.ts';
import { memberHistory, torrentNames } from '#site/accounts/history.ts';
import { findMemberById, type Member } from '#site/accounts/members.ts';
import { SPANS, transferChart } from '#site/accounts/transfer-chart.ts';
import { memberAnnounceUrls } from '#site/announce-urls.ts';
import { apiRoute, list } from '#site/api/api-route.ts';
import { cutPage, edge, numberPageQuery, pageOf } from '#site/api/paging.ts';
import { Problem } from '#site/api/problem.ts';
import { buyToken } from '#site/bonus/buy-token.ts';
import { classView } from '#site/classes/class-panel.ts';
import { countTokens } from '#site/credit/credit-tokens.ts';
import { davKeyOf } from '#site/downloads/dav-key.ts';
import { clientName } from '#site/format/client.ts';
import { stateOf } from '#site/moderation/own-warnings.ts';
import { listWarnings } from '#site/moderation/warnings.ts';
import { listNotices, markRead, NOTICE_KINDS, unreadNotices } from '#site/notices/notices.ts';
import { NUMBER_WORDS } from '#site/rules/standing-effects.ts';
import { standingView } from '#site/rules/standing-panel.ts';
import type { Visit } from '#site/visit.ts';
import { byteCount, movedFields, movedOf, time, torrentName, torrentNameSchema } from './shapes.ts';

const PEERS_MAX = 100;
const ORDER_BYTES = 12;

const meSchema = z
  .strictObject({
    name: z.string(),
    role: z.string(),
    permissions: list(z.string()).describe('What you may with what you signed in by.'),
    csrfToken: z.string().nullable().describe('For the header `x-csrf-token`; null with a token.'),
    joinedMs: time,
    mayDownload: z.boolean().describe('False while a rule keeps you from taking more.'),
    ...movedFields,
    freeBytes: byteCount.describe('Taken, and not counted.'),
    seedSeconds: z.int(),
    completed: z.int(),
    standing: z.strictObject({
      state: z.enum(['good', 'warned', 'watched', 'restricted']),
      watchEndsMs: time.describe('0 when no watch is under way.'),
      reasons: list(z.string()).describe('What is asked of you and how you stand, in sentences.'),
    }),
    className: z.string().nullable().describe('Null where there is one class only.'),
    bonusMilliPoints: z.int().describe('Thousandths of a point.'),
    freeleechTokens: z.int(),
    unreadNotices: z.int(),
  })
  .meta({ id: 'Me' });

async function myself(visit: Visit): Promise<Member | Problem> {
  const member = await findMemberById(visit.parts.sql, visit.signedIn().memberId);
  return member ?? new Problem('signed-out', 'This account is not there any more.');
}

const meRoute = apiRoute(
  {
    name: 'getMe',
    method: 'GET',
    path: '/me',
    tag: 'me',
    summary: 'Who you are, what you gave and took, and how you stand.',
    permission: 'account',
    pages: ['GET me'],
    answer: { status: 200, json: meSchema },
  },
  async ({ visit }) => {
    const member = await myself(visit);
    if (member instanceof Problem) return member;
    const { parts, nowMs } = visit;
    const totals = await memberTotals(parts.sql, member.id);
    const { standing, verdict } = await standingView(parts, member, nowMs);
    const { freeBytes, seedSeconds, completed } = totals;
    const { name, role, createdMs, mayLeech } = member;
    return {
      ...{ name, role, joinedMs: createdMs, mayDownload: mayLeech },
      permissions: [...visit.permissions].toSorted(),
      csrfToken: visit.signedIn().sessionId === 0 ? null : visit.csrfToken,
      ...movedOf(totals),
      ...{ freeBytes, seedSeconds, completed },
      standing: {
        ...{ state: standing.state, watchEndsMs: standing.watchEndsMs },
        reasons: verdict.findings.map((finding) => findingWords(finding, NUMBER_WORDS)),
      },
      className: (await classView(parts, member, nowMs))?.name ?? null,
      bonusMilliPoints: await bonusBalance(parts.sql, member.id),
      freeleechTokens: await countTokens(parts.sql, member.id, nowMs),
      unreadNotices: await unreadNotices(parts.sql, member.id),
    };
  },
);

const addressesRoute = apiRoute(
  {
    name: 'getMyAddresses',
    method: 'GET',
    path: '/me/addresses',
    tag: 'me',
    summary: 'Your own announce URLs, and how the archive opens as a disk. Secrets.',
    permission: 'account',
    pages: ['GET webDav'],
    answer: {
      status: 200,
      json: z.strictObject({
        http: z.string().nullable(),
        udp: z.string().nullable(),
        webSocket: z.string().nullable(),
        webDav: z.string().describe('Your name and `webDavKey` open it.'),
        webDavKey: z.string().nullable(),
      }),
    },
  },
  async ({ visit }) => {
    const member = await myself(visit);
    if (member instanceof Problem) return member;
    const { siteUrl, tracker } = visit.addresses;
    const { http, udp, ws } = memberAnnounceUrls(tracker, member.passkey);
    return {
      ...{ http: http ?? null, udp: udp ?? null, webSocket: ws ?? null },
      webDav: siteUrl + DAV_PREFIX,
      webDavKey: (await davKeyOf(visit.parts.sql, member.name)) ?? null,
    };
  },
);

const transferSchema = z
  .strictObject({
    torrent: torrentNameSchema,
    ...movedFields,
    seedSeconds: z.int(),
    firstSeenMs: time,
    lastSeenMs: time,
    completedMs: time.nullable(),
    leftBytes: byteCount.nullable(),
    client: z.string(),
  })
  .meta({ id: 'Transfer' });

const transfersRoute = apiRoute(
  {
    name: 'listMyTransfers',
    method: 'GET',
    path: '/me/transfers',
    tag: 'me',
    summary: 'What you moved of each torrent.',
    permission: 'account',
    pages: ['GET me'],
    query: numberPageQuery,
    answer: { status: 200, json: pageOf(transferSchema) },
  },
  async ({ visit, query: { cursor, limit } }) => {
    const { memberId } = visit.signedIn();
    const page = { limit: limit + 1, ...edge('after', cursor) };
    const rows = await memberHistory(visit.parts.sql, memberId, page);
    return cutPage(rows, limit, {
      item: ({ transfer, torrent }) => ({
        torrent: {
          torrentId: transfer.torrentId,
          ...{ title: torrent?.title ?? null, infoHash: torrent?.infoHash ?? null },
        },
        ...movedOf(transfer),
        seedSeconds: transfer.seedSeconds,
        ...{ firstSeenMs: transfer.firstSeenMs, lastSeenMs: transfer.lastSeenMs },
        completedMs: transfer.completedMs ?? null,
        ...{ leftBytes: transfer.leftBytes ?? null, client: transfer.client },
      }),
      cursor: ({ transfer }) => transfer.torrentId,
    });
  },
);

const daySchema = z.strictObject({
  dayMs: time.describe('Midnight UTC of the first day, Unix milliseconds.'),
  days: z.int().describe('How many days these are.'),
  givenBytes: byteCount,
  takenBytes: byteCount,
});

const daysRoute = apiRoute(
  {
    name: 'listMyDays',
    method: 'GET',
    path: '/me/days',
    tag: 'me',
    summary: 'What you really gave and took, oldest first: by day, or more days at once.',
    permission: 'account',
    pages: ['GET me'],
    query: z.strictObject({ span: z.enum(SPANS).default(SPANS[0]).describe('How far back.') }),
    answer: { status: 200, json: z.strictObject({ items: list(daySchema) }) },
  },
  async ({ visit, query: { span } }) => {
    const { memberId } = visit.signedIn();
    return { items: await transferChart(visit.parts.sql, memberId, { span, nowMs: visit.nowMs }) };
  },
);

const warningsRoute = apiRoute(
  {
    name: 'listMyWarnings',
    method: 'GET',
    path: '/me/warnings',
    tag: 'me',
    summary: 'The warnings that the staff gave you, newest first.',
    permission: 'account',
    pages: ['GET me'],
    answer: {
      status: 200,
      json: z.strictObject({
        items: list(
          z.strictObject({
            reason: z.string(),
            givenMs: time,
            expiresMs: time,
            state: z.enum(['in-force', 'over', 'withdrawn']),
          }),
        ),
      }),
    },
  },
  async ({ visit }) => {
    const warnings = await listWarnings(visit.parts.sql, visit.signedIn().memberId);
    const items = warnings.map((one) => {
      const { reason, givenMs, expiresMs } = one;
      return { reason, givenMs, expiresMs, state: stateOf(one, visit.nowMs) };
    });
    return { items };
  },
);

const clientSchema = z.strictObject({
  torrent: torrentNameSchema,
  client: z.string(),
  state: z.enum(['seeder', 'leecher', 'partial-seed']),
  uploadedBytes: byteCount.describe('As the client counts them in this session.'),
  downloadedBytes: byteCount,
  lastSeenMs: time,
});

const clientsRoute = apiRoute(
  {
    name: 'listMyClients',
    method: 'GET',
    path: '/me/clients',
    tag: 'me',
    summary: `Your active clients, at most ${PEERS_MAX}.`,
    permission: 'account',
    pages: ['GET me'],
    answer: { status: 200, json: z.strictObject({ items: list(clientSchema) }) },
  },
  async ({ visit }) => {
    const { swarms, sql } = visit.parts;
    const peers = swarms.peersOfMember(visit.signedIn().memberId, PEERS_MAX);
    const names = await torrentNames(
      sql,
      peers.map((peer) => peer.torrentId),
    );
    const items = peers.map((peer) => ({
      torrent: torrentName(peer.torrentId, names),
      ...{ client: clientName(peer.peerId), state: peer.state },
      ...{ uploadedBytes: peer.uploaded, downloadedBytes: peer.downloaded },
      lastSeenMs: peer.lastSeenSeconds * 1000,
    }));
    return { items };
  },
);

const bonusSchema = z
  .strictObject({
    id: z.int(),
    atMs: time,
    milliPoints: z.int().describe('Thousandths of a point; spendings are negative.'),
    kind: z.string(),
  })
  .meta({ id: 'BonusEntry' });

const bonusRoute = apiRoute(
  {
    name: 'listMyBonus',
    method: 'GET',
    path: '/me/bonus',
    tag: 'me',
    summary: 'Your bonus points: where they came from, newest first, and what a token costs.',
    permission: 'account',
    pages: ['GET bonus'],
    query: numberPageQuery,
    answer: {
      status: 200,
      json: pageOf(bonusSchema).extend({
        tokenPoints: z.int().describe('For a freeleech token; 0 when none are sold.'),
      }),
    },
  },
  async ({ visit, query: { cursor, limit } }) => {
    const { parts } = visit;
    const asked = { limit: limit + 1, ...edge('before', cursor) };
    const entries = await bonusEntries(parts.sql, visit.signedIn().memberId, asked);
    const page = cutPage(entries, limit, {
      item: ({ id, atMs, milliPoints, kind }) => ({ id, atMs, milliPoints, kind }),
      cursor: (entry) => entry.id,
    });
    return { ...page, tokenPoints: parts.bonusTokenPoints };
  },
);

const buyRoute = apiRoute(
  {
    name: 'buyFreeleechToken',
    method: 'POST',
    path: '/me/freeleech-tokens',
    tag: 'me',
    summary: 'Buy a freeleech token for bonus points.',
    permission: 'account',
    pages: ['POST bonus'],
    answer: { status: 204 },
  },
  async ({ visit }) => {
    const { parts, nowMs } = visit;
    return await buyToken(parts.sql, {
      memberId: visit.signedIn().memberId,
      points: parts.bonusTokenPoints,
      order: toHex(parts.random.bytes(ORDER_BYTES)),
      ...{ nowMs, validMs: parts.config.tokenValidMs },
    });
  },
);

const noticeSchema = z
  .strictObject({
    id: z.int(),
    kind: z.enum(NOTICE_KINDS),
    title: z.string(),
    body: z.string().describe('Plain text; a line break begins a paragraph.'),
    link: z.string().describe('A path of this site; empty when there is none.'),
    createdMs: time,
    isRead: z.boolean(),
  })
  .meta({ id: 'Notice' });

const noticesRoute = apiRoute(
  {
    name: 'listNotices',
    method: 'GET',
    path: '/me/notices',
    tag: 'me',
    summary: 'What you were told, newest first.',
    permission: 'account',
    pages: ['GET notices'],
    query: numberPageQuery,
    answer: { status: 200, json: pageOf(noticeSchema) },
  },
  async ({ visit, query: { cursor, limit } }) => {
    const { memberId } = visit.signedIn();
    const asked = { limit: limit + 1, ...edge('before', cursor) };
    const notices = await listNotices(visit.parts.sql, memberId, asked);
    return cutPage(notices, limit, {
      item: ({ id, kind, title, body, link, createdMs, isRead }) => ({
        ...{ id, kind, title, body, link, createdMs, isRead },
      }),
      cursor: (notice) => notice.id,
    });
  },
);

const readRoute = apiRoute(
  {
    name: 'markNoticesRead',
    method: 'POST',
    path: '/me/notices/read',
    tag: 'me',
    summary: 'Mark notices as read, up to one; what came meanwhile stays unread.',
    permission: 'account',
    pages: ['POST notices'],
    body: { json: z.strictObject({ throughId: z.int().min(0) }) },
    answer: { status: 204 },
  },
  async ({ visit, body }) => {
    const { memberId } = visit.signedIn();
    const read = { throughId: body.throughId, nowMs: visit.nowMs };
    await markRead(visit.parts.sql, memberId, read);
    return undefined;
  },
);

export const meRoutes = [
  meRoute,
  addressesRoute,
  transfersRoute,
  daysRoute,
  warningsRoute,
  clientsRoute,
  bonusRoute,
  buyRoute,
  noticesRoute,
  readRoute,
];
