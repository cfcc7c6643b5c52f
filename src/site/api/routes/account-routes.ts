// One's own account: passkey, sessions, tokens, invites, keys of downloads, one's data.

import { z } from 'zod';
import {
  addApiToken,
  listApiTokens,
  removeApiToken,
  TOKEN_DAYS_MAX,
  TOKEN_SCOPES,
} from '#site/accounts/api-tokens.ts';
import { listDownloadKeys, revokeDownloadKey } from '#site/accounts/download-keys.ts';
import { torrentNames } from '#site/accounts/history.ts';
import { addInvite, listInvites, revokeInvite } from '#site/accounts/invites.ts';
import { resetPasskey } from '#site/accounts/members.ts';
import { proveMember } from '#site/accounts/prove-member.ts';
import { endAllSessions, endSession, listSessions } from '#site/accounts/sessions.ts';
import { apiRoute, list } from '#site/api/api-route.ts';
import { Problem } from '#site/api/problem.ts';
import { clientName } from '#site/format/client.ts';
import type { Permission } from '#site/permissions.ts';
import { exportAnswer } from '#site/privacy/privacy-pages.ts';
import {
  PROFILE_SECTIONS,
  sectionsIn,
  shownBy,
  showSections,
} from '#site/privacy/profile-sections.ts';
import { Refusal } from '#site/refusal.ts';
import { hrefTo } from '#site/routes.ts';
import { idParams, time, torrentName, torrentNameSchema } from './shapes.ts';

const KEYS_MAX = 500;
const PEERS_MAX = 100;

const passkeyRoute = apiRoute(
  {
    name: 'resetPasskey',
    method: 'POST',
    path: '/me/passkey',
    tag: 'me',
    summary: 'Get a new passkey: the old one ends at the trackers within a second.',
    permission: 'account',
    pages: ['GET passkeyReset', 'POST passkeyReset'],
    answer: { status: 204 },
  },
  async ({ visit }) => {
    const changed = await resetPasskey(visit.parts, visit.signedIn().name);
    return changed instanceof Refusal ? changed : undefined;
  },
);

const sessionSchema = z
  .strictObject({
    id: z.int(),
    createdMs: time,
    seenMs: time,
    expiresMs: time,
    address: z.string().describe('Empty when it was removed, or never kept.'),
    device: z.string().describe("The browser's own words."),
    isThis: z.boolean(),
  })
  .meta({ id: 'Session' });

const sessionsRoute = apiRoute(
  {
    name: 'listSessions',
    method: 'GET',
    path: '/me/sessions',
    tag: 'me',
    summary: 'The devices that you are signed in on.',
    permission: 'account',
    pages: ['GET sessions'],
    answer: { status: 200, json: z.strictObject({ items: list(sessionSchema) }) },
  },
  async ({ visit }) => {
    const { memberId, sessionId } = visit.signedIn();
    const sessions = await listSessions(visit.parts, memberId);
    const items = sessions.map(({ id, createdMs, seenMs, expiresMs, address, device }) => ({
      ...{ id, createdMs, seenMs, expiresMs, address, device },
      isThis: id === sessionId,
    }));
    return { items };
  },
);

const endRoute = apiRoute(
  {
    name: 'endSession',
    method: 'DELETE',
    path: '/me/sessions/:id',
    tag: 'me',
    summary: 'Sign a device out.',
    permission: 'account',
    sessionOnly: true,
    pages: ['POST sessionRevoke', 'POST signOut'],
    params: idParams,
    answer: { status: 204 },
  },
  async ({ visit, params }) => {
    const { memberId } = visit.signedIn();
    const isEnded = await endSession(visit.parts.sql, memberId, Number(params.id));
    return isEnded ? undefined : new Problem('not-found', 'This session is over already.');
  },
);

const endAllRoute = apiRoute(
  {
    name: 'endAllSessions',
    method: 'DELETE',
    path: '/me/sessions',
    tag: 'me',
    summary: 'Sign out everywhere, here too.',
    permission: 'account',
    sessionOnly: true,
    pages: ['GET sessionsRevokeAll', 'POST sessionsRevokeAll'],
    answer: { status: 204 },
  },
  async ({ visit }) => {
    await endAllSessions(visit.parts.sql, visit.signedIn().memberId);
    return undefined;
  },
);

const tokenSchema = z
  .strictObject({
    id: z.int(),
    label: z.string(),
    scopes: list(z.string()),
    createdMs: time,
    expiresMs: time.nullable().describe('Null lasts until it is removed.'),
    usedMs: time.nullable().describe('The last use, to an hour.'),
  })
  .meta({ id: 'Token' });

