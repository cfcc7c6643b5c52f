// A member's BitTorrent client in the demo: one listening socket, some torrents, an upload rate. It
// announces over HTTP, finds peers by the answers, and exchanges pieces with them.

import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import Protocol from 'bittorrent-protocol';
import { toHex } from '#base/bytes.ts';
import type { Clock, Timer } from '#base/clock.ts';
import type { Random } from '#base/random.ts';
import { announce, type DemoAnnounce } from './demo-announce.ts';
import { DemoTransfer } from './demo-transfer.ts';
import type { GeneratedContent } from './generated-content.ts';

type Wire = InstanceType<typeof Protocol>;

export interface DemoClientOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly announceUrl: string;
  /** As clients write them: `-TR4050-`. */
  readonly peerIdPrefix: string;
  readonly uploadBytesPerSecond: number;
}

interface Running {
  readonly transfer: DemoTransfer;
  readonly infoHash: Uint8Array;
  readonly peerId: Uint8Array;
  timer: Timer | undefined;
  stopped: boolean;
}

const HOST = '127.0.0.1';
const TICK_MS = 200;
const RETRY_MS = 3000;
const INTERVAL_MS_MAX = 60_000;
const QUEUE_MAX = 256;

export class DemoClient {
  readonly #options: DemoClientOptions;
  readonly #server: Server;
  readonly #running = new Map<string, Running>();
  readonly #sockets = new Set<Socket>();
  readonly #queue: { readonly send: () => void; readonly bytes: number }[] = [];
  #budget = 0;
  #tick: Timer | undefined;

  private constructor(options: DemoClientOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  static async listen(options: DemoClientOptions): Promise<DemoClient> {
    const client = new DemoClient(options);
    await new Promise<void>((resolve, reject) => {
      client.#server.once('error', reject);
      client.#server.listen(0, HOST, resolve);
    });
    client.#sendQueued();
    return client;
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Torrents by info hash in hex, with whether they are complete. */
  torrents(): ReadonlyMap<string, boolean> {
    return new Map([...this.#running].map(([hash, { transfer }]) => [hash, transfer.isComplete]));
  }

  start(content: GeneratedContent, complete: boolean): void {
    const infoHash = content.metainfo.infoHashV1;
    if (infoHash === undefined || this.#running.has(toHex(infoHash))) return;
    const { random, peerIdPrefix } = this.#options;
    const peerId = new Uint8Array([...Buffer.from(peerIdPrefix), ...random.bytes(12)]);
    const transfer = new DemoTransfer(content, complete, {
      random,
      upload: (send, bytes) => {
        if (this.#queue.length < QUEUE_MAX) this.#queue.push({ send, bytes });
      },
      onComplete: () => void this.#announce(running, 'completed'),
    });
    const running: Running = { transfer, infoHash, peerId, timer: undefined, stopped: false };
    this.#running.set(toHex(infoHash), running);
    void this.#announce(running, 'started');
  }

  /** Leaves a swarm, telling the tracker. */
  async stop(infoHash: string): Promise<void> {
    const running = this.#running.get(infoHash);
    if (running === undefined) return;
    this.#running.delete(infoHash);
    running.stopped = true;
    running.timer?.cancel();
    running.transfer.leave();
    await announce(this.#announceOf(running, 'stopped'));
  }

  async close(): Promise<void> {
    this.#tick?.cancel();
    await Promise.all([...this.#running.keys()].map((hash) => this.stop(hash)));
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #announceOf(running: Running, event: DemoAnnounce['event']): DemoAnnounce {
    const { transfer, infoHash, peerId } = running;
    const { uploaded, downloaded, left } = transfer;
    const url = this.#options.announceUrl;
    return { url, infoHash, peerId, port: this.#port, uploaded, downloaded, left, event };
  }

  async #announce(running: Running, event: DemoAnnounce['event']): Promise<void> {
    running.timer?.cancel();
    const answer = await announce(this.#announceOf(running, event));
    if (running.stopped) return;
    // `started` is repeated until it was heard, so that the ledger sees where the counters begin.
    const next = answer === undefined ? event : '';
    const waitMs = Math.min(answer?.intervalMs ?? RETRY_MS, INTERVAL_MS_MAX);
    running.timer?.cancel();
    running.timer = this.#options.clock.after(waitMs, () => void this.#announce(running, next));
    if (running.transfer.isComplete) return;
    for (const { host, port } of answer?.peers ?? []) this.#dial(running, host, port);
  }

  #dial(running: Running, host: string, port: number): void {
    if (!running.transfer.hasRoom || host !== HOST) return;
    const socket = connect(port, host);
    const wire = this.#wireOver(socket);
    wire.on('handshake', () => {
      if (running.stopped || !running.transfer.hasRoom) wire.destroy();
      else running.transfer.join(wire);
    });
    wire.handshake(toHex(running.infoHash), running.peerId);
  }

  #accept(socket: Socket): void {
    const wire = this.#wireOver(socket);
    wire.on('handshake', (infoHash) => {
      const running = this.#running.get(infoHash);
      if (running === undefined || !running.transfer.hasRoom) {
        wire.destroy();
        return;
      }
      wire.handshake(infoHash, running.peerId);
      running.transfer.join(wire);
    });
  }

  #wireOver(socket: Socket): Wire {
    const wire = new Protocol();
    this.#sockets.add(socket);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      wire.destroy();
    });
    // The other side went away; the wire's end is all that matters.
    socket.on('error', () => socket.destroy());
    wire.on('error', () => socket.destroy());
    wire.on('close', () => socket.destroy());
    wire.setKeepAlive(true);
    socket.pipe(wire);
    wire.pipe(socket);
    return wire;
  }

  /** Sends what was asked for, as far as the rate allows. */
  #sendQueued(): void {
    const perTick = (this.#options.uploadBytesPerSecond * TICK_MS) / 1000;
    this.#budget = Math.min(this.#budget + perTick, Math.max(perTick, 32_768));
    for (let next = this.#queue[0]; next !== undefined && next.bytes <= this.#budget; ) {
      this.#queue.shift();
      this.#budget -= next.bytes;
      next.send();
      next = this.#queue[0];
    }
    this.#tick = this.#options.clock.after(TICK_MS, () => this.#sendQueued());
  }
}
