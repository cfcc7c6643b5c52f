// What a reader asks of the archive's maps and piece streams (docs/piece-stream.md). Pure.
//
//   GET /archive/files/<root>/map      everything that is known of the file, in one answer
//   GET /archive/files/<root>/stream   a WebSocket, over which the map and then the bytes come
//
// The right is that of a web seed, for one member and one torrent with that file: `<token>.<info hash>`,
// both as they stand in the address of the web seed, as a bearer token or, where no header can be set,
// as the query's `key`.

import { SEED_TOKEN } from '#archive/web-seed/seed-request.ts';

export const PIECES_PREFIX = '/archive/files/';

const TARGET_CHARS_MAX = 1024;

export interface PieceRequest {
  /** 64 lower-case hex digits. */
  readonly root: string;
  readonly what: 'map' | 'stream';
  /** Undefined when none, or nothing like one, was given. */
  readonly key: { readonly token: string; readonly infoHash: string } | undefined;
}

/** `target` is the request's, from the first slash on. Undefined when it asks for nothing of this. */
export function parsePieceRequest(
  target: string,
  authorization: string | undefined,
): PieceRequest | undefined {
  if (!target.startsWith(PIECES_PREFIX) || target.length > TARGET_CHARS_MAX) return undefined;
  const [path = '', query = ''] = target.slice(PIECES_PREFIX.length).split('?');
  const [, root, what] = /^([0-9a-f]{64})\/(map|stream)$/i.exec(path) ?? [];
  if (root === undefined || (what !== 'map' && what !== 'stream')) return undefined;
  const bearer = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1];
  const key = parseKey(bearer ?? new URLSearchParams(query).get('key') ?? '');
  return { root: root.toLowerCase(), what, key };
}

function parseKey(text: string): PieceRequest['key'] {
  const at = text.indexOf('.');
  const [token, infoHash] = [text.slice(0, at), text.slice(at + 1).toLowerCase()];
  if (!SEED_TOKEN.test(token) || !/^[0-9a-f]{40}$/.test(infoHash)) return undefined;
  return { token, infoHash };
}
