// The WebTorrent tracker protocol: JSON over WebSocket. There is no BEP; this is what the npm package
// `bittorrent-tracker` (client and server) and WebTorrent speak.
//
//   to us    {action:"announce", info_hash, peer_id, uploaded, downloaded, left, event?, numwant?,
//             key?, offers:[{offer:{type,sdp}, offer_id}, …]}
//            {action:"announce", info_hash, peer_id, to_peer_id, offer_id, answer:{type,sdp}}
//            {action:"scrape", info_hash: one or a list}
//   from us  {action:"announce", info_hash, interval, complete, incomplete, "warning message"?}
//            {action:"announce", info_hash, peer_id, offer_id, offer}       or answer instead of offer
//            {action:"scrape", files:{<info_hash>:{complete, incomplete, downloaded, downloaders}}}
//            {action, info_hash?, "failure reason"}
//
// Hashes and ids are binary: a string of 20 characters U+0000 to U+00FF, one for each byte. The reader
// goes over the bytes once and makes no strings or objects: offers and answers are relayed as the
// very bytes they came in, which is why it is strict about JSON (RFC 8259): whoever gets them must be
// able to read them. The bytes were checked to be UTF-8 before. A field that comes twice counts as it
// came last, as it does for JSON.parse.

import { assert } from '#base/assert.ts';
import { ANNOUNCE_EVENT, type AnnounceTarget, LEFT_UNKNOWN } from './announce-target.ts';
import { JSON_BYTE, JsonCursor } from './json-cursor.ts';

const ID_BYTES = 20;
const NUMWANT_MAX = 0x7fff_ffff;

export type WsMessageRefusal =
  | 'none'
  | 'json'
  | 'action'
  | 'info-hash'
  | 'peer-id'
  | 'counter'
  | 'offers'
  | 'offers-many'
  | 'offer-large'
  | 'answer'
  | 'hashes-many';

/** Words that a page shows its user. */
export const WS_MESSAGE_REFUSAL_WORDS: Readonly<Record<Exclude<WsMessageRefusal, 'none'>, string>> =
  {
    json: 'the message is not JSON as a tracker reads it',
    action: 'action must be "announce" or "scrape"',
    'info-hash': 'info_hash must be a string of 20 characters, one for each byte',
    'peer-id': 'peer_id must be a string of 20 characters, one for each byte',
    counter: 'uploaded, downloaded or left is not a number of bytes',
    offers: 'each of offers must have an object "offer" and an offer_id of 20 characters',
    'offers-many': 'too many offers in one announce',
    'offer-large': 'an offer or answer is too large to be relayed',
    answer: 'an answer must be an object and have to_peer_id and offer_id of 20 characters',
    'hashes-many': 'too many hashes in one scrape',
  };

export interface WsMessageLimits {
  readonly offersMax: number;
  readonly hashesMax: number;
  /** Of one offer or answer as it stands in the message. */
  readonly offerBytesMax: number;
}

/** A range of the message that was read; `length` 0 when absent. */
export interface Span {
  at: number;
  length: number;
}

/** One per thread; `parse` overwrites it. Spans point into the parsed bytes. */
export class WsMessage {
  /** `none` when the message was refused before it was known. */
  action: 'announce' | 'scrape' | 'none' = 'none';
  /** Filled by an announce. An answer fills the hash and the peer id only. */
  readonly announce: AnnounceTarget;
  /** The message named one good hash: it stands in `announce.infoHash`, and an answer repeats it. */
  hasInfoHash = false;
  hasUploaded = false;
  hasDownloaded = false;
  /** Of an announce. `offers[index]` and 20 bytes of `offerIds` belong together. */
  offerCount = 0;
  readonly offers: readonly Span[];
  readonly offerIds: Uint8Array;
  /** Of an answer: `answer.length` is not 0. */
  readonly answer: Span = { at: 0, length: 0 };
  readonly toPeerId: Uint8Array = new Uint8Array(ID_BYTES);
  readonly offerId: Uint8Array = new Uint8Array(ID_BYTES);
  /** Of a scrape: `scrapeCount` hashes of 20 bytes. */
  scrapeCount = 0;
  readonly scrapeHashes: Uint8Array;
  readonly #limits: WsMessageLimits;
  readonly #json = new JsonCursor();
  #refusal: WsMessageRefusal = 'none';
  #hasPeerId = false;
  #hasToPeerId = false;
  #hasOfferId = false;
  #hasBadHash = false;

  constructor(announce: AnnounceTarget, limits: WsMessageLimits) {
    this.announce = announce;
    this.#limits = limits;
    this.offers = Array.from({ length: limits.offersMax }, () => ({ at: 0, length: 0 }));
    this.offerIds = new Uint8Array(limits.offersMax * ID_BYTES);
    this.scrapeHashes = new Uint8Array(limits.hashesMax * ID_BYTES);
  }

