// Announces and scrapes by UDP (BEP 15; BEP 41 where there are passkeys): one socket for each source
// address, each with a connection id of its own and so many requests under way. A request without an
// answer for a second is lost, and the next one takes its place.

import { workerData } from 'node:worker_threads';
import type { OpenUdp, UdpSocket } from '#net/udp-socket.ts';
import type { LoadOrder } from './load.ts';
import { LoadRun } from './load-run.ts';
import { openLoadUdp } from './load-sockets.ts';
import { REQUEST_BYTES_MAX, UdpRequests } from './udp-requests.ts';

const LOST_AFTER_MS = 1000;
const CHECK_INTERVAL_MS = 200;
const CONNECTION_ID_MS_MAX = 60_000;
const RECEIVE_BUFFER_BYTES = 8_000_000;
const ANSWER_BYTES_MAX = 2048;
const ACTION = { connect: 0, announce: 1, scrape: 2, error: 3 } as const;
const ANSWER_HEADER_BYTES = 20;
const ROUND_SHIFT = 16;
const SLOT_MASK = 0xffff;

const order = workerData as LoadOrder;
const sources: Source[] = [];
const run = new LoadRun(order, () => {
  for (const source of sources) source.start();
});

class Source {
  readonly #number: number;
  readonly #socket: UdpSocket;
  readonly #requests: UdpRequests;
  readonly #peerBytes: number;
  readonly #to: Uint8Array;
  /** When each request under way was sent; 0 is none. */
  readonly #sentMs = new Float64Array(order.underWay);
  /** The upper bits of a transaction id: an answer to a request given up is not taken for another's. */
  readonly #rounds = new Uint16Array(order.underWay);
  #isConnected = false;
  /** Rate: requests that were due since the start, and of those sent. */
  #startedMs = 0;
  #sent = 0;
  #free = 0;

  static async open(openUdp: OpenUdp, number: number): Promise<Source> {
    const holder: { source?: Source } = {};
    const socket = await openUdp({
      address: order.host === '127.0.0.1' ? `127.0.0.${1 + number}` : order.host,
      port: 0,
      slotsMax: Math.min(order.underWay, 64),
      inputBytesMax: ANSWER_BYTES_MAX,
      outputBytesMax: REQUEST_BYTES_MAX,
      receiveBufferBytes: RECEIVE_BUFFER_BYTES,
      sendBufferBytes: RECEIVE_BUFFER_BYTES,
      sendsPendingMax: 4096,
      onBatch: () => holder.source?.hear(),
      onFailed: (error) => {
        throw error;
      },
    });
    const source = new Source(number, socket);
    holder.source = source;
    return source;
  }

  constructor(number: number, socket: UdpSocket) {
    this.#number = number;
    this.#socket = socket;
    this.#requests = new UdpRequests(run, socket.output);
    this.#peerBytes = socket.family === 4 ? 6 : 18;
    this.#to = new Uint8Array(16);
    if (socket.family === 4) this.#to.set([127, 0, 0, 1]);
    else this.#to[15] = 1;
    const { output } = socket;
    for (let slot = 0; slot < output.slotsMax; slot++) {
      output.addresses.set(this.#to, slot * 16);
      output.ports[slot] = order.port;
      output.families[slot] = socket.family;
    }
    setInterval(() => this.#giveUpOld(), CHECK_INTERVAL_MS);
    setInterval(() => this.#connect(), CONNECTION_ID_MS_MAX);
  }

  start(): void {
    if (!this.#isConnected) {
      this.#connect();
      return;
    }
    const nowMs = performance.now();
    this.#startedMs = nowMs;
    this.#sent = 0;
    if (run.isMeasuring && run.ratePerSecond > 0) this.#sendDue();
    else for (let slot = 0; slot < order.underWay; slot++) this.#send(slot, nowMs);
    this.#socket.flush();
  }

  hear(): void {
    const { input } = this.#socket;
    const nowMs = performance.now();
    for (let slot = 0; slot < input.count; slot++) {
      this.#take(input.bytes, slot * input.slotBytes, input.lengths[slot]!, nowMs);
    }
  }

  #take(bytes: Uint8Array, at: number, length: number, nowMs: number): void {
    const action = bytes[at + 3];
    if (action === ACTION.connect) {
      this.#requests.connected(bytes.slice(at + 8, at + 16));
      if (this.#isConnected) return;
      this.#isConnected = true;
      this.start();
      return;
    }
    const transaction =
      bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24);
    const slot = transaction & SLOT_MASK;
    if (this.#rounds[slot] !== transaction >>> ROUND_SHIFT) return;
    const tookMs = nowMs - this.#sentMs[slot]!;
    this.#sentMs[slot] = 0;
    if (action === ACTION.announce) {
      run.answered(tookMs, ((length - ANSWER_HEADER_BYTES) / this.#peerBytes) | 0);
    } else if (action === ACTION.scrape) run.scraped(tookMs);
    else run.failed(Buffer.from(bytes.subarray(at + 8, at + length)).toString('latin1'));
    if (run.ratePerSecond === 0) this.#send(slot, nowMs);
  }

  #connect(): void {
    const { output } = this.#socket;
    const packet = Buffer.alloc(16);
    packet.writeBigUInt64BE(0x417_2710_1980n, 0);
    if (output.count === output.slotsMax) this.#socket.flush();
    const at = output.count * output.slotBytes;
    const kept = output.bytes.slice(at, at + 16);
    output.bytes.set(packet, at);
    output.lengths[output.count] = 16;
    output.count++;
    this.#socket.flush();
    // The slot's connection id is what it was.
    output.bytes.set(kept, at);
  }

  #send(slot: number, sentMs: number): void {
    if (!run.isOn) return;
    const { output } = this.#socket;
    if (output.count === output.slotsMax) this.#socket.flush();
    const round = (this.#rounds[slot]! + 1) & 0xffff;
    this.#rounds[slot] = round;
    this.#sentMs[slot] = sentMs;
    run.next(this.#number);
    this.#requests.write(((round << ROUND_SHIFT) | slot) >>> 0);
  }

  /**
   * Sends what is due by now. Each counts from the moment at which it was due: what waited for this
   * thread's turn or for a free slot waited for its answer too, as a client would have.
   */
  #sendDue(): void {
    if (!run.isMeasuring) return;
    const nowMs = performance.now();
    const perMs = run.ratePerSecond / order.sources / 1000;
    const due = Math.floor((nowMs - this.#startedMs) * perMs);
    for (let tries = 0; this.#sent < due && tries < order.underWay; tries++) {
      const slot = this.#free;
      this.#free = (slot + 1) % order.underWay;
      if (this.#sentMs[slot] !== 0) continue;
      this.#send(slot, this.#startedMs + this.#sent / perMs);
      this.#sent++;
    }
    run.unsent(this.#number, due - this.#sent);
    this.#socket.flush();
    setTimeout(() => this.#sendDue(), 1);
  }

  #giveUpOld(): void {
    if (!this.#isConnected) this.#connect();
    const nowMs = performance.now();
    for (let slot = 0; slot < order.underWay; slot++) {
      const sentMs = this.#sentMs[slot]!;
      if (sentMs === 0 || nowMs - sentMs < LOST_AFTER_MS) continue;
      this.#sentMs[slot] = 0;
      run.lost('timeouts');
      if (run.ratePerSecond === 0) this.#send(slot, nowMs);
    }
    this.#socket.flush();
  }
}

const openUdp = openLoadUdp();
for (let number = 0; number < order.sources; number++) {
  sources.push(await Source.open(openUdp, number));
}
if (run.isOn) for (const source of sources) source.start();
