// Offers and answers between web peers, for all connections of a thread. An offer that is passed on is
// remembered on both sides: by the connection that was given it, so that it may answer once, and by
// the peer that made it, so that nobody else's answer reaches it and no second set goes out meanwhile.

import { unreachable } from '#base/assert.ts';
import type { Clock } from '#base/clock.ts';
import type { Admission } from '#tracker/announce/admit.ts';
import type { FamilyAnswer } from '#tracker/announce/answer.ts';
import { type WsAnswerWriter, wsRelayBytesMax } from '#wire/ws-answer.ts';
import type { Span } from '#wire/ws-message.ts';
import type { WebRtcMessage, WebRtcPlace, WebRtcRelay } from './webrtc-relay.ts';
import type { WsCounts } from './ws-counts.ts';
import type { WsLimits } from './ws-limits.ts';
import { addOffered, takeOffered, type WsPeer, type WsSession } from './ws-session.ts';

const ID_BYTES = 20;
/** A chosen peer: connection u32 and worker u16, lowest byte first. */
const PLACE_BYTES = 6;
const NO_BYTES: Uint8Array = new Uint8Array(0);

/** The offers of one announce; spans point into `bytes`. */
export interface WsOfferSet {
  readonly bytes: Uint8Array;
  readonly offerCount: number;
  readonly offers: readonly Readonly<Span>[];
  /** 20 bytes each. */
  readonly offerIds: Uint8Array;
  /** An earlier set is under way: this one is not passed on. */
  readonly isWithheld: boolean;
}

export interface WsOffersWorld {
  readonly clock: Clock;
  readonly admission: Admission;
  readonly wsCounts: WsCounts;
  readonly relay: WebRtcRelay;
  readonly limits: WsLimits;
  readonly writer: WsAnswerWriter;
  /** A connection of this thread by its number. */
  readonly sessionOf: (number: number) => WsSession | undefined;
}

export class WsOffers {
  readonly #world: WsOffersWorld;

