// What the tracker sends over WebSocket: JSON in a text frame (ws-message.ts lists the messages),
// written straight into a connection's output. Hashes and ids are strings of one character for each
// byte, so a byte above 0x7f takes two bytes of UTF-8 and a control character six as \u00xx.

import { assert } from '#base/assert.ts';
import { utf8 } from '#base/bytes.ts';
import type { AnnounceAnswer } from './announce-target.ts';
import { sealWsFrame, WS_HEADER_BYTES_MAX } from './ws-frame.ts';

const ID_BYTES = 20;
const ID_TEXT_BYTES_MAX = ID_BYTES * 6 + 2;
/** Names, numbers and ids of any one message. */
const FIXED_BYTES = 1024;
const FILE_BYTES = ID_TEXT_BYTES_MAX + 130;
/** Each byte of a reason may need an escape. */
const TEXT_ESCAPE_BYTES = 6;

/** What `writeAnnounce` and `writeFailure` need at most, for a text of that length. */
export function wsTextBytesMax(textBytes: number): number {
  return WS_HEADER_BYTES_MAX + FIXED_BYTES + textBytes * TEXT_ESCAPE_BYTES;
}

/** What `writeRelay` needs at most. */
export function wsRelayBytesMax(descriptionBytes: number): number {
  return WS_HEADER_BYTES_MAX + FIXED_BYTES + descriptionBytes;
}

export function wsScrapeBytesMax(count: number): number {
  return WS_HEADER_BYTES_MAX + FIXED_BYTES + count * FILE_BYTES;
}

/** An offer or answer on its way to the peer that is to read it. */
export interface WsRelay {
  /** As the receiver announced it. 20 bytes, as the next two. */
  readonly infoHash: Uint8Array;
  readonly offerId: Uint8Array;
  /** Whose offer or answer it is. */
  readonly peerId: Uint8Array;
  /** A JSON object, passed on as it came. */
  readonly description: Uint8Array;
}

export interface WsScrape {
  readonly count: number;
  /** `count` hashes of 20 bytes. */
  readonly hashes: Uint8Array;
  readonly seeders: ArrayLike<number>;
  readonly leechers: ArrayLike<number>;
  readonly completed: ArrayLike<number>;
  readonly downloaders: ArrayLike<number>;
}

/** One per thread: holds the cursor. Each call writes one frame at `at` and returns its length. */
export class WsAnswerWriter {
  #into: Uint8Array = new Uint8Array(0);
  #at = 0;

  writeAnnounce(
    into: Uint8Array,
    at: number,
    infoHash: Uint8Array,
    answer: AnnounceAnswer,
  ): number {
    this.#open(into, at);
    this.#bytes(OPEN_ANNOUNCE);
    this.#id(infoHash, 0);
    this.#field(KEY_INTERVAL, answer.intervalSeconds);
    if (answer.minIntervalSeconds > 0) this.#field(KEY_MIN_INTERVAL, answer.minIntervalSeconds);
    this.#field(KEY_COMPLETE, answer.seeders);
    this.#field(KEY_INCOMPLETE, answer.leechers);
    this.#field(KEY_DOWNLOADED, answer.completed);
    if (answer.warning.length > 0) {
      this.#bytes(KEY_WARNING);
      this.#text(answer.warning);
    }
    return this.#close(into, at);
  }

  /** `text` is UTF-8. `action` and `infoHash` are those of the message, where it had them. */
  writeFailure(
    into: Uint8Array,
    at: number,
    text: Uint8Array,
    to: { readonly action: 'announce' | 'scrape' | 'none'; readonly infoHash?: Uint8Array },
  ): number {
    this.#open(into, at);
    this.#bytes(OPEN_FAILURE);
    this.#text(text);
    if (to.action !== 'none') {
      this.#bytes(to.action === 'announce' ? KEY_ACTION_ANNOUNCE : KEY_ACTION_SCRAPE);
    }
    if (to.infoHash !== undefined) {
      this.#bytes(KEY_INFO_HASH);
      this.#id(to.infoHash, 0);
    }
    return this.#close(into, at);
  }

  writeRelay(into: Uint8Array, at: number, kind: 'offer' | 'answer', relay: WsRelay): number {
    this.#open(into, at);
    this.#bytes(OPEN_ANNOUNCE);
    this.#id(relay.infoHash, 0);
    this.#bytes(KEY_PEER_ID);
    this.#id(relay.peerId, 0);
    this.#bytes(KEY_OFFER_ID);
    this.#id(relay.offerId, 0);
    this.#bytes(kind === 'offer' ? KEY_OFFER : KEY_ANSWER);
    this.#bytes(relay.description);
    return this.#close(into, at);
  }

