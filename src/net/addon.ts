// The addon in native/: what it offers, word for word as native/sockets.h says, and how it is loaded.
// native/README.md tells each call's meaning. Nothing here or there is shared between threads: each
// loads it once for itself.

import { createRequire } from 'node:module';
import { getSystemErrorName } from 'node:util';
import { messageOf } from '#base/errors.ts';

/** Where the built addon lies, or why there is none. Plain data: it may cross to a thread. */
export type AddonPlace = { readonly path: string } | { readonly why: string };

/** Ids and counts are small integers; a result below 0 is a negative errno. */
export interface Addon {
  readonly version: number;
  close(id: number): void;
  udpOpen(
    words: ArrayBuffer,
    input: ArrayBuffer,
    output: ArrayBuffer,
    onReady: (events: number) => void,
  ): number;
  udpTurn(id: number, outputCount: number, mayReceive: number): number;
  udpWatch(id: number, forWriting: number): void;
  tcpOpen(
    words: ArrayBuffer,
    shared: ArrayBuffer,
    input: ArrayBuffer,
    onReady: (events: number) => void,
  ): number;
  tcpDial(id: number): number;
  tcpAddOutput(id: number, output: ArrayBuffer): number;
  tcpTurn(id: number, operations: number, mayPoll: number): number;
  tcpAccept(id: number, what: number): void;
  sendOpen(results: ArrayBuffer, onReady: (events: number) => void): number;
  sendFile(id: number, socket: number, parts: Float64Array, count: number): number;
  sendCancel(id: number, job: number): void;
  sendTake(id: number): number;
  hashSegment(
    bytes: Uint8Array,
    into: Uint8Array,
    height: number,
    layerHeight: number,
    done: () => void,
  ): number;
  hashFile(
    file: number,
    position: number,
    isEnd: boolean,
    rooms: readonly Uint8Array[],
    spare: Uint8Array,
    into: Uint8Array,
    height: number,
    layerHeight: number,
    done: (status: number) => void,
  ): number;
  pageOffset(bytes: Uint8Array): number;
  crc32c(bytes: Uint8Array, from: number, to: number, seed: number): number;
}

const ADDON_VERSION = 9;

/** Words of the buffer that a socket is opened with: the first 16 ask, the others answer. */
export const WORDS = 32;
/** Room for the path of a UNIX socket, behind them. */
export const PATH_BYTES = 108;
export const FAMILY_UNIX = 1;
export const CONFIG = {
  family: 0,
  port: 1,
  shareCount: 2,
  shareIndex: 3,
  slots: 4,
  inputBytes: 5,
  outputBytes: 6,
  receiveBuffer: 7,
  sendBuffer: 8,
  steer: 9,
  backlog: 7,
  connections: 8,
  batch: 9,
  together: 10,
  keepAlive: 11,
  addressBytesAt: 48,
} as const;
export const REPORT = {
  port: 16,
  receiveBuffer: 17,
  sendBuffer: 18,
  steered: 19,
} as const;
export const UDP_REPORT = {
  sent: 16,
  unsentFrom: 17,
  unreachable: 18,
  sendsFailed: 19,
  sendErrno: 20,
  receiveErrno: 21,
  tooLong: 22,
  badSenders: 23,
  bytesIn: 24,
  bytesOut: 25,
} as const;

export const TCP_REPORT = {
  accepted: 16,
  tooMany: 17,
  shed: 18,
  acceptErrno: 19,
  paused: 20,
  pollErrno: 21,
} as const;

/** The addon, or in words why it cannot be used. Never throws. */
export function loadAddon(place: AddonPlace): { readonly addon: Addon } | { readonly why: string } {
  if ('why' in place) return place;
  try {
    const addon = createRequire(import.meta.url)(place.path) as Addon;
    if (addon.version === ADDON_VERSION) return { addon };
    return { why: `the addon has version ${addon.version}, expected ${ADDON_VERSION}` };
  } catch (error) {
    return { why: messageOf(error).split('\n')[0] ?? '' };
  }
}

/** An error as Node's sockets would throw it, from an errno of either sign. */
export function systemError(errno: number, call: string): Error & { readonly code: string } {
  const code = getSystemErrorName(-Math.abs(errno));
  return Object.assign(new Error(`${call} ${code}`), { code });
}
