// The WebSocket door (WebTorrent): announces and scrapes as on the other doors, and between web peers
// the relay of offers and answers, by which they connect to each other:
//
//   announce with offers   the swarm chooses as many WebRTC peers as there are offers; each gets one
//   answer                 goes back to the connection whose offer it answers, once, within two minutes
//
// A connection speaks for the peers it announced and for no other; when it ends, they are reached by
// it no more. At most one set of offers of a peer is under way: until they are answered or too old,
// its further offers are not passed on. One announce is dealt with at a time per connection; while its
// answer waits for the disk, the connection is held.

import { unreachable } from '#base/assert.ts';
import type { Clock, Timer } from '#base/clock.ts';
import type { TcpConnection } from '#net/tcp-server.ts';
import { DOOR, EVENT } from '#swarm/announce-slot.ts';
import type { Swarm } from '#swarm/swarm.ts';
import type { Admission } from '#tracker/announce/admit.ts';
import type { Announcer } from '#tracker/announce/announce.ts';
import type { FamilyAnswer } from '#tracker/announce/answer.ts';
import { newAnnounceRequest, type Parked } from '#tracker/announce/waiting.ts';
import { REFUSALS, type Refusal } from '#tracker/refusals.ts';
import { SCRAPE_FORMS, type Scraper } from '#tracker/scrape.ts';
import type { TrackerCounts } from '#tracker/tracker-counts.ts';
import { WsAnswerWriter } from '#wire/ws-answer.ts';
import {
  WS_CLOSE,
  WS_OPCODE,
  type WsEvent,
  WsRooms,
  writeWsClose,
  writeWsControl,
  wsHandshake,
} from '#wire/ws-frame.ts';
import { WsMessage } from '#wire/ws-message.ts';
import type { WebRtcRelay } from './webrtc-relay.ts';
import type { WsCounts } from './ws-counts.ts';
import { Chains, hashOfId, sameId } from './ws-ids.ts';
import { type WsLimits, wsRoomBytes } from './ws-limits.ts';
import { type WsOfferSet, WsOffers } from './ws-offers.ts';
import { WS_REFUSALS } from './ws-refusals.ts';
import { hasOffersOut, type WsPeer, WsSession, type WsSessionParts } from './ws-session.ts';

const NUMBERS = 0x1_0000_0000;
const NO_BYTES: Uint8Array = new Uint8Array(0);

export interface WsDoorWorld {
  readonly clock: Clock;
  readonly announcer: Announcer;
  readonly admission: Admission;
  readonly scraper: Scraper;
  readonly swarm: Pick<Swarm, 'leaveWebrtc'>;
  readonly counts: TrackerCounts;
  readonly wsCounts: WsCounts;
  readonly relay: WebRtcRelay;
  readonly limits: WsLimits;
}

export class WsDoor {
  readonly #world: WsDoorWorld;
  readonly #request = newAnnounceRequest();
  readonly #message: WsMessage;
  readonly #writer = new WsAnswerWriter();
  readonly #offers: WsOffers;
  readonly #rooms = new WsRooms();
  readonly #roomBytes: number;
  readonly #byNumber = new Map<number, WsSession>();
  /** Those whose ping is due first stand first. */
  readonly #byPing = new Set<WsSession>();
  /** What left the swarm last; apart from `#request`, which an announce may be using. */
  readonly #leaving = newAnnounceRequest();
  #lastNumber = 0;
  #timer: Timer | undefined;
  #ending: Timer | undefined;

