// Who holds the connections to the site's port: one address may have a part of them, so that nobody takes
// all by opening them and saying nothing. Proxies and this machine bring many people, and have no bound.

import { isIP, type Socket } from 'node:net';
import { addressKey } from '#site/rate-limit.ts';

export interface PlacesConfig {
  readonly connectionsPerAddressMax: number;
  /** Addresses of proxies. */
  readonly proxies: readonly string[];
}

export class ConnectionPlaces {
  readonly #config: PlacesConfig;
  readonly #isBounded: (address: string) => boolean;
  readonly #open = new Map<string, number>();

  /** `isBounded`: of an address that is no proxy's; not those of this machine unless given. */
  constructor(
    config: PlacesConfig,
    isBounded: (address: string) => boolean = (address) => !isLoopback(address),
  ) {
    this.#config = config;
    this.#isBounded = isBounded;
  }

  /** Addresses that have a connection and a bound. */
  get size(): number {
    return this.#open.size;
  }

  /** Counts a connection until it closes; one too many is ended at once. */
  take(socket: Socket): void {
    const address = addressOf(socket);
    if (this.#config.proxies.includes(address) || !this.#isBounded(address)) return;
    const key = addressKey(address);
    const open = this.#open.get(key) ?? 0;
    if (open >= this.#config.connectionsPerAddressMax) {
      socket.destroy();
      return;
    }
    this.#open.set(key, open + 1);
    socket.once('close', () => {
      const left = (this.#open.get(key) ?? 1) - 1;
      if (left === 0) this.#open.delete(key);
      else this.#open.set(key, left);
    });
  }
}

/** Of the other end; IPv4 as such, also on a socket of IPv6. */
export function addressOf(socket: Pick<Socket, 'remoteAddress'>): string {
  const address = socket.remoteAddress ?? '';
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
}

export function isLoopback(address: string): boolean {
  return address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}