  constructor(world: WsOffersWorld) {
    this.#world = world;
    world.relay.onMessage((connection, message) => this.#receive(connection, message));
  }

  /** A copy of what the reader of messages will overwrite; the bytes stay where they are. */
  keep(offers: WsOfferSet): WsOfferSet {
    const { offerCount } = offers;
    return {
      ...offers,
      offers: offers.offers.slice(0, offerCount).map((span) => ({ ...span })),
      offerIds: offers.offerIds.slice(0, offerCount * ID_BYTES),
    };
  }

  /** Gives each peer that the swarm chose one of the offers. */
  pass(
    session: WsSession,
    from: { readonly peer: WsPeer; readonly offers: WsOfferSet; readonly answer: FamilyAnswer },
  ): void {
    const { peer, offers, answer } = from;
    const { relay, limits, clock } = this.#world;
    if (offers.isWithheld) return;
    const count = Math.min(answer.webrtcCount, offers.offerCount);
    const expiresMs = clock.monotonicMs() + limits.offerMsMax;
    for (let index = 0; index < count; index++) {
      const offerId = offers.offerIds.subarray(index * ID_BYTES, (index + 1) * ID_BYTES);
      const span = offers.offers[index];
      if (span === undefined) return;
      // The same id twice would let two peers answer one offer.
      if (!addOffered(peer, offerId, expiresMs)) continue;
      this.#send(placeAt(answer.webrtc, index), {
        kind: 'offer',
        from: { worker: relay.worker, connection: session.number },
        infoHash: peer.infoHash,
        offerId,
        peerId: peer.peerId,
        description: offers.bytes.subarray(span.at, span.at + span.length),
      });
    }
  }

  /** Passes an answer on if it is to an offer that this connection was really given. */
  answer(
    session: WsSession,
    peer: WsPeer,
    given: {
      readonly offerId: Uint8Array;
      readonly toPeerId: Uint8Array;
      readonly description: Uint8Array;
    },
  ): void {
    const { clock, relay, wsCounts } = this.#world;
    const { offerId, toPeerId, description } = given;
    const { infoHash, peerId } = peer;
    const to = this.#mayTakePart(session)
      ? session.answered(peer, { offerId, peerId: toPeerId }, clock.monotonicMs())
      : undefined;
    if (to === undefined) {
      wsCounts.count('stray');
      return;
    }
    const from = { worker: relay.worker, connection: session.number };
    this.#send(to, { kind: 'answer', from, infoHash, offerId, peerId, description });
  }

  /** The connection will not answer the offers it was given, in one torrent or in all. */
  endAsked(session: WsSession, infoHash?: Uint8Array): void {
    const from = { worker: this.#world.relay.worker, connection: session.number };
    for (const offer of session.unanswered(infoHash)) {
      this.#send(offer.from, {
        kind: 'end',
        from,
        infoHash: offer.infoHash,
        offerId: offer.offerId.toBytes(),
        peerId: NO_BYTES,
        description: NO_BYTES,
      });
    }
  }

  #send(to: WebRtcPlace, message: WebRtcMessage): void {
    const { relay } = this.#world;
    if (to.worker === relay.worker) this.#receive(to.connection, message);
    else relay.sendTo(to, compact(message));
  }

  #receive(connection: number, message: WebRtcMessage): void {
    const session = this.#world.sessionOf(connection);
    const isThere = session !== undefined && !session.isOver;
    switch (message.kind) {
      case 'offer':
        if (!isThere || !this.#deliverOffer(session, message)) {
          this.#world.wsCounts.count('undelivered');
          this.#send(message.from, { ...message, kind: 'end', description: NO_BYTES });
        }
        return;
      case 'answer':
        if (isThere) this.#deliverAnswer(session, message);
        else this.#world.wsCounts.count('undelivered');
        return;
      case 'end':
        if (isThere) takeOfferOf(session, message);
        return;
      default:
        unreachable(message.kind);
    }
  }

  #deliverOffer(session: WsSession, message: WebRtcMessage): boolean {
    const { clock, limits, wsCounts } = this.#world;
    const peer = session.peerOf(message.infoHash);
    if (peer === undefined) return false;
    if (!this.#hasRoom(session, message) || !this.#mayTakePart(session)) return false;
    const nowMs = clock.monotonicMs();
    const when = { nowMs, expiresMs: nowMs + limits.offerMsMax, offersMax: limits.askedMax };
    if (!session.ask(peer, message, when)) return false;
    this.#write(session, 'offer', message);
    wsCounts.count('offers');
    return true;
  }

  #deliverAnswer(session: WsSession, message: WebRtcMessage): void {
    const { clock, wsCounts } = this.#world;
    if (takeOfferOf(session, message) <= clock.monotonicMs()) {
      wsCounts.count('stray');
      return;
    }
    if (!this.#hasRoom(session, message)) {
      wsCounts.count('undelivered');
      return;
    }
    this.#write(session, 'answer', message);
    wsCounts.count('answers');
  }

  #hasRoom(session: WsSession, message: WebRtcMessage): boolean {
    const { output, outputLength } = session.connection;
    return output.length - outputLength >= wsRelayBytesMax(message.description.byteLength);
  }

  #write(session: WsSession, kind: 'offer' | 'answer', message: WebRtcMessage): void {
    const { connection } = session;
    const { output, outputLength } = connection;
    connection.produce(this.#world.writer.writeRelay(output, outputLength, kind, message));
    connection.flush();
  }

  /** A member who was banned meanwhile takes part no more, though the connection is still open. */
  #mayTakePart(session: WsSession): boolean {
    const { passkey } = session;
    return this.#world.admission.identify(passkey, passkey.byteLength, false) === undefined;
  }
}

/** The offer that the message is about is no more under way: until when it was, 0 when it was not. */
function takeOfferOf(session: WsSession, message: WebRtcMessage): number {
  const peer = session.peerOf(message.infoHash);
  return peer === undefined ? 0 : takeOffered(peer, message.offerId);
}

/** A view would be posted with all of the buffer that it is a part of. */
function compact(message: WebRtcMessage): WebRtcMessage {
  const { infoHash, offerId, peerId, description } = message;
  return {
    ...message,
    infoHash: infoHash.slice(),
    offerId: offerId.slice(),
    peerId: peerId.slice(),
    description: description.slice(),
  };
}

function placeAt(places: Uint8Array, index: number): WebRtcPlace {
  const at = index * PLACE_BYTES;
  const byte = (offset: number): number => places[at + offset] as number;
  const connection = (byte(0) | (byte(1) << 8) | (byte(2) << 16) | (byte(3) << 24)) >>> 0;
  return { connection, worker: byte(4) | (byte(5) << 8) };
}