  constructor(world: WsDoorWorld) {
    const { limits } = world;
    this.#world = world;
    this.#message = new WsMessage(this.#request, limits);
    this.#roomBytes = wsRoomBytes(limits);
    this.#offers = new WsOffers({
      ...world,
      writer: this.#writer,
      sessionOf: (number) => this.#byNumber.get(number),
    });
  }

  get connections(): number {
    return this.#byNumber.size;
  }

  get isFull(): boolean {
    return this.connections >= this.#world.limits.connectionsMax;
  }

  /** Whether the connection speaks WebSocket by now. */
  has(connection: TcpConnection): boolean {
    return connection.context instanceof WsSession;
  }

  /** Agrees to a request whose `key` is good; what comes after it on the connection is ours. */
  open(
    connection: TcpConnection,
    asked: {
      readonly key: string;
      readonly passkey: Uint8Array;
      readonly client: WsSessionParts['client'];
      readonly moved: WsSessionParts['moved'];
    },
  ): void {
    const { limits, counts, wsCounts, clock } = this.#world;
    const session = new WsSession({
      number: this.#nextNumber(),
      connection,
      passkey: asked.passkey,
      client: asked.client,
      moved: asked.moved,
      messageBytesMax: limits.messageBytesMax,
      rooms: this.#rooms,
    });
    session.heardMs = clock.monotonicMs();
    session.pingDueMs = session.heardMs + limits.pingIntervalMs;
    connection.context = session;
    this.#byNumber.set(session.number, session);
    this.#byPing.add(session);
    this.#timer ??= this.#nextTick();
    counts.count(DOOR.websocket, session.client.family, 'connects');
    wsCounts.connections(this.connections);
    const handshake = wsHandshake(asked.key);
    connection.output.set(handshake, connection.outputLength);
    connection.produce(handshake.byteLength);
    connection.setIdle(limits.idleMsMax);
  }

  onInput(connection: TcpConnection): void {
    const session = connection.context;
    if (!(session instanceof WsSession)) return;
    session.heardMs = this.#world.clock.monotonicMs();
    while (connection.inputLength > 0 && !session.isOver) {
      if (!session.hasRoom(this.#roomBytes)) return;
      const event = session.reader.read(connection.input, 0, connection.inputLength);
      connection.consume(session.reader.consumed);
      if (!this.#onEvent(session, event)) return;
    }
  }

  onClosed(connection: TcpConnection): void {
    const session = connection.context;
    if (!(session instanceof WsSession)) return;
    connection.context = undefined;
    this.#byNumber.delete(session.number);
    this.#byPing.delete(session);
    this.#world.wsCounts.connections(this.connections);
    this.#leave(session);
    session.reader.release();
    if (this.connections > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** Who announced before a ban, or with a passkey that is good no more, is told so and let go at once. */
  endUnwelcome(): void {
    const { clock, admission } = this.#world;
    this.#ending ??= clock.after(0, () => {
      this.#ending = undefined;
      for (const session of this.#byNumber.values()) {
        const [peer] = session.peers.values();
        const refusal = admission.unwelcome(session.client, session.passkey);
        if (peer === undefined || refusal === undefined) continue;
        if (session.hasRoom(this.#roomBytes)) this.#fail(session, refusal, peer.infoHash);
        this.#end(session, WS_CLOSE.policy);
      }
    });
  }

  /** Tells every client that the tracker goes away. */
  close(): void {
    for (const session of this.#byNumber.values()) this.#end(session, WS_CLOSE.goingAway);
  }

  /** False when nothing more may be read now. */
  #onEvent(session: WsSession, event: WsEvent): boolean {
    const { reader, connection } = session;
    switch (event) {
      case 'message':
        return this.#onMessage(session);
      case 'ping': {
        const payload = reader.control.subarray(0, reader.controlLength);
        const { output, outputLength } = connection;
        connection.produce(writeWsControl(output, outputLength, WS_OPCODE.pong, payload));
        return true;
      }
      case 'close':
        this.#end(session, reader.closeCode);
        return false;
      case 'broken':
        this.#world.wsCounts.count('broken');
        this.#end(session, reader.closeCode);
        return false;
      case 'more':
      case 'pong':
        return true;
      default:
        return unreachable(event);
    }
  }

  #onMessage(session: WsSession): boolean {
    const { reader } = session;
    const message = this.#message;
    const refusal = message.parse(reader.message, reader.messageLength);
    let goesOn = true;
    if (refusal !== 'none') this.#refuse(session, WS_REFUSALS[refusal]);
    else if (message.action === 'scrape') this.#scrape(session);
    else if (message.answer.length > 0) this.#answerOf(session);
    else goesOn = this.#announce(session);
    // While an answer waits, the offers of the message wait in its room.
    if (goesOn) reader.release();
    return goesOn && !session.isOver;
  }

  #announce(session: WsSession): boolean {
    const { announcer, counts, clock, relay } = this.#world;
    const message = this.#message;
    const request = this.#request;
    const { client } = session;
    counts.count(DOOR.websocket, client.family, 'announces');
    const known = session.peerOf(request.infoHash);
    const refusal = this.#announceRefusal(session, known);
    if (refusal !== undefined) {
      this.#refuse(session, refusal);
      return true;
    }
    request.door = DOOR.websocket;
    request.family = client.family;
    request.address.set(client.address);
    request.port = client.port;
    request.isTls = session.connection.isTls;
    request.connection = session.number;
    request.worker = relay.worker;
    const isWithheld =
      message.offerCount > 0 && known !== undefined && hasOffersOut(known, clock.monotonicMs());
    request.numwant = isWithheld ? 0 : offersWanted(message.offerCount, request.numwant);
    const passkey = { passkey: session.passkey, passkeyBytes: session.passkey.byteLength };
    const offers: WsOfferSet = {
      bytes: session.reader.message,
      offerCount: message.offerCount,
      offers: message.offers,
      offerIds: message.offerIds,
      isWithheld,
    };
    switch (announcer.announce(request, passkey, () => this.#park(session, offers))) {
      case 'answer':
        this.#answer(session, this.#joined(session), { answer: announcer.answer, offers });
        return true;
      case 'refuse':
        this.#forget(session, request.infoHash);
        this.#refuse(session, announcer.refusal);
        return true;
      case 'wait':
        counts.count(DOOR.websocket, client.family, 'waited');
        return false;
      default:
        counts.count(DOOR.websocket, client.family, 'dropped');
        this.#fail(session, WS_REFUSALS.busy);
        return true;
    }
  }

  /** What can be said before anybody else is asked. */
  #announceRefusal(session: WsSession, known: WsPeer | undefined): Refusal | undefined {
    const message = this.#message;
    const request = this.#request;
    if (known !== undefined && !sameId(known.peerId, request.peerId)) {
      return WS_REFUSALS.secondPeerId;
    }
    const isFull = session.peers.size >= this.#world.limits.torrentsMax;
    if (known === undefined && isFull && request.event !== EVENT.stopped) {
      return WS_REFUSALS.torrentsMany;
    }
    // Where nobody is credited nobody needs to say what was moved.
    if (!this.#world.admission.needsPasskey) return undefined;
    if (!message.hasUploaded) return WS_REFUSALS.uploaded;
    return message.hasDownloaded ? undefined : WS_REFUSALS.downloaded;
  }

  /** The announce was heard: from here on the connection speaks for the peer, or no more. */
  #joined(session: WsSession): WsPeer {
    const request = this.#request;
    const { memberId, torrentId, hashVersion } = request;
    const isOver = request.event === EVENT.stopped;
    const known = session.peerOf(request.infoHash);
    if (known !== undefined) {
      known.memberId = memberId;
      known.torrentId = torrentId;
      known.hashVersion = hashVersion;
      if (!isOver) return known;
      session.peers.remove(known);
      this.#offers.endAsked(session, known.infoHash);
      return known;
    }
    const peer: WsPeer = {
      infoHash: request.infoHash.slice(),
      peerId: request.peerId.slice(),
      memberId,
      torrentId,
      hashVersion,
      offered: new Chains(),
      hash: hashOfId(request.infoHash),
      next: undefined,
    };
    if (!isOver) session.peers.add(peer);
    return peer;
  }

  /** A refused peer is reached no more either. */
  #forget(session: WsSession, infoHash: Uint8Array): void {
    const peer = session.peerOf(infoHash);
    if (peer === undefined) return;
    session.peers.remove(peer);
    this.#leaveSwarm(session, peer);
    this.#offers.endAsked(session, peer.infoHash);
  }

  #park(session: WsSession, offers: WsOfferSet): Parked {
    const { connection } = session;
    // The thread's message is parsed anew before this one is answered.
    const kept = this.#offers.keep(offers);
    const peer = this.#joined(session);
    connection.hold();
    const settle = (run: () => void): void => {
      if (session.isOver) {
        // It may have joined only now, when nobody can be reached by it any more.
        this.#leaveSwarm(session, peer);
        return;
      }
      run();
      session.reader.release();
      connection.flush();
      connection.release();
    };
    return {
      answer: (answer) => settle(() => this.#answer(session, peer, { answer, offers: kept })),
      refuse: (refusal) =>
        settle(() => {
          this.#forget(session, peer.infoHash);
          this.#refuse(session, refusal, peer.infoHash);
        }),
      drop: () =>
        settle(() => {
          this.#world.counts.count(DOOR.websocket, session.client.family, 'dropped');
          this.#fail(session, WS_REFUSALS.busy, peer.infoHash);
        }),
    };
  }

  #answer(
    session: WsSession,
    peer: WsPeer,
    given: { readonly answer: FamilyAnswer; readonly offers: WsOfferSet },
  ): void {
    const { answer, offers } = given;
    const { output, outputLength } = session.connection;
    const own = offers.isWithheld ? WS_REFUSALS.offersUnderWay.text : answer.warning;
    const warning = session.moved?.joined(own) ?? own;
    const told = warning === answer.warning ? answer : { ...answer, warning };
    const length = this.#writer.writeAnnounce(output, outputLength, peer.infoHash, told);
    session.connection.produce(length);
    this.#world.counts.answered(length);
    this.#offers.pass(session, { peer, offers, answer });
  }

  #answerOf(session: WsSession): void {
    const message = this.#message;
    const peer = session.peerOf(this.#request.infoHash);
    // It answers in its own name only.
    if (peer === undefined || !sameId(peer.peerId, this.#request.peerId)) {
      this.#world.wsCounts.count('stray');
      return;
    }
    const { at, length } = message.answer;
    this.#offers.answer(session, peer, {
      offerId: message.offerId,
      toPeerId: message.toPeerId,
      description: session.reader.message.subarray(at, at + length),
    });
  }

  #scrape(session: WsSession): void {
    const { scraper, counts } = this.#world;
    const message = this.#message;
    counts.count(DOOR.websocket, session.client.family, 'scrapes');
    const { passkey, connection } = session;
    const refusal =
      scraper.refuseHttp(passkey, passkey.byteLength) ??
      (message.scrapeCount === 0 ? REFUSALS.scrapeEmpty : undefined);
    if (refusal !== undefined) {
      this.#refuse(session, refusal);
      return;
    }
    const form = connection.isTls ? SCRAPE_FORMS.tls : SCRAPE_FORMS.plain;
    const result = scraper.read(message.scrapeHashes, message.scrapeCount, form);
    const { output, outputLength } = connection;
    connection.produce(this.#writer.writeScrape(output, outputLength, result));
  }

  #refuse(session: WsSession, refusal: Refusal, infoHash?: Uint8Array): void {
    const { counts } = this.#world;
    counts.count(DOOR.websocket, session.client.family, 'refused');
    counts.refused(refusal.code);
    this.#fail(session, refusal, infoHash);
  }

  /** `infoHash` is the present message's unless given. */
  #fail(session: WsSession, refusal: Refusal, infoHash?: Uint8Array): void {
    const { connection } = session;
    const message = this.#message;
    const own = message.hasInfoHash ? this.#request.infoHash : undefined;
    const hash = infoHash ?? own;
    const action = infoHash === undefined ? message.action : 'announce';
    const { output, outputLength } = connection;
    const length = this.#writer.writeFailure(output, outputLength, refusal.text, {
      action,
      ...(hash !== undefined && { infoHash: hash }),
    });
    connection.produce(length);
  }

  /** Says goodbye; the peers are gone from the swarm at once. */
  #end(session: WsSession, code: number): void {
    if (session.isOver) return;
    const { connection } = session;
    const { output, outputLength: at } = connection;
    if (output.length - at >= 4) connection.produce(writeWsClose(output, at, code));
    this.#leave(session);
    connection.end();
  }

  #leave(session: WsSession): void {
    if (session.isOver) return;
    session.isOver = true;
    for (const peer of session.peers.values()) this.#leaveSwarm(session, peer);
    session.peers.clear();
    this.#offers.endAsked(session);
  }

  #leaveSwarm(session: WsSession, peer: WsPeer): void {
    const leaving = this.#leaving;
    leaving.door = DOOR.websocket;
    leaving.connection = session.number;
    leaving.worker = this.#world.relay.worker;
    leaving.memberId = peer.memberId;
    leaving.torrentId = peer.torrentId;
    leaving.hashVersion = peer.hashVersion;
    leaving.infoHash.set(peer.infoHash);
    leaving.peerId.set(peer.peerId);
    this.#world.swarm.leaveWebrtc(leaving);
  }

  #nextNumber(): number {
    do this.#lastNumber = (this.#lastNumber + 1) % NUMBERS;
    while (this.#lastNumber === 0 || this.#byNumber.has(this.#lastNumber));
    return this.#lastNumber;
  }

  #nextTick(): Timer {
    const { clock, limits } = this.#world;
    return clock.after(Math.min(1000, limits.pingIntervalMs), () => {
      this.#ping(clock.monotonicMs());
      this.#timer = this.connections > 0 ? this.#nextTick() : undefined;
    });
  }

  /** A client that is gone without a word answers no ping, and is dropped. */
  #ping(nowMs: number): void {
    const { limits, wsCounts } = this.#world;
    for (const session of this.#byPing) {
      if (session.pingDueMs > nowMs) return;
      if (nowMs - session.heardMs > limits.idleMsMax) {
        wsCounts.count('silent');
        session.connection.destroy();
        continue;
      }
      session.pingDueMs = nowMs + limits.pingIntervalMs;
      this.#byPing.delete(session);
      this.#byPing.add(session);
      const { connection } = session;
      const { output, outputLength } = connection;
      if (session.isOver || output.length - outputLength < 2) continue;
      connection.produce(writeWsControl(output, outputLength, WS_OPCODE.ping, NO_BYTES));
      connection.flush();
    }
  }
}

/** As many as there are offers, unless it wants fewer. */
function offersWanted(offerCount: number, numwant: number): number {
  return numwant < 0 ? offerCount : Math.min(offerCount, numwant);
}
