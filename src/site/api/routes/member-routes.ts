// Members as members see them.

import { z } from 'zod';
import { memberTotals, totalsOfMembers } from '#accounting/totals.ts';
import { countMembers, findMember, listMembers, type Member } from '#site/accounts/members.ts';
import { apiRoute } from '#site/api/api-route.ts';
import { cutPage, pageOf, pageQuery } from '#site/api/paging.ts';
import { Problem } from '#site/api/problem.ts';
import {
  PROFILE_SECTIONS,
  type ProfileSection,
  shownSections,
} from '#site/privacy/profile-sections.ts';
import type { Visit } from '#site/visit.ts';
import { movedFields, movedOf, nameParams, time } from './shapes.ts';

const publicFields = {
  name: z.string(),
  role: z.string(),
  state: z.enum(['active', 'banned', 'removed']),
  joinedMs: time,
  seenMs: time.nullable().describe('The last visit, to about five minutes; null when not shown.'),
};

const listedSchema = z
  .strictObject({
    ...publicFields,
    moved: z
      .strictObject(movedFields)
      .nullable()
      .describe('Null when the member does not show it.'),
  })
  .meta({ id: 'ListedMember' });
const memberSchema = z
  .strictObject({
    ...publicFields,
    moved: z
      .strictObject({ ...movedFields, completed: z.int(), seedSeconds: z.int() })
      .nullable()
      .describe('Null when the member does not show it.'),
  })
  .meta({ id: 'Member' });

const NOTHING_MOVED = {
  ...{ uploadedBytes: 0, downloadedBytes: 0 },
  ...{ creditedUploadedBytes: 0, creditedDownloadedBytes: 0 },
};

type Shown = ReadonlySet<ProfileSection>;

/** What of each member the visitor sees: all of their own, and the staff of everybody. */
async function shownTo(visit: Visit, members: readonly Member[]): Promise<(of: Member) => Shown> {
  const everything = new Set(PROFILE_SECTIONS);
  const ids = members.map((member) => member.id);
  const shown = await shownSections(visit.parts.sql, ids);
  const isStaff = visit.may('administer') || visit.may('moderate');
  const { memberId } = visit.signedIn();
  return ({ id }) => (isStaff || id === memberId ? everything : (shown.get(id) ?? new Set()));
}

function publicOf({ name, role, state, createdMs, seenMs }: Member, shown: Shown) {
  const seen = shown.has('visits') ? (seenMs ?? null) : null;
  return { name, role, state, joinedMs: createdMs, seenMs: seen };
}

const listRoute = apiRoute(
  {
    name: 'listMembers',
    method: 'GET',
    path: '/members',
    tag: 'members',
    summary: 'Members by name, with what they gave and took.',
    permission: 'browse',
    pages: ['GET members'],
    query: pageQuery,
    answer: { status: 200, json: pageOf(listedSchema).extend({ total: z.int() }) },
  },
  async ({ visit, query: { cursor, limit } }) => {
    const { sql } = visit.parts;
    const after = cursor === undefined ? {} : { after: cursor.slice(0, 64) };
    const members = await listMembers(sql, { limit: limit + 1, ...after });
    const totals = await totalsOfMembers(
      sql,
      members.map((member) => member.id),
    );
    const shownOf = await shownTo(visit, members);
    const page = cutPage(members, limit, {
      item(one) {
        const shown = shownOf(one);
        const moved = movedOf(totals.get(one.id) ?? NOTHING_MOVED);
        return { ...publicOf(one, shown), moved: shown.has('totals') ? moved : null };
      },
      cursor: (one) => one.name,
    });
    return { ...page, total: await countMembers(sql) };
  },
);

const getRoute = apiRoute(
  {
    name: 'getMember',
    method: 'GET',
    path: '/members/:name',
    tag: 'members',
    summary: 'One member.',
    permission: 'browse',
    pages: ['GET member'],
    params: nameParams,
    answer: { status: 200, json: memberSchema },
  },
  async ({ visit, params }) => {
    const { sql } = visit.parts;
    const member = await findMember(sql, params.name);
    if (member === undefined) return new Problem('not-found', 'No member has this name.');
    const totals = await memberTotals(sql, member.id);
    const { completed, seedSeconds } = totals;
    const shown = (await shownTo(visit, [member]))(member);
    const moved = { ...movedOf(totals), completed, seedSeconds };
    return { ...publicOf(member, shown), moved: shown.has('totals') ? moved : null };
  },
);

export const memberRoutes = [listRoute, getRoute];