const tokensRoute = apiRoute(
  {
    name: 'listTokens',
    method: 'GET',
    path: '/me/tokens',
    tag: 'me',
    summary: 'The tokens by which programs act for you; not what they are.',
    permission: 'account',
    pages: ['GET apiTokens'],
    answer: { status: 200, json: z.strictObject({ items: list(tokenSchema) }) },
  },
  async ({ visit }) => {
    const tokens = await listApiTokens(visit.parts.sql, visit.signedIn().memberId);
    const items = tokens.map(({ id, label, scopes, createdMs, expiresMs, usedMs }) => ({
      ...{ id, label, scopes, createdMs },
      ...{ expiresMs: expiresMs ?? null, usedMs: usedMs ?? null },
    }));
    return { items };
  },
);

const addTokenRoute = apiRoute(
  {
    name: 'addToken',
    method: 'POST',
    path: '/me/tokens',
    tag: 'me',
    summary: 'Make a token, with your password. It is shown in this answer and nowhere else.',
    permission: 'account',
    sessionOnly: true,
    pages: ['POST apiTokens'],
    body: {
      json: z.strictObject({
        label: z.string(),
        scopes: list(z.enum(TOKEN_SCOPES as [Permission, ...Permission[]])),
        days: z.int().min(1).max(TOKEN_DAYS_MAX).optional().describe('Without it, it has no end.'),
        current: z.string().describe('Your password, so that no open browser makes one.'),
      }),
    },
    answer: { status: 201, json: z.strictObject({ token: z.string() }) },
  },
  async ({ visit, body }) => {
    const { parts } = visit;
    const { label, scopes, days } = body;
    const member = visit.signedIn().name;
    const asked = { member, label, scopes, ...(days === undefined ? {} : { days }) };
    const unproven = await proveMember(visit, body.current);
    if (unproven !== undefined) return unproven;
    const made = await addApiToken(parts, await parts.roleBook.current(), asked);
    return made instanceof Refusal ? made : { token: made.token };
  },
);

const removeTokenRoute = apiRoute(
  {
    name: 'removeToken',
    method: 'DELETE',
    path: '/me/tokens/:id',
    tag: 'me',
    summary: 'End a token: its next request is refused.',
    permission: 'account',
    pages: ['GET apiTokenRemove', 'POST apiTokenRemove'],
    params: idParams,
    answer: { status: 204 },
  },
  async ({ visit, params }) => {
    const { memberId } = visit.signedIn();
    const isRemoved = await removeApiToken(visit.parts.sql, Number(params.id), memberId);
    return isRemoved ? undefined : new Problem('not-found', 'There is no such token of yours.');
  },
);

const inviteSchema = z
  .strictObject({
    id: z.int(),
    note: z.string(),
    createdMs: time,
    expiresMs: time,
    state: z.enum(['open', 'used', 'revoked', 'expired']),
    usedBy: z.string().nullable(),
  })
  .meta({ id: 'Invite' });

const invitesRoute = apiRoute(
  {
    name: 'listInvites',
    method: 'GET',
    path: '/me/invites',
    tag: 'me',
    summary: 'Your invites, newest first; not their links.',
    permission: 'invite',
    pages: ['GET invites'],
    answer: { status: 200, json: z.strictObject({ items: list(inviteSchema) }) },
  },
  async ({ visit }) => {
    const invites = await listInvites(visit.parts, visit.signedIn().memberId);
    const items = invites.map(({ id, note, createdMs, expiresMs, state, usedBy }) => ({
      ...{ id, note, createdMs, expiresMs, state, usedBy: usedBy ?? null },
    }));
    return { items };
  },
);

const addInviteRoute = apiRoute(
  {
    name: 'addInvite',
    method: 'POST',
    path: '/me/invites',
    tag: 'me',
    summary: 'Make an invite. Its link is in this answer and nowhere else.',
    permission: 'invite',
    pages: ['POST invites'],
    body: { json: z.strictObject({ note: z.string().default('') }) },
    answer: { status: 201, json: z.strictObject({ url: z.string() }) },
  },
  async ({ visit, body }) => {
    const made = await addInvite(visit.parts, visit.signedIn().memberId, body.note);
    if (made instanceof Refusal) return made;
    return { url: visit.addresses.siteUrl + hrefTo('join', { code: made.code }) };
  },
);

const revokeInviteRoute = apiRoute(
  {
    name: 'revokeInvite',
    method: 'DELETE',
    path: '/me/invites/:id',
    tag: 'me',
    summary: 'Make an invite void.',
    permission: 'invite',
    pages: ['POST inviteRevoke'],
    params: idParams,
    answer: { status: 204 },
  },
  async ({ visit, params }) => {
    const isDone = await revokeInvite(visit.parts, visit.signedIn().memberId, Number(params.id));
    return isDone ? undefined : new Problem('not-found', 'This invite is not open any more.');
  },
);

