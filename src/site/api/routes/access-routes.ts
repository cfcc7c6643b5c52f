// What the staff do for members who cannot come in any more, from sessions alone; and who keeps copies.

import { z } from 'zod';
import { listKeepers } from '#archive/keepers/keeper-book.ts';
import { memberNames } from '#site/accounts/members.ts';
import { apiRoute, list } from '#site/api/api-route.ts';
import { Problem } from '#site/api/problem.ts';
import { linkByStaff } from '#site/recovery/staff-link.ts';
import { removeFactorByStaff } from '#site/second-factor/staff-removal.ts';
import { byteCount, memberNameSchema, nameParams, time } from './shapes.ts';

const resetLinkRoute = apiRoute(
  {
    name: 'makeResetLink',
    method: 'POST',
    path: '/console/members/:name/reset-link',
    tag: 'console',
    summary: 'A link by which a member chooses a new password: for a day, once, the newest only.',
    permission: 'administer',
    sessionOnly: true,
    pages: ['GET consoleMemberReset', 'POST consoleMemberReset'],
    params: nameParams,
    answer: {
      status: 201,
      json: z.strictObject({ url: z.string().describe('A secret, told here and nowhere else.') }),
    },
  },
  async ({ visit, params }) => {
    const link = await linkByStaff(visit, params.name);
    if (link === undefined) return new Problem('not-found', 'No active member has this name.');
    return { url: link.url };
  },
);

const factorRoute = apiRoute(
  {
    name: 'removeSecondFactor',
    method: 'DELETE',
    path: '/console/members/:name/second-factor',
    tag: 'console',
    summary: 'Take away the second factor of a member who lost it; they read who did it.',
    permission: 'administer',
    sessionOnly: true,
    pages: ['GET consoleMemberFactor', 'POST consoleMemberFactor'],
    params: nameParams,
    answer: { status: 204 },
  },
  async ({ visit, params }) => {
    const member = await removeFactorByStaff(visit, params.name);
    return member === undefined ? new Problem('not-found', 'No member has this name.') : undefined;
  },
);

const keeperSchema = z
  .strictObject({
    name: z.string(),
    member: memberNameSchema.nullable().describe('Null for a server.'),
    isSealed: z.boolean().describe('Its copies are encrypted for it alone to prove, not to read.'),
    bytesMax: byteCount.describe('What it may hold.'),
    offeredBytes: byteCount.describe('What it last said it has room for, its copies included.'),
    heldBytes: byteCount,
    heldCopies: z.int(),
    wantedCopies: z.int().describe('It shall fetch them.'),
    failedCopies: z.int().describe('It lost them, or could not prove them.'),
    provenMs: time.nullable().describe('The proof that is longest ago, of what it holds.'),
    seenMs: time.nullable(),
  })
  .meta({ id: 'Keeper' });

const keepersRoute = apiRoute(
  {
    name: 'listKeepers',
    method: 'GET',
    path: '/console/keepers',
    tag: 'console',
    summary: 'Who holds copies of what the archive keeps; a thousand at most.',
    permission: 'administer',
    pages: ['GET consoleKeepers'],
    answer: { status: 200, json: z.strictObject({ items: list(keeperSchema) }) },
  },
  async ({ visit }) => {
    const { sql } = visit.parts;
    const keepers = await listKeepers(sql);
    const owners = keepers.flatMap(({ memberId }) => (memberId === 0 ? [] : [memberId]));
    const names = await memberNames(sql, owners);
    const items = keepers.map((keeper) => {
      const { name, memberId, sealKey, bytesMax, offeredBytes, seenMs } = keeper;
      const { heldBytes, heldCopies, wantedCopies, failedCopies, provenMs } = keeper;
      return {
        ...{ name, isSealed: sealKey !== null, bytesMax, offeredBytes },
        ...{ heldBytes, heldCopies, wantedCopies, failedCopies },
        member: memberId === 0 ? null : { memberId, name: names.get(memberId) ?? null },
        provenMs: provenMs ?? null,
        seenMs: seenMs === 0 ? null : seenMs,
      };
    });
    return { items };
  },
);

export const accessRoutes = [resetLinkRoute, factorRoute, keepersRoute];
