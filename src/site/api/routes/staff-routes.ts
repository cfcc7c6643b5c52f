// The staff: what roles may, and the log of what was done.

import { z } from 'zod';
import { toHex } from '#base/bytes.ts';
import { memberNames } from '#site/accounts/members.ts';
import { apiRoute, list } from '#site/api/api-route.ts';
import { cutPage, edge, numberPageQuery, pageOf } from '#site/api/paging.ts';
import { Problem } from '#site/api/problem.ts';
import { isBuiltInRole } from '#site/permissions.ts';
import {
  checkRoleName,
  givenPermissions,
  type Rights,
  rightsVersion,
} from '#site/roles/role-book.ts';
import { listActions, type StaffAction } from '#site/staff-log/staff-log.ts';
import { memberNameSchema, time, version } from './shapes.ts';

const actionSchema = z
  .strictObject({
    number: z.int(),
    atMs: time,
    member: memberNameSchema,
    action: z.string(),
    subject: z.string(),
    words: z.string(),
    requestId: z
      .string()
      .describe('Of the request that did it, as the server’s own lines have it; may be empty.'),
    hash: z.string().describe('Of this line and the one before, in hexadecimal.'),
  })
  .meta({ id: 'StaffAction' });

const logRoute = apiRoute(
  {
    name: 'listStaffActions',
    method: 'GET',
    path: '/console/staff-log',
    tag: 'console',
    summary: 'What the staff did, newest first. Member 0 is the command line.',
    permission: 'moderate',
    pages: ['GET consoleStaffLog'],
    query: numberPageQuery,
    answer: { status: 200, json: pageOf(actionSchema) },
  },
  async ({ visit, query: { cursor, limit } }) => {
    const { sql } = visit.parts;
    const actions = await listActions(sql, { limit: limit + 1, ...edge('before', cursor) });
    const names = await memberNames(
      sql,
      actions.map((one) => one.memberId),
    );
    const item = ({ memberId, hash, ...line }: StaffAction) => ({
      ...{ ...line, hash: toHex(hash) },
      member: { memberId, name: names.get(memberId) ?? null },
    });
    return cutPage(actions, limit, { item, cursor: (one) => one.number });
  },
);

const rightsSchema = z
  .strictObject({ name: z.string(), permissions: list(z.string()), version })
  .meta({ id: 'Rights' });

const rolesRoute = apiRoute(
  {
    name: 'listRoles',
    method: 'GET',
    path: '/console/roles',
    tag: 'console',
    summary: 'What each role may, and what each class adds, from the lowest.',
    permission: 'administer',
    pages: [
      'GET consoleRoles',
      'GET consoleRole',
      'GET consoleRoleRemove',
      'GET consoleClassRights',
    ],
    answer: {
      status: 200,
      json: z.strictObject({ roles: list(rightsSchema), classes: list(rightsSchema) }),
    },
  },
  async ({ visit }) => {
    const { roles, classes } = await visit.parts.roleBook.current();
    const withVersion = (rights: Rights) => ({ ...rights, version: rightsVersion(rights) });
    return { roles: roles.map(withVersion), classes: classes.map(withVersion) };
  },
);

const roleParams = z.strictObject({ role: z.string().regex(/^[a-z0-9-]{1,32}$/) });
const permissionsBody = {
  json: z.strictObject({
    permissions: list(z.string()).describe('By name; what cannot be given is left out.'),
  }),
};

const saveRoleRoute = apiRoute(
  {
    name: 'saveRole',
    method: 'PUT',
    path: '/console/roles/:role',
    tag: 'console',
    summary: 'Make a role, or change what it may, within a second.',
    permission: 'administer',
    pages: ['POST consoleRoles', 'POST consoleRole'],
    params: roleParams,
    body: permissionsBody,
    matches: true,
    answer: { status: 204 },
  },
  async ({ visit, params: { role: name }, body }) => {
    const { roleBook } = visit.parts;
    const roles = await roleBook.current();
    if (name === 'admin') return new Problem('forbidden', 'An admin may everything.');
    if (roles.find(name) === undefined) {
      const refused = checkRoleName(name, roles);
      if (refused !== undefined) return refused;
    }
    const permissions = givenPermissions(body.permissions);
    return await roleBook.save({ role: { name, permissions } }, visit.shown);
  },
);

const removeRoleRoute = apiRoute(
  {
    name: 'removeRole',
    method: 'DELETE',
    path: '/console/roles/:role',
    tag: 'console',
    summary: "Remove a role of the operator's own; who has it is a member then.",
    permission: 'administer',
    pages: ['POST consoleRoleRemove'],
    params: roleParams,
    answer: { status: 204 },
  },
  async ({ visit, params: { role: name } }) => {
    const { roleBook } = visit.parts;
    if (isBuiltInRole(name) || (await roleBook.current()).find(name) === undefined) {
      return new Problem('not-found', 'There is no such role that could be removed.');
    }
    await roleBook.remove(name);
    return undefined;
  },
);

const classRoute = apiRoute(
  {
    name: 'saveClassRights',
    method: 'PUT',
    path: '/console/class-rights/:place',
    tag: 'console',
    summary: 'Change what a class adds to those below it; classes count from 1, the lowest.',
    permission: 'administer',
    pages: ['POST consoleClassRights'],
    params: z.strictObject({ place: z.string().regex(/^[1-9]\d{0,2}$/) }),
    body: permissionsBody,
    matches: true,
    answer: { status: 204 },
  },
  async ({ visit, params, body }) => {
    const { roleBook } = visit.parts;
    const one = (await roleBook.current()).classes[Number(params.place) - 1];
    if (one === undefined) return new Problem('not-found', 'There is no such class.');
    const permissions = givenPermissions(body.permissions);
    return await roleBook.save({ classRights: { name: one.name, permissions } }, visit.shown);
  },
);

export const staffRoutes = [logRoute, rolesRoute, saveRoleRoute, removeRoleRoute, classRoute];
