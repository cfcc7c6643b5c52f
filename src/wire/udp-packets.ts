// The UDP tracker protocol: BEP 15 with the options of BEP 41. This file owns the layouts.
// All integers are big endian.
//
//   connect request, 16 bytes      connect answer, 16 bytes
//    0 u64 0x0000041727101980       0 u32 action 0
//    8 u32 action 0                 4 u32 transaction id
//   12 u32 transaction id           8 u64 connection id
//
//   announce request, 98 bytes or more           announce answer, 20 bytes and the peers
//    0 u64 connection id     64 u64 left          0 u32 action 1
//    8 u32 action 1          72 u64 uploaded      4 u32 transaction id
//   12 u32 transaction id    80 u32 event         8 u32 interval, seconds
//   16 info hash, 20 bytes   84 u32 IP, ignored  12 u32 leechers
//   36 peer id, 20 bytes     88 u32 key          16 u32 seeders
//   56 u64 downloaded        92 i32 numwant      20 6 bytes (IPv4) or 18 (IPv6) for each peer,
//                            96 u16 port            by the family of the socket
//                            98 options of BEP 41
//
//   scrape request                               scrape answer
//    0 u64 connection id                          0 u32 action 2
//    8 u32 action 2                               4 u32 transaction id
//   12 u32 transaction id                         8 u32 seeders, completed, leechers
//   16 info hashes, 20 bytes each, up to 74         for each hash, in the order asked
//
//   error answer: u32 action 3, u32 transaction id, text
//
// An option is a type byte; 0 ends the list, 1 is a filler, every other has a length byte and that
// many bytes. Type 2 is a part of the URL's path and query; the parts are joined in order. What is
// cut off or unknown is skipped. Ids that are only echoed are copied as bytes.

import { assert } from '#base/assert.ts';
import type { AnnounceAnswer, AnnounceEventNumber, AnnounceTarget } from './announce-target.ts';
import { LEFT_UNKNOWN } from './announce-target.ts';
import { PeerCopier } from './compact-peers.ts';

export const UDP_CONNECT_BYTES = 16;
export const UDP_ANNOUNCE_BYTES_MIN = 98;
/** Where info hash and port stand in an announce. */
export const UDP_HASH_AT = 16;
export const UDP_PORT_AT = 96;
export const UDP_SCRAPE_HASHES_MAX = 74;
/** Joined URL data of BEP 41; more is refused. */
export const UDP_URL_BYTES_MAX = 512;

const ACTION_CONNECT = 0;
const ACTION_ANNOUNCE = 1;
const ACTION_SCRAPE = 2;
const ACTION_ERROR = 3;
const HEADER_BYTES = 16;
const HASH_BYTES = 20;
const TWO_32 = 0x1_0000_0000;
// 2^53 is this many times 2^32, so a counter whose upper half is smaller is a safe integer.
const SAFE_HIGH = 0x20_0000;

/**
 * Why a packet is not a request. `short`, `magic` and `action` deserve silence: whoever sent them
 * does not speak the protocol. `counter` (a total that is not below 2^53) and `url` (too long) come
 * from a client and can be answered with an error.
 */
export type UdpRefusal = 'none' | 'short' | 'magic' | 'action' | 'counter' | 'url';

/** One per thread and socket; `decode` overwrites everything that its kind of request has. */
export class UdpRequest {
  kind: 'connect' | 'announce' | 'scrape' = 'connect';
  /** 8 bytes; of a connect request it is the magic. */
  readonly connectionId: Uint8Array = new Uint8Array(8);
  /** 4 bytes, to be echoed. Valid as soon as a packet has 16 bytes, also when it is refused. */
  readonly transactionId: Uint8Array = new Uint8Array(4);
  /** Filled by an announce. */
  readonly announce: AnnounceTarget;
  /** URL data of BEP 41, `/<passkey>/announce`: its first `urlBytes` bytes. */
  readonly url: Uint8Array = new Uint8Array(UDP_URL_BYTES_MAX);
  urlBytes = 0;
  /** Filled by a scrape: `scrapeCount` hashes of 20 bytes; those above the maximum are left out. */
  readonly scrapeHashes: Uint8Array = new Uint8Array(UDP_SCRAPE_HASHES_MAX * HASH_BYTES);
  scrapeCount = 0;
  /** Of the answer to it. */
  readonly copier = new PeerCopier();
  /** Ids are copied as words: byte by byte takes three times as long. */
  readonly #infoHash: DataView;
  readonly #peerId: DataView;
  readonly #url: DataView = viewOf(this.url);
  /** A view of what was read last, which is one buffer for all packets of a socket. */
  #bytes: Uint8Array = new Uint8Array(0);
  #view: DataView = viewOf(this.#bytes);

