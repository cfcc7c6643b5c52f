// Whole HTTP answers of the tracker, written into the caller's buffer: announce (BEP 3, compact by
// BEP 23 and BEP 7, `external ip` of BEP 24), scrape (BEP 48, `downloaders` of BEP 21), refusals and
// statuses. Bencoded keys stand in byte order. Fixed answers are encoded once, at start.

import { assert } from '#base/assert.ts';
import { utf8 } from '#base/bytes.ts';
import type { AnnounceAnswer } from './announce-target.ts';
import { encodeBencode } from './bencode-encoder.ts';
import { addressText, PeerCopier } from './compact-peers.ts';

/** The longest head that `#finish` writes. */
const HEAD_BYTES_MAX = 128;
/** Digits of the length of most bodies. */
const USUAL_DIGITS = 3;
const USUAL_MIN = 100;
const USUAL_MAX = 999;
const ANSWER_FIXED_BYTES = 512;
const DICTIONARY_PEER_BYTES = 128;
const HASH_BYTES = 20;
/** What one torrent of a scrape may take. */
export const SCRAPE_FILE_BYTES = 160;

/** How the client gets its answer. */
export interface HttpAnnounceForm {
  /** Says `Connection: close`, else `keep-alive`. */
  close: boolean;
  /** BEP 3's list of dictionaries instead of the compact string. */
  dictionary: boolean;
  /** Dictionary only: 20 bytes for each peer, IPv4 ones first; empty leaves `peer id` out. */
  peerIds: Uint8Array;
}

/** Counts of a scrape: the same index in each list belongs to one hash. */
export interface HttpScrapeAnswer {
  count: number;
  /** `count` hashes of 20 bytes, in any order; a repeated one is answered once. */
  hashes: Uint8Array;
  seeders: ArrayLike<number>;
  /** Partial seeds counted in. */
  leechers: ArrayLike<number>;
  completed: ArrayLike<number>;
  /** Leechers without partial seeds (BEP 21). */
  downloaders: ArrayLike<number>;
}

/** One torrent of a full scrape. */
export interface HttpScrapeFile {
  /** 20 bytes. */
  readonly infoHash: Uint8Array;
  readonly counts: {
    readonly seeders: number;
    /** Without partial seeds (BEP 21). */
    readonly leechers: number;
    readonly partialSeeds: number;
    readonly completed: number;
  };
}

/** What `into` must have room for from `at` on. */
export function httpAnnounceBytesMax(answer: AnnounceAnswer, dictionary: boolean): number {
  const peers = answer.peers4Count + answer.peers6Count;
  const bytes = dictionary ? DICTIONARY_PEER_BYTES : 18;
  return HEAD_BYTES_MAX + ANSWER_FIXED_BYTES + answer.warning.length + peers * bytes;
}

export function httpScrapeBytesMax(count: number): number {
  return HEAD_BYTES_MAX + ANSWER_FIXED_BYTES + count * SCRAPE_FILE_BYTES;
}

/** One per thread: holds the cursor, so that an answer allocates nothing. */
export class HttpAnswerWriter {
  readonly #copier = new PeerCopier();
  #into: Uint8Array = new Uint8Array(0);
  #at = 0;

  /** Writes at `at`; returns the bytes written. `into` has room for `httpAnnounceBytesMax`. */
  writeAnnounce(
    into: Uint8Array,
    at: number,
    answer: AnnounceAnswer,
    form: HttpAnnounceForm,
  ): number {
    const room = httpAnnounceBytesMax(answer, form.dictionary);
    assert(at + room <= into.length, 'an announce answer has room');
    this.#begin(into, at, form.close, OPEN_COMPLETE);
    this.#number(answer.seeders);
    this.#bytes(KEY_DOWNLOADED);
    this.#number(answer.completed);
    if (answer.externalBytes > 0) {
      this.#bytes(answer.externalBytes === 4 ? KEY_EXTERNAL_4 : KEY_EXTERNAL_16);
      this.#part(answer.externalAddress, 0, answer.externalBytes);
      this.#bytes(KEY_INCOMPLETE_AFTER_BYTES);
    } else this.#bytes(KEY_INCOMPLETE);
    this.#number(answer.leechers);
    this.#bytes(KEY_INTERVAL);
    this.#number(answer.intervalSeconds);
    if (answer.minIntervalSeconds > 0) {
      this.#bytes(KEY_MIN_INTERVAL);
      this.#number(answer.minIntervalSeconds);
    }
    this.#byte(END);
    if (form.dictionary) this.#dictionaryPeers(answer, form.peerIds);
    else this.#compactPeers(answer);
    if (answer.warning.length > 0) {
      this.#bytes(KEY_WARNING);
      this.#string(answer.warning, 0, answer.warning.length);
    }
    this.#byte(END);
    return this.#finish(at, form.close);
  }

