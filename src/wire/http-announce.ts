// The request target of an announce or scrape: BEP 3, BEP 23 (`compact`), BEP 48 (scrape). Reads
// bytes, fills an object that the caller reuses, makes no strings.
//
//   /<passkey>/announce?…    as handed out: clients derive the scrape URL from the last segment
//   /announce/<passkey>?…    accepted too; both also in the URL data of BEP 41
//   /announce?…              without a passkey (listed and open modes)
//   …/scrape…                the same three
//
// Parameters may come in any order; names and values may be percent-encoded in any spelling (%2f,
// %2F, needlessly encoded letters). `+` is itself, not a space: clients that follow RFC 1738 send it
// bare in `info_hash`, and a space as %20. The client's `ip` is ignored unless `readsIp` is set.

import { assert } from '#base/assert.ts';
import { utf8 } from '#base/bytes.ts';
import {
  ANNOUNCE_EVENT,
  type AnnounceEventNumber,
  type AnnounceTarget,
  LEFT_UNKNOWN,
} from './announce-target.ts';
import { BROKEN, decode, decodeId, hexDigit, indexOf, isAt, isText, TOO_LONG } from './percent.ts';

export const HTTP_SCRAPE_HASHES_MAX = 100;
export const PASSKEY_BYTES_MAX = 64;
const HASH_BYTES = 20;
const NAME_BYTES_MAX = 16;
/** Longer than any IP address as text. */
const IP_BYTES_MAX = 48;
/** Longer values than any number or event has are told apart from shorter ones, not kept. */
const VALUE_BYTES_MAX = 24;
const NUMWANT_MAX = 0x7fff_ffff;
const NO_IP = { readsIp: false };

/** Why a target cannot be answered; `path` means that it is no tracker path at all (404). */
export type HttpTargetRefusal =
  | 'none'
  | 'path'
  | 'passkey-form'
  | 'info-hash-missing'
  | 'info-hash-form'
  | 'info-hash-twice'
  | 'peer-id-missing'
  | 'peer-id-form'
  | 'port'
  | 'uploaded'
  | 'downloaded'
  | 'left'
  | 'counter'
  | 'encoding';

/** Words that a client shows its user. */
export const HTTP_TARGET_REFUSAL_WORDS: Readonly<
  Record<Exclude<HttpTargetRefusal, 'none'>, string>
> = {
  path: 'this is a tracker: announce at /<passkey>/announce',
  'passkey-form': 'the passkey in the announce URL is not one of ours',
  'info-hash-missing': 'info_hash is missing',
  'info-hash-form': 'info_hash must be 20 bytes, percent-encoded',
  'info-hash-twice': 'info_hash was sent more than once',
  'peer-id-missing': 'peer_id is missing',
  'peer-id-form': 'peer_id must be 20 bytes, percent-encoded',
  port: 'port is missing or not a number from 0 to 65535',
  uploaded: 'uploaded is missing or not a number of bytes',
  downloaded: 'downloaded is missing or not a number of bytes',
  left: 'left is not a number of bytes',
  counter: 'uploaded or downloaded is too large to be true',
  encoding: 'the request has a broken percent-encoding',
};

/** One per thread; `parse` overwrites it. */
export class HttpTarget {
  kind: 'announce' | 'scrape' = 'announce';
  /** As it stands in the path, decoded; its first `passkeyBytes` bytes. */
  readonly passkey: Uint8Array = new Uint8Array(PASSKEY_BYTES_MAX);
  /** 0: the path names nobody. */
  passkeyBytes = 0;
  /** Filled by an announce. */
  readonly announce: AnnounceTarget;
  /** `compact=0` was said. Anything else, or nothing, means compact (BEP 23). */
  wantsDictionary = false;
  /** `no_peer_id=1`: leave peer ids out of a dictionary answer. */
  noPeerId = false;
  /** Filled by a scrape: `scrapeCount` hashes of 20 bytes; those above the maximum are left out. */
  readonly scrapeHashes: Uint8Array = new Uint8Array(HTTP_SCRAPE_HASHES_MAX * HASH_BYTES);
  scrapeCount = 0;
  /** The `ip` of an announce as text, its first `ipBytes` bytes; 0 without `readsIp`. */
  readonly ip: Uint8Array = new Uint8Array(IP_BYTES_MAX);
  ipBytes = 0;
  readonly #readsIp: boolean;
  readonly #hash: Uint8Array = new Uint8Array(HASH_BYTES);
  readonly #name: Uint8Array = new Uint8Array(NAME_BYTES_MAX);
  readonly #value: Uint8Array = new Uint8Array(VALUE_BYTES_MAX);
  #infoHashes = 0;
  #peerIds = 0;
  #hasPort = false;
  #hasUploaded = false;
  #hasDownloaded = false;
  #number = 0;
  #numberEnd = 0;

