// The UDP door (BEP 15, BEP 41): from input slots through the codec to the announcer and into output
// slots. Whoever shows no good connection id is answered with nothing that is longer than what was
// sent: a connect answer of 16 bytes for 16, an error of at most 36 for 36 or more, or silence.

import { assert } from '#base/assert.ts';
import { utf8 } from '#base/bytes.ts';
import type { HeldClock } from '#base/clock.ts';
import type { DatagramSlots, Endpoint, UdpSocket } from '#net/udp-socket.ts';
import { DOOR } from '#swarm/announce-slot.ts';
import type { LookAhead } from '#swarm/look-ahead.ts';
import type { Swarm } from '#swarm/swarm.ts';
import type { AddressMemory } from '#tracker/announce/address-memory.ts';
import type { AnnounceKey } from '#tracker/announce/admit.ts';
import type { Announcer } from '#tracker/announce/announce.ts';
import type { FamilyAnswer } from '#tracker/announce/answer.ts';
import { newAnnounceRequest, type Parked } from '#tracker/announce/waiting.ts';
import { newRefusal, type Refusal, STALE_ID_WORDS } from '#tracker/refusals.ts';
import { SCRAPE_FORMS, type ScrapeResult, type Scraper } from '#tracker/scrape.ts';
import type { TrackerCounts } from '#tracker/tracker-counts.ts';
import { HttpTarget } from '#wire/http-announce.ts';
import {
  UDP_ANNOUNCE_BYTES_MIN,
  UDP_HASH_AT,
  UDP_PORT_AT,
  UDP_SCRAPE_HASHES_MAX,
  UdpRequest,
  writeUdpAnnounce,
  writeUdpConnect,
  writeUdpError,
  writeUdpScrape,
} from '#wire/udp-packets.ts';
import type { ConnectionIds } from './connection-id.ts';
import { PasskeyPaths, type RememberedKey } from './passkey-paths.ts';

/** The longest scrape has 16 + 74 * 20 bytes, the longest announce 98 and its options. */
export const UDP_INPUT_BYTES_MAX = 2048;
const HASH_BYTES = 20;
/** Where an announce that names its member has option 2 of BEP 41, and some of the passkey in it. */
const OPTION_AT = UDP_ANNOUNCE_BYTES_MIN;
const OPTION_URL = 2;
const SLASH = 0x2f;
const KEY_AT = OPTION_AT + 3;
const KEY_BYTES = 8;

/** Whom an answer goes to; `view` is of its address. */
type Asker = Endpoint & { readonly view: DataView };

export interface UdpDoorWorld {
  readonly swarm: Pick<Swarm, 'lookAhead'>;
  /** Of the sockets it serves. */
  readonly slotsMax: number;
  /** Held for each batch: its datagrams came at one time. */
  readonly clock: HeldClock;
  readonly announcer: Announcer;
  readonly scraper: Scraper;
  readonly connectionIds: ConnectionIds;
  readonly addresses: AddressMemory;
  readonly counts: TrackerCounts;
}

export class UdpDoor {
  readonly #world: UdpDoorWorld;
  readonly #ahead: LookAhead;
  readonly #request = newAnnounceRequest();
  /** Of `#request`. */
  readonly #address: DataView;
  readonly #packet: UdpRequest;
  /** Carries the transaction id of an answer that waited. */
  readonly #late = new UdpRequest(newAnnounceRequest());
  readonly #path = new HttpTarget(newAnnounceRequest());
  readonly #paths = new PasskeyPaths();
  /** What is remembered now: one object for all. */
  readonly #learned = { bits: 0, key: this.#path as AnnounceKey, memberId: 0 };
  /** Of each datagram of the batch, as long as `#paths` has not changed: what its options held before. */
  readonly #known: (RememberedKey | undefined)[];
  #knownChanges = 0;
  readonly #connectionId = new Uint8Array(8);
  readonly #scrapeNumbers = new Float64Array(UDP_SCRAPE_HASHES_MAX * 3);
  readonly #flushDue = new Set<UdpSocket>();
  /** Whom the present packet came from, and by which socket: made once, filled for each packet. */
  readonly #from: { family: 4 | 6; readonly address: Uint8Array; port: number; view: DataView };
  #socket: UdpSocket | undefined;
  readonly #parkPresent = (): Parked => this.#park();
  #closed = false;

