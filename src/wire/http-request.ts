// The head of an HTTP/1.0 or 1.1 request (RFC 9112), read from the bytes of a connection's buffer.
// Trackers get short GET requests by the thousand, so this reads no more than it must and makes no
// strings; it is strict where two readers could see two requests in the same bytes: there are no
// bodies, no folded lines, no space before a colon, one Host.

import { assert } from '#base/assert.ts';

export const HTTP_HEAD_BYTES_MAX = 8192;
const HEADERS_MAX = 100;

/**
 * `incomplete`: more bytes are needed. A number is the status to answer with before closing:
 * 400 not HTTP or ambiguous, 405 neither GET nor HEAD, 413 with a body, 414 or 431 too long,
 * 505 another version.
 */
export type HttpHeadResult = 'incomplete' | 'complete' | 400 | 405 | 413 | 414 | 431 | 505;

/** A range of the parsed buffer; `length` 0 when absent. */
export interface ByteSpan {
  at: number;
  length: number;
}

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const COLON = 0x3a;
const COMMA = 0x2c;
const SLASH = 0x2f;
const EQUALS = 0x3d;

const NAME_HOST = bytesOf('host');
const NAME_CONNECTION = bytesOf('connection');
const NAME_UPGRADE = bytesOf('upgrade');
const NAME_ACCEPT_ENCODING = bytesOf('accept-encoding');
const NAME_WS_KEY = bytesOf('sec-websocket-key');
const NAME_WS_VERSION = bytesOf('sec-websocket-version');
const NAME_CONTENT_LENGTH = bytesOf('content-length');
const NAME_TRANSFER_ENCODING = bytesOf('transfer-encoding');
const TOKEN_GZIP = bytesOf('gzip');
const TOKEN_CLOSE = bytesOf('close');
const TOKEN_KEEP_ALIVE = bytesOf('keep-alive');
const TOKEN_UPGRADE = bytesOf('upgrade');
const METHOD_GET = bytesOf('GET ');
const METHOD_HEAD = bytesOf('HEAD ');
const HTTP_SLASH = bytesOf('HTTP/');
const VERSION_AND_LINE_END = bytesOf(' HTTP/1.1\r\n');

/** One per connection or thread; `parse` overwrites it. Spans point into the parsed buffer. */
export class HttpRequestHead {
  isHead = false;
  /** From the first `/` of the path; the authority of an absolute target is skipped. */
  readonly target: ByteSpan = { at: 0, length: 0 };
  /** What the client asks for; the answer must say so for HTTP/1.0. */
  keepAlive = false;
  isHttp10 = false;
  /** `Accept-Encoding` names gzip, and not with the weight 0. */
  acceptsGzip = false;
  /** `Connection: upgrade` was said together with an `Upgrade` header. */
  wantsUpgrade = false;
  readonly upgrade: ByteSpan = { at: 0, length: 0 };
  readonly host: ByteSpan = { at: 0, length: 0 };
  readonly webSocketKey: ByteSpan = { at: 0, length: 0 };
  readonly webSocketVersion: ByteSpan = { at: 0, length: 0 };
  /** Bytes of this head, the empty line included: the next pipelined request starts there. */
  consumed = 0;
  #hosts = 0;
  #hasBody = false;
  #saysClose = false;
  #saysKeepAlive = false;
  #saysUpgrade = false;

  /** Reads one head from `bytes[start..end)`. Fields are valid after `complete` only. */
  parse(bytes: Uint8Array, start: number, end: number): HttpHeadResult {
    assert(start <= end && end <= bytes.length, 'the request lies inside of its buffer');
    this.#reset();
    let at = start;
    // Empty lines before a request are left over from some clients' previous one (RFC 9112 2.2).
    while (at < end && at - start < 4 && isLineEnd(bytes[at])) at += 1;
    const limit = Math.min(end, start + HTTP_HEAD_BYTES_MAX);
    const isFull = end - start >= HTTP_HEAD_BYTES_MAX;
    const plainEnd = this.#plainLine(bytes, at, limit);
    if (plainEnd >= 0) at = plainEnd;
    else {
      const lineEnd = findLine(bytes, at, limit);
      if (lineEnd < 0) {
        if (isFull) return 414;
        // Who speaks TLS to this port is told so by the first byte; there is no line to wait for.
        return at < end && !isTokenByte(bytes[at]) && !isLineEnd(bytes[at]) ? 400 : 'incomplete';
      }
      const line = this.#requestLine(bytes, at, trimCr(bytes, at, lineEnd));
      if (line !== 'complete') return line;
      at = lineEnd + 1;
    }
    for (let headers = 0; ; headers++) {
      // The empty line, which needs no search.
      const isEmpty = at + 1 < limit && bytes[at] === CR && bytes[at + 1] === LF;
      const next = isEmpty ? at + 1 : findLine(bytes, at, limit);
      if (next < 0) return isFull ? 431 : 'incomplete';
      const last = trimCr(bytes, at, next);
      if (last === at) {
        this.consumed = next + 1 - start;
        return this.#finish();
      }
      if (headers >= HEADERS_MAX) return 431;
      if (!this.#header(bytes, at, last)) return 400;
      at = next + 1;
    }
  }

  #reset(): void {
    this.isHead = false;
    this.wantsUpgrade = false;
    this.acceptsGzip = false;
    this.consumed = 0;
    this.upgrade.length = 0;
    this.host.length = 0;
    this.webSocketKey.length = 0;
    this.webSocketVersion.length = 0;
    this.#hosts = 0;
    this.#hasBody = false;
    this.#saysClose = false;
    this.#saysKeepAlive = false;
    this.#saysUpgrade = false;
  }

