// The HTTP door (BEP 3, 23, 7, 48): takes requests from the front of a connection's input, one after
// another, and writes whole answers into its output. One whose answer waits for the disk holds its
// connection, so that pipelined answers stay in order.

import { assert } from '#base/assert.ts';
import type { HeldClock } from '#base/clock.ts';
import type { TcpConnection, TcpHandler } from '#net/tcp-server.ts';
import { DOOR } from '#swarm/announce-slot.ts';
import type { Admission } from '#tracker/announce/admit.ts';
import type { Announcer } from '#tracker/announce/announce.ts';
import { newAnnounceRequest, type Parked } from '#tracker/announce/waiting.ts';
import { newRefusal, REFUSALS, type Refusal } from '#tracker/refusals.ts';
import { SCRAPE_FORMS, type Scraper } from '#tracker/scrape.ts';
import type { TrackerCounts } from '#tracker/tracker-counts.ts';
import type { WsDoor } from '#tracker/websocket/ws-door.ts';
import { WsUpgrade } from '#tracker/websocket/ws-upgrade.ts';
import type { AnnounceAnswer } from '#wire/announce-target.ts';
import {
  HTTP_SCRAPE_HASHES_MAX,
  HTTP_TARGET_REFUSAL_WORDS,
  HttpTarget,
  type HttpTargetRefusal,
} from '#wire/http-announce.ts';
import { HttpRequestHead } from '#wire/http-request.ts';
import {
  encodeHttpStatus,
  HttpAnswerWriter,
  type HttpStatus,
  httpHeadBytes,
  httpScrapeBytesMax,
} from '#wire/http-response.ts';
import { httpStreamHead } from '#wire/http-stream.ts';
import type { ClientAddress, ClientAddresses } from './client-address.ts';
import type { FormerUrls } from './former-urls.ts';
import type { FullScrapes } from './full-scrape.ts';
import type { StatusPage } from './status-page.ts';

const ANSWER_FIXED_BYTES = 2048;
/** As a dictionary: an IPv6 address as text, and a port. */
const PEER_BYTES_MAX = 128;

/** What one answer may take: a connection's output has at least this. */
export function httpAnswerBytesMax(peersPerAnswerMax: number): number {
  const announce = ANSWER_FIXED_BYTES + peersPerAnswerMax * PEER_BYTES_MAX;
  return Math.max(announce, httpScrapeBytesMax(HTTP_SCRAPE_HASHES_MAX));
}

export interface HttpDoorWorld {
  /** Held while the requests of one connection are handled. */
  readonly clock: HeldClock;
  readonly announcer: Announcer;
  readonly admission: Admission;
  readonly scraper: Scraper;
  /** Absent: a scrape must name what it asks for. */
  readonly fullScrapes?: FullScrapes;
  readonly counts: TrackerCounts;
  readonly retryAfterMs: number;
  readonly peersPerAnswerMax: number;
  /** Takes over the connections that ask for WebSocket. */
  readonly webSocket: WsDoor;
  /** Undefined: every connection is its client. */
  readonly clients: ClientAddresses | undefined;
  /** Undefined: visitors are told nothing. */
  readonly statusPage: StatusPage | undefined;
  /** Undefined: there are none. */
  readonly former: FormerUrls | undefined;
}

/** How an answer is to be sent. */
interface Form {
  close: boolean;
  isHead: boolean;
  dictionary: boolean;
  /** Asked by a name that the tracker should be reached by no more. */
  moved: boolean;
}

export class HttpDoor implements TcpHandler {
  readonly #world: HttpDoorWorld;
  readonly #request = newAnnounceRequest();
  readonly #target: HttpTarget;
  readonly #head = new HttpRequestHead();
  readonly #writer = new HttpAnswerWriter();
  readonly #statuses: ReadonlyMap<HttpStatus, Uint8Array>;
  readonly #overloaded: Uint8Array;
  readonly #roomBytes: number;
  /** Connections whose answer waits. Not by id: two listeners count alike. */
  readonly #parked = new Map<TcpConnection, { gone: boolean }>();
  readonly #upgrade: WsUpgrade;
  /** Of the request that is handled; one that waits keeps a copy. */
  readonly #form: Form = { close: false, isHead: false, dictionary: false, moved: false };
  readonly #how = { close: false, dictionary: false, peerIds: NO_PEER_IDS };
  #connection: TcpConnection | undefined;
  /** Who sent the request that is handled; undefined when the proxy in front does not say. */
  #client: ClientAddress | undefined;
  readonly #parkPresent = (): Parked => this.#park();