  constructor(announce: AnnounceTarget) {
    this.announce = announce;
    this.#infoHash = viewOf(announce.infoHash);
    this.#peerId = viewOf(announce.peerId);
  }

  /**
   * Reads the packet of `length` bytes at `at`. The caller checks the connection id. Who knows what the
   * options of an announce say already, by their bytes, need not have them read: there is no URL then.
   */
  decode(bytes: Uint8Array, at: number, length: number, readsOptions = true): UdpRefusal {
    assert(at + length <= bytes.length, 'the packet lies inside of its buffer');
    if (length < HEADER_BYTES) return 'short';
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#view = viewOf(bytes);
    }
    const view = this.#view;
    copy(this.connectionId, bytes, at, 8);
    copy(this.transactionId, bytes, at + 12, 4);
    switch (view.getUint32(at + 8)) {
      case ACTION_CONNECT:
        this.kind = 'connect';
        return view.getUint32(at) === 0x417 && view.getUint32(at + 4) === 0x27101980
          ? 'none'
          : 'magic';
      case ACTION_ANNOUNCE:
        this.kind = 'announce';
        if (length < UDP_ANNOUNCE_BYTES_MIN) return 'short';
        return this.#announce(bytes, at, readsOptions ? length : UDP_ANNOUNCE_BYTES_MIN);
      case ACTION_SCRAPE:
        this.kind = 'scrape';
        return this.#scrape(bytes, at + HEADER_BYTES, length - HEADER_BYTES);
      default:
        return 'action';
    }
  }

  #announce(bytes: Uint8Array, at: number, length: number): UdpRefusal {
    const announce = this.announce;
    const view = this.#view;
    copyId(this.#infoHash, view, at + 16);
    copyId(this.#peerId, view, at + 36);
    const downloaded = readCounter(view, at + 56);
    const left = readCounter(view, at + 64);
    const uploaded = readCounter(view, at + 72);
    const event = view.getUint32(at + 80);
    announce.downloaded = downloaded;
    announce.uploaded = uploaded;
    announce.left = left < 0 ? LEFT_UNKNOWN : left;
    announce.event = (event <= 4 ? event : 0) as AnnounceEventNumber;
    announce.key = view.getUint32(at + 88);
    const numwant = view.getInt32(at + 92);
    announce.numwant = numwant < 0 ? -1 : numwant;
    announce.port = view.getUint16(at + 96);
    if (!this.#options(bytes, at + UDP_ANNOUNCE_BYTES_MIN, at + length)) return 'url';
    return downloaded < 0 || uploaded < 0 ? 'counter' : 'none';
  }

  #options(bytes: Uint8Array, start: number, end: number): boolean {
    this.urlBytes = 0;
    let at = start;
    while (at < end) {
      const type = byteAt(bytes, at);
      at += 1;
      if (type === 0) return true;
      if (type === 1) continue;
      if (at >= end) return true;
      const size = byteAt(bytes, at);
      at += 1;
      if (size > end - at) return true;
      if (type === 2) {
        if (this.urlBytes + size > UDP_URL_BYTES_MAX) return false;
        this.#copyUrl(bytes, at, size);
      }
      at += size;
    }
    return true;
  }

  #copyUrl(bytes: Uint8Array, at: number, size: number): void {
    const to = this.urlBytes;
    let from = 0;
    for (; from + 4 <= size; from += 4) {
      this.#url.setInt32(to + from, this.#view.getInt32(at + from));
    }
    for (; from < size; from++) this.url[to + from] = byteAt(bytes, at + from);
    this.urlBytes = to + size;
  }

  #scrape(bytes: Uint8Array, at: number, length: number): UdpRefusal {
    const count = Math.min(Math.floor(length / HASH_BYTES), UDP_SCRAPE_HASHES_MAX);
    if (count === 0) return 'short';
    copy(this.scrapeHashes, bytes, at, count * HASH_BYTES);
    this.scrapeCount = count;
    return 'none';
  }
}

