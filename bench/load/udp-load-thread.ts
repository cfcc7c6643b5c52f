// Announces by UDP (BEP 15; BEP 41 where there are passkeys): one socket for each source address, each
// with a connection id of its own and so many announces under way. A request without an answer for a
// second is lost, and the next one takes its place.

import { createSocket, type Socket } from 'node:dgram';
import { workerData } from 'node:worker_threads';
import type { LoadOrder } from './load.ts';
import { LoadRun, peerIdText } from './load-run.ts';

const LOST_AFTER_MS = 1000;
const CHECK_INTERVAL_MS = 200;
const RECEIVE_BUFFER_BYTES = 8_000_000;
const ACTION_CONNECT = 0;
const ACTION_ANNOUNCE = 1;
const ACTION_ERROR = 3;
const ANNOUNCE_BYTES = 98;

const order = workerData as LoadOrder;
const run = new LoadRun(order);

class Source {
  readonly #number: number;
  readonly #socket: Socket;
  readonly #connectionId = Buffer.alloc(8);
  /** For each request under way: its packet, and when it was sent. 0 is none. */
  readonly #packets: Buffer[] = [];
  readonly #sentMs: number[] = [];
  /** The upper bits of a transaction id: an answer to a request given up is not taken for another's. */
  readonly #rounds: number[] = [];

  constructor(number: number) {
    this.#number = number;
    this.#socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES });
    for (let slot = 0; slot < order.underWay; slot++) {
      this.#packets.push(Buffer.alloc(ANNOUNCE_BYTES + 2 + 255));
      this.#sentMs.push(0);
      this.#rounds.push(0);
    }
    this.#socket.on('message', (answer) => this.#hear(answer));
    this.#socket.bind(0, `127.0.0.${1 + number}`, () => {
      this.#socket.connect(order.port, '127.0.0.1', () => this.#connect());
    });
    setInterval(() => this.#giveUpOld(), CHECK_INTERVAL_MS);
  }

  #connect(): void {
    const packet = Buffer.alloc(16);
    packet.writeBigUInt64BE(0x417_2710_1980n, 0);
    this.#socket.send(packet);
  }

  #hear(answer: Buffer): void {
    const action = answer.readUInt32BE(0);
    if (action === ACTION_CONNECT) {
      answer.copy(this.#connectionId, 0, 8, 16);
      for (let slot = 0; slot < order.underWay; slot++) this.#send(slot);
      return;
    }
    const transaction = answer.readUInt32BE(4);
    const slot = transaction & 0xffff;
    if (this.#rounds[slot] !== transaction >>> 16) return;
    const sentMs = this.#sentMs[slot] ?? 0;
    if (action === ACTION_ERROR) run.failed(answer.toString('latin1', 8));
    else run.answered(sentMs, Math.floor((answer.byteLength - 20) / 6));
    this.#send(slot);
  }

  #send(slot: number): void {
    if (run.isOver) return;
    const turn = run.turn(this.#number);
    const packet = this.#packets[slot]!;
    const round = ((this.#rounds[slot] ?? 0) + 1) & 0xffff;
    this.#rounds[slot] = round;
    this.#connectionId.copy(packet, 0);
    packet.writeUInt32BE(ACTION_ANNOUNCE, 8);
    packet.writeUInt32BE(((round << 16) | slot) >>> 0, 12);
    packet.set(run.hashes[turn.torrent]!, 16);
    packet.write(peerIdText(turn.peer), 36, 'latin1');
    packet.writeUInt32BE(turn.isSeeder ? 0 : 1_000_000, 68);
    packet.writeUInt32BE(run.isMeasuring ? 0 : 2, 80);
    packet.writeInt32BE(order.wanted, 92);
    packet.writeUInt16BE(turn.port, 96);
    let bytes = ANNOUNCE_BYTES;
    const { passkeys } = order;
    if (passkeys.length > 0) {
      const path = `/${passkeys[turn.peer % passkeys.length]}/announce`;
      packet[bytes] = 2;
      packet[bytes + 1] = packet.write(path, bytes + 2, 'latin1');
      bytes += 2 + path.length;
    }
    this.#sentMs[slot] = performance.now();
    this.#socket.send(packet.subarray(0, bytes));
  }

  #giveUpOld(): void {
    const nowMs = performance.now();
    for (let slot = 0; slot < order.underWay; slot++) {
      const sentMs = this.#sentMs[slot] ?? 0;
      if (sentMs === 0 || nowMs - sentMs < LOST_AFTER_MS) continue;
      run.lost();
      this.#send(slot);
    }
  }
}

for (let source = 0; source < order.sources; source++) new Source(source);
