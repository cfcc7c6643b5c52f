// The PROXY protocol, versions 1 and 2: what a proxy that passes TCP on says before the first byte of
// the client. Read from the front of a connection's input, strictly: who sends it is configured, and
// from there nothing else may come first.
//
// Version 1, one line of at most 107 bytes:
//   PROXY TCP4 192.0.2.1 198.51.100.1 56324 443 CRLF      client, server, their ports
//   PROXY UNKNOWN … CRLF                                  the connection's own address counts
//
// Version 2, in network order:
//   12  signature 0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a
//    1  2 in the upper four bits, the command in the lower: 0 LOCAL (a health check of the proxy
//       itself), 1 PROXY
//    1  family in the upper four bits (1 IPv4, 2 IPv6, 3 UNIX, 0 none), transport in the lower
//       (1 stream, 2 datagram, 0 none)
//    2  bytes that follow: addresses, then extensions (TLVs), which are skipped
//   12  IPv4: client, server, their ports; 36 for IPv6; 216 for UNIX
// LOCAL, and anything but IP over a stream, says nothing of a client: the connection's own address
// counts.

import { type Family, parseIp } from './ip-address.ts';

/** More extensions than any proxy sends; a longer header is broken. */
export const PROXY_HEADER_BYTES_MAX = 4096;
const LINE_BYTES_MAX = 107;
const FIXED_BYTES = 16;
const STREAM = 1;

export interface ProxyHeader {
  /** Bytes of the header: the client's begin behind it. */
  readonly consumed: number;
  /** Undefined: the connection's own. `address` has 16 bytes, of which family 4 uses 4. */
  readonly client:
    | { readonly family: Family; readonly address: Uint8Array; readonly port: number }
    | undefined;
}

/** Reads `bytes[0 … length)`. `incomplete`: more bytes are needed. */
export function readProxyHeader(
  bytes: Uint8Array,
  length: number,
): ProxyHeader | 'incomplete' | 'broken' {
  if (startsWith(bytes, length, SIGNATURE)) {
    return length < FIXED_BYTES ? 'incomplete' : readVersion2(bytes, length);
  }
  return startsWith(bytes, length, WORD) ? readVersion1(bytes, length) : 'broken';
}

function readVersion1(bytes: Uint8Array, length: number): ProxyHeader | 'incomplete' | 'broken' {
  const limit = Math.min(length, LINE_BYTES_MAX);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, limit).toString('latin1');
  const end = text.indexOf('\r\n');
  if (end < 0) return length >= LINE_BYTES_MAX ? 'broken' : 'incomplete';
  const consumed = end + 2;
  const line = text.slice(0, end);
  if (line === 'PROXY UNKNOWN' || line.startsWith('PROXY UNKNOWN ')) {
    return { consumed, client: undefined };
  }
  const words = /^PROXY TCP([46]) ([\da-fA-F.:]+) ([\da-fA-F.:]+) (\d{1,5}) (\d{1,5})$/.exec(line);
  if (words === null) return 'broken';
  const [, version, from = '', to = '', fromPort, toPort] = words;
  const isText4 = (ip: string): boolean => !ip.includes(':');
  if (isText4(from) !== (version === '4') || isText4(to) !== (version === '4')) return 'broken';
  const address = new Uint8Array(16);
  const family = parseIp(from, address);
  const port = Number(fromPort);
  if (family === 0 || parseIp(to, new Uint8Array(16)) === 0) return 'broken';
  if (port > 0xffff || Number(toPort) > 0xffff) return 'broken';
  return { consumed, client: { family, address, port } };
}

function readVersion2(bytes: Uint8Array, length: number): ProxyHeader | 'incomplete' | 'broken' {
  const version = bytes[12]! >> 4;
  const command = bytes[12]! & 0x0f;
  const kind = bytes[13]! >> 4;
  const transport = bytes[13]! & 0x0f;
  const consumed = FIXED_BYTES + ((bytes[14]! << 8) | bytes[15]!);
  if (version !== 2 || command > 1 || kind > 3 || transport > 2) return 'broken';
  if (consumed > PROXY_HEADER_BYTES_MAX) return 'broken';
  if (length < consumed) return 'incomplete';
  const isIp = kind === 1 || kind === 2;
  if (command === 0 || !isIp || transport !== STREAM) return { consumed, client: undefined };
  const size = kind === 1 ? 4 : 16;
  const portAt = FIXED_BYTES + 2 * size;
  if (consumed < portAt + 4) return 'broken';
  return {
    consumed,
    client: {
      ...ipOf(bytes.subarray(FIXED_BYTES, FIXED_BYTES + size)),
      port: (bytes[portAt]! << 8) | bytes[portAt + 1]!,
    },
  };
}

/** An IPv4-mapped IPv6 address is its IPv4 address. */
function ipOf(raw: Uint8Array): { readonly family: Family; readonly address: Uint8Array } {
  const address = new Uint8Array(16);
  const isMapped = raw.byteLength === 16 && MAPPED.every((byte, at) => raw[at] === byte);
  address.set(isMapped ? raw.subarray(12) : raw);
  return { family: raw.byteLength === 4 || isMapped ? 4 : 6, address };
}

/** As far as there are bytes. */
function startsWith(bytes: Uint8Array, length: number, expected: readonly number[]): boolean {
  return expected.every((byte, at) => at >= length || bytes[at] === byte);
}

const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
const WORD = [...Buffer.from('PROXY ', 'latin1')];
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
