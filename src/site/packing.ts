// Sending texts packed by gzip. Style and scripts are packed once, at the start, and for everybody. A page
// is packed as it is made, and only where its packed length can tell nobody anything: BREACH has a
// browser ask for a page many times with guesses in its address, and sees by the length which guess
// stands on the page as well. docs/decisions/0025 tells what is done against each part of that.

import { gzipSync } from 'node:zlib';
import { utf8 } from '#base/bytes.ts';
import type { RouteName } from './routes.ts';

/** 0.3 ms of CPU for a list of 50 torrents; the best level takes four times that and saves 7 %. */
const PAGE_LEVEL = 3;

/**
 * Routes whose pages may be packed. None of them shows a key, a link or an address that opens something:
 * profiles with their announce addresses, invites, feeds, tokens and shares are not among them.
 */
export const PACKABLE_ROUTES: ReadonlySet<RouteName> = new Set<RouteName>([
  'home',
  'signIn',
  'torrents',
  'torrent',
  'torrentFiles',
  'members',
  'requests',
  'request',
  'needsSeeds',
  'collections',
  'collection',
  'commentHistory',
  'docs',
  'doc',
  'docInFolder',
  'docBelow',
  'consoleLog',
  'consoleStaffLog',
  'consoleRules',
  'consoleReports',
  'consoleReport',
]);

/** What is asked of a request; an empty text for a header that it has not. */
export interface PackedRequest {
  readonly isSecure: boolean;
  header(name: string): string;
}

/**
 * Whether a page without secrets may be packed for this request: when the browser says that no other site
 * made it ask. Over https every browser of today says so; in the open there is no length to hide.
 */
export function isPagePacked({ isSecure, header }: PackedRequest): boolean {
  if (!takesGzip(header('accept-encoding'))) return false;
  const from = header('sec-fetch-site');
  return from === 'same-origin' || from === 'none' || (from === '' && !isSecure);
}

export function packPage(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(gzipSync(utf8(text), { level: PAGE_LEVEL }));
}

/** Whether gzip is named with a weight that is not 0 (RFC 9110, 12.5.3). */
export function takesGzip(acceptEncoding: string): boolean {
  for (const part of acceptEncoding.split(',')) {
    const [name, weight] = part.split(';').map((word) => word.trim().toLowerCase());
    if (name === 'gzip') return !/^q=0(?:\.0*)?$/.test(weight ?? '');
  }
  return false;
}
