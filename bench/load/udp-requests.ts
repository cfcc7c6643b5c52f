// Requests of BEP 15 and BEP 41 written into the output slots of a socket. What is the same in all of
// them stands in every slot from the start; a request writes the rest, four bytes at a time.

import type { DatagramSlots } from '#net/udp-socket.ts';
import { HASH_BYTES } from './community.ts';
import type { LoadRun } from './load-run.ts';

const ACTION_ANNOUNCE = 1;
const ACTION_SCRAPE = 2;
const ANNOUNCE_BYTES = 98;
const SCRAPE_HEADER_BYTES = 16;
const SCRAPE_HASHES_MAX = 10;
const EVENT_STARTED = 2;
const LEFT = 1_000_000;
const UPLOADED_AT = 72;
/** The length of a request must leave room for the longest scrape. */
export const REQUEST_BYTES_MAX = 512;

const WORD = { action: 2, transaction: 3, hash: 4, peerId: 9, left: 17, event: 20, numwant: 23 };

/** Bytes as they stand on the wire, read as the machine's own words. */
function wireWord(value: number): number {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return new Uint32Array(bytes.buffer)[0]!;
}

const ANNOUNCE_WORD = wireWord(ACTION_ANNOUNCE);
const SCRAPE_WORD = wireWord(ACTION_SCRAPE);
const STARTED_WORD = wireWord(EVENT_STARTED);
const LEFT_WORD = wireWord(LEFT);

export class UdpRequests {
  readonly #run: LoadRun;
  readonly #slots: DatagramSlots;
  readonly #words: Uint32Array;
  readonly #hashes: Uint32Array;
  /** For each passkey the option of BEP 41, `/<passkey>/announce`. */
  readonly #options: readonly Uint8Array[];
  readonly #wanted: number;
  #moved = 0;

  /** The sender owns `slots` from here on: nobody else writes them. */
  constructor(run: LoadRun, slots: DatagramSlots) {
    const { hashes, passkeys, wanted } = run.order;
    this.#run = run;
    this.#slots = slots;
    this.#words = new Uint32Array(slots.bytes.buffer, slots.bytes.byteOffset);
    this.#hashes = new Uint32Array(hashes.buffer);
    this.#options = passkeys.map((passkey) => urlOption(`/${passkey}/announce`));
    this.#wanted = wireWord(wanted);
    for (let slot = 0; slot < slots.slotsMax; slot++) this.#prepare(slot);
  }

  /** The id goes into every slot. */
  connected(connectionId: Uint8Array): void {
    const { bytes, slotsMax, slotBytes } = this.#slots;
    for (let slot = 0; slot < slotsMax; slot++) bytes.set(connectionId, slot * slotBytes);
  }

  /** Writes the request of whose turn it is into the next slot; `transaction` comes back as it is. */
  write(transaction: number): void {
    const slots = this.#slots;
    const slot = slots.count;
    const at = (slot * slots.slotBytes) >>> 2;
    this.#words[at + WORD.transaction] = transaction;
    slots.lengths[slot] = this.#run.isScrape ? this.#scrape(at) : this.#announce(slot, at);
    slots.count = slot + 1;
  }

  #prepare(slot: number): void {
    const slots = this.#slots;
    const at = slot * slots.slotBytes;
    slots.bytes.fill(0, at, at + slots.slotBytes);
    slots.bytes.set(Buffer.from('-TR4060-'), at + WORD.peerId * 4);
  }

  #announce(slot: number, at: number): number {
    const run = this.#run;
    const words = this.#words;
    const { bytes, slotBytes } = this.#slots;
    const hash = run.torrent * 5;
    words[at + WORD.action] = ANNOUNCE_WORD;
    for (let word = 0; word < 5; word++) words[at + WORD.hash + word] = this.#hashes[hash + word]!;
    words[at + WORD.peerId] = PEER_ID_0;
    words[at + WORD.peerId + 1] = PEER_ID_1;
    words[at + WORD.peerId + 2] = 0;
    words[at + WORD.peerId + 3] = 0;
    words[at + WORD.peerId + 4] = run.peer;
    for (let word = 14; word < 24; word++) words[at + word] = 0;
    words[at + WORD.left] = run.isSeeder ? 0 : LEFT_WORD;
    words[at + WORD.event] = run.isFilling ? STARTED_WORD : 0;
    words[at + WORD.numwant] = this.#wanted;
    if (run.order.isMoving === true) this.#move(slot);
    const port = run.community.portOf(run.peer);
    const first = slot * slotBytes;
    bytes[first + 96] = port >>> 8;
    bytes[first + 97] = port;
    if (this.#options.length === 0) return ANNOUNCE_BYTES;
    const option = this.#options[run.peer % this.#options.length]!;
    bytes.set(option, first + ANNOUNCE_BYTES);
    return ANNOUNCE_BYTES + option.byteLength;
  }

  /** One counter for all: whoever announces has uploaded more than when it announced before. */
  #move(slot: number): void {
    const { bytes, slotBytes } = this.#slots;
    this.#moved = (this.#moved + 1) % 0x1_0000_0000;
    const blocks = this.#moved;
    const at = slot * slotBytes + UPLOADED_AT;
    // In blocks of 64 KiB: the counter's middle four bytes.
    for (let byte = 0; byte < 4; byte++) bytes[at + 2 + byte] = blocks >>> (24 - 8 * byte);
  }

  /** 1 to 10 torrents that follow each other in popularity. */
  #scrape(at: number): number {
    const run = this.#run;
    const count = 1 + (run.peer % SCRAPE_HASHES_MAX);
    this.#words[at + WORD.action] = SCRAPE_WORD;
    for (let index = 0; index < count; index++) {
      const from = ((run.torrent + index) % run.community.torrents) * 5;
      const to = at + WORD.hash + index * 5;
      for (let word = 0; word < 5; word++) this.#words[to + word] = this.#hashes[from + word]!;
    }
    return SCRAPE_HEADER_BYTES + count * HASH_BYTES;
  }
}

const [PEER_ID_0 = 0, PEER_ID_1 = 0] = new Uint32Array(
  new Uint8Array(Buffer.from('-TR4060-')).buffer,
);

function urlOption(path: string): Uint8Array {
  return new Uint8Array([2, path.length, ...Buffer.from(path, 'latin1')]);
}
