// Can other members reach this one's clients? The server tries the port of each (T27): only addresses
// from which that member announced, never one in a network that nobody outside can dial, a few at a
// time, and seldom: it must not become a way to have a stranger's ports tried.

import type { Clock } from '#base/clock.ts';
import { formatIp } from '#net/ip-address.ts';
import { UNREACHABLE_NETWORKS } from '#net/ip-network.ts';
import type { Dial, DialResult } from '#net/tcp-dial.ts';
import { RateLimit } from '#site/rate-limit.ts';
import type { SwarmPeer } from '#site/swarms.ts';

/** Different addresses and ports in one test; clients that are more wait for the next one. */
const ENDPOINTS_MAX = 6;
const IN_FLIGHT_MAX = 32;
const DIAL_MS_MAX = 3000;
const TESTS_PER_PERIOD = 3;
const PERIOD_MS = 600_000;
const MEMBERS_REMEMBERED_MAX = 10_000;

export interface PortTest {
  readonly peer: SwarmPeer;
  readonly address: string;
  readonly port: number;
  /** `private`: not tried, since nobody outside could. */
  readonly result: DialResult | 'private';
}

export interface PortTestsOptions {
  readonly clock: Clock;
  readonly dial: Dial;
  /** Tries private addresses too: everybody is in one network. */
  readonly isPrivateTried: boolean;
}

export class PortTests {
  readonly #options: PortTestsOptions;
  readonly #limit: RateLimit;
  #inFlight = 0;

  constructor(options: PortTestsOptions) {
    this.#options = options;
    this.#limit = new RateLimit({
      clock: options.clock,
      attempts: TESTS_PER_PERIOD,
      periodMs: PERIOD_MS,
      entriesMax: MEMBERS_REMEMBERED_MAX,
    });
  }

  /** `peers` are the member's own. A number: how many milliseconds to wait before another test. */
  async test(memberId: number, peers: readonly SwarmPeer[]): Promise<readonly PortTest[] | number> {
    const endpoints = endpointsOf(peers);
    if (this.#inFlight + endpoints.length > IN_FLIGHT_MAX) return DIAL_MS_MAX;
    const waitMs = this.#limit.take(`${memberId}`);
    if (waitMs > 0) return waitMs;
    this.#inFlight += endpoints.length;
    try {
      return await Promise.all(endpoints.map((endpoint) => this.#try(endpoint)));
    } finally {
      this.#inFlight -= endpoints.length;
    }
  }

  async #try({ peer, wire }: Endpoint): Promise<PortTest> {
    const size = wire.byteLength - 2;
    const family = size === 4 ? 4 : 6;
    const bytes = new Uint8Array(16);
    bytes.set(wire.subarray(0, size));
    const address = formatIp(bytes, family);
    const port = (wire[size]! << 8) | wire[size + 1]!;
    const { dial, isPrivateTried } = this.#options;
    if (!isPrivateTried && UNREACHABLE_NETWORKS.has(bytes, family)) {
      return { peer, address, port, result: 'private' };
    }
    return { peer, address, port, result: await dial({ address, port, msMax: DIAL_MS_MAX }) };
  }
}

interface Endpoint {
  readonly peer: SwarmPeer;
  readonly wire: Uint8Array;
}

/** A client in many torrents is tried once. */
function endpointsOf(peers: readonly SwarmPeer[]): readonly Endpoint[] {
  const endpoints = new Map<string, Endpoint>();
  for (const peer of peers) {
    for (const wire of [peer.ipv4, peer.ipv6]) {
      if (wire === undefined) continue;
      const key = Buffer.from(wire).toString('hex');
      if (!endpoints.has(key)) endpoints.set(key, { peer, wire });
    }
  }
  return [...endpoints.values()].slice(0, ENDPOINTS_MAX);
}
