// Looks up names of servers that somebody else chose, and leaves out addresses that lead into this machine or
// its network: what is asked there is asked in the server's name, behind every firewall. Names are judged by
// what they lead to when the connection is made, so one that changes its mind in between gains nothing.

import { lookup as lookupName } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { NetError } from './errors.ts';
import { parseIp } from './ip-address.ts';
import { UNREACHABLE_NETWORKS } from './ip-network.ts';

/** Whether anybody on the internet can be reached there. False for what is no address. */
export function isPublicAddress(text: string): boolean {
  const bytes = new Uint8Array(16);
  const family = parseIp(text, bytes);
  return family !== 0 && !UNREACHABLE_NETWORKS.has(bytes, family);
}

/** For a socket's `lookup`: fails with NET_ADDRESS_FORBIDDEN where a name leads nowhere public. */
export const lookupPublic: LookupFunction = (name, options, done) => {
  lookupName(name, { ...options, all: true }, (error, found) => {
    if (error !== null) {
      done(error, '', 0);
      return;
    }
    const allowed = found.filter(({ address }) => isPublicAddress(address));
    const [first] = allowed;
    if (first === undefined) done(forbidden(name), '', 0);
    else if (options.all === true) done(null, allowed);
    else done(null, first.address, first.family);
  });
};

/** An address as a URL has it is never looked up. @throws NetError NET_ADDRESS_FORBIDDEN */
export function refusePrivateHost({ hostname }: URL): void {
  const text = hostname.replace(/^\[|\]$/g, '');
  const isAddress = parseIp(text, new Uint8Array(16)) !== 0;
  if (isAddress && !isPublicAddress(text)) throw forbidden(text);
}

function forbidden(name: string): NetError {
  return new NetError('NET_ADDRESS_FORBIDDEN', `"${name}" leads to a private address`);
}
