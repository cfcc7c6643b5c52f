// Keeping order: reports, warnings, notes, banned networks.

import { z } from 'zod';
import { findMember, type Member, memberNames } from '#site/accounts/members.ts';
import { apiRoute, list } from '#site/api/api-route.ts';
import { cutPage, edge, numberPageQuery, pageOf } from '#site/api/paging.ts';
import { Problem } from '#site/api/problem.ts';
import { banAddress, endAddressBan, listAddressBans } from '#site/moderation/address-bans.ts';
import {
  addNote,
  listNotes,
  listWarnings,
  warnMember,
  withdrawWarning,
} from '#site/moderation/warnings.ts';
import { Refusal } from '#site/refusal.ts';
import { reportSubject } from '#site/reports/report-subject.ts';
import {
  addReport,
  claimReport,
  findReport,
  listReports,
  OUTCOMES,
  REPORT_KINDS,
  type Report,
  releaseReport,
  resolveReport,
} from '#site/reports/reports.ts';
import { href } from '#site/routes.ts';
import type { Visit } from '#site/visit.ts';
import { givenTime, idParams, memberNameSchema, nameParams, time } from './shapes.ts';

const reportFields = {
  kind: z.enum(REPORT_KINDS),
  subjectId: z.int().describe('The id of the torrent, comment or member.'),
  words: z.string().describe('What is wrong.'),
};

const reportRoute = apiRoute(
  {
    name: 'report',
    method: 'POST',
    path: '/reports',
    tag: 'community',
    summary: 'Tell the staff that something is wrong with a torrent, a comment or a member.',
    permission: 'browse',
    pages: ['GET report', 'POST report'],
    body: { json: z.strictObject(reportFields) },
    answer: { status: 204 },
  },
  async ({ visit, body }) => {
    const { kind, subjectId, words } = body;
    const subject = await reportSubject(visit.parts.sql, kind, subjectId);
    if (subject === undefined) return new Problem('not-found', `There is no such ${kind}.`);
    const { memberId } = visit.signedIn();
    return await addReport(visit.parts, { kind, subjectId, memberId, words });
  },
);

const reportSchema = z
  .strictObject({
    id: z.int(),
    ...reportFields,
    reportedBy: memberNameSchema,
    createdMs: time,
    claimedBy: memberNameSchema.nullable(),
    outcome: z.enum(OUTCOMES).nullable().describe('Null while it waits.'),
  })
  .meta({ id: 'Report' });

async function reportsOf(visit: Visit, reports: readonly Report[]) {
  const people = reports.flatMap((one) => [one.memberId, one.claimedBy ?? 0]);
  const names = await memberNames(visit.parts.sql, people);
  const member = (memberId: number) => ({ memberId, name: names.get(memberId) ?? null });
  return (one: Report) => ({
    ...{ id: one.id, kind: one.kind, subjectId: one.subjectId, words: one.words },
    ...{ reportedBy: member(one.memberId), createdMs: one.createdMs },
    claimedBy: one.claimedBy === undefined ? null : member(one.claimedBy),
    outcome: one.outcome ?? null,
  });
}

const reportsRoute = apiRoute(
  {
    name: 'listReports',
    method: 'GET',
    path: '/console/reports',
    tag: 'console',
    summary: 'Reports that wait, the oldest first; or those that are resolved, the newest first.',
    permission: 'moderate',
    pages: ['GET consoleReports'],
    query: numberPageQuery.extend({ state: z.enum(['open', 'resolved']).default('open') }),
    answer: { status: 200, json: pageOf(reportSchema) },
  },
  async ({ visit, query: { state, cursor, limit } }) => {
    const asked = { isOpen: state === 'open', limit: limit + 1, ...edge('beyond', cursor) };
    const found = await listReports(visit.parts.sql, asked);
    const item = await reportsOf(visit, found);
    return cutPage(found, limit, { item, cursor: (one) => one.id });
  },
);

async function reportHere(visit: Visit, id: string): Promise<Report | Problem> {
  const report = await findReport(visit.parts.sql, Number(id));
  return report ?? new Problem('not-found', 'There is no such report.');
}

const getReportRoute = apiRoute(
  {
    name: 'getReport',
    method: 'GET',
    path: '/console/reports/:id',
    tag: 'console',
    summary: 'One report.',
    permission: 'moderate',
    pages: ['GET consoleReport'],
    params: idParams,
    answer: { status: 200, json: reportSchema },
  },
  async ({ visit, params }) => {
    const report = await reportHere(visit, params.id);
    return report instanceof Problem ? report : (await reportsOf(visit, [report]))(report);
  },
);

