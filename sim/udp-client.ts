// A client of the UDP tracker protocol for tests, written from BEP 15 and BEP 41 by itself, so that a
// mistake in wire/ cannot hide in both.

import { createSocket, type Socket } from 'node:dgram';

export interface ClientAnnounce {
  /** 40 hex digits. */
  readonly infoHash: string;
  /** 20 characters. */
  readonly peerId: string;
  readonly event?: 'none' | 'completed' | 'started' | 'stopped' | 'paused';
  readonly uploaded?: number;
  readonly downloaded?: number;
  readonly left?: number;
  readonly key?: number;
  readonly numwant?: number;
  readonly port?: number;
}

export interface UdpAnswer {
  readonly action: 'connect' | 'announce' | 'scrape' | 'error';
  readonly bytes: Buffer;
  readonly error: string;
  readonly intervalSeconds: number;
  readonly leechers: number;
  readonly seeders: number;
  /** `ip:port`, compact entries of the socket's family. */
  readonly peers: readonly string[];
}

const EVENTS = { none: 0, completed: 1, started: 2, stopped: 3, paused: 4 } as const;
const ACTIONS = ['connect', 'announce', 'scrape', 'error'] as const;
/** An answer that is due comes at once, unless the machine is busy; it is never waited for in vain. */
const ANSWER_MS_MAX = 30_000;

export class UdpClient {
  readonly #socket: Socket;
  readonly #family: 4 | 6;
  readonly #to: { readonly port: number; readonly address: string };
  readonly #waiting = new Map<number, (bytes: Buffer) => void>();
  #transaction = 1000;
  connectionId: Buffer = Buffer.alloc(8);

  private constructor(socket: Socket, to: { port: number; address: string }) {
    // A test that failed must not keep the process.
    socket.unref();
    this.#socket = socket;
    this.#to = to;
    this.#family = to.address.includes(':') ? 6 : 4;
    socket.on('message', (bytes) => {
      if (bytes.byteLength < 8) return;
      const transaction = bytes.readUInt32BE(4);
      this.#waiting.get(transaction)?.(bytes);
      this.#waiting.delete(transaction);
    });
  }

  /** Bound to `from`, which also is the address it is seen with. */
  static open(port: number, from = '127.0.0.1', to = from): Promise<UdpClient> {
    return new Promise((resolve) => {
      const socket = createSocket(to.includes(':') ? 'udp6' : 'udp4');
      socket.bind(0, from, () => resolve(new UdpClient(socket, { port, address: to })));
    });
  }

  get port(): number {
    return this.#socket.address().port;
  }

  async connect(): Promise<void> {
    const packet = Buffer.alloc(16);
    packet.writeBigUInt64BE(0x41727101980n, 0);
    const answer = await this.ask(packet);
    if (answer === undefined) throw new Error('no answer to a connect');
    this.connectionId = Buffer.from(answer.bytes.subarray(8, 16));
  }

  async announce(announce: ClientAnnounce, path?: string): Promise<UdpAnswer | undefined> {
    return await this.ask(this.announcePacket(announce, path));
  }

  announcePacket(announce: ClientAnnounce, path?: string): Buffer {
    const packet = Buffer.alloc(98);
    this.connectionId.copy(packet, 0);
    packet.writeUInt32BE(1, 8);
    packet.write(announce.infoHash, 16, 'hex');
    packet.write(announce.peerId, 36, 'latin1');
    packet.writeBigUInt64BE(BigInt(announce.downloaded ?? 0), 56);
    packet.writeBigUInt64BE(BigInt(announce.left ?? 0), 64);
    packet.writeBigUInt64BE(BigInt(announce.uploaded ?? 0), 72);
    packet.writeUInt32BE(EVENTS[announce.event ?? 'none'], 80);
    packet.writeUInt32BE(announce.key ?? 0, 88);
    packet.writeInt32BE(announce.numwant ?? -1, 92);
    packet.writeUInt16BE(announce.port ?? 6881, 96);
    if (path === undefined) return packet;
    const url = Buffer.from(path);
    return Buffer.concat([packet, Buffer.from([2, url.byteLength]), url]);
  }

  async scrape(hashes: readonly string[]): Promise<UdpAnswer | undefined> {
    const packet = Buffer.alloc(16);
    this.connectionId.copy(packet, 0);
    packet.writeUInt32BE(2, 8);
    return await this.ask(
      Buffer.concat([packet, ...hashes.map((hash) => Buffer.from(hash, 'hex'))]),
    );
  }

  /** Sends the packet under a new transaction id; undefined when nothing came in `waitMs`. */
  ask(packet: Buffer, waitMs = ANSWER_MS_MAX): Promise<UdpAnswer | undefined> {
    const transaction = this.#transaction++;
    packet.writeUInt32BE(transaction, 12);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(transaction);
        resolve(undefined);
      }, waitMs);
      this.#waiting.set(transaction, (bytes) => {
        clearTimeout(timer);
        resolve(this.#read(bytes));
      });
      this.send(packet);
    });
  }

  send(packet: Uint8Array): void {
    this.#socket.send(packet, this.#to.port, this.#to.address);
  }

  /** Sees every datagram that comes from now on. */
  onMessage(see: (bytes: Buffer) => void): void {
    this.#socket.on('message', see);
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }

  #read(bytes: Buffer): UdpAnswer {
    const action = ACTIONS[bytes.readUInt32BE(0)] ?? 'error';
    const isAnnounce = action === 'announce';
    return {
      action,
      bytes,
      error: action === 'error' ? bytes.subarray(8).toString() : '',
      intervalSeconds: isAnnounce ? bytes.readUInt32BE(8) : 0,
      leechers: isAnnounce ? bytes.readUInt32BE(12) : 0,
      seeders: isAnnounce ? bytes.readUInt32BE(16) : 0,
      peers: isAnnounce ? compactPeers(bytes.subarray(20), this.#family) : [],
    };
  }
}

/** `203.0.113.9:6881`, `20010db8…:6881` (32 hex digits), in the order of the answer. */
export function compactPeers(bytes: Uint8Array, family: 4 | 6): string[] {
  const size = family === 4 ? 6 : 18;
  const peers: string[] = [];
  for (let at = 0; at + size <= bytes.byteLength; at += size) {
    const entry = Buffer.from(bytes.subarray(at, at + size));
    const port = entry.readUInt16BE(size - 2);
    const address =
      family === 4 ? [...entry.subarray(0, 4)].join('.') : entry.subarray(0, 16).toString('hex');
    peers.push(`${address}:${port}`);
  }
  return peers;
}
