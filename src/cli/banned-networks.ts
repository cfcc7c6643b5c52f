// Banned networks at the doors of the site's port that are no pages: the store, the log, keepers, web seeds,
// pieces, WebDAV. Pages and the API ask by themselves, and answer with the reason.

import type { IncomingMessage } from 'node:http';
import { KEEPER_PATH } from '#archive/keepers/keeper-work.ts';
import { type CameFrom, callerAddress } from '#site/caller-address.ts';
import { AddressBans } from '#site/moderation/address-bans.ts';
import { STORE_PATH } from '#store/upload/http-store.ts';
import { addressOf } from './connection-places.ts';
import { LOG_PATH } from './log-http.ts';
import type { Rooms } from './rooms.ts';

/** Not answered by the site's pages, though `fetch` takes them. */
const BESIDE_PAGES = [STORE_PATH, KEEPER_PATH, LOG_PATH];

export class BannedNetworks {
  readonly #bans: AddressBans;
  readonly #proxies: readonly string[];

  constructor({ sql, clock, config }: Pick<Rooms, 'sql' | 'clock' | 'config'>) {
    this.#bans = new AddressBans({ sql, clock });
    this.#proxies = config.site.proxies;
  }

  /** A database that is away bans nobody: what can be done without it is little. */
  async has(from: CameFrom): Promise<boolean> {
    const address = callerAddress(from, this.#proxies);
    const ban = await this.#bans.find(address).catch(() => undefined);
    return ban !== undefined;
  }

  async hasSender(request: IncomingMessage): Promise<boolean> {
    return await this.has(sentFrom(request));
  }
}

export function sentFrom({ socket, headers }: IncomingMessage): CameFrom {
  return { peer: addressOf(socket), forwarded: String(headers['x-forwarded-for'] ?? '') };
}

/** Whether the address of a request is none of the pages' and their API's. */
export function isBesidePages(url: string): boolean {
  const path = URL.canParse(url, 'http://site') ? new URL(url, 'http://site').pathname : url;
  return BESIDE_PAGES.some((beside) => path === beside || path.startsWith(`${beside}/`));
}