/** Every encoder writes at `at` into `into`, which has room, and returns the bytes written. */
export function writeUdpConnect(
  into: Uint8Array,
  at: number,
  request: UdpRequest,
  connectionId: Uint8Array,
): number {
  assert(at + UDP_CONNECT_BYTES <= into.length, 'a connect answer has room');
  assert(connectionId.length >= 8, 'a connection id is 8 bytes');
  writeHeader(into, at, ACTION_CONNECT, request.transactionId);
  for (let byte = 0; byte < 8; byte++) into[at + 8 + byte] = byteAt(connectionId, byte);
  return UDP_CONNECT_BYTES;
}

/** `family` is the socket's: it decides which of the answer's peers are written. */
export function writeUdpAnnounce(
  into: Uint8Array,
  at: number,
  request: UdpRequest,
  answer: AnnounceAnswer & { readonly family: 4 | 6 },
): number {
  const isIPv4 = answer.family === 4;
  const peers = isIPv4 ? answer.peers4 : answer.peers6;
  const peersBytes = isIPv4 ? answer.peers4Count * 6 : answer.peers6Count * 18;
  assert(at + 20 + peersBytes <= into.length, 'an announce answer has room');
  writeHeader(into, at, ACTION_ANNOUNCE, request.transactionId);
  writeU32(into, at + 8, answer.intervalSeconds);
  writeU32(into, at + 12, answer.leechers);
  writeU32(into, at + 16, answer.seeders);
  request.copier.copy(peers, peersBytes, into, at + 20);
  return 20 + peersBytes;
}

/** Three numbers for each hash of the request, in its order: seeders, completed, leechers. */
export function writeUdpScrape(
  into: Uint8Array,
  at: number,
  request: UdpRequest,
  counts: ArrayLike<number>,
): number {
  const numbers = request.scrapeCount * 3;
  assert(counts.length >= numbers, 'a scrape has three numbers for each hash');
  assert(at + 8 + numbers * 4 <= into.length, 'a scrape answer has room');
  writeHeader(into, at, ACTION_SCRAPE, request.transactionId);
  for (let index = 0; index < numbers; index++) {
    writeU32(into, at + 8 + index * 4, counts[index] ?? 0);
  }
  return 8 + numbers * 4;
}

/** `text` was encoded once, at start; nothing ends or frames it but the packet itself. */
export function writeUdpError(
  into: Uint8Array,
  at: number,
  request: UdpRequest,
  text: Uint8Array,
): number {
  assert(at + 8 + text.length <= into.length, 'an error has room');
  writeHeader(into, at, ACTION_ERROR, request.transactionId);
  for (let byte = 0; byte < text.length; byte++) into[at + 8 + byte] = byteAt(text, byte);
  return 8 + text.length;
}

function writeHeader(
  into: Uint8Array,
  at: number,
  action: number,
  transactionId: Uint8Array,
): void {
  writeU32(into, at, action);
  for (let byte = 0; byte < 4; byte++) into[at + 4 + byte] = byteAt(transactionId, byte);
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] as number;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A u64, or -1 when it is not a safe integer. */
function readCounter(view: DataView, at: number): number {
  const high = view.getUint32(at);
  return high < SAFE_HIGH ? high * TWO_32 + view.getUint32(at + 4) : -1;
}

/** Twenty bytes as they are. */
function copyId(into: DataView, view: DataView, at: number): void {
  for (let byte = 0; byte < HASH_BYTES; byte += 4) into.setInt32(byte, view.getInt32(at + byte));
}

function writeU32(into: Uint8Array, at: number, value: number): void {
  into[at] = value >>> 24;
  into[at + 1] = value >>> 16;
  into[at + 2] = value >>> 8;
  into[at + 3] = value;
}

function copy(into: Uint8Array, bytes: Uint8Array, at: number, length: number): void {
  for (let byte = 0; byte < length; byte++) into[byte] = byteAt(bytes, at + byte);
}