  constructor(announce: AnnounceTarget, options: { readonly readsIp: boolean } = NO_IP) {
    this.announce = announce;
    this.#readsIp = options.readsIp;
  }

  /** Reads the `length` bytes at `at`: a path with an optional query. */
  parse(bytes: Uint8Array, at: number, length: number): HttpTargetRefusal {
    const end = at + length;
    assert(end <= bytes.length, 'the target lies inside of its buffer');
    this.#reset();
    let pathEnd = this.#plainPath(bytes, at, end);
    if (pathEnd < 0) {
      pathEnd = indexOf(bytes, QUESTION_MARK, at, end);
      const path = this.#path(bytes, at, pathEnd);
      if (path !== 'none') return path;
    }
    const isAnnounce = this.kind === 'announce';
    for (let start = pathEnd + 1; start < end; ) {
      const plainEnd = isAnnounce ? this.#plainPair(bytes, start, end) : -1;
      if (plainEnd >= 0) {
        start = plainEnd + 1;
        continue;
      }
      const next = indexOf(bytes, AMPERSAND, start, end);
      const refusal = this.#pair(bytes, start, next);
      if (refusal !== 'none') return refusal;
      start = next + 1;
    }
    return this.kind === 'announce' ? this.#complete() : 'none';
  }

  /** Reads a path only: the URL data of BEP 41, whose query says nothing that the packet doesn't. */
  parsePath(bytes: Uint8Array, at: number, length: number): HttpTargetRefusal {
    const end = at + length;
    assert(end <= bytes.length, 'the path lies inside of its buffer');
    this.#reset();
    if (this.#plainPath(bytes, at, end) >= 0) return 'none';
    return this.#path(bytes, at, indexOf(bytes, QUESTION_MARK, at, end));
  }

  #reset(): void {
    const announce = this.announce;
    announce.event = ANNOUNCE_EVENT.none;
    announce.key = 0;
    announce.left = LEFT_UNKNOWN;
    announce.numwant = -1;
    announce.port = 0;
    announce.uploaded = 0;
    announce.downloaded = 0;
    this.passkeyBytes = 0;
    this.wantsDictionary = false;
    this.noPeerId = false;
    this.scrapeCount = 0;
    this.ipBytes = 0;
    this.#infoHashes = 0;
    this.#peerIds = 0;
    this.#hasPort = false;
    this.#hasUploaded = false;
    this.#hasDownloaded = false;
  }