const actRoute = apiRoute(
  {
    name: 'actOnReport',
    method: 'POST',
    path: '/console/reports/:id',
    tag: 'console',
    summary: 'Take a report, leave it to others again, or resolve it, of which its member is told.',
    permission: 'moderate',
    pages: ['POST consoleReport'],
    params: idParams,
    body: {
      json: z.discriminatedUnion('action', [
        z.strictObject({ action: z.literal('claim') }),
        z.strictObject({ action: z.literal('release') }),
        z.strictObject({
          action: z.literal('resolve'),
          outcome: z.enum(OUTCOMES),
          answer: z.string().default(''),
        }),
      ]),
    },
    answer: { status: 204 },
  },
  async ({ visit, params, body }) => {
    const { parts } = visit;
    const report = await reportHere(visit, params.id);
    if (report instanceof Problem) return report;
    const { memberId } = visit.signedIn();
    if (body.action === 'claim') return await claimReport(parts, report.id, memberId);
    if (body.action === 'release') return await releaseReport(parts, report.id, memberId);
    const subject = (await reportSubject(parts.sql, report.kind, report.subjectId)) ?? {
      label: `a ${report.kind} that is gone`,
      href: href('notices'),
    };
    const { outcome, answer } = body;
    return await resolveReport(parts, { report, resolvedBy: memberId, outcome, answer, subject });
  },
);

async function memberHere(visit: Visit, name: string): Promise<Member | Problem> {
  const member = await findMember(visit.parts.sql, name);
  return member ?? new Problem('not-found', 'No member has this name.');
}

const warningSchema = z
  .strictObject({
    id: z.int(),
    reason: z.string(),
    givenMs: time,
    expiresMs: time,
    withdrawnMs: time.nullable(),
  })
  .meta({ id: 'Warning' });

const moderationRoute = apiRoute(
  {
    name: 'getModeration',
    method: 'GET',
    path: '/console/members/:name/moderation',
    tag: 'console',
    summary: 'The warnings of a member, and what the staff noted about them.',
    permission: 'moderate',
    pages: ['GET consoleModeration'],
    params: nameParams,
    answer: {
      status: 200,
      json: z.strictObject({
        warnings: list(warningSchema),
        notes: list(
          z.strictObject({
            id: z.int(),
            text: z.string(),
            writtenBy: memberNameSchema,
            writtenMs: time,
          }),
        ),
      }),
    },
  },
  async ({ visit, params }) => {
    const member = await memberHere(visit, params.name);
    if (member instanceof Problem) return member;
    const { sql } = visit.parts;
    const notes = await listNotes(sql, member.id);
    const names = await memberNames(
      sql,
      notes.map((note) => note.writtenBy),
    );
    const warnings = await listWarnings(sql, member.id);
    return {
      warnings: warnings.map(({ id, reason, givenMs, expiresMs, withdrawnMs }) => ({
        ...{ id, reason, givenMs, expiresMs, withdrawnMs: withdrawnMs ?? null },
      })),
      notes: notes.map(({ id, text, writtenBy, writtenMs }) => ({
        ...{ id, text, writtenMs },
        writtenBy: { memberId: writtenBy, name: names.get(writtenBy) ?? null },
      })),
    };
  },
);

const warnRoute = apiRoute(
  {
    name: 'warnMember',
    method: 'POST',
    path: '/console/members/:name/warnings',
    tag: 'console',
    summary: 'Warn a member, who is told.',
    permission: 'moderate',
    pages: ['POST consoleWarning'],
    params: nameParams,
    body: { json: z.strictObject({ reason: z.string(), days: z.int() }) },
    answer: { status: 204 },
  },
  async ({ visit, params, body }) => {
    const member = await memberHere(visit, params.name);
    if (member instanceof Problem) return member;
    const { memberId: givenBy } = visit.signedIn();
    return await warnMember(visit.parts, { member, ...body, givenBy });
  },
);