  /** Writes at `at`; returns the bytes written. `into` has room for `httpScrapeBytesMax`. */
  writeScrape(into: Uint8Array, at: number, answer: HttpScrapeAnswer, close: boolean): number {
    assert(at + httpScrapeBytesMax(answer.count) <= into.length, 'a scrape answer has room');
    this.#begin(into, at, close, OPEN_FILES);
    const { hashes } = answer;
    let previous = -1;
    for (const index of hashOrder(hashes, answer.count)) {
      if (previous >= 0 && compareHashes(hashes, previous, index) === 0) continue;
      previous = index;
      this.#string(hashes, index * HASH_BYTES, HASH_BYTES);
      this.#bytes(KEY_COMPLETE);
      this.#number(answer.seeders[index] ?? 0);
      this.#bytes(KEY_DOWNLOADED);
      this.#number(answer.completed[index] ?? 0);
      this.#bytes(KEY_DOWNLOADERS);
      this.#number(answer.downloaders[index] ?? 0);
      this.#bytes(KEY_INCOMPLETE);
      this.#number(answer.leechers[index] ?? 0);
      this.#bytes(END_END);
    }
    this.#bytes(END_END);
    return this.#finish(at, close);
  }

  /**
   * One torrent of a full scrape, of which the caller writes the rest: its hash, then its counts.
   * Writes at `at`, where there is room for SCRAPE_FILE_BYTES; returns the bytes written.
   */
  writeScrapeFile(into: Uint8Array, at: number, file: HttpScrapeFile): number {
    assert(at + SCRAPE_FILE_BYTES <= into.length, 'a torrent of a scrape has room');
    this.#into = into;
    this.#at = at;
    const { seeders, leechers, partialSeeds, completed } = file.counts;
    this.#string(file.infoHash, 0, HASH_BYTES);
    this.#bytes(KEY_COMPLETE);
    this.#number(seeders);
    this.#bytes(KEY_DOWNLOADED);
    this.#number(completed);
    this.#bytes(KEY_DOWNLOADERS);
    this.#number(leechers);
    this.#bytes(KEY_INCOMPLETE);
    this.#number(leechers + partialSeeds);
    this.#bytes(END_END);
    return this.#at - at;
  }