  /** Reads the first `length` bytes, which are valid UTF-8. */
  parse(bytes: Uint8Array, length: number): WsMessageRefusal {
    assert(length <= bytes.length, 'the message lies inside of its buffer');
    this.#reset(bytes, length);
    const isRead = this.#json.object(0, () => this.#field()) && this.#json.atEnd();
    if (this.#refusal !== 'none') return this.#refusal;
    return isRead ? this.#complete() : 'json';
  }

  #reset(bytes: Uint8Array, length: number): void {
    const { announce } = this;
    announce.event = ANNOUNCE_EVENT.none;
    announce.key = 0;
    announce.left = LEFT_UNKNOWN;
    announce.numwant = -1;
    announce.port = 0;
    announce.uploaded = 0;
    announce.downloaded = 0;
    this.action = 'none';
    this.hasInfoHash = false;
    this.hasUploaded = false;
    this.hasDownloaded = false;
    this.offerCount = 0;
    this.answer.length = 0;
    this.scrapeCount = 0;
    this.#json.open(bytes, length);
    this.#refusal = 'none';
    this.#hasPeerId = false;
    this.#hasToPeerId = false;
    this.#hasOfferId = false;
    this.#hasBadHash = false;
  }

  #complete(): WsMessageRefusal {
    if (this.action === 'none') return 'action';
    if (this.#hasBadHash) return 'info-hash';
    if (this.action === 'scrape') return 'none';
    if (!this.hasInfoHash) return 'info-hash';
    if (!this.#hasPeerId) return 'peer-id';
    if (this.answer.length > 0) {
      return this.#hasToPeerId && this.#hasOfferId ? 'none' : 'answer';
    }
    return 'none';
  }

  /** The value of the field that was named. False when it is not JSON, or refused. */
  #field(): boolean {
    const { announce } = this;
    if (this.#json.isText('action')) return this.#action();
    if (this.#json.isText('info_hash')) return this.#infoHash();
    if (this.#json.isText('peer_id')) {
      const isGood = this.#id(announce.peerId, 0);
      this.#hasPeerId = isGood === 'id';
      return isGood !== 'broken';
    }
    if (this.#json.isText('to_peer_id')) {
      const isGood = this.#id(this.toPeerId, 0);
      this.#hasToPeerId = isGood === 'id';
      return isGood !== 'broken';
    }
    if (this.#json.isText('offer_id')) {
      const isGood = this.#id(this.offerId, 0);
      this.#hasOfferId = isGood === 'id';
      return isGood !== 'broken';
    }
    if (this.#json.isText('offers')) return this.#offers();
    if (this.#json.isText('answer')) return this.#description(this.answer, 'answer');
    return this.#counters();
  }

  #counters(): boolean {
    const { announce } = this;
    if (this.#json.isText('uploaded')) {
      this.hasUploaded = true;
      return this.#counter((value) => {
        announce.uploaded = value;
      });
    }
    if (this.#json.isText('downloaded')) {
      this.hasDownloaded = true;
      return this.#counter((value) => {
        announce.downloaded = value;
      });
    }
    if (this.#json.isText('left')) {
      return this.#leftValue();
    }
    if (this.#json.isText('numwant')) {
      const value = this.#json.number();
      if (value === undefined) return this.#json.value(1);
      announce.numwant = value < 0 ? -1 : Math.min(Math.floor(value), NUMWANT_MAX);
      return true;
    }
    if (this.#json.isText('event')) return this.#event();
    if (this.#json.isText('key')) return this.#key();
    return this.#json.value(1);
  }

  #action(): boolean {
    if (!this.#json.isAtString()) {
      this.action = 'none';
      return this.#json.value(1);
    }
    if (!this.#json.shortString()) return false;
    if (this.#json.isText('announce')) this.action = 'announce';
    else this.action = this.#json.isText('scrape') ? 'scrape' : 'none';
    return true;
  }

  #infoHash(): boolean {
    this.scrapeCount = 0;
    this.#hasBadHash = false;
    const { infoHash } = this.announce;
    if (this.#json.byte !== JSON_BYTE.openList) {
      const isGood = this.#id(infoHash, 0);
      this.hasInfoHash = isGood === 'id';
      this.#hasBadHash = isGood === 'other';
      if (this.hasInfoHash) {
        this.scrapeHashes.set(infoHash, 0);
        this.scrapeCount = 1;
      }
      return isGood !== 'broken';
    }
    this.hasInfoHash = false;
    return this.#json.list(1, () => {
      if (this.scrapeCount >= this.#limits.hashesMax) return this.#refuse('hashes-many');
      const isGood = this.#id(this.scrapeHashes, this.scrapeCount * ID_BYTES);
      if (isGood === 'id') this.scrapeCount += 1;
      else this.#hasBadHash = true;
      return isGood !== 'broken';
    });
  }