  /**
   * `GET /… HTTP/1.1` in one pass, as nearly every request begins. Returns where the next line
   * begins; -1 when this one is another, or not whole.
   */
  #plainLine(bytes: Uint8Array, start: number, limit: number): number {
    const from = start + METHOD_GET.length;
    if (limit - from <= VERSION_AND_LINE_END.length || bytes[from] !== SLASH) return -1;
    if (!equals(bytes, start, METHOD_GET)) return -1;
    let at = from + 1;
    while (at < limit && TARGET_BYTES[bytes[at] as number] === 1) at += 1;
    if (limit - at < VERSION_AND_LINE_END.length) return -1;
    if (!equals(bytes, at, VERSION_AND_LINE_END)) return -1;
    this.target.at = from;
    this.target.length = at - from;
    this.isHttp10 = false;
    return at + VERSION_AND_LINE_END.length;
  }

  #requestLine(bytes: Uint8Array, start: number, end: number): HttpHeadResult {
    const method = this.#method(bytes, start, end);
    if (method < 0) return isMethodToken(bytes, start, end) ? 405 : 400;
    let at = method;
    while (at < end && isTargetByte(bytes[at])) at += 1;
    const targetEnd = at;
    if (bytes[at] !== SPACE || at + 9 !== end) return 400;
    if (!equals(bytes, at + 1, HTTP_SLASH)) return 400;
    const major = bytes[at + 6];
    const minor = bytes[at + 8];
    if (!isDigit(major) || bytes[at + 7] !== 0x2e || !isDigit(minor)) return 400;
    if (major !== 0x31) return 505;
    this.isHttp10 = minor === 0x30;
    return this.#setTarget(bytes, method, targetEnd) ? 'complete' : 400;
  }

  /** Returns where the target starts, -1 for another method. */
  #method(bytes: Uint8Array, start: number, end: number): number {
    if (end - start > METHOD_GET.length && equals(bytes, start, METHOD_GET)) {
      return start + METHOD_GET.length;
    }
    if (end - start > METHOD_HEAD.length && equals(bytes, start, METHOD_HEAD)) {
      this.isHead = true;
      return start + METHOD_HEAD.length;
    }
    return -1;
  }

  #setTarget(bytes: Uint8Array, start: number, end: number): boolean {
    let at = start;
    if (bytes[at] !== SLASH) {
      // An absolute target, as sent to proxies: http://host/path
      while (at < end && bytes[at] !== COLON) at += 1;
      if (bytes[at + 1] !== SLASH || bytes[at + 2] !== SLASH) return false;
      at += 3;
      while (at < end && bytes[at] !== SLASH) at += 1;
    }
    if (at >= end) return false;
    this.target.at = at;
    this.target.length = end - at;
    return true;
  }

  #header(bytes: Uint8Array, start: number, end: number): boolean {
    let colon = start;
    while (colon < end && isTokenByte(bytes[colon])) colon += 1;
    // A line that starts with a space continues the one before it: an old way to hide a header.
    if (colon === start || bytes[colon] !== COLON) return false;
    let from = colon + 1;
    let to = end;
    while (from < to && isBlank(bytes[from])) from += 1;
    while (to > from && isBlank(bytes[to - 1])) to -= 1;
    for (let at = from; at < to; at++) {
      const byte = bytes[at] as number;
      if ((byte < SPACE && byte !== TAB) || byte === 0x7f) return false;
    }
    this.#known(bytes, { nameAt: start, nameLength: colon - start, from, to });
    return true;
  }

  #known(
    bytes: Uint8Array,
    line: {
      readonly nameAt: number;
      readonly nameLength: number;
      readonly from: number;
      readonly to: number;
    },
  ): void {
    const { nameAt, nameLength, from, to } = line;
    if (isName(bytes, nameAt, nameLength, NAME_HOST)) {
      this.#hosts += 1;
      setSpan(this.host, from, to);
    } else if (isName(bytes, nameAt, nameLength, NAME_CONNECTION))
      this.#connection(bytes, from, to);
    else if (isName(bytes, nameAt, nameLength, NAME_UPGRADE)) setSpan(this.upgrade, from, to);
    else if (isName(bytes, nameAt, nameLength, NAME_WS_KEY)) setSpan(this.webSocketKey, from, to);
    else if (isName(bytes, nameAt, nameLength, NAME_WS_VERSION)) {
      setSpan(this.webSocketVersion, from, to);
    } else if (isName(bytes, nameAt, nameLength, NAME_ACCEPT_ENCODING)) {
      if (namesGzip(bytes, from, to)) this.acceptsGzip = true;
    } else if (isName(bytes, nameAt, nameLength, NAME_CONTENT_LENGTH)) {
      // "Content-Length: 0" is said by some clients with a GET and means no body.
      if (!(to - from === 1 && bytes[from] === 0x30)) this.#hasBody = true;
    } else if (isName(bytes, nameAt, nameLength, NAME_TRANSFER_ENCODING)) this.#hasBody = true;
  }

  #connection(bytes: Uint8Array, from: number, to: number): void {
    let at = from;
    while (at < to) {
      let end = at;
      while (end < to && bytes[end] !== COMMA) end += 1;
      let last = end;
      while (at < last && isBlank(bytes[at])) at += 1;
      while (last > at && isBlank(bytes[last - 1])) last -= 1;
      if (isName(bytes, at, last - at, TOKEN_CLOSE)) this.#saysClose = true;
      else if (isName(bytes, at, last - at, TOKEN_KEEP_ALIVE)) this.#saysKeepAlive = true;
      else if (isName(bytes, at, last - at, TOKEN_UPGRADE)) this.#saysUpgrade = true;
      at = end + 1;
    }
  }

  #finish(): HttpHeadResult {
    if (this.#hasBody) return 413;
    if (this.#hosts > 1 || (this.#hosts === 0 && !this.isHttp10)) return 400;
    this.keepAlive = !this.#saysClose && (!this.isHttp10 || this.#saysKeepAlive);
    this.wantsUpgrade = this.#saysUpgrade && this.upgrade.length > 0;
    return 'complete';
  }
}

