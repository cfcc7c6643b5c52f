// What the staff do to members: role, ban, protection.

import { z } from 'zod';
import { findMember, findMemberById, type Member } from '#site/accounts/members.ts';
import { apiRoute, list } from '#site/api/api-route.ts';
import { Problem } from '#site/api/problem.ts';
import {
  type Application,
  acceptApplication,
  listApplications,
  refuseApplication,
} from '#site/applications/applications.ts';
import {
  banByStaff,
  changeRole,
  protectByStaff,
  unbanByStaff,
} from '#site/console/member-deeds.ts';
import { Refusal } from '#site/refusal.ts';
import { givenTime, idParams, nameParams, time } from './shapes.ts';

const APPLICATIONS_MAX = 200;

const memberSchema = z
  .strictObject({
    id: z.int(),
    name: z.string(),
    role: z.string(),
    state: z.enum(['active', 'banned', 'removed']),
    reason: z.string().describe('Why they are banned; empty while they are not.'),
    invitedBy: z.string().nullable(),
    joinedMs: time,
    seenMs: time.nullable(),
    mayDownload: z.boolean(),
    isProtected: z.boolean().describe('Addresses of theirs are written nowhere.'),
  })
  .meta({ id: 'ManagedMember' });

const showRoute = apiRoute(
  {
    name: 'getManagedMember',
    method: 'GET',
    path: '/console/members/:name',
    tag: 'console',
    summary: 'A member as the staff see them.',
    permission: 'administer',
    pages: ['GET consoleMember'],
    params: nameParams,
    answer: { status: 200, json: memberSchema },
  },
  async ({ visit, params }) => {
    const { sql } = visit.parts;
    const member = await findMember(sql, params.name);
    if (member === undefined) return new Problem('not-found', 'No member has this name.');
    const { id, name, role, state, reason, invitedBy, createdMs, seenMs } = member;
    const inviter = invitedBy === undefined ? undefined : await findMemberById(sql, invitedBy);
    return {
      ...{ id, name, role, state, reason, joinedMs: createdMs, seenMs: seenMs ?? null },
      invitedBy: inviter?.name ?? null,
      ...{ mayDownload: member.mayLeech, isProtected: member.isProtected },
    };
  },
);

function done(changed: Member | Refusal): Refusal | undefined {
  return changed instanceof Refusal ? changed : undefined;
}

const roleRoute = apiRoute(
  {
    name: 'setMemberRole',
    method: 'PUT',
    path: '/console/members/:name/role',
    tag: 'console',
    summary: 'Give a member another role.',
    permission: 'administer',
    pages: ['POST consoleMemberRole'],
    params: nameParams,
    body: { json: z.strictObject({ role: z.string().max(32) }) },
    answer: { status: 204 },
  },
  async ({ visit, params, body }) => done(await changeRole(visit, params.name, body.role)),
);

const banRoute = apiRoute(
  {
    name: 'banMember',
    method: 'PUT',
    path: '/console/members/:name/ban',
    tag: 'console',
    summary: 'Ban a member: sessions end, trackers refuse with the reason.',
    permission: 'moderate',
    pages: ['GET consoleMemberBan', 'POST consoleMemberBan'],
    params: nameParams,
    body: {
      json: z.strictObject({
        reason: z.string(),
        untilMs: givenTime.optional().describe('Unix milliseconds; without it, until it is ended.'),
      }),
    },
    answer: { status: 204 },
  },
  async ({ visit, params, body }) =>
    done(await banByStaff(visit, params.name, body.reason, body.untilMs)),
);

const unbanRoute = apiRoute(
  {
    name: 'unbanMember',
    method: 'DELETE',
    path: '/console/members/:name/ban',
    tag: 'console',
    summary: 'Let a banned member in again.',
    permission: 'moderate',
    pages: ['POST consoleMemberUnban'],
    params: nameParams,
    answer: { status: 204 },
  },
  async ({ visit, params }) => done(await unbanByStaff(visit, params.name)),
);

const protectRoute = apiRoute(
  {
    name: 'protectMember',
    method: 'PUT',
    path: '/console/members/:name/protection',
    tag: 'console',
    summary: 'Write addresses of a member nowhere from now on, or do so again.',
    permission: 'administer',
    pages: ['POST consoleMemberProtect'],
    params: nameParams,
    body: { json: z.strictObject({ isProtected: z.boolean() }) },
    answer: { status: 204 },
  },
  async ({ visit, params, body }) =>
    done(await protectByStaff(visit, params.name, body.isProtected)),
);

const applicationSchema = z
  .strictObject({
    id: z.int(),
    name: z.string(),
    words: z.string().describe("In the applicant's own words."),
    state: z.string(),
    reason: z.string().describe('Why it was refused.'),
    createdMs: time,
  })
  .meta({ id: 'Application' });

function applicationOf({ id, name, words, state, reason, createdMs }: Application) {
  return { id, name, words, state, reason, createdMs };
}

const applicationsRoute = apiRoute(
  {
    name: 'listApplications',
    method: 'GET',
    path: '/console/applications',
    tag: 'console',
    summary: `Who wants to join: those that wait, the oldest first, or those decided, at most ${APPLICATIONS_MAX}.`,
    permission: 'moderate',
    pages: ['GET consoleApplications', 'GET consoleApplication'],
    query: z.strictObject({ state: z.enum(['waiting', 'decided']).default('waiting') }),
    answer: { status: 200, json: z.strictObject({ items: list(applicationSchema) }) },
  },
  async ({ visit, query }) => {
    const page = { isWaiting: query.state === 'waiting', limit: APPLICATIONS_MAX };
    return { items: (await listApplications(visit.parts.sql, page)).map(applicationOf) };
  },
);

const decideRoute = apiRoute(
  {
    name: 'decideApplication',
    method: 'POST',
    path: '/console/applications/:id',
    tag: 'console',
    summary: 'Let an applicant in, or refuse with a reason that they read.',
    permission: 'moderate',
    pages: ['POST consoleApplication'],
    params: idParams,
    body: { json: z.strictObject({ isAccepted: z.boolean(), reason: z.string().default('') }) },
    answer: { status: 204 },
  },
  async ({ visit, params, body }) => {
    const { parts } = visit;
    const id = Number(params.id);
    const { isAccepted, reason } = body;
    const { memberId: staffId } = visit.signedIn();
    const refused = isAccepted
      ? done(await acceptApplication(parts, id, staffId))
      : await refuseApplication(parts, id, { reason, staffId });
    if (refused !== undefined) return refused;
    parts.logger.info('An application was decided', { id, isAccepted, by: staffId });
    return undefined;
  },
);

export const consoleMemberRoutes = [
  ...[applicationsRoute, decideRoute],
  ...[showRoute, roleRoute, banRoute, unbanRoute, protectRoute],
];