  #compactPeers(answer: AnnounceAnswer): void {
    this.#bytes(KEY_PEERS);
    this.#peers(answer.peers4, answer.peers4Count * 6);
    if (answer.peers6Count > 0) {
      this.#bytes(KEY_PEERS6);
      this.#peers(answer.peers6, answer.peers6Count * 18);
    }
  }

  #peers(peers: Uint8Array, length: number): void {
    this.#number(length);
    this.#byte(COLON);
    this.#copier.copy(peers, length, this.#into, this.#at);
    this.#at += length;
  }

  #dictionaryPeers(answer: AnnounceAnswer, peerIds: Uint8Array): void {
    const count = answer.peers4Count + answer.peers6Count;
    const hasIds = peerIds.length >= count * HASH_BYTES;
    this.#bytes(KEY_PEERS);
    this.#byte(LIST);
    for (let index = 0; index < count; index++) {
      const is4 = index < answer.peers4Count;
      const peers = is4 ? answer.peers4 : answer.peers6;
      const entry = is4 ? index * 6 : (index - answer.peers4Count) * 18;
      const portAt = entry + (is4 ? 4 : 16);
      const ip = utf8(addressText(peers, entry, is4 ? 4 : 6));
      this.#bytes(OPEN_IP);
      this.#string(ip, 0, ip.length);
      if (hasIds) {
        this.#bytes(KEY_PEER_ID);
        this.#string(peerIds, index * HASH_BYTES, HASH_BYTES);
      }
      this.#bytes(KEY_PORT);
      this.#number(((peers[portAt] ?? 0) << 8) | (peers[portAt + 1] ?? 0));
      this.#bytes(END_END);
    }
    this.#byte(END);
  }

  /**
   * The body is written where it begins when its length has three digits, as nearly all have;
   * `#finish` moves it when it has others.
   */
  #begin(into: Uint8Array, at: number, close: boolean, body: AnswerStart): void {
    // One call into the engine for what is the same in all answers: a loop takes four times as long.
    const start = close ? body.close : body.keep;
    into.set(start, at);
    this.#into = into;
    this.#at = at + start.length;
  }

  #finish(at: number, close: boolean): number {
    const end = close ? HEAD_END_CLOSE : HEAD_END_KEEP;
    const bodyAt = at + HEAD_OK.length + USUAL_DIGITS + end.length;
    const bodyEnd = this.#at;
    const bytes = bodyEnd - bodyAt;
    this.#at = at + HEAD_OK.length;
    if (bytes >= USUAL_MIN && bytes <= USUAL_MAX) {
      this.#number(bytes);
      return bodyEnd - at;
    }
    const moved = at + HEAD_OK.length + String(bytes).length + end.length;
    assert(moved - at <= HEAD_BYTES_MAX, 'the head is not longer than its room');
    this.#into.copyWithin(moved, bodyAt, bodyEnd);
    this.#number(bytes);
    this.#bytes(end);
    return moved - at + bytes;
  }

  #byte(byte: number): void {
    this.#into[this.#at] = byte;
    this.#at += 1;
  }

  #bytes(bytes: Uint8Array): void {
    this.#part(bytes, 0, bytes.length);
  }

  #part(bytes: Uint8Array, from: number, length: number): void {
    const into = this.#into;
    const at = this.#at;
    for (let index = 0; index < length; index++) into[at + index] = bytes[from + index] as number;
    this.#at = at + length;
  }

  #string(bytes: Uint8Array, from: number, length: number): void {
    this.#number(length);
    this.#byte(COLON);
    this.#part(bytes, from, length);
  }

  #int(value: number): void {
    const into = this.#into;
    let size = 1;
    for (let above = value | 0; above >= 10; above = (above / 10) | 0) size += 1;
    let rest = value | 0;
    for (let at = this.#at + size - 1; at >= this.#at; at--) {
      const upper = (rest / 10) | 0;
      into[at] = 0x30 + (rest - upper * 10);
      rest = upper;
    }
    this.#at += size;
  }

  /** Decimal digits of a safe integer that is not negative. */
  #number(value: number): void {
    if (value < 10) {
      this.#into[this.#at] = 0x30 + value;
      this.#at += 1;
      return;
    }
    if (value <= INT_MAX) {
      this.#int(value);
      return;
    }
    let size = 1;
    for (let above = value; above >= 10; above = Math.floor(above / 10)) size += 1;
    let rest = value;
    for (let index = size - 1; index >= 0; index--) {
      const upper = Math.floor(rest / 10);
      this.#into[this.#at + index] = 0x30 + (rest - upper * 10);
      rest = upper;
    }
    this.#at += size;
  }
}

/** Up to it integer arithmetic is exact and quick. */
const INT_MAX = 0x7fff_ffff;

/** A refusal (T18): status 200 and a `failure reason`, whole, to be kept and sent as often as needed. */
export function encodeHttpFailure(reason: string, close: boolean): Uint8Array {
  const body = encodeBencode({ 'failure reason': reason });
  return new Uint8Array(
    Buffer.concat([
      HEAD_OK,
      utf8(String(body.length)),
      close ? HEAD_END_CLOSE : HEAD_END_KEEP,
      body,
    ]),
  );
}

export type HttpStatus = 400 | 404 | 405 | 413 | 414 | 426 | 431 | 503 | 505;

const STATUS_TEXT: Readonly<Record<HttpStatus, string>> = {
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  426: 'Upgrade Required',
  431: 'Request Header Fields Too Large',
  503: 'Service Unavailable',
  505: 'HTTP Version Not Supported',
};

