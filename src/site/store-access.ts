// Who may use the blob store directly: members who have the permission `store`, by the session of a
// browser or by a token of a program with that scope. A session counts only for the site's own pages,
// as with forms: what another site has a browser send must not reach the store.

import { memberOfToken } from './accounts/api-tokens.ts';
import { findViewer, type SessionsWorld } from './accounts/sessions.ts';
import { sessionIn } from './cookies.ts';
import type { RoleBook } from './roles/role-book.ts';

/** The headers of a request, as far as they are asked here. */
export interface StoreRequest {
  readonly method: string;
  /** A WebSocket is to be opened: then a browser must say where its page is from. */
  readonly isUpgrade: boolean;
  /** Of the site's public address; a proxy may ask by another name. */
  readonly siteHost: string;
  header(name: string): string;
}

export interface StoreUser {
  readonly memberId: number;
  readonly name: string;
  /** Administrators alone, by whatever token: what one stored, all may need. */
  readonly mayRemove: boolean;
}

/** `unknown`: nobody said who they are; `forbidden`: a member who may not, or another site's page. */
export async function findStoreUser(
  world: SessionsWorld & { readonly roleBook: RoleBook },
  request: StoreRequest,
): Promise<StoreUser | 'unknown' | 'forbidden'> {
  const roles = await world.roleBook.current();
  const token = /^Bearer +([^\s]+)$/i.exec(request.header('authorization'))?.[1];
  if (token !== undefined) {
    const holder = await memberOfToken(world, token);
    if (holder === undefined) return 'unknown';
    const { memberId, name } = holder;
    if (!holder.permissions.has('store')) return 'forbidden';
    return { memberId, name, mayRemove: roles.holderMay(holder, 'administer') };
  }
  const viewer = await findViewer(world, sessionIn(request.header('cookie')));
  if (viewer === undefined) return 'unknown';
  if (!roles.holderMay(viewer, 'store') || !isOwnPage(request)) return 'forbidden';
  const { memberId, name } = viewer;
  return { memberId, name, mayRemove: roles.holderMay(viewer, 'administer') };
}

/** Browsers name the page's origin with all that changes something and with WebSockets. */
function isOwnPage(request: StoreRequest): boolean {
  const origin = request.header('origin');
  const isOwnOrigin = URL.canParse(origin) && isOwnHost(request, new URL(origin).host);
  // Of a WebSocket they do not agree what its site is: ws is another scheme than http.
  if (request.isUpgrade) return isOwnOrigin;
  const site = request.header('sec-fetch-site');
  if (site !== '' && site !== 'same-origin' && site !== 'none') return false;
  if (origin !== '') return isOwnOrigin;
  return ['GET', 'HEAD', 'OPTIONS'].includes(request.method) || site === 'same-origin';
}

function isOwnHost(request: StoreRequest, host: string): boolean {
  return host === request.header('host') || host === request.siteHost;
}
