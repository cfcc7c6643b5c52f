// One WebSocket connection: whom its passkey names, the peers it announces, and the offers it was
// given and may answer. The connection, and not a peer id that somebody claims, owns these peers.

import type { TcpConnection } from '#net/tcp-server.ts';
import { WsFrameReader, type WsRooms } from '#wire/ws-frame.ts';
import type { FormerUrls } from './former-urls.ts';
import type { WebRtcPlace } from './webrtc-relay.ts';

/** A peer that the connection announced and did not stop. */
export interface WsPeer {
  readonly infoHash: Uint8Array;
  readonly peerId: Uint8Array;
  readonly memberId: number;
  readonly torrentId: number;
  readonly hashVersion: number;
  /** Its offers that somebody was given and has not answered, by offer id, until when (ms). */
  readonly offered: Map<string, number>;
}

/** An offer that this connection was given. */
interface AskedOffer {
  readonly from: WebRtcPlace;
  readonly infoHash: Uint8Array;
  readonly offerId: Uint8Array;
  readonly expiresMs: number;
}

export interface WsSessionParts {
  readonly number: number;
  readonly connection: TcpConnection;
  readonly passkey: Uint8Array;
  /** The client's, which behind a proxy is not the connection's. */
  readonly client: {
    readonly family: 4 | 6;
    readonly address: Uint8Array;
    readonly port: number;
  };
  /** Came by a name that the tracker should be reached by no more. */
  readonly moved: FormerUrls | undefined;
  readonly messageBytesMax: number;
  readonly rooms: WsRooms;
}

export class WsSession {
  readonly number: number;
  readonly connection: TcpConnection;
  readonly passkey: Uint8Array;
  readonly client: WsSessionParts['client'];
  readonly moved: FormerUrls | undefined;
  readonly reader: WsFrameReader;
  /** By info hash, see `idText`. */
  readonly peers = new Map<string, WsPeer>();
  /** Closed, or told to close: nothing is written to it and nothing heard from it. */
  isOver = false;
  /** Monotonic: when something was heard last, and when the next ping is due. */
  heardMs = 0;
  pingDueMs = 0;
  /** In the order in which they came, so that the oldest expire first. */
  readonly #asked = new Map<string, AskedOffer>();

  constructor(parts: WsSessionParts) {
    this.number = parts.number;
    this.connection = parts.connection;
    this.passkey = parts.passkey;
    this.client = parts.client;
    this.moved = parts.moved;
    this.reader = new WsFrameReader(parts.messageBytesMax, parts.rooms);
  }

  /** False when it has enough to answer, or has this very one already. */
  ask(
    offer: Omit<AskedOffer, 'expiresMs'> & { readonly peerId: Uint8Array },
    when: { readonly nowMs: number; readonly expiresMs: number; readonly offersMax: number },
  ): boolean {
    this.#expire(when.nowMs);
    const key = askedKey(offer.infoHash, offer.offerId, offer.peerId);
    if (this.#asked.size >= when.offersMax || this.#asked.has(key)) return false;
    this.#asked.set(key, {
      from: offer.from,
      infoHash: offer.infoHash.slice(),
      offerId: offer.offerId.slice(),
      expiresMs: when.expiresMs,
    });
    return true;
  }

  /** The offer that is answered now, and only once; undefined when it was never made, or long ago. */
  answered(
    offer: {
      readonly infoHash: Uint8Array;
      readonly offerId: Uint8Array;
      readonly peerId: Uint8Array;
    },
    nowMs: number,
  ): WebRtcPlace | undefined {
    const key = askedKey(offer.infoHash, offer.offerId, offer.peerId);
    const asked = this.#asked.get(key);
    if (asked === undefined) return undefined;
    this.#asked.delete(key);
    return asked.expiresMs > nowMs ? asked.from : undefined;
  }

  /** Forgets the offers it was given, in one torrent or in all; returns them. */
  unanswered(infoHash?: Uint8Array): AskedOffer[] {
    const ended: AskedOffer[] = [];
    for (const [key, offer] of this.#asked) {
      if (infoHash !== undefined && Buffer.compare(offer.infoHash, infoHash) !== 0) continue;
      ended.push(offer);
      this.#asked.delete(key);
    }
    return ended;
  }

  #expire(nowMs: number): void {
    for (const [key, offer] of this.#asked) {
      if (offer.expiresMs > nowMs) return;
      this.#asked.delete(key);
    }
  }
}

/** Whether offers of the peer are out that may still be answered. */
export function hasOffersOut(peer: WsPeer, nowMs: number): boolean {
  for (const [offerId, expiresMs] of peer.offered) {
    if (expiresMs > nowMs) return true;
    peer.offered.delete(offerId);
  }
  return false;
}

/** 20 bytes, or 40, as a key. */
export function idText(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('latin1');
}

function askedKey(infoHash: Uint8Array, offerId: Uint8Array, peerId: Uint8Array): string {
  return idText(infoHash) + idText(offerId) + idText(peerId);
}
