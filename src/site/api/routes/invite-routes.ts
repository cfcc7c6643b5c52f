// Who came by whose invites, as a flat list: each with the id of whoever brought them in.

import { z } from 'zod';
import { type InvitedMember, type InviteTree, inviteTree } from '#site/accounts/invite-tree.ts';
import { findMember } from '#site/accounts/members.ts';
import { apiRoute, list } from '#site/api/api-route.ts';
import { Problem } from '#site/api/problem.ts';
import { nameParams, time } from './shapes.ts';

const treeSchema = z
  .strictObject({
    items: list(
      z.strictObject({
        memberId: z.int(),
        invitedBy: z.int().describe('The id of a member.'),
        name: z.string(),
        state: z.string(),
        joinedMs: time,
      }),
    ).describe('Whoever invited stands before whom they invited.'),
    isCut: z.boolean().describe('There are more than are told.'),
  })
  .meta({ id: 'InviteTree' });

function flat({ invited, isCut }: InviteTree, rootId: number): z.input<typeof treeSchema> {
  const items: z.input<typeof treeSchema>['items'][number][] = [];
  const add = (members: readonly InvitedMember[], invitedBy: number): void => {
    for (const { id, name, state, createdMs, invited: below } of members) {
      items.push({ memberId: id, invitedBy, name, state, joinedMs: createdMs });
      add(below, id);
    }
  };
  add(invited, rootId);
  return { items, isCut };
}

const ownRoute = apiRoute(
  {
    name: 'getMyInviteTree',
    method: 'GET',
    path: '/me/invites/tree',
    tag: 'me',
    summary: 'Who came by your invites, with those whom they brought in.',
    permission: 'account',
    pages: ['GET inviteTree'],
    answer: { status: 200, json: treeSchema },
  },
  async ({ visit }) => {
    const { memberId } = visit.signedIn();
    return flat(await inviteTree(visit.parts.sql, memberId), memberId);
  },
);

const memberRoute = apiRoute(
  {
    name: 'getMemberInviteTree',
    method: 'GET',
    path: '/console/members/:name/invited',
    tag: 'console',
    summary: 'Who came by the invites of a member.',
    permission: 'moderate',
    pages: ['GET consoleMemberInvited'],
    params: nameParams,
    answer: { status: 200, json: treeSchema },
  },
  async ({ visit, params }) => {
    const { sql } = visit.parts;
    const member = await findMember(sql, params.name);
    if (member === undefined) return new Problem('not-found', 'No member has this name.');
    return flat(await inviteTree(sql, member.id), member.id);
  },
);

export const inviteRoutes = [ownRoute, memberRoute];
