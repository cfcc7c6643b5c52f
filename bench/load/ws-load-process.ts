// The WebSocket load generator (T24): so many connections, each a web peer of one torrent. It announces
// with offers, others are handed those and answer, and the answers come back. Closed loop: so many
// announces are under way, and a new one goes when one was answered. Frames are masked with zeros, which
// costs the tracker what any key costs. At the end everything that is still on its way is waited for;
// what was sent must then have arrived, or it is said why not.

import { connect, type Socket } from 'node:net';
import { HASH_BYTES } from './community.ts';
import type { LoadCommand, LoadMessage, LoadReport } from './load.ts';
import type { WsLoadOrder, WsLoadStart } from './ws-load.ts';
import { WsFrames } from './ws-load-frames.ts';

const CONNECTS_AT_ONCE = 200;
const QUIET_MS = 300;
const QUIET_TRIES_MAX = 20;

let order: WsLoadOrder;

class Counts {
  announces = 0;
  announced = 0;
  offers = 0;
  offered = 0;
  withheld = 0;
  answers = 0;
  answered = 0;
  scrapes = 0;
  scraped = 0;
  errors = 0;
  ended = 0;

  /** Both ways; an offer goes out inside of its announce. */
  get messages(): number {
    const { announces, announced, offered, answers, answered, scrapes, scraped } = this;
    return announces + announced + offered + answers + answered + scrapes + scraped;
  }

  /** What was sent and neither arrived nor was accounted for. */
  get unexplained(): string | undefined {
    const { announces, announced, offers, offered, withheld, answers, answered } = this;
    const { scrapes, scraped, ended } = this;
    const pairs = [
      ['announces', announces, announced],
      ['offers', offers, offered + withheld * order.offersEach],
      ['answers', answers, answered],
      ['scrapes', scrapes, scraped],
    ] as const;
    const bad = pairs.find(([, sent, received]) => sent !== received);
    if (bad !== undefined) return `of ${bad[1]} ${bad[0]} ${bad[2]} arrived`;
    return ended > 0 ? `${ended} connections ended` : undefined;
  }
}

let counts = new Counts();
let firstError = '';
let isRunning = false;
let next = 0;
let serial = 0;
let times: number[] = [];
const peers: Peer[] = [];

class Peer {
  readonly #socket: Socket;
  readonly #frames: WsFrames;
  #rest: Buffer | undefined;
  #isOpen = false;
  #sentMs = 0;
  #isAsking = false;

  constructor(number: number, opened: (error?: Error) => void) {
    const hash = (number % (order.hashes.length / HASH_BYTES)) * HASH_BYTES;
    this.#frames = new WsFrames(order, order.hashes.subarray(hash, hash + HASH_BYTES), number);
    const localAddress = `127.0.0.${1 + (number % order.sources)}`;
    const socket = connect({ host: order.host, port: order.port, localAddress, noDelay: true });
    this.#socket = socket;
    socket.write(this.#frames.handshake());
    socket.on('error', opened);
    socket.on('close', () => {
      counts.ended++;
    });
    socket.on('data', (bytes: Buffer) => {
      const all = this.#rest === undefined ? bytes : Buffer.concat([this.#rest, bytes]);
      this.#rest = undefined;
      let at = 0;
      if (!this.#isOpen) {
        const end = all.indexOf('\r\n\r\n');
        if (end < 0) {
          this.#rest = all;
          return;
        }
        if (all.toString('latin1', 9, 12) !== '101')
          opened(new Error('no WebSocket is spoken there'));
        this.#isOpen = true;
        opened();
        at = end + 4;
      }
      at = this.#take(all, at);
      if (at < all.length) this.#rest = all.subarray(at);
    });
  }

  get isAsking(): boolean {
    return this.#isAsking;
  }

  announce(offers: number): void {
    this.#isAsking = true;
    this.#sentMs = performance.now();
    counts.announces++;
    counts.offers += offers;
    this.#socket.write(this.#frames.announce(offers, serial));
    serial += offers;
  }

  scrape(): void {
    this.#isAsking = true;
    counts.scrapes++;
    this.#sentMs = performance.now();
    this.#socket.write(this.#frames.scrape());
  }

  #take(bytes: Buffer, from: number): number {
    let at = from;
    while (bytes.length - at >= 2) {
      const short = bytes[at + 1]! & 0x7f;
      const head = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (bytes.length - at < head) break;
      const length =
        short < 126
          ? short
          : short === 126
            ? bytes.readUInt16BE(at + 2)
            : bytes.readUInt32BE(at + 6);
      if (bytes.length - at < head + length) break;
      const payload = bytes.subarray(at + head, at + head + length);
      const opcode = bytes[at]! & 0x0f;
      if (opcode === 1) this.#hear(payload);
      else if (opcode === 9) this.#socket.write(this.#frames.pong(payload));
      at += head + length;
    }
    return at;
  }