const keySchema = z
  .strictObject({
    id: z.int(),
    torrent: torrentNameSchema,
    createdMs: time,
    revokedMs: time.nullable(),
  })
  .meta({ id: 'DownloadKey' });

const keysRoute = apiRoute(
  {
    name: 'listDownloadKeys',
    method: 'GET',
    path: '/me/download-keys',
    tag: 'me',
    summary: `The keys in .torrent files that you took, at most ${KEYS_MAX}; not what they are.`,
    permission: 'account',
    pages: ['GET downloadKeys'],
    answer: { status: 200, json: z.strictObject({ items: list(keySchema) }) },
  },
  async ({ visit }) => {
    const { sql } = visit.parts;
    const keys = await listDownloadKeys(sql, visit.signedIn().memberId, KEYS_MAX);
    const names = await torrentNames(
      sql,
      keys.map((key) => key.torrentId),
    );
    const items = keys.map(({ id, torrentId, createdMs, revokedMs }) => ({
      ...{ id, torrent: torrentName(torrentId, names), createdMs, revokedMs: revokedMs ?? null },
    }));
    return { items };
  },
);

const revokeKeyRoute = apiRoute(
  {
    name: 'revokeDownloadKey',
    method: 'DELETE',
    path: '/me/download-keys/:id',
    tag: 'me',
    summary: 'End the key of one .torrent file.',
    permission: 'account',
    pages: ['POST downloadKeyRevoke'],
    params: idParams,
    answer: { status: 204 },
  },
  async ({ visit, params }) => {
    const { memberId } = visit.signedIn();
    const isDone = await revokeDownloadKey(visit.parts, memberId, Number(params.id));
    return isDone ? undefined : new Problem('not-found', 'This key is not good any more.');
  },
);

const portSchema = z.strictObject({
  client: z.string(),
  address: z.string(),
  port: z.int(),
  result: z.enum(['open', 'refused', 'silent', 'private']),
});

const portRoute = apiRoute(
  {
    name: 'testMyPorts',
    method: 'POST',
    path: '/me/port-test',
    tag: 'me',
    summary: 'Have the server try to connect to each of your active clients.',
    permission: 'account',
    pages: ['GET portTest', 'POST portTest'],
    answer: { status: 200, json: z.strictObject({ items: list(portSchema) }) },
  },
  async ({ visit }) => {
    const { memberId } = visit.signedIn();
    const peers = visit.parts.swarms.peersOfMember(memberId, PEERS_MAX);
    const tests = await visit.parts.portTests.test(memberId, peers);
    if (typeof tests === 'number') {
      return new Problem('too-many', `Try again in ${Math.ceil(tests / 1000)} seconds.`);
    }
    const items = tests.map(({ peer, address, port, result }) => ({
      ...{ client: clientName(peer.peerId), address, port, result },
    }));
    return { items };
  },
);

const dataRoute = apiRoute(
  {
    name: 'getMyData',
    method: 'GET',
    path: '/me/data',
    tag: 'me',
    summary: 'All that the site holds on you, as JSON.',
    permission: 'account',
    pages: ['GET myData', 'GET myDataExport'],
    answer: { status: 200, bytes: 'application/json' },
  },
  async ({ visit }) =>
    (await exportAnswer(visit)) ?? new Problem('busy', 'An export is being made already.'),
);

const sectionsSchema = z.strictObject({
  shown: list(z.enum(PROFILE_SECTIONS)).describe('What other members see of your profile.'),
});

const privacyRoute = apiRoute(
  {
    name: 'getMyPrivacy',
    method: 'GET',
    path: '/me/privacy',
    tag: 'me',
    summary: 'What other members see of you beside your name, role and when you joined.',
    permission: 'account',
    pages: ['GET privacy'],
    answer: { status: 200, json: sectionsSchema },
  },
  async ({ visit }) => {
    return { shown: [...(await shownBy(visit.parts.sql, visit.signedIn().memberId))] };
  },
);

const showRoute = apiRoute(
  {
    name: 'setMyPrivacy',
    method: 'PUT',
    path: '/me/privacy',
    tag: 'me',
    summary: 'Say what other members see of you.',
    permission: 'account',
    pages: ['POST privacy'],
    body: { json: sectionsSchema },
    answer: { status: 204 },
  },
  async ({ visit, body }) => {
    await showSections(visit.parts.sql, visit.signedIn().memberId, sectionsIn(body.shown));
    return undefined;
  },
);

export const accountRoutes = [
  ...[passkeyRoute, sessionsRoute, endRoute, endAllRoute],
  ...[tokensRoute, addTokenRoute, removeTokenRoute],
  ...[invitesRoute, addInviteRoute, revokeInviteRoute],
  ...[keysRoute, revokeKeyRoute, portRoute, dataRoute, privacyRoute, showRoute],
];
