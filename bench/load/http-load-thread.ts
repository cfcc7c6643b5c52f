// Announces by HTTP: so many connections, each with one request under way, kept open or made anew for
// each request. Answers are read no further than their length and their peers.

import { connect, type Socket } from 'node:net';
import { workerData } from 'node:worker_threads';
import type { LoadOrder } from './load.ts';
import { LoadRun, peerIdText } from './load-run.ts';

const order = workerData as LoadOrder;
const run = new LoadRun(order);
const escaped = run.hashes.map((hash) =>
  [...hash].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
);

class Connection {
  readonly #source: number;
  #socket: Socket | undefined;
  #received: Buffer = Buffer.alloc(0);
  #sentMs = 0;

  constructor(source: number) {
    this.#source = source;
    this.#open();
  }

  #open(): void {
    if (run.isOver) return;
    this.#received = Buffer.alloc(0);
    const localAddress = `127.0.0.${1 + this.#source}`;
    const socket = connect({ port: order.port, host: '127.0.0.1', localAddress, noDelay: true });
    this.#socket = socket;
    this.#sentMs = performance.now();
    socket.once('connect', () => this.#ask());
    socket.on('data', (part) => this.#hear(part));
    socket.once('error', (error) => run.failed(error.message));
    socket.once('close', () => {
      if (this.#socket === socket) this.#open();
    });
  }

  #ask(): void {
    const turn = run.turn(this.#source);
    const { passkeys } = order;
    const path = passkeys.length === 0 ? '' : `/${passkeys[turn.peer % passkeys.length]}`;
    const event = run.isMeasuring ? '' : '&event=started';
    const query =
      `info_hash=${escaped[turn.torrent]}&peer_id=${peerIdText(turn.peer)}&port=${turn.port}` +
      `&uploaded=0&downloaded=0&left=${turn.isSeeder ? 0 : 1_000_000}&compact=1` +
      `&numwant=${order.wanted}${event}`;
    const how = order.isClosedEach ? 'Connection: close\r\n' : '';
    if (!order.isClosedEach) this.#sentMs = performance.now();
    this.#socket?.write(`GET ${path}/announce?${query} HTTP/1.1\r\nHost: tracker\r\n${how}\r\n`);
  }

  #hear(part: Buffer): void {
    this.#received = this.#received.length === 0 ? part : Buffer.concat([this.#received, part]);
    const bytes = this.#received;
    const headEnd = bytes.indexOf('\r\n\r\n');
    if (headEnd < 0) return;
    const length = /content-length: (\d+)/i.exec(bytes.toString('latin1', 0, headEnd))?.[1];
    const end = headEnd + 4 + Number(length);
    if (bytes.length < end) return;
    const body = bytes.subarray(headEnd + 4, end);
    if (body.includes('14:failure reason')) run.failed(body.toString('latin1'));
    else run.answered(this.#sentMs, peersIn(body));
    this.#received = bytes.subarray(end);
    if (run.isOver) return;
    if (!order.isClosedEach) {
      this.#ask();
      return;
    }
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.destroy();
    this.#open();
  }
}

function peersIn(body: Buffer): number {
  const at = body.indexOf('5:peers');
  if (at < 0) return 0;
  return Number.parseInt(body.toString('latin1', at + 7, at + 14), 10) / 6;
}

for (let source = 0; source < order.sources; source++) {
  for (let count = 0; count < order.underWay; count++) new Connection(source);
}