  constructor(world: HttpDoorWorld) {
    this.#world = world;
    this.#roomBytes = httpAnswerBytesMax(world.peersPerAnswerMax);
    this.#target = new HttpTarget(this.#request, {
      readsIp: world.clients?.readsIpParameter ?? false,
    });
    this.#upgrade = new WsUpgrade(world.webSocket, world.former);
    this.#statuses = new Map(
      STATUS_WORDS.map(([code, words]) => [code, encodeHttpStatus(code, words)]),
    );
    this.#overloaded = encodeHttpStatus(503, 'the tracker is busy: try again', {
      retryAfterSeconds: Math.ceil(world.retryAfterMs / 1000),
    });
  }

  /** One time for all that arrived together: asking for it costs as much as reading a request. */
  onTurnStart(): void {
    this.#world.clock.hold();
  }

  onTurnEnd(): void {
    this.#world.clock.release();
  }

  onInput(connection: TcpConnection): void {
    const { webSocket, clock, clients } = this.#world;
    if (webSocket.has(connection)) {
      webSocket.onInput(connection);
      return;
    }
    if (clients !== undefined && !this.#isIntroduced(connection, clients)) return;
    clock.hold();
    this.#takeRequests(connection);
    clock.release();
  }

  #isIntroduced(connection: TcpConnection, clients: ClientAddresses): boolean {
    const result = clients.introduce(connection);
    if (result !== 'broken') return result === 'known';
    this.#world.counts.count(DOOR.http, connection.family, 'refused');
    this.#world.counts.refused('proxy-protocol');
    connection.end();
    return false;
  }

  #takeRequests(connection: TcpConnection): void {
    const head = this.#head;
    const form = this.#form;
    const { clients, former } = this.#world;
    for (;;) {
      const { output, outputLength, input, inputLength } = connection;
      if (inputLength === 0 || output.length - outputLength < this.#roomBytes) return;
      const result = head.parse(input, 0, inputLength);
      if (result === 'incomplete') return;
      if (result !== 'complete') {
        this.#status(connection, result);
        return;
      }
      this.#client = clients === undefined ? connection : clients.read(connection, head.consumed);
      if (this.#upgrade.isAsked(head, input)) {
        this.#upgradeTo(connection);
        return;
      }
      form.close = !head.keepAlive;
      form.isHead = head.isHead;
      form.dictionary = false;
      form.moved = former?.has(input, head.host) === true;
      const { at, length } = head.target;
      const refusal = this.#target.parse(input, at, length);
      if (refusal === 'path' && this.#world.statusPage?.isAsked(input, head.target) === true) {
        if (!this.#showStatus(connection, form, this.#world.statusPage)) return;
        continue;
      }
      connection.consume(head.consumed);
      const goesOn = this.#route(connection, form, refusal);
      if (!goesOn) return;
    }
  }

  onClosed(connection: TcpConnection): void {
    this.#world.webSocket.onClosed(connection);
    this.#world.fullScrapes?.onClosed(connection);
    this.#world.clients?.onClosed(connection);
    const parked = this.#parked.get(connection);
    if (parked !== undefined) parked.gone = true;
    this.#parked.delete(connection);
  }

  /** As `WsDoor.endUnwelcome`; other connections are let go with their next answer. */
  endUnwelcome(): void {
    this.#world.webSocket.endUnwelcome();
  }

  /** Tells WebSocket clients that the tracker goes away, and ends full scrapes. */
  close(): void {
    this.#world.fullScrapes?.close();
    this.#world.webSocket.close();
  }

  #upgradeTo(connection: TcpConnection): void {
    const head = this.#head;
    const client = this.#client;
    const result = client === undefined ? 400 : this.#upgrade.open(connection, head, client);
    if (result !== 'open') this.#status(connection, result);
    else this.#world.webSocket.onInput(connection);
  }

  #showStatus(connection: TcpConnection, form: Form, page: StatusPage): boolean {
    const { consumed } = this.#head;
    const bytes = page.answer(connection.input, consumed, form.close);
    connection.consume(consumed);
    connection.output.set(bytes, connection.outputLength);
    return this.#produced(connection, form, bytes.byteLength);
  }

  /** False when the connection ends or waits. */
  #route(connection: TcpConnection, form: Form, refusal: HttpTargetRefusal): boolean {
    if (refusal === 'path') {
      this.#status(connection, 404);
      return false;
    }
    if (refusal !== 'none') {
      const { family } = connection;
      const isScrape = this.#target.kind === 'scrape';
      this.#world.counts.count(DOOR.http, family, isScrape ? 'scrapes' : 'announces');
      return this.#refuse(connection, form, FORM_REFUSALS[refusal]);
    }
    if (this.#target.kind === 'scrape') return this.#scrape(connection, form);
    // Who only looks (link previews, proxies) must not move a counter.
    if (form.isHead) {
      this.#status(connection, 405, true);
      return false;
    }
    form.dictionary = this.#target.wantsDictionary;
    return this.#announce(connection, form);
  }

  #announce(connection: TcpConnection, form: Form): boolean {
    const { announcer, admission, counts } = this.#world;
    const { family } = connection;
    const request = this.#request;
    counts.announced(DOOR.http, family);
    const client = this.#statedClient();
    if (client === undefined) return this.#refuse(connection, form, REFUSALS.addressUnknown);
    if (form.dictionary && admission.needsPasskey) {
      return this.#refuse(connection, form, REFUSALS.compactRequired);
    }
    request.door = DOOR.http;
    request.isTls = connection.isTls;
    request.family = client.family;
    for (let byte = 0; byte < 16; byte++) request.address[byte] = client.address[byte]!;
    this.#connection = connection;
    switch (announcer.announce(request, this.#target, this.#parkPresent)) {
      case 'answer':
        return this.#answer(connection, form, announcer.answer);
      case 'refuse':
        return this.#refuse(connection, form, announcer.refusal);
      case 'wait':
        counts.count(DOOR.http, family, 'waited');
        return false;
      default:
        this.#drop(connection);
        return false;
    }
  }

  #statedClient(): ClientAddress | undefined {
    const client = this.#client;
    const { clients } = this.#world;
    if (clients === undefined || client === undefined || !clients.readsIpParameter) return client;
    const { ip, ipBytes } = this.#target;
    return clients.stated(client, ip.subarray(0, ipBytes));
  }

  #scrape(connection: TcpConnection, form: Form): boolean {
    const { scraper, counts, fullScrapes } = this.#world;
    const target = this.#target;
    counts.count(DOOR.http, connection.family, 'scrapes');
    const isFull = target.scrapeCount === 0;
    const refusal =
      scraper.refuseHttp(target.passkey, target.passkeyBytes) ??
      (isFull && !this.#listsAll(connection) ? REFUSALS.scrapeEmpty : undefined);
    if (refusal !== undefined) return this.#refuse(connection, form, refusal);
    if (isFull && fullScrapes !== undefined) return this.#scrapeAll(connection, form, fullScrapes);
    const how = connection.isTls ? SCRAPE_FORMS.tls : SCRAPE_FORMS.plain;
    const result = scraper.read(target.scrapeHashes, target.scrapeCount, how);
    const { output, outputLength } = connection;
    const length = this.#writer.writeScrape(output, outputLength, result, form.close);
    return this.#produced(connection, form, length);
  }

  /** Hashes of torrents that are apart are theirs alone, so nobody is given a list of those. */
  #listsAll(connection: TcpConnection): boolean {
    const { fullScrapes, admission } = this.#world;
    return fullScrapes !== undefined && !admission.isApart(connection.isTls);
  }

  #scrapeAll(connection: TcpConnection, form: Form, fullScrapes: FullScrapes): boolean {
    if (!fullScrapes.hasRoom) return this.#refuse(connection, form, REFUSALS.scrapeBusy);
    const { isHttp10, acceptsGzip } = this.#head;
    const how = { isHttp10, close: form.close || isHttp10, gzip: acceptsGzip };
    if (!form.isHead) {
      fullScrapes.start(connection, how, this.#world.admission.lists);
      return false;
    }
    const head = httpStreamHead(how);
    connection.output.set(head, connection.outputLength);
    return this.#produced(connection, { ...form, close: how.close }, head.byteLength);
  }

  #answer(connection: TcpConnection, form: Form, answer: AnnounceAnswer): boolean {
    const { output, outputLength } = connection;
    const how = this.#how;
    how.close = form.close;
    how.dictionary = form.dictionary;
    if (form.moved) answer.warning = this.#world.former?.joined(answer.warning) ?? answer.warning;
    const length = this.#writer.writeAnnounce(output, outputLength, answer, how);
    this.#world.counts.answered(length);
    return this.#produced(connection, form, length);
  }

  #refuse(connection: TcpConnection, form: Form, refusal: Refusal): boolean {
    const { counts } = this.#world;
    counts.count(DOOR.http, connection.family, 'refused');
    counts.refused(refusal.code);
    const bytes = form.close ? refusal.httpClose : refusal.http;
    connection.output.set(bytes, connection.outputLength);
    return this.#produced(connection, form, bytes.byteLength);
  }

  #produced(connection: TcpConnection, form: Form, length: number): boolean {
    const { output, outputLength } = connection;
    connection.produce(form.isHead ? httpHeadBytes(output, outputLength, length) : length);
    if (form.close) connection.end();
    return !form.close;
  }

  #status(connection: TcpConnection, status: HttpStatus, isHead = false): void {
    const { counts } = this.#world;
    counts.count(DOOR.http, connection.family, 'refused');
    counts.refused(`http-${status}`);
    const bytes = this.#statuses.get(status) ?? this.#overloaded;
    const length = isHead ? httpHeadBytes(bytes, 0, bytes.byteLength) : bytes.byteLength;
    this.#last(connection, bytes.subarray(0, length));
  }

  #drop(connection: TcpConnection): void {
    this.#world.counts.count(DOOR.http, connection.family, 'dropped');
    this.#last(connection, this.#overloaded);
  }

  #last(connection: TcpConnection, bytes: Uint8Array): void {
    connection.output.set(bytes, connection.outputLength);
    connection.produce(bytes.byteLength);
    connection.end();
  }

  #park(): Parked {
    const connection = this.#connection;
    assert(connection !== undefined, 'a request is being handled');
    const form = { ...this.#form };
    const state = { gone: false };
    this.#parked.set(connection, state);
    connection.hold();
    const settle = (run: () => void): void => {
      if (state.gone) return;
      this.#parked.delete(connection);
      run();
      connection.flush();
      connection.release();
    };
    return {
      answer: (answer) => settle(() => this.#answer(connection, form, answer)),
      refuse: (refusal) => settle(() => this.#refuse(connection, form, refusal)),
      drop: () => settle(() => this.#drop(connection)),
    };
  }
}

const NO_PEER_IDS: Uint8Array = new Uint8Array(0);

const STATUS_WORDS: readonly (readonly [HttpStatus, string])[] = [
  [400, 'not a request that a tracker reads'],
  [404, HTTP_TARGET_REFUSAL_WORDS.path],
  [405, 'announces are made by GET'],
  [413, 'a request to a tracker has no body'],
  [414, 'the request line is too long'],
  [426, 'a tracker speaks WebSocket in version 13'],
  [431, 'the request has too many or too long headers'],
  [505, 'a tracker speaks HTTP/1.1 and HTTP/1.0'],
];

type FormRefusal = Exclude<HttpTargetRefusal, 'none' | 'path'>;

const FORM_REFUSALS: Readonly<Record<FormRefusal, Refusal>> = {
  'passkey-form': REFUSALS.passkeyUnknown,
  'info-hash-missing': invalid('info-hash-missing'),
  'info-hash-form': invalid('info-hash-form'),
  'info-hash-twice': invalid('info-hash-twice'),
  'peer-id-missing': invalid('peer-id-missing'),
  'peer-id-form': invalid('peer-id-form'),
  port: invalid('port'),
  uploaded: invalid('uploaded'),
  downloaded: invalid('downloaded'),
  left: invalid('left'),
  counter: invalid('counter'),
  encoding: invalid('encoding'),
};

function invalid(refusal: FormRefusal): Refusal {
  return newRefusal('request-invalid', HTTP_TARGET_REFUSAL_WORDS[refusal]);
}
