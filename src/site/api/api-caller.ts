// Who calls the API: a program by `Authorization: Bearer TOKEN`, or a page of the site by its session.

import { memberOfToken } from '#site/accounts/api-tokens.ts';
import { findViewer, type Viewer } from '#site/accounts/sessions.ts';
import { type Permission, ROLE_PERMISSIONS } from '#site/permissions.ts';
import type { SiteParts } from '#site/world.ts';

export interface ApiCaller {
  /** Undefined when nobody said who they are, or what they said is not good. */
  readonly viewer: Viewer | undefined;
  readonly by: 'token' | 'session' | 'nothing';
  /** What may be done: of a token, what both it and its member may. */
  readonly permissions: ReadonlySet<Permission>;
  /** What the member may by themselves. */
  readonly ofMember: ReadonlySet<Permission>;
}

/** No session has it: they count from 1. */
const NO_SESSION_ID = 0;
const NOBODY: ReadonlySet<Permission> = new Set(ROLE_PERMISSIONS.visitor);

/** A token counts before a session, also a bad one: a program shall not act for whoever has a browser. */
export async function findCaller(
  parts: SiteParts,
  sent: { readonly authorization: string; readonly sessionToken: string },
): Promise<ApiCaller> {
  const { authorization, sessionToken } = sent;
  const roles = await parts.roleBook.current();
  if (authorization !== '') {
    const token = /^Bearer +([^\s]+) *$/i.exec(authorization)?.[1] ?? '';
    const holder = await memberOfToken(parts, token);
    if (holder === undefined) return nobody('token');
    const { memberId, name, role, className, permissions } = holder;
    const viewer = { memberId, name, role, className, sessionId: NO_SESSION_ID };
    return { viewer, by: 'token', permissions, ofMember: roles.permissionsOf(holder) };
  }
  if (sessionToken === '') return nobody('nothing');
  const viewer = await findViewer(parts, sessionToken);
  if (viewer === undefined) return nobody('nothing');
  const permissions = roles.permissionsOf(viewer);
  return { viewer, by: 'session', permissions, ofMember: permissions };
}

function nobody(by: ApiCaller['by']): ApiCaller {
  return { viewer: undefined, by, permissions: NOBODY, ofMember: NOBODY };
}