  writeScrape(into: Uint8Array, at: number, result: WsScrape): number {
    this.#open(into, at);
    this.#bytes(OPEN_SCRAPE);
    for (let index = 0; index < result.count; index++) {
      if (index > 0) this.#bytes(COMMA);
      this.#id(result.hashes, index * ID_BYTES);
      this.#bytes(OPEN_FILE);
      this.#number(result.seeders[index] ?? 0);
      this.#field(KEY_INCOMPLETE, result.leechers[index] ?? 0);
      this.#field(KEY_DOWNLOADED, result.completed[index] ?? 0);
      this.#field(KEY_DOWNLOADERS, result.downloaders[index] ?? 0);
      this.#bytes(CLOSE);
    }
    this.#bytes(CLOSE);
    return this.#close(into, at);
  }

  #open(into: Uint8Array, at: number): void {
    this.#into = into;
    this.#at = at + WS_HEADER_BYTES_MAX;
  }

  #close(into: Uint8Array, at: number): number {
    this.#bytes(CLOSE);
    assert(this.#at <= into.length, 'the message fits');
    return sealWsFrame(into, at, this.#at - at - WS_HEADER_BYTES_MAX);
  }

  #bytes(bytes: Uint8Array): void {
    this.#into.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #field(key: Uint8Array, value: number): void {
    this.#bytes(key);
    this.#number(value);
  }

  #number(value: number): void {
    const text = String(value);
    for (let at = 0; at < text.length; at++) this.#into[this.#at + at] = text.charCodeAt(at);
    this.#at += text.length;
  }

  /** Twenty bytes as a string. */
  #id(bytes: Uint8Array, from: number): void {
    const into = this.#into;
    into[this.#at] = QUOTE;
    let to = this.#at + 1;
    for (let at = from; at < from + ID_BYTES; at++) {
      const byte = bytes[at] as number;
      if (byte >= 0x80) {
        into[to] = 0xc0 | (byte >>> 6);
        into[to + 1] = 0x80 | (byte & 0x3f);
        to += 2;
      } else to = escaped(into, to, byte);
    }
    into[to] = QUOTE;
    this.#at = to + 1;
  }

  /** UTF-8 as a string. */
  #text(text: Uint8Array): void {
    const into = this.#into;
    into[this.#at] = QUOTE;
    let to = this.#at + 1;
    for (let at = 0; at < text.length; at++) to = escaped(into, to, text[at] as number);
    into[to] = QUOTE;
    this.#at = to + 1;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const HEX = '0123456789abcdef';

/** Writes the byte as it may stand in a string; returns where the next one goes. */
function escaped(into: Uint8Array, at: number, byte: number): number {
  if (byte >= 0x20 && byte !== QUOTE && byte !== BACKSLASH) {
    into[at] = byte;
    return at + 1;
  }
  into[at] = BACKSLASH;
  if (byte >= 0x20) {
    into[at + 1] = byte;
    return at + 2;
  }
  into[at + 1] = 0x75;
  into[at + 2] = 0x30;
  into[at + 3] = 0x30;
  into[at + 4] = HEX.charCodeAt(byte >>> 4);
  into[at + 5] = HEX.charCodeAt(byte & 15);
  return at + 6;
}

const CLOSE: Uint8Array = utf8('}');
const COMMA: Uint8Array = utf8(',');
const OPEN_ANNOUNCE: Uint8Array = utf8('{"action":"announce","info_hash":');
const OPEN_FAILURE: Uint8Array = utf8('{"failure reason":');
const OPEN_SCRAPE: Uint8Array = utf8('{"action":"scrape","files":{');
const OPEN_FILE: Uint8Array = utf8(':{"complete":');
const KEY_ACTION_ANNOUNCE: Uint8Array = utf8(',"action":"announce"');
const KEY_ACTION_SCRAPE: Uint8Array = utf8(',"action":"scrape"');
const KEY_ANSWER: Uint8Array = utf8(',"answer":');
const KEY_COMPLETE: Uint8Array = utf8(',"complete":');
const KEY_DOWNLOADED: Uint8Array = utf8(',"downloaded":');
const KEY_DOWNLOADERS: Uint8Array = utf8(',"downloaders":');
const KEY_INCOMPLETE: Uint8Array = utf8(',"incomplete":');
const KEY_INFO_HASH: Uint8Array = utf8(',"info_hash":');
const KEY_INTERVAL: Uint8Array = utf8(',"interval":');
const KEY_MIN_INTERVAL: Uint8Array = utf8(',"min interval":');
const KEY_OFFER: Uint8Array = utf8(',"offer":');
const KEY_OFFER_ID: Uint8Array = utf8(',"offer_id":');
const KEY_PEER_ID: Uint8Array = utf8(',"peer_id":');
const KEY_WARNING: Uint8Array = utf8(',"warning message":');