const withdrawRoute = apiRoute(
  {
    name: 'withdrawWarning',
    method: 'DELETE',
    path: '/console/members/:name/warnings/:id',
    tag: 'console',
    summary: 'Withdraw a warning.',
    permission: 'moderate',
    pages: ['POST consoleWarningWithdraw'],
    params: z.strictObject({ ...nameParams.shape, ...idParams.shape }),
    answer: { status: 204 },
  },
  async ({ visit, params }) => {
    const member = await memberHere(visit, params.name);
    if (member instanceof Problem) return member;
    const which = { memberId: member.id, id: Number(params.id) };
    const isDone = await withdrawWarning(visit.parts, which);
    return isDone ? undefined : new Problem('not-found', 'This warning is withdrawn already.');
  },
);

const noteRoute = apiRoute(
  {
    name: 'addNote',
    method: 'POST',
    path: '/console/members/:name/notes',
    tag: 'console',
    summary: 'Note something about a member for the staff.',
    permission: 'moderate',
    pages: ['POST consoleNote'],
    params: nameParams,
    body: { json: z.strictObject({ text: z.string().describe('Markdown.') }) },
    answer: { status: 204 },
  },
  async ({ visit, params, body }) => {
    const member = await memberHere(visit, params.name);
    if (member instanceof Problem) return member;
    const { memberId: writtenBy } = visit.signedIn();
    return await addNote(visit.parts, { memberId: member.id, text: body.text, writtenBy });
  },
);

const networkSchema = z
  .strictObject({
    id: z.int(),
    network: z.string(),
    reason: z.string(),
    fromMs: time,
    untilMs: time.nullable(),
    bannedBy: memberNameSchema,
  })
  .meta({ id: 'BannedNetwork' });

const networksRoute = apiRoute(
  {
    name: 'listBannedNetworks',
    method: 'GET',
    path: '/console/networks',
    tag: 'console',
    summary: 'Networks that are let in nowhere, the newest first.',
    permission: 'moderate',
    pages: ['GET consoleNetworks', 'GET consoleNetworkEnd'],
    answer: { status: 200, json: z.strictObject({ items: list(networkSchema) }) },
  },
  async ({ visit }) => {
    const { sql } = visit.parts;
    const bans = await listAddressBans(sql);
    const names = await memberNames(
      sql,
      bans.map((ban) => ban.bannedBy),
    );
    const items = bans.map(({ id, network, reason, fromMs, untilMs, bannedBy }) => ({
      ...{ id, network, reason, fromMs, untilMs: untilMs ?? null },
      bannedBy: { memberId: bannedBy, name: names.get(bannedBy) ?? null },
    }));
    return { items };
  },
);

const banRoute = apiRoute(
  {
    name: 'banNetwork',
    method: 'POST',
    path: '/console/networks',
    tag: 'console',
    summary: 'Ban an address or a network, at the site and at the trackers.',
    permission: 'moderate',
    pages: ['POST consoleNetworks'],
    body: {
      json: z.strictObject({
        network: z.string().max(100).describe('`203.0.113.7` or `2001:db8::/32`.'),
        reason: z.string().max(1000).default(''),
        untilMs: givenTime.optional().describe('Unix milliseconds; without it, until it is ended.'),
      }),
    },
    answer: { status: 201, json: z.strictObject({ id: z.int() }) },
  },
  async ({ visit, body }) => {
    const { parts } = visit;
    const { network, reason, untilMs } = body;
    if (untilMs !== undefined && untilMs <= visit.nowMs) {
      return new Refusal('until-past', 'A time that lies ahead is needed.', 'untilMs');
    }
    const made = await banAddress(parts, {
      ...{ network, reason, untilMs, bannedBy: visit.signedIn().memberId },
      ownAddress: visit.address,
    });
    if (made instanceof Refusal) return made;
    parts.addressBans.forget();
    return { id: made.id };
  },
);

const endRoute = apiRoute(
  {
    name: 'endNetworkBan',
    method: 'DELETE',
    path: '/console/networks/:id',
    tag: 'console',
    summary: 'Let a network in again.',
    permission: 'moderate',
    pages: ['POST consoleNetworkEnd'],
    params: idParams,
    answer: { status: 204 },
  },
  async ({ visit, params }) => {
    const ended = await endAddressBan(visit.parts, Number(params.id));
    if (ended === undefined) return new Problem('not-found', 'This ban is over already.');
    visit.parts.addressBans.forget();
    return undefined;
  },
);

export const moderationRoutes = [
  ...[reportRoute, reportsRoute, getReportRoute, actRoute],
  ...[moderationRoute, warnRoute, withdrawRoute, noteRoute],
  ...[networksRoute, banRoute, endRoute],
];