  #hear(message: Buffer): void {
    if (message.includes('"offer":')) {
      counts.offered++;
      counts.answers++;
      this.#socket.write(this.#frames.answer(message));
    } else if (message.includes('"answer":')) counts.answered++;
    else if (message.includes('"failure reason"')) this.#done(message.toString('utf8'));
    else if (message.includes('"files"')) {
      counts.scraped++;
      this.#done();
    } else {
      counts.announced++;
      const isWithheld = isRunning && message.includes('"warning message"');
      if (isWithheld) counts.withheld++;
      this.#done();
    }
  }

  #done(error?: string): void {
    if (error !== undefined) {
      counts.errors++;
      firstError ||= error;
    }
    this.#isAsking = false;
    if (isRunning) times.push(performance.now() - this.#sentMs);
    answered();
  }
}

let answered: () => void = () => {};

async function fill(): Promise<void> {
  for (let first = 0; first < order.peers; first += CONNECTS_AT_ONCE) {
    const count = Math.min(CONNECTS_AT_ONCE, order.peers - first);
    await Promise.all(
      Array.from({ length: count }, (_, at) => {
        return new Promise<void>((resolve, reject) => {
          const opened = (error?: Error): void => (error === undefined ? resolve() : reject(error));
          peers.push(new Peer(first + at, opened));
        });
      }),
    );
    for (let at = first; at < first + count; at++) peers[at]!.announce(0);
  }
  await quiet();
  const why = counts.errors > 0 ? firstError : counts.unexplained;
  if (why !== undefined) throw new Error(`the web peers could not join: ${why}`);
}

function go(): void {
  if (!isRunning) return;
  let peer = peers[next++ % peers.length]!;
  for (let tries = 0; peer.isAsking && tries < peers.length; tries++) {
    peer = peers[next++ % peers.length]!;
  }
  const isScrape = counts.announces * order.scrapePercent >= (counts.scrapes + 1) * 100;
  if (isScrape) peer.scrape();
  else peer.announce(order.offersEach);
}

/** Until nothing has come for a while. */
async function quiet(): Promise<void> {
  for (let tries = 0, before = -1; tries < QUIET_TRIES_MAX; tries++) {
    if (before === counts.messages) return;
    before = counts.messages;
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
  }
}

async function measure(seconds: number): Promise<LoadReport> {
  counts = new Counts();
  times = [];
  firstError = '';
  const cpu = process.cpuUsage();
  const started = performance.now();
  isRunning = true;
  answered = go;
  for (let at = 0; at < Math.min(order.underWay, peers.length); at++) go();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const took = (performance.now() - started) / 1000;
  answered = () => {};
  // What is under way still counts: it is waited for.
  await quiet();
  isRunning = false;
  const used = process.cpuUsage(cpu);
  times.sort((a, b) => a - b);
  const { unexplained } = counts;
  return {
    answers: counts.messages,
    scrapes: counts.scraped * 2,
    errors: counts.errors,
    firstError,
    losses: { timeouts: 0, refused: 0, resets: counts.ended, ports: 0 },
    peersInAnswers: counts.offered,
    seconds: took,
    ownCpuMicros: used.user + used.system,
    p50Ms: times[Math.floor(times.length * 0.5)] ?? 0,
    p99Ms: times[Math.floor(times.length * 0.99)] ?? 0,
    ...(unexplained !== undefined && { unexplained }),
  };
}

function tell(message: LoadMessage): void {
  process.send?.(message);
}

process.on('message', async (command: LoadCommand | WsLoadStart) => {
  if (command.kind === 'start') order = command.order;
  else if (command.kind === 'fill') {
    await fill();
    tell({ kind: 'filled' });
  } else if (command.kind === 'measure') {
    tell({ kind: 'report', report: await measure(command.seconds) });
  }
});