/** Everything that is no tracker answer, as plain text; always closes the connection. */
export function encodeHttpStatus(
  status: HttpStatus,
  text: string,
  options: { readonly retryAfterSeconds?: number } = {},
): Uint8Array {
  const body = utf8(`${text}\n`);
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_TEXT[status]}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${body.length}`,
    'Connection: close',
  ];
  if (status === 405) lines.push('Allow: GET');
  if (status === 426) lines.push('Upgrade: websocket', 'Sec-WebSocket-Version: 13');
  if (options.retryAfterSeconds !== undefined) {
    lines.push(`Retry-After: ${options.retryAfterSeconds}`);
  }
  return new Uint8Array(Buffer.concat([utf8(`${lines.join('\r\n')}\r\n\r\n`), body]));
}

/** Bytes of the head of an answer of ours: what a HEAD request gets. */
export function httpHeadBytes(answer: Uint8Array, at: number, length: number): number {
  for (let index = at; index + 3 < at + length; index++) {
    if (answer[index] === 0x0d && answer[index + 2] === 0x0d) return index + 4 - at;
  }
  return length;
}

/** Indexes of the hashes in byte order, as keys of a dictionary must stand. */
function hashOrder(hashes: Uint8Array, count: number): number[] {
  const order = Array.from({ length: count }, (_, index) => index);
  return order.sort((a, b) => compareHashes(hashes, a, b));
}

function compareHashes(hashes: Uint8Array, a: number, b: number): number {
  for (let byte = 0; byte < HASH_BYTES; byte++) {
    const difference = (hashes[a * HASH_BYTES + byte] ?? 0) - (hashes[b * HASH_BYTES + byte] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

const END = 0x65;
const LIST = 0x6c;
const COLON = 0x3a;
const END_END: Uint8Array = utf8('ee');
const OPEN_IP: Uint8Array = utf8('d2:ip');
const KEY_DOWNLOADED: Uint8Array = utf8('e10:downloadedi');
const KEY_DOWNLOADERS: Uint8Array = utf8('e11:downloadersi');
const KEY_EXTERNAL_4: Uint8Array = utf8('e11:external ip4:');
const KEY_EXTERNAL_16: Uint8Array = utf8('e11:external ip16:');
const KEY_INCOMPLETE: Uint8Array = utf8('e10:incompletei');
const KEY_INCOMPLETE_AFTER_BYTES: Uint8Array = utf8('10:incompletei');
const KEY_INTERVAL: Uint8Array = utf8('e8:intervali');
const KEY_MIN_INTERVAL: Uint8Array = utf8('e12:min intervali');
const KEY_PEERS: Uint8Array = utf8('5:peers');
const KEY_PEERS6: Uint8Array = utf8('6:peers6');
const KEY_PEER_ID: Uint8Array = utf8('7:peer id');
const KEY_PORT: Uint8Array = utf8('4:porti');
const KEY_WARNING: Uint8Array = utf8('15:warning message');
const HEAD_OK: Uint8Array = utf8('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ');
const HEAD_END_KEEP: Uint8Array = utf8('\r\nConnection: keep-alive\r\n\r\n');
const HEAD_END_CLOSE: Uint8Array = utf8('\r\nConnection: close\r\n\r\n');

/** The head, with room for a length of USUAL_DIGITS, and how the body begins. */
interface AnswerStart {
  readonly keep: Uint8Array;
  readonly close: Uint8Array;
}

const KEY_COMPLETE: Uint8Array = utf8('d8:completei');
const OPEN_COMPLETE: AnswerStart = startWith(KEY_COMPLETE);
const OPEN_FILES: AnswerStart = startWith(utf8('d5:filesd'));

function startWith(body: Uint8Array): AnswerStart {
  const room = new Uint8Array(USUAL_DIGITS);
  const endedBy = (end: Uint8Array): Uint8Array =>
    new Uint8Array(Buffer.concat([HEAD_OK, room, end, body]));
  return { keep: endedBy(HEAD_END_KEEP), close: endedBy(HEAD_END_CLOSE) };
}
