// Whose announce is it, when a proxy stands in front of the HTTP door? Three ways in which others
// than the connection itself may say so, each from configured networks alone (T19):
//
//   PROXY protocol     before the first request, from `tracker.proxyProtocolFrom`
//   X-Forwarded-For    or `Forwarded`, with each request, from `tracker.trustedProxies`
//   ip=                in the announce, from clients in `tracker.ipParameterFrom`
//
// They build on each other in that order. A list of hops is read from its end: each hop that is
// trusted speaks for the one before it, and the first that is not is the client, whatever it wrote
// itself in front of that.

import type { Family } from '#net/ip-address.ts';
import { parseIp } from '#net/ip-address.ts';
import { IpNetworks, NOBODYS_NETWORKS } from '#net/ip-network.ts';
import { readProxyHeader } from '#net/proxy-protocol.ts';
import type { TcpConnection } from '#net/tcp-server.ts';
import type { TrackerConfig } from '#tracker/config.ts';
import { type ForwardedHeader, forwardedHops } from '#wire/forwarded.ts';

export interface ClientAddress {
  readonly family: Family;
  /** 16 bytes, of which family 4 uses 4. */
  readonly address: Uint8Array;
  readonly port: number;
}

type ProxyConfig = Pick<
  TrackerConfig,
  'trustedProxies' | 'forwardedHeader' | 'proxyProtocolFrom' | 'ipParameterFrom'
>;

export class ClientAddresses {
  /** Whether any client may say its address itself. */
  readonly readsIpParameter: boolean;
  readonly #trusted: IpNetworks;
  readonly #proxying: IpNetworks;
  readonly #stating: IpNetworks;
  readonly #header: ForwardedHeader;
  /** By the PROXY protocol. Not by id: two listeners count alike. */
  readonly #introduced = new Map<TcpConnection, ClientAddress>();

  private constructor(config: ProxyConfig) {
    this.#trusted = new IpNetworks(config.trustedProxies);
    this.#proxying = new IpNetworks(config.proxyProtocolFrom);
    this.#stating = new IpNetworks(config.ipParameterFrom);
    this.#header = config.forwardedHeader;
    this.readsIpParameter = !this.#stating.isEmpty;
  }

  /** Undefined when nothing is configured: every connection is its client, and nothing is asked. */
  static of(config: ProxyConfig): ClientAddresses | undefined {
    const { trustedProxies, proxyProtocolFrom, ipParameterFrom } = config;
    const isNothing = [trustedProxies, proxyProtocolFrom, ipParameterFrom].every(
      (networks) => networks.length === 0,
    );
    return isNothing ? undefined : new ClientAddresses(config);
  }

  /**
   * To be asked before input is read: takes the PROXY header from its front where one must stand.
   * `broken`: it does not, and the connection is to be ended.
   */
  introduce(connection: TcpConnection): 'known' | 'incomplete' | 'broken' {
    if (this.#proxying.isEmpty || this.#introduced.has(connection)) return 'known';
    const { address, family, port } = connection;
    if (!this.#proxying.has(address, family)) return 'known';
    const header = readProxyHeader(connection.input, connection.inputLength);
    if (typeof header === 'string') return header;
    connection.consume(header.consumed);
    const own = { family, address: address.slice(), port };
    this.#introduced.set(connection, header.client ?? own);
    return 'known';
  }

  onClosed(connection: TcpConnection): void {
    this.#introduced.delete(connection);
  }

  /**
   * Who sent the request whose head is the first `headBytes` of the input. Undefined: the proxy in
   * front does not know, or its word cannot be read, and no other address is the client's.
   */
  read(connection: TcpConnection, headBytes: number): ClientAddress | undefined {
    const from = this.#introduced.get(connection) ?? connection;
    if (!this.#trusted.has(from.address, from.family)) return from;
    const { input } = connection;
    const head = Buffer.from(input.buffer, input.byteOffset, headBytes).toString('latin1');
    const hops = forwardedHops(head, this.#header);
    let client: ClientAddress = from;
    for (let at = hops.length - 1; at >= 0; at--) {
      const hop = hops[at]!;
      const address = new Uint8Array(16);
      const family = parseIp(hop.ip, address);
      if (family === 0 || NOBODYS_NETWORKS.has(address, family)) return undefined;
      // Without a word of its port the proxy's own stands for it: different per connection as well.
      client = { family, address, port: hop.port === 0 ? from.port : hop.port };
      if (!this.#trusted.has(address, family)) break;
    }
    return client;
  }

  /** The client with the address that its announce states, where it may and where that is one. */
  stated(client: ClientAddress, ip: Uint8Array): ClientAddress {
    if (ip.byteLength === 0 || !this.#stating.has(client.address, client.family)) return client;
    const address = new Uint8Array(16);
    const text = Buffer.from(ip.buffer, ip.byteOffset, ip.byteLength).toString('latin1');
    const family = parseIp(text, address);
    if (family === 0 || NOBODYS_NETWORKS.has(address, family)) return client;
    return { family, address, port: client.port };
  }
}