  /**
   * The paths as they are handed out and written by nearly everybody, in one pass: returns where the
   * path ends, -1 when it is another one, which is for `#path` to read.
   */
  #plainPath(bytes: Uint8Array, start: number, end: number): number {
    const { passkey } = this;
    if (bytes[start] !== SLASH) return -1;
    let size = 0;
    let at = start + 1;
    for (; at < end && size < PASSKEY_BYTES_MAX; at++, size++) {
      const byte = bytes[at] as number;
      if (byte === SLASH || byte === QUESTION_MARK || byte === PERCENT) break;
      passkey[size] = byte;
    }
    // Shorter ones may be a verb.
    if (size < PLAIN_PASSKEY_BYTES_MIN || !isAt(bytes, at, end, PATH_END)) return -1;
    at += PATH_END.length;
    if (at < end && bytes[at] !== QUESTION_MARK) return -1;
    this.kind = 'announce';
    this.passkeyBytes = size;
    return at;
  }

  /**
   * A parameter of an announce as nearly every client spells it. Returns where it ends; -1 when it
   * is another one, or anything about it is unusual: `#pair` reads those from their start.
   */
  #plainPair(bytes: Uint8Array, start: number, end: number): number {
    const { announce } = this;
    switch (bytes[start]) {
      case LOWER_I:
        if (this.#infoHashes > 0 || !isAt(bytes, start, end, INFO_HASH)) return -1;
        return this.#plainHash(bytes, start + INFO_HASH.length, end);
      case LOWER_P:
        if (isAt(bytes, start, end, PEER_ID)) {
          const next = decodeId(bytes, start + PEER_ID.length, end, announce.peerId);
          if (next >= 0) this.#peerIds += 1;
          return next;
        }
        if (!isAt(bytes, start, end, PORT) || !this.#digits(bytes, start + PORT.length, end)) {
          return -1;
        }
        if (this.#number > 0xffff) return -1;
        announce.port = this.#number;
        this.#hasPort = true;
        return this.#numberEnd;
      case LOWER_U:
        if (!isAt(bytes, start, end, UPLOADED)) return -1;
        if (!this.#digits(bytes, start + UPLOADED.length, end)) return -1;
        announce.uploaded = this.#number;
        this.#hasUploaded = true;
        return this.#numberEnd;
      case LOWER_D:
        if (!isAt(bytes, start, end, DOWNLOADED)) return -1;
        if (!this.#digits(bytes, start + DOWNLOADED.length, end)) return -1;
        announce.downloaded = this.#number;
        this.#hasDownloaded = true;
        return this.#numberEnd;
      case LOWER_L:
        if (!isAt(bytes, start, end, LEFT)) return -1;
        if (!this.#digits(bytes, start + LEFT.length, end)) return -1;
        announce.left = Math.min(this.#number, LEFT_UNKNOWN);
        return this.#numberEnd;
      case LOWER_N:
        if (!isAt(bytes, start, end, NUMWANT)) return -1;
        if (!this.#digits(bytes, start + NUMWANT.length, end)) return -1;
        announce.numwant = Math.min(this.#number, NUMWANT_MAX);
        return this.#numberEnd;
      case LOWER_C:
        if (!isAt(bytes, start, end, COMPACT)) return -1;
        if (!this.#digits(bytes, start + COMPACT.length, end)) return -1;
        if (this.#number !== 1) return -1;
        this.wantsDictionary = false;
        return this.#numberEnd;
      default:
        return -1;
    }
  }

  #plainHash(bytes: Uint8Array, from: number, end: number): number {
    const next = decodeId(bytes, from, end, this.announce.infoHash);
    if (next >= 0) this.#infoHashes += 1;
    return next;
  }

  /** A value of few digits and nothing else, into `#number`; it ends at `#numberEnd`. */
  #digits(bytes: Uint8Array, from: number, end: number): boolean {
    let number = 0;
    let at = from;
    for (; at < end; at++) {
      const digit = (bytes[at] as number) - 0x30;
      if (digit < 0 || digit > 9) break;
      number = number * 10 + digit;
    }
    const size = at - from;
    if (size === 0 || size > PLAIN_DIGITS_MAX) return false;
    if (at < end && bytes[at] !== AMPERSAND) return false;
    this.#number = number;
    this.#numberEnd = at;
    return true;
  }

  #path(bytes: Uint8Array, start: number, end: number): HttpTargetRefusal {
    if (start >= end || bytes[start] !== SLASH) return 'path';
    const firstEnd = indexOf(bytes, SLASH, start + 1, end);
    if (this.#isVerb(bytes, start + 1, firstEnd)) {
      return this.#passkey(bytes, Math.min(firstEnd + 1, end), end);
    }
    if (!this.#isVerb(bytes, firstEnd + 1, end)) return 'path';
    return this.#passkey(bytes, start + 1, firstEnd);
  }

  #isVerb(bytes: Uint8Array, start: number, end: number): boolean {
    const size = decode(bytes, start, end, this.#name);
    if (isText(this.#name, size, 'announce')) this.kind = 'announce';
    else if (isText(this.#name, size, 'scrape')) this.kind = 'scrape';
    else return false;
    return true;
  }

  #passkey(bytes: Uint8Array, start: number, end: number): HttpTargetRefusal {
    const size = decode(bytes, start, end, this.passkey);
    if (size < 0) return 'passkey-form';
    this.passkeyBytes = size;
    return 'none';
  }

  #pair(bytes: Uint8Array, start: number, end: number): HttpTargetRefusal {
    const nameEnd = indexOf(bytes, EQUALS, start, end);
    const size = decode(bytes, start, nameEnd, this.#name);
    // A name that does not fit is none of ours; a broken one may have been.
    if (size < 0) return size === BROKEN ? 'encoding' : 'none';
    const from = Math.min(nameEnd + 1, end);
    const name = this.#name;
    if (isText(name, size, 'info_hash')) return this.#infoHash(bytes, from, end);
    if (this.kind === 'scrape') return 'none';
    if (isText(name, size, 'peer_id')) return this.#peerId(bytes, from, end);
    if (this.#readsIp && isText(name, size, 'ip')) {
      this.ipBytes = Math.max(0, decode(bytes, from, end, this.ip));
      return 'none';
    }
    return this.#other(size, decode(bytes, from, end, this.#value));
  }

  #infoHash(bytes: Uint8Array, from: number, end: number): HttpTargetRefusal {
    const isAnnounce = this.kind === 'announce';
    if (isAnnounce && this.#infoHashes > 0) return 'info-hash-twice';
    if (this.scrapeCount >= HTTP_SCRAPE_HASHES_MAX) return 'none';
    if (decode(bytes, from, end, this.#hash) !== HASH_BYTES) return 'info-hash-form';
    const into = isAnnounce ? this.announce.infoHash : this.scrapeHashes;
    const at = this.scrapeCount * HASH_BYTES;
    for (let byte = 0; byte < HASH_BYTES; byte++) into[at + byte] = this.#hash[byte] as number;
    if (isAnnounce) this.#infoHashes += 1;
    else this.scrapeCount += 1;
    return 'none';
  }

  #peerId(bytes: Uint8Array, from: number, end: number): HttpTargetRefusal {
    if (decode(bytes, from, end, this.announce.peerId) !== HASH_BYTES) return 'peer-id-form';
    this.#peerIds += 1;
    return 'none';
  }

  /** A parameter with a short value, decoded into `#value`; `size` is negative when it is longer. */
  #other(nameSize: number, size: number): HttpTargetRefusal {
    if (size === BROKEN) return 'encoding';
    const announce = this.announce;
    const name = this.#name;
    const value = this.#value;
    if (isText(name, nameSize, 'port')) {
      announce.port = readNumber(value, size);
      this.#hasPort = announce.port >= 0 && announce.port <= 0xffff;
      return this.#hasPort ? 'none' : 'port';
    }
    if (isText(name, nameSize, 'uploaded')) {
      announce.uploaded = readNumber(value, size);
      this.#hasUploaded = true;
      return counterRefusal(announce.uploaded, 'uploaded');
    }
    if (isText(name, nameSize, 'downloaded')) {
      announce.downloaded = readNumber(value, size);
      this.#hasDownloaded = true;
      return counterRefusal(announce.downloaded, 'downloaded');
    }
    if (isText(name, nameSize, 'left')) {
      const left = readNumber(value, size);
      announce.left = left >= 0 && left < LEFT_UNKNOWN ? left : LEFT_UNKNOWN;
      return left === NOT_A_NUMBER ? 'left' : 'none';
    }
    this.#optional(nameSize, size);
    return 'none';
  }

  /** What has a default: a value that means nothing is as good as none. */
  #optional(nameSize: number, size: number): void {
    const name = this.#name;
    const value = this.#value;
    if (isText(name, nameSize, 'event')) this.announce.event = readEvent(value, size);
    else if (isText(name, nameSize, 'numwant')) {
      const numwant = readNumber(value, size);
      this.announce.numwant = numwant < 0 ? -1 : Math.min(numwant, NUMWANT_MAX);
    } else if (isText(name, nameSize, 'key')) this.announce.key = readKey(value, size);
    else if (isText(name, nameSize, 'compact')) this.wantsDictionary = isText(value, size, '0');
    else if (isText(name, nameSize, 'no_peer_id')) this.noPeerId = isText(value, size, '1');
  }

  #complete(): HttpTargetRefusal {
    if (this.#infoHashes === 0) return 'info-hash-missing';
    if (this.#peerIds === 0) return 'peer-id-missing';
    if (!this.#hasPort) return 'port';
    if (!this.#hasUploaded) return 'uploaded';
    return this.#hasDownloaded ? 'none' : 'downloaded';
  }
}

/** Longer than `announce` and `scrape`: a first part of a path that is a key for sure. */
const PLAIN_PASSKEY_BYTES_MIN = 9;
/** So many digits are a safe integer. */
const PLAIN_DIGITS_MAX = 15;
const PATH_END: Uint8Array = utf8('/announce');
const INFO_HASH: Uint8Array = utf8('info_hash=');
const PEER_ID: Uint8Array = utf8('peer_id=');
const PORT: Uint8Array = utf8('port=');
const UPLOADED: Uint8Array = utf8('uploaded=');
const DOWNLOADED: Uint8Array = utf8('downloaded=');
const LEFT: Uint8Array = utf8('left=');
const NUMWANT: Uint8Array = utf8('numwant=');
const COMPACT: Uint8Array = utf8('compact=');
const LOWER_C = 0x63;
const LOWER_D = 0x64;
const LOWER_I = 0x69;
const LOWER_L = 0x6c;
const LOWER_N = 0x6e;
const LOWER_P = 0x70;
const LOWER_U = 0x75;
const SLASH = 0x2f;
const QUESTION_MARK = 0x3f;
const AMPERSAND = 0x26;
const EQUALS = 0x3d;
const PERCENT = 0x25;
/** `readNumber`: something else than digits. */
const NOT_A_NUMBER = -1;
/** `readNumber`: a minus sign and digits. */
const NEGATIVE = -2;

/** Decimal digits; what is above the safe integers is Infinity. */
function readNumber(value: Uint8Array, size: number): number {
  const isLonger = size === TOO_LONG;
  const length = isLonger ? value.length : size;
  const isNegative = length > 1 && value[0] === 0x2d;
  let number = 0;
  for (let at = isNegative ? 1 : 0; at < length; at++) {
    const digit = (value[at] as number) - 0x30;
    if (digit < 0 || digit > 9) return NOT_A_NUMBER;
    number = number * 10 + digit;
  }
  if (length <= 0) return NOT_A_NUMBER;
  if (isNegative) return NEGATIVE;
  return isLonger || number > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : number;
}

function counterRefusal(value: number, field: 'uploaded' | 'downloaded'): HttpTargetRefusal {
  if (value < 0) return field;
  return value === Number.POSITIVE_INFINITY ? 'counter' : 'none';
}

function readEvent(value: Uint8Array, size: number): AnnounceEventNumber {
  if (isText(value, size, 'started')) return ANNOUNCE_EVENT.started;
  if (isText(value, size, 'stopped')) return ANNOUNCE_EVENT.stopped;
  if (isText(value, size, 'completed')) return ANNOUNCE_EVENT.completed;
  return isText(value, size, 'paused') ? ANNOUNCE_EVENT.paused : ANNOUNCE_EVENT.none;
}

/**
 * The client's random key as the 32 bits that the UDP protocol has for it: up to eight hexadecimal
 * digits are the number itself (libtorrent and Transmission write the number they send by UDP), so
 * that one client is one by both doors; anything else is its 32-bit FNV-1a over at most 24 bytes.
 */
function readKey(value: Uint8Array, size: number): number {
  const length = size === TOO_LONG ? value.length : size;
  let number = 0;
  let isHex = size !== TOO_LONG && length <= 8;
  let hash = 0x811c9dc5;
  for (let at = 0; at < length; at++) {
    const byte = value[at] as number;
    const digit = hexDigit(byte);
    if (digit < 0) isHex = false;
    number = number * 16 + digit;
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return isHex ? number >>> 0 : hash >>> 0;
}