  #offers(): boolean {
    this.offerCount = 0;
    // Clients that make no offers send null, or nothing.
    if (this.#json.byte !== JSON_BYTE.openList) return this.#json.value(1);
    return this.#json.list(1, () => {
      const index = this.offerCount;
      if (index >= this.#limits.offersMax) return this.#refuse('offers-many');
      if (this.#json.byte !== JSON_BYTE.openObject) return this.#refuse('offers');
      const offer = this.offers[index];
      assert(offer !== undefined, 'there is room for every offer');
      offer.length = 0;
      let hasId = false;
      const isRead = this.#json.object(2, () => {
        if (this.#json.isText('offer')) return this.#description(offer, 'offers');
        if (!this.#json.isText('offer_id')) return this.#json.value(3);
        const isGood = this.#id(this.offerIds, index * ID_BYTES);
        hasId = isGood === 'id';
        return isGood !== 'broken';
      });
      if (!isRead) return false;
      if (!hasId || offer.length === 0) return this.#refuse('offers');
      this.offerCount += 1;
      return true;
    });
  }

  /** An offer or answer: an object, whose bytes are kept as they are. */
  #description(into: Span, refusal: 'offers' | 'answer'): boolean {
    const start = this.#json.at;
    const first = this.#json.byte;
    const isObject = first === JSON_BYTE.openObject;
    if (!this.#json.value(3)) return false;
    into.at = start;
    into.length = isObject ? this.#json.at - start : 0;
    if (into.length > this.#limits.offerBytesMax) return this.#refuse('offer-large');
    const isNull = first === JSON_BYTE.n;
    return isObject || (isNull && refusal === 'answer') ? true : this.#refuse(refusal);
  }

  #counter(set: (value: number) => void): boolean {
    const value = this.#json.number();
    if (value === undefined || value < 0 || value > Number.MAX_SAFE_INTEGER) {
      return this.#refuse('counter');
    }
    set(Math.floor(value));
    return true;
  }

  /** A page that does not know yet what it downloads writes null, for Infinity. */
  #leftValue(): boolean {
    const { announce } = this;
    announce.left = LEFT_UNKNOWN;
    const value = this.#json.number();
    if (value === undefined) {
      return this.#json.byte === JSON_BYTE.n ? this.#json.value(1) : this.#refuse('counter');
    }
    if (value >= 0 && value < LEFT_UNKNOWN) announce.left = Math.ceil(value);
    return true;
  }

  #event(): boolean {
    const { announce } = this;
    announce.event = ANNOUNCE_EVENT.none;
    if (!this.#json.isAtString()) return this.#json.value(1);
    if (!this.#json.shortString()) return false;
    if (this.#json.isText('started')) announce.event = ANNOUNCE_EVENT.started;
    else if (this.#json.isText('stopped')) announce.event = ANNOUNCE_EVENT.stopped;
    else if (this.#json.isText('completed')) announce.event = ANNOUNCE_EVENT.completed;
    else if (this.#json.isText('paused')) announce.event = ANNOUNCE_EVENT.paused;
    return true;
  }

  /** A number is the key itself, a string of up to 24 characters its 32-bit FNV-1a. */
  #key(): boolean {
    const { announce } = this;
    announce.key = 0;
    if (!this.#json.isAtString()) {
      const value = this.#json.number();
      if (value === undefined) return this.#json.value(1);
      announce.key = Number.isSafeInteger(value) ? value >>> 0 : 0;
      return true;
    }
    if (!this.#json.shortString()) return false;
    let hash = 0x811c_9dc5;
    for (let at = 0; at < this.#json.textLength; at++) {
      hash = Math.imul(hash ^ (this.#json.text[at] as number), 0x0100_0193);
    }
    announce.key = this.#json.textLength < 0 ? 0 : hash >>> 0;
    return true;
  }

  /** Reads 20 binary characters into `into`. `other`: JSON, but no such string. */
  #id(into: Uint8Array, at: number): 'id' | 'other' | 'broken' {
    if (!this.#json.isAtString()) return this.#json.value(1) ? 'other' : 'broken';
    if (!this.#json.string(into, at, ID_BYTES)) return 'broken';
    return this.#json.textLength === ID_BYTES ? 'id' : 'other';
  }

  #refuse(refusal: WsMessageRefusal): false {
    this.#refusal = refusal;
    return false;
  }
}
