// One WebSocket connection: whom its passkey names, the peers it announces, and the offers it was
// given and may answer. The connection, and not a peer id that somebody claims, owns these peers.

import type { TcpConnection } from '#net/tcp-server.ts';
import type { FormerUrls } from '#tracker/http/former-urls.ts';
import { WsFrameReader, type WsRooms } from '#wire/ws-frame.ts';
import type { WebRtcPlace } from './webrtc-relay.ts';
import { Chains, hashOfId, type Linked, sameId, WsId } from './ws-ids.ts';

/** A peer that the connection announced and did not stop; by its info hash. */
export interface WsPeer extends Linked<WsPeer> {
  readonly infoHash: Uint8Array;
  readonly peerId: Uint8Array;
  /** As the last announce that was heard had them. */
  memberId: number;
  torrentId: number;
  hashVersion: number;
  /** Its offers that somebody was given and has not answered. */
  readonly offered: Chains<OfferedOffer>;
}

/** By its offer id. */
interface OfferedOffer extends Linked<OfferedOffer> {
  readonly offerId: WsId;
  readonly expiresMs: number;
}

/** An offer that this connection was given; by its offer id. */
interface AskedOffer extends Linked<AskedOffer> {
  readonly from: WebRtcPlace;
  /** The very bytes of the connection's own peer. */
  readonly infoHash: Uint8Array;
  readonly offerId: WsId;
  /** Who offers. */
  readonly peerId: WsId;
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
  readonly peers = new Chains<WsPeer>();
  /** Closed, or told to close: nothing is written to it and nothing heard from it. */
  isOver = false;
  /** Monotonic: when something was heard last, and when the next ping is due. */
  heardMs = 0;
  pingDueMs = 0;
  readonly #asked = new Chains<AskedOffer>();

  constructor(parts: WsSessionParts) {
    this.number = parts.number;
    this.connection = parts.connection;
    this.passkey = parts.passkey;
    this.client = parts.client;
    this.moved = parts.moved;
    this.reader = new WsFrameReader(parts.messageBytesMax, parts.rooms);
  }

  /** Whether so much may be written now. */
  hasRoom(bytes: number): boolean {
    return this.connection.output.length - this.connection.outputLength >= bytes;
  }

  /** The peer that it announced under this info hash. */
  peerOf(infoHash: Uint8Array): WsPeer | undefined {
    const hash = hashOfId(infoHash);
    let peer = this.peers.first(hash);
    for (; peer !== undefined; peer = peer.next) {
      if (peer.hash === hash && sameId(peer.infoHash, infoHash)) return peer;
    }
    return undefined;
  }

  /** `peer` is asked. False when the connection has enough to answer, or has this very offer already. */
  ask(
    peer: WsPeer,
    offer: {
      readonly from: WebRtcPlace;
      readonly offerId: Uint8Array;
      readonly peerId: Uint8Array;
    },
    when: { readonly nowMs: number; readonly expiresMs: number; readonly offersMax: number },
  ): boolean {
    const { from, offerId, peerId } = offer;
    if (this.#asked.size >= when.offersMax) this.#expire(when.nowMs);
    if (this.#asked.size >= when.offersMax) return false;
    if (this.#findAsked(peer, offerId, peerId) !== undefined) return false;
    this.#asked.add({
      from,
      infoHash: peer.infoHash,
      offerId: new WsId(offerId),
      peerId: new WsId(peerId),
      expiresMs: when.expiresMs,
      hash: hashOfId(offerId),
      next: undefined,
    });
    return true;
  }

  /**
   * The offer of `peerId` to `peer` that is answered now, and only once; undefined when it was never
   * made, or long ago.
   */
  answered(
    peer: WsPeer,
    offer: { readonly offerId: Uint8Array; readonly peerId: Uint8Array },
    nowMs: number,
  ): WebRtcPlace | undefined {
    const asked = this.#findAsked(peer, offer.offerId, offer.peerId);
    if (asked === undefined) return undefined;
    this.#asked.remove(asked);
    return asked.expiresMs > nowMs ? asked.from : undefined;
  }

  /** Forgets the offers it was given, in one torrent or in all; returns them. */
  unanswered(infoHash?: Uint8Array): AskedOffer[] {
    const ended: AskedOffer[] = [];
    for (const offer of this.#asked.values()) {
      if (infoHash !== undefined && !sameId(offer.infoHash, infoHash)) continue;
      ended.push(offer);
      this.#asked.remove(offer);
    }
    return ended;
  }

  #findAsked(peer: WsPeer, offerId: Uint8Array, peerId: Uint8Array): AskedOffer | undefined {
    const hash = hashOfId(offerId);
    let asked = this.#asked.first(hash);
    for (; asked !== undefined; asked = asked.next) {
      if (asked.hash !== hash) continue;
      const isOf = asked.infoHash === peer.infoHash && asked.peerId.equals(peerId);
      if (isOf && asked.offerId.equals(offerId)) return asked;
    }
    return undefined;
  }

  #expire(nowMs: number): void {
    for (const offer of this.#asked.values()) {
      if (offer.expiresMs <= nowMs) this.#asked.remove(offer);
    }
  }
}

/** Remembers that somebody was given the offer; false when somebody was already. */
export function addOffered(peer: WsPeer, offerId: Uint8Array, expiresMs: number): boolean {
  if (findOffered(peer, offerId) !== undefined) return false;
  const id = new WsId(offerId);
  peer.offered.add({ offerId: id, expiresMs, hash: hashOfId(offerId), next: undefined });
  return true;
}

/** Nobody will answer the offer any more. Until when somebody could, 0 when it was not out. */
export function takeOffered(peer: WsPeer, offerId: Uint8Array): number {
  const offered = findOffered(peer, offerId);
  if (offered === undefined) return 0;
  peer.offered.remove(offered);
  return offered.expiresMs;
}

function findOffered(peer: WsPeer, offerId: Uint8Array): OfferedOffer | undefined {
  const hash = hashOfId(offerId);
  let offered = peer.offered.first(hash);
  for (; offered !== undefined; offered = offered.next) {
    if (offered.hash === hash && offered.offerId.equals(offerId)) return offered;
  }
  return undefined;
}

/** Whether offers of the peer are out that may still be answered. */
export function hasOffersOut(peer: WsPeer, nowMs: number): boolean {
  if (peer.offered.size === 0) return false;
  for (const offered of peer.offered.values()) {
    if (offered.expiresMs > nowMs) return true;
    peer.offered.remove(offered);
  }
  return false;
}
