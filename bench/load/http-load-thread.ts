// Announces by HTTP: so many connections of each source address, each with one request under way,
// kept open or made anew for each request. Answers are read no further than their length and peers.

import { connect, type Socket } from 'node:net';
import { workerData } from 'node:worker_threads';
import { HASH_BYTES, peerIdText } from './community.ts';
import type { LoadOrder } from './load.ts';
import { LoadRun } from './load-run.ts';

const LEFT = 1_000_000;
const RETRY_MS = 20;
const order = workerData as LoadOrder;
const connections: Connection[] = [];
const run = new LoadRun(order, () => {
  for (const connection of connections) connection.start();
});

class Connection {
  readonly #source: number;
  #socket: Socket | undefined;
  #received: Buffer = Buffer.alloc(0);
  #sentMs = 0;
  #isScrape = false;
  #isWaiting = false;

  constructor(source: number) {
    this.#source = source;
  }

  start(): void {
    if (this.#isWaiting || !run.isOn) return;
    if (this.#socket === undefined) this.#open();
    else this.#ask();
  }

  #open(): void {
    this.#received = Buffer.alloc(0);
    this.#isWaiting = true;
    const localAddress = order.host === '127.0.0.1' ? `127.0.0.${1 + this.#source}` : order.host;
    const socket = connect({ port: order.port, host: order.host, localAddress, noDelay: true });
    this.#socket = socket;
    this.#sentMs = performance.now();
    let error: NodeJS.ErrnoException | undefined;
    socket.once('connect', () => this.#ask());
    socket.on('data', (part) => this.#hear(part));
    socket.once('error', (failure) => {
      error = failure;
    });
    socket.once('close', () => {
      if (this.#socket !== socket) return;
      if (this.#isWaiting) run.lost(lossOf(error));
      this.#socket = undefined;
      this.#isWaiting = false;
      if (run.isOn) setTimeout(() => this.start(), RETRY_MS);
    });
  }

  #ask(): void {
    run.next(this.#source);
    this.#isWaiting = true;
    this.#isScrape = run.isScrape;
    if (!order.isClosedEach) this.#sentMs = performance.now();
    const { passkeys } = order;
    const path = passkeys.length === 0 ? '' : `/${passkeys[run.peer % passkeys.length]}`;
    const how = order.isClosedEach ? 'Connection: close\r\n' : '';
    const what = run.isScrape ? `scrape?info_hash=${escaped(run.torrent)}` : announceQuery();
    this.#socket?.write(`GET ${path}/${what} HTTP/1.1\r\nHost: tracker\r\n${how}\r\n`);
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
    const tookMs = performance.now() - this.#sentMs;
    this.#received = bytes.subarray(end);
    this.#isWaiting = false;
    if (body.includes('14:failure reason')) run.failed(body.toString('latin1'));
    else if (this.#isScrape) run.scraped(tookMs);
    else run.answered(tookMs, peersIn(body));
    if (order.isClosedEach) {
      const socket = this.#socket;
      this.#socket = undefined;
      socket?.destroy();
    }
    this.start();
  }
}

function announceQuery(): string {
  const { torrent, peer, isSeeder, community } = run;
  const event = run.isFilling ? '&event=started' : '';
  return (
    `announce?info_hash=${escaped(torrent)}&peer_id=${peerIdText(peer)}` +
    `&port=${community.portOf(peer)}&uploaded=0&downloaded=0&left=${isSeeder ? 0 : LEFT}` +
    `&compact=1&numwant=${order.wanted}${event}`
  );
}

const ESCAPED = Array.from({ length: 256 }, (_, byte) => {
  const hex = byte.toString(16).padStart(2, '0');
  const isPlain = /[A-Za-z0-9]/.test(String.fromCharCode(byte));
  return isPlain ? String.fromCharCode(byte) : `%${hex}`;
});

function escaped(torrent: number): string {
  let text = '';
  for (let byte = 0; byte < HASH_BYTES; byte++) {
    text += ESCAPED[order.hashes[torrent * HASH_BYTES + byte]!];
  }
  return text;
}

/** Answers of a fixed size, as nginx gives for comparison, are no dictionaries and hold no peers. */
function peersIn(body: Buffer): number {
  const at = body.indexOf('5:peers');
  if (at < 0) return 0;
  const length = Number.parseInt(body.toString('latin1', at + 7, at + 14), 10);
  const after = body.indexOf('6:peers6');
  if (after < 0) return length / 6;
  return length / 6 + Number.parseInt(body.toString('latin1', after + 8, after + 15), 10) / 18;
}

function lossOf(error: NodeJS.ErrnoException | undefined): 'ports' | 'refused' | 'resets' {
  if (error?.code === 'EADDRINUSE' || error?.code === 'EADDRNOTAVAIL') return 'ports';
  return error?.code === 'ECONNREFUSED' ? 'refused' : 'resets';
}

for (let source = 0; source < order.sources; source++) {
  for (let count = 0; count < order.underWay; count++) connections.push(new Connection(source));
}
for (const connection of connections) connection.start();