/** Whether a list of codings has gzip: `deflate, gzip;q=0.5` has, `gzip;q=0` has not. */
function namesGzip(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; ) {
    let end = at;
    while (end < to && bytes[end] !== COMMA) end += 1;
    while (at < end && isBlank(bytes[at])) at += 1;
    let nameEnd = at;
    while (nameEnd < end && isTokenByte(bytes[nameEnd])) nameEnd += 1;
    if (isName(bytes, at, nameEnd - at, TOKEN_GZIP)) return !weighsNothing(bytes, nameEnd, end);
    at = end + 1;
  }
  return false;
}

/** Whether a weight follows that is 0, in any of its spellings. */
function weighsNothing(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from;
  while (at < to && bytes[at] !== EQUALS) at += 1;
  if (at >= to) return false;
  for (at += 1; at < to; at++) {
    const byte = bytes[at] as number;
    if (byte >= 0x31 && byte <= 0x39) return false;
  }
  return true;
}

function setSpan(span: ByteSpan, from: number, to: number): void {
  span.at = from;
  span.length = to - from;
}

/** Offset of the line feed, or -1. */
function findLine(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; at++) if (bytes[at] === LF) return at;
  return -1;
}

function trimCr(bytes: Uint8Array, start: number, end: number): number {
  return end > start && bytes[end - 1] === CR ? end - 1 : end;
}

function equals(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  for (let index = 0; index < expected.length; index++) {
    if (bytes[at + index] !== expected[index]) return false;
  }
  return true;
}

/** Compares without case; `name` is lower case. */
function isName(bytes: Uint8Array, at: number, length: number, name: Uint8Array): boolean {
  if (length !== name.length) return false;
  for (let index = 0; index < length; index++) {
    const byte = bytes[at + index] as number;
    const lower = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
    if (lower !== name[index]) return false;
  }
  return true;
}

function isMethodToken(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end && isTokenByte(bytes[at])) at += 1;
  return at > start && at - start <= 20 && bytes[at] === SPACE;
}

function isTargetByte(byte: number | undefined): boolean {
  return byte !== undefined && byte > SPACE && byte !== 0x7f;
}

function isTokenByte(byte: number | undefined): boolean {
  return byte !== undefined && TOKEN_BYTES[byte] === 1;
}

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB;
}

function isLineEnd(byte: number | undefined): boolean {
  return byte === CR || byte === LF;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

const TOKEN_BYTES: Uint8Array = tokenBytes();
const TARGET_BYTES: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  isTargetByte(byte) ? 1 : 0,
);

/** RFC 9110 5.6.2. */
function tokenBytes(): Uint8Array {
  const table = new Uint8Array(256);
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  for (const byte of bytesOf(`${letters}0123456789!#$%&'*+-.^_\`|~`)) table[byte] = 1;
  return table;
}
