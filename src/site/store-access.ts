// Who may use the blob store directly: members whose role has the permission `store`, by the session of
// a browser or by a token of a program. A session counts only for the site's own pages, as with forms:
// what another site has a browser send must not reach the store.

import { findTokenHolder } from './accounts/api-tokens.ts';
import { findViewer, type SessionsWorld } from './accounts/sessions.ts';
import { SESSION_COOKIES } from './cookies.ts';
import { roleMay } from './permissions.ts';

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
}

/** `unknown`: nobody said who they are; `forbidden`: a member who may not, or another site's page. */
export async function findStoreUser(
  world: SessionsWorld,
  request: StoreRequest,
): Promise<StoreUser | 'unknown' | 'forbidden'> {
  const token = /^Bearer +([^\s]+)$/i.exec(request.header('authorization'))?.[1];
  if (token !== undefined) {
    const holder = await findTokenHolder(world.sql, token);
    if (holder === undefined) return 'unknown';
    return roleMay(holder.role, 'store') ? holder : 'forbidden';
  }
  const viewer = await findViewer(world, sessionOf(request.header('cookie')));
  if (viewer === undefined) return 'unknown';
  return roleMay(viewer.role, 'store') && isOwnPage(request) ? viewer : 'forbidden';
}

function sessionOf(cookies: string): string {
  for (const pair of cookies.split(';')) {
    const at = pair.indexOf('=');
    if (SESSION_COOKIES.includes(pair.slice(0, at).trim())) return pair.slice(at + 1).trim();
  }
  return '';
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