  constructor(world: UdpDoorWorld) {
    this.#world = world;
    this.#ahead = world.swarm.lookAhead(world.slotsMax);
    this.#known = new Array(world.slotsMax).fill(undefined);
    this.#packet = new UdpRequest(this.#request);
    const { address } = this.#request;
    this.#address = new DataView(address.buffer, address.byteOffset, 16);
    this.#from = { family: 4, address, port: 0, view: this.#address };
  }

  /** Handles every filled input slot. */
  onBatch(socket: UdpSocket): void {
    const { clock } = this.#world;
    clock.hold();
    this.#lookAhead(socket);
    for (let slot = 0; slot < socket.input.count; slot++) this.#handle(socket, slot);
    clock.release();
  }

  /** Answers that still wait are given up; the sockets may be closed. */
  close(): void {
    this.#closed = true;
  }

  /** Every datagram that has the length of an announce is taken for one: a wrong look is harmless. */
  #lookAhead({ input, family }: UdpSocket): void {
    const ahead = this.#ahead;
    this.#knownChanges = this.#paths.changes;
    for (let slot = 0; slot < input.count; slot++) {
      const at = slot * input.slotBytes;
      const isLong = input.lengths[slot]! >= UDP_ANNOUNCE_BYTES_MIN;
      const hashAt = isLong ? at + UDP_HASH_AT : at;
      const known = this.#remembered(input, slot);
      this.#known[slot] = known;
      if (known !== undefined) {
        ahead.addMember(input.bytes, hashAt, known.memberId);
        continue;
      }
      const address = family === 4 ? wordAt(input.addresses, slot * 16) : 0;
      const port = input.bytes[at + UDP_PORT_AT]! | (input.bytes[at + UDP_PORT_AT + 1]! << 8);
      ahead.add(input.bytes, hashAt, address, port);
    }
    ahead.run();
  }

  #handle(socket: UdpSocket, slot: number): void {
    const { input, family } = socket;
    const packet = this.#packet;
    const request = this.#request;
    const length = input.lengths[slot]!;
    request.place = this.#ahead.placeOf(slot);
    const isKnown = this.#paths.changes === this.#knownChanges;
    const known = isKnown ? this.#known[slot] : this.#remembered(input, slot);
    const refusal = packet.decode(input.bytes, slot * input.slotBytes, length, known === undefined);
    copyAddress(input.addressView, slot * 16, this.#address, 0);
    if (refusal === 'short' || refusal === 'magic' || refusal === 'action') {
      this.#world.counts.count(DOOR.udp, family, 'ignored');
      return;
    }
    const from = this.#from;
    from.family = family;
    from.port = input.ports[slot]!;
    this.#socket = socket;
    if (packet.kind === 'connect') {
      this.#connect(socket, from);
      return;
    }
    const { connectionIds } = this.#world;
    if (!connectionIds.isGood(packet.connectionId, request.address, family)) {
      this.#stale(socket, from, length);
    } else if (refusal !== 'none') this.#refuse(socket, from, REFUSAL_OF[refusal]);
    else if (packet.kind === 'announce') this.#announce(socket, slot, from, known);
    else this.#scrape(socket, from);
  }

  #connect(socket: UdpSocket, from: Asker): void {
    this.#world.counts.count(DOOR.udp, from.family, 'connects');
    this.#world.connectionIds.write(this.#connectionId, from.address, from.family);
    const at = slotFor(socket, from);
    const { output } = socket;
    const length = writeUdpConnect(output.bytes, at, this.#packet, this.#connectionId);
    send(socket, length);
  }

  #stale(socket: UdpSocket, from: Asker, length: number): void {
    const { addresses, counts } = this.#world;
    counts.refused('connection-id');
    if (8 + STALE_TEXT.byteLength > length) return;
    if (!addresses.mayAnswerStale(from.address, from.family)) {
      counts.count(DOOR.udp, from.family, 'ignored');
      return;
    }
    counts.count(DOOR.udp, from.family, 'refused');
    this.#error(socket, from, STALE_TEXT);
  }

  #announce(socket: UdpSocket, slot: number, from: Asker, known: RememberedKey | undefined): void {
    const { announcer, counts } = this.#world;
    const request = this.#request;
    request.door = DOOR.udp;
    request.family = from.family;
    const key = known ?? this.#passkey();
    counts.announced(DOOR.udp, from.family);
    switch (announcer.announce(request, key, this.#parkPresent)) {
      case 'answer':
        if (known !== undefined) known.memberId = request.memberId;
        else if (request.memberId !== 0) this.#learn(socket, slot, key);
        this.#answer(socket, from, this.#packet, announcer.answer);
        return;
      case 'refuse':
        this.#refuse(socket, from, announcer.refusal);
        return;
      case 'wait':
        counts.count(DOOR.udp, from.family, 'waited');
        return;
      default:
        counts.count(DOOR.udp, from.family, 'dropped');
    }
  }

  /** Whom the options of this slot's datagram named before, by their bytes. */
  #remembered(input: DatagramSlots, slot: number): RememberedKey | undefined {
    const at = slot * input.slotBytes;
    const length = input.lengths[slot]!;
    if (!hasKey(input.bytes, at, length)) return undefined;
    const bits = keyBitsAt(input.bytes, at + KEY_AT);
    return this.#paths.find(input.view, at + OPTION_AT, length - OPTION_AT, bits);
  }

  /** The key in the URL data of BEP 41. Data that is no announce path names nobody. */
  #passkey(): AnnounceKey {
    const packet = this.#packet;
    const path = this.#path;
    path.passkeyBytes = 0;
    if (packet.urlBytes > 0) {
      const refusal = path.parsePath(packet.url, 0, packet.urlBytes);
      // A key that cannot be one is as unknown as any other, not as if none had been sent.
      if (refusal === 'passkey-form') path.passkeyBytes = path.passkey.byteLength;
      else if (refusal !== 'none') path.passkeyBytes = 0;
    }
    return path;
  }

  /** The announce of this slot was admitted by `key`: the next one of its client saves the way. */
  #learn({ input }: UdpSocket, slot: number, key: AnnounceKey): void {
    const at = slot * input.slotBytes;
    const length = input.lengths[slot]!;
    if (!hasKey(input.bytes, at, length)) return;
    const bits = keyBitsAt(input.bytes, at + KEY_AT);
    const learned = this.#learned;
    learned.bits = bits;
    learned.key = key;
    learned.memberId = this.#request.memberId;
    this.#paths.remember(input.view, at + OPTION_AT, length - OPTION_AT, learned);
  }

  #scrape(socket: UdpSocket, from: Asker): void {
    const { scraper, counts } = this.#world;
    const packet = this.#packet;
    counts.count(DOOR.udp, from.family, 'scrapes');
    const refusal = scraper.refuseUdp(from.address, from.family);
    if (refusal !== undefined) {
      this.#refuse(socket, from, refusal);
      return;
    }
    const result = scraper.read(packet.scrapeHashes, packet.scrapeCount, SCRAPE_FORMS.udp);
    this.#fillScrape(result);
    const at = slotFor(socket, from);
    const length = writeUdpScrape(socket.output.bytes, at, packet, this.#scrapeNumbers);
    send(socket, length);
  }

  #fillScrape(result: ScrapeResult): void {
    for (let index = 0; index < result.count; index++) {
      this.#scrapeNumbers[index * 3] = result.seeders[index]!;
      this.#scrapeNumbers[index * 3 + 1] = result.completed[index]!;
      this.#scrapeNumbers[index * 3 + 2] = result.leechers[index]!;
    }
  }

  #answer(socket: UdpSocket, to: Asker, packet: UdpRequest, answer: FamilyAnswer): void {
    const at = slotFor(socket, to);
    const { output } = socket;
    const length = writeUdpAnnounce(output.bytes, at, packet, answer);
    this.#world.counts.answered(length);
    send(socket, length);
  }

  #refuse(socket: UdpSocket, to: Asker, refusal: Refusal): void {
    this.#world.counts.count(DOOR.udp, to.family, 'refused');
    this.#world.counts.refused(refusal.code);
    this.#error(socket, to, refusal.text);
  }

  #error(socket: UdpSocket, to: Asker, text: Uint8Array, packet: UdpRequest = this.#packet): void {
    const at = slotFor(socket, to);
    send(socket, writeUdpError(socket.output.bytes, at, packet, text));
  }

  #park(): Parked {
    const socket = this.#socket;
    assert(socket !== undefined, 'a packet is being handled');
    const address = this.#from.address.slice();
    const to: Asker = { ...this.#from, address, view: new DataView(address.buffer) };
    const transactionId = this.#packet.transactionId.slice();
    const { counts } = this.#world;
    const late = this.#late;
    return {
      answer: (answer) => {
        if (this.#closed) return;
        late.transactionId.set(transactionId);
        this.#answer(socket, to, late, answer);
        this.#flushSoon(socket);
      },
      refuse: (refusal) => {
        if (this.#closed) return;
        late.transactionId.set(transactionId);
        counts.count(DOOR.udp, to.family, 'refused');
        counts.refused(refusal.code);
        this.#error(socket, to, refusal.text, late);
        this.#flushSoon(socket);
      },
      drop: () => counts.count(DOOR.udp, to.family, 'dropped'),
    };
  }

  /** Answers that become due together go out together. */
  #flushSoon(socket: UdpSocket): void {
    if (this.#flushDue.size === 0) {
      queueMicrotask(() => {
        for (const each of this.#flushDue) each.flush();
        this.#flushDue.clear();
      });
    }
    this.#flushDue.add(socket);
  }
}

const STALE_TEXT: Uint8Array = utf8(STALE_ID_WORDS);
assert(8 + STALE_TEXT.byteLength <= 16 + HASH_BYTES, 'a stale id earns no more than was sent');

const REFUSAL_OF = {
  counter: newRefusal('request-invalid', 'uploaded or downloaded is too large to be true'),
  url: newRefusal('request-invalid', 'the announce URL in the packet is too long'),
} as const;

/** Opens the next output slot for `to`; returns where its bytes begin. */
function slotFor(socket: UdpSocket, to: Asker): number {
  const { output } = socket;
  if (output.count === output.slotsMax) socket.flush();
  const slot = output.count;
  copyAddress(to.view, 0, output.addressView, slot * 16);
  output.ports[slot] = to.port;
  output.families[slot] = to.family;
  return slot * output.slotBytes;
}

/** Closes the slot that `slotFor` opened. */
function send(socket: UdpSocket, length: number): void {
  const { output } = socket;
  assert(length <= output.slotBytes, 'an answer fits its slot');
  output.lengths[output.count] = length;
  output.count++;
}

/** Whether the datagram at `at` begins its options with a path, as those of members do. */
function hasKey(bytes: Uint8Array, at: number, length: number): boolean {
  if (length < KEY_AT + KEY_BYTES || bytes[at + OPTION_AT] !== OPTION_URL) return false;
  return bytes[at + OPTION_AT + 2] === SLASH;
}

/** Passkeys are hexadecimal digits: eight of them tell as much as four bytes can. */
function keyBitsAt(bytes: Uint8Array, at: number): number {
  return Math.imul(wordAt(bytes, at), 0x85eb_ca6b) ^ wordAt(bytes, at + 4);
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** 16 bytes, as words: byte by byte, or by a call into the engine, takes three times as long. */
function copyAddress(from: DataView, fromAt: number, into: DataView, intoAt: number): void {
  for (let byte = 0; byte < 16; byte += 4) {
    into.setInt32(intoAt + byte, from.getInt32(fromAt + byte));
  }
}
