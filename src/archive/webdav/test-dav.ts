// The WebDAV door for tests, with one torrent and one member, and what is asked of it.

import { bodyOf, type TestDownloads, TORRENT } from '#archive/downloads/test-downloads.ts';
import { silentLogger } from '#base/logger.ts';
import { type DavRequest, WebDav } from './webdav.ts';

export const text = (words: string): Uint8Array => new Uint8Array(Buffer.from(words));
export const FILES: Readonly<Record<string, Uint8Array>> = {
  'notes & plans/ä 100%.txt': text('hello'),
  'readme.txt': text('read me'),
};
export const FOLDER = 'Survey [abababab]';
export const BASE: string = `/dav/${encodeURIComponent(FOLDER)}`;

export function davOf({ downloads, grant }: TestDownloads): WebDav {
  const torrent = { ...TORRENT, folder: FOLDER };
  return new WebDav({
    downloads,
    logger: silentLogger,
    catalogue: {
      keptTorrents: async (after) => (after < TORRENT.id ? [torrent] : []),
      keptTorrent: async (folder) => (folder === FOLDER ? torrent : undefined),
    },
    members: {
      grantOf: async (name, key) =>
        name === 'mina' && key === 'key:1' ? { grantFor: () => grant } : undefined,
    },
  });
}

export const basic = (pair: string): string => `Basic ${Buffer.from(pair).toString('base64')}`;

export interface Asked {
  readonly depth?: string;
  readonly body?: string;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Told {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** As the member, unless the headers say otherwise. */
export async function ask(
  dav: WebDav,
  method: string,
  target: string,
  more: Asked = {},
): Promise<Told> {
  const headers: Record<string, string | undefined> = {
    authorization: basic('mina:key:1'),
    depth: more.depth,
    ...more.headers,
  };
  const request: DavRequest = {
    ...{ method, target },
    header: (name) => headers[name],
    body: async () => more.body ?? '',
  };
  const answer = await dav.answer(request);
  const isHead = method === 'HEAD';
  const body = isHead ? '' : Buffer.from(await bodyOf(answer)).toString('utf8');
  return { status: answer.status, headers: answer.headers, body };
}

export const hrefsOf = (body: string): string[] =>
  [...body.matchAll(/<D:href>([^<]*)<\/D:href>/g)].map((match) => match[1] ?? '');
