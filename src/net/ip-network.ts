// Sets of IP networks as the configuration writes them: `10.0.0.0/8`, `2001:db8::/32`, a single
// address. Asked once per request at most, for lists of a few lines, so they are walked.

import { type Family, parseIp } from './ip-address.ts';

interface IpNetwork {
  readonly family: Family;
  /** 16 bytes, of which family 4 uses 4. */
  readonly address: Uint8Array;
  readonly bits: number;
}

/** Undefined when `text` is no network; what stands behind the prefix is not looked at. */
export function parseNetwork(text: string): IpNetwork | undefined {
  const [ip = '', prefix, ...rest] = text.split('/');
  const address = new Uint8Array(16);
  const family = parseIp(ip, address);
  if (family === 0 || rest.length > 0) return undefined;
  // `::ffff:10.0.0.0/104` is 10.0.0.0/8, as an address of it is read.
  const isMapped = family === 4 && ip.includes(':');
  const bitsMax = family === 4 ? 32 : 128;
  if (prefix === undefined) return { family, address, bits: bitsMax };
  if (!/^\d{1,3}$/.test(prefix)) return undefined;
  const bits = Number(prefix) - (isMapped ? 96 : 0);
  return bits < 0 || bits > bitsMax ? undefined : { family, address, bits };
}

export class IpNetworks {
  readonly #networks: readonly IpNetwork[];

  /** Texts that are no networks are left out: parseNetwork() tells of them. */
  constructor(texts: readonly string[]) {
    this.#networks = texts
      .map((text) => parseNetwork(text))
      .filter((network) => network !== undefined);
  }

  get isEmpty(): boolean {
    return this.#networks.length === 0;
  }

  has(address: Uint8Array, family: Family): boolean {
    return this.#networks.some(
      (network) => network.family === family && isInside(network, address),
    );
  }
}

function isInside({ address, bits }: IpNetwork, asked: Uint8Array): boolean {
  const whole = bits >> 3;
  for (let at = 0; at < whole; at++) if (address[at] !== asked[at]) return false;
  const rest = bits & 7;
  return rest === 0 || (address[whole]! ^ asked[whole]!) >> (8 - rest) === 0;
}

/**
 * Networks in which nobody on the internet can be dialled (RFC 6890 and its IPv6 relatives): this
 * host, private, shared, link-local, documentation, benchmarking, multicast, reserved; and those
 * that lead to an IPv4 address inside of an IPv6 one, which could be any of them.
 */
export const UNREACHABLE_NETWORKS: IpNetworks = new IpNetworks([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
  '::/8',
  '64:ff9b::/32',
  '100::/64',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
  '5f00::/16',
  'fc00::/7',
  'fe80::/9',
  'ff00::/8',
]);

/** Addresses that are nobody's: they name no host that could have sent anything. */
export const NOBODYS_NETWORKS: IpNetworks = new IpNetworks([
  '0.0.0.0/8',
  '224.0.0.0/3',
  '::/128',
  'ff00::/8',
]);
