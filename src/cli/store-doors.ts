// The ways into the store over the network, joined to the site's port and to a UNIX socket: who calls
// (site/store-access.ts), then what they get (store/upload/).

import { chmodSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { StreamListener } from '#net/byte-stream.ts';
import { listenNode, streamOfSocket } from '#net/stream-node.ts';
import { type CameFrom, fetchedFrom } from '#site/caller-address.ts';
import type { RoleBook } from '#site/roles/role-book.ts';
import { setSecurityHeaders } from '#site/security-headers.ts';
import type { Site } from '#site/site.ts';
import { findStoreUser, type StoreRequest, type StoreUser } from '#site/store-access.ts';
import type { Caller, StoreDoor } from '#store/upload/door.ts';
import { FramedMessages } from '#store/upload/framed-messages.ts';
import { refusal } from '#store/upload/http-answers.ts';
import { HttpStore, STORE_PATH } from '#store/upload/http-store.ts';
import { StoreServer } from '#store/upload/store-server.ts';
import { WsMessages } from '#store/upload/ws-messages.ts';
import { isWsKey, WsRooms, wsHandshake } from '#wire/ws-frame.ts';
import { type BannedNetworks, sentFrom } from './banned-networks.ts';
import type { Rooms } from './rooms.ts';
import { addressesOf, roleBookOf } from './site-parts.ts';

const SOCKET_PATH = `${STORE_PATH}/socket`;
/** Whoever can open the UNIX socket owns the data folder. */
const YES = async (): Promise<boolean> => true;
const LOCAL: Caller = {
  ...{ budget: 'local', name: 'operator', mayStay: YES, mayRemove: YES },
  isLocal: true,
};

export class StoreDoors {
  readonly #rooms: Rooms;
  readonly #roleBook: RoleBook;
  readonly #door: StoreDoor;
  readonly #server: StoreServer;
  readonly #http: HttpStore;
  readonly #wsRooms = new WsRooms();
  readonly #unixPath: string;
  readonly #banned: BannedNetworks;
  #unix: StreamListener | undefined;

  private constructor(rooms: Rooms, unixPath: string, banned: BannedNetworks) {
    this.#rooms = rooms;
    this.#roleBook = roleBookOf(rooms);
    this.#door = rooms.care.door;
    this.#server = new StoreServer(this.#door);
    this.#http = new HttpStore(this.#door, rooms.care.uploads);
    this.#unixPath = unixPath;
    this.#banned = banned;
  }

  /** Listens on the UNIX socket; `site` and `upgrade` are for the site's port. */
  static async open(rooms: Rooms, unixPath: string, banned: BannedNetworks): Promise<StoreDoors> {
    const doors = new StoreDoors(rooms, unixPath, banned);
    // The data folder's lock is ours, so a socket that is still there belongs to nobody.
    rmSync(unixPath, { force: true });
    doors.#unix = await listenNode(
      { kind: 'unix', path: unixPath },
      (stream) => doors.#server.take(LOCAL, new FramedMessages(stream)),
      (error) => rooms.logger.error('The store socket failed', { error: error.message }),
    );
    chmodSync(unixPath, 0o600);
    return doors;
  }

  /** The site with the store beside it. */
  beside(site: Site): Site {
    return {
      fetch: async (request, env) => {
        const { pathname } = new URL(request.url);
        if (pathname !== STORE_PATH && !pathname.startsWith(`${STORE_PATH}/`)) {
          return await site.fetch(request, env);
        }
        const response = await this.#answer(request, pathname, fetchedFrom(request, env));
        setSecurityHeaders(response, false);
        return response;
      },
    };
  }

  /** Takes over a connection that asks for a WebSocket. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): Promise<void> {
    const path = new URL(request.url ?? '/', 'http://site').pathname;
    const { upgrade = '', 'sec-websocket-version': version } = request.headers;
    const key = request.headers['sec-websocket-key'] ?? '';
    const isWebSocket = upgrade.toLowerCase() === 'websocket' && version === '13' && isWsKey(key);
    if (path !== SOCKET_PATH || !isWebSocket || !(socket instanceof Socket)) {
      socket.end(`HTTP/1.1 ${path === SOCKET_PATH ? '400 Bad Request' : '404 Not Found'}\r\n\r\n`);
      return;
    }
    const header = (name: string) => String(request.headers[name] ?? '');
    const asked = { method: 'GET', isUpgrade: true, header };
    const caller = await this.#callerOf(asked, sentFrom(request));
    if (typeof caller === 'string') {
      socket.end(`HTTP/1.1 ${caller === 'unknown' ? '401 Unauthorized' : '403 Forbidden'}\r\n\r\n`);
      return;
    }
    if (!this.#server.hasRoom(caller)) {
      socket.end('HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n');
      return;
    }
    socket.write(wsHandshake(key));
    this.#server.take(caller, new WsMessages(streamOfSocket(socket), this.#wsRooms, head));
  }

  /** Before the site's listener: it waits for its connections. */
  async close(): Promise<void> {
    await this.#server.close();
    await this.#unix?.close();
    rmSync(this.#unixPath, { force: true });
  }

  async #answer(request: Request, pathname: string, from: CameFrom): Promise<Response> {
    const header = (name: string) => request.headers.get(name) ?? '';
    const asked = { method: request.method, isUpgrade: false, header };
    const caller = await this.#callerOf(asked, from);
    if (caller === 'unknown') {
      const headers = { 'www-authenticate': 'Bearer', 'cache-control': 'no-store' };
      const words = refusal('STORE_DENIED', 'A session or a bearer token is wanted');
      return new Response(words.body, { status: 401, headers });
    }
    if (caller === 'forbidden') {
      const words = refusal('STORE_DENIED', 'This member, or this page, may not use the store');
      return new Response(words.body, { status: 403, headers: { 'cache-control': 'no-store' } });
    }
    if (pathname !== SOCKET_PATH) return await this.#http.answer(request, caller);
    if (!this.#server.hasRoom(caller)) return refusal('STORE_BUSY', 'All places are taken');
    return new Response('A WebSocket is wanted\n', {
      status: 426,
      headers: { upgrade: 'websocket', connection: 'Upgrade' },
    });
  }

  async #callerOf(
    request: Omit<StoreRequest, 'siteHost'>,
    from: CameFrom,
  ): Promise<Caller | 'unknown' | 'forbidden'> {
    const { sql, clock, random, config } = this.#rooms;
    const world = { sql, clock, random, config: config.site, roleBook: this.#roleBook };
    const find = async (): Promise<StoreUser | 'unknown' | 'forbidden'> => {
      if (await this.#banned.has(from)) return 'forbidden';
      const { siteUrl } = await addressesOf(this.#rooms);
      const siteHost = URL.canParse(siteUrl) ? new URL(siteUrl).host : '';
      return await findStoreUser(world, { ...request, siteHost });
    };
    const user = await find();
    if (typeof user === 'string') return user;
    return {
      budget: `member ${user.memberId}`,
      name: user.name,
      mayStay: async () => typeof (await find()) !== 'string',
      mayRemove: async () => {
        const now = await find();
        return typeof now !== 'string' && now.mayRemove;
      },
    };
  }
}
