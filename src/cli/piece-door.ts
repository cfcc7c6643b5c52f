// The archive's maps and piece streams on the site's port: maps by HTTP, streams by WebSocket.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { PieceDoor, PieceRefusal } from '#archive/pieces/piece-door.ts';
import { PIECES_PREFIX } from '#archive/pieces/piece-request.ts';
import { streamOfSocket } from '#net/stream-node.ts';
import { WsMessages } from '#store/upload/ws-messages.ts';
import { isWsKey, WsRooms, wsHandshake } from '#wire/ws-frame.ts';

const HEADERS = {
  'access-control-allow-origin': '*',
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
} as const;
const WORDS: Readonly<Record<PieceRefusal, string>> = {
  401: 'Unauthorized',
  404: 'Not Found',
  503: 'Service Unavailable',
};
const rooms = new WsRooms();

export function isPiecePath(request: IncomingMessage): boolean {
  return request.url?.startsWith(PIECES_PREFIX) === true;
}

/** Never rejects. */
export async function answerMapRequest(
  door: PieceDoor,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method === 'OPTIONS') {
    const allowed = { 'access-control-allow-headers': 'authorization' };
    response.writeHead(204, { ...HEADERS, ...allowed }).end();
    return;
  }
  if (request.method !== 'GET') {
    response.writeHead(405, { ...HEADERS, allow: 'GET, OPTIONS' }).end();
    return;
  }
  const map = await door.map(request.url ?? '/', request.headers.authorization);
  if (typeof map === 'number') {
    const more = map === 401 ? { 'www-authenticate': 'Bearer' } : {};
    response.writeHead(map, { ...HEADERS, ...more, 'content-type': 'text/plain' });
    response.end(`${WORDS[map]}\n`);
    return;
  }
  response.writeHead(200, { ...HEADERS, 'content-type': 'application/json' });
  for (const part of map) {
    if (response.destroyed) return;
    if (!response.write(part)) await drained(response);
  }
  response.end();
}

/** Takes over a connection that asks for a stream. */
export async function upgradeToPieces(
  door: PieceDoor,
  request: IncomingMessage,
  socket: Duplex,
  head: Uint8Array,
): Promise<void> {
  const { upgrade = '', 'sec-websocket-version': version } = request.headers;
  const key = request.headers['sec-websocket-key'] ?? '';
  const isWebSocket = upgrade.toLowerCase() === 'websocket' && version === '13' && isWsKey(key);
  if (!isWebSocket || !(socket instanceof Socket)) {
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    return;
  }
  const granted = await door.open(request.url ?? '/', request.headers.authorization);
  if (typeof granted === 'number') {
    socket.end(`HTTP/1.1 ${granted} ${WORDS[granted]}\r\n\r\n`);
    return;
  }
  socket.write(wsHandshake(key));
  door.take(granted, new WsMessages(streamOfSocket(socket), rooms, head));
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    response.once('drain', resolve);
    response.once('close', resolve);
  });
}
