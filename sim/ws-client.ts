// A WebSocket client of the tracker for tests: its own framing over a plain socket, so that it can
// also send what no good client sends.

import { connect, type Socket } from 'node:net';
import { SystemRandom } from '#base/random.ts';

const random = new SystemRandom();
/** Far more than a busy machine takes for what is due. */
const WAIT_MS_MAX = 30_000;

export type WsJson = Readonly<Record<string, unknown>>;

/** Twenty characters for twenty bytes, as web clients send ids. */
export function binary(hex: string): string {
  return Buffer.from(hex, 'hex').toString('latin1');
}

/** An announce as the `bittorrent-tracker` client sends it; `offers` offers of `sdpBytes` each. */
export function wsAnnounce(
  infoHash: string,
  peerId: string,
  more: WsJson & { readonly offers?: readonly unknown[] } = {},
): WsJson {
  return {
    uploaded: 0,
    downloaded: 0,
    left: 100,
    action: 'announce',
    info_hash: binary(infoHash),
    peer_id: peerId,
    numwant: more.offers?.length ?? 0,
    offers: [],
    ...more,
  };
}

export function wsOffers(count: number, sdpBytes = 100): { offer: unknown; offer_id: string }[] {
  return Array.from({ length: count }, () => ({
    offer: { type: 'offer', sdp: `v=0\r\n${'a'.repeat(sdpBytes)}` },
    offer_id: Buffer.from(random.bytes(20)).toString('latin1'),
  }));
}

/** A masked frame, as clients send. */
export function clientFrame(opcode: number, payload: Uint8Array, isFinal = true): Buffer {
  const mask = random.bytes(4);
  const { length } = payload;
  const head =
    length < 126
      ? Buffer.from([0, 0x80 | length])
      : length < 0x1_0000
        ? Buffer.from([0, 0x80 | 126, length >> 8, length & 255])
        : Buffer.from([
            0,
            0x80 | 127,
            0,
            0,
            0,
            0,
            0,
            length >> 16,
            (length >> 8) & 255,
            length & 255,
          ]);
  head[0] = (isFinal ? 0x80 : 0) | opcode;
  const masked = payload.map((byte, at) => byte ^ (mask[at & 3] ?? 0));
  return Buffer.concat([head, mask, masked]);
}

export class WsClient {
  readonly socket: Socket;
  /** Status of the handshake: 101 when it is open. */
  status = 0;
  /** The code of the server's close frame, 0 while there is none. */
  closeCode = 0;
  isClosed = false;
  pings = 0;
  /** Whether pings are answered. */
  answersPings = true;
  readonly received: WsJson[] = [];
  head = '';
  #bytes: Buffer = Buffer.alloc(0);
  #wake: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => this.#hear(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isClosed = true;
      this.#wake();
    });
  }

  static async open(
    port: number,
    path: string,
    options: {
      readonly host?: string;
      /** By which it calls the server; the address unless given. */
      readonly name?: string;
      readonly headers?: readonly string[];
      /** Of its own. */
      readonly localAddress?: string;
    } = {},
  ): Promise<WsClient> {
    const { host = '127.0.0.1', localAddress } = options;
    const from = localAddress === undefined ? {} : { localAddress };
    const client = new WsClient(connect({ port, host, ...from }));
    const lines = [
      `GET ${path} HTTP/1.1`,
      `Host: ${options.name ?? `${host}:${port}`}`,
      ...(options.headers ?? [
        'Connection: keep-alive, Upgrade',
        'Upgrade: websocket',
        'Sec-WebSocket-Version: 13',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ]),
    ];
    client.socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    await client.#until(() => client.status !== 0 || client.isClosed);
    return client;
  }

  send(message: unknown): void {
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    this.socket.write(clientFrame(1, Buffer.from(text)));
  }

  /** The next message, taken out of `received`; undefined when none comes in time. */
  async next(msMax = WAIT_MS_MAX): Promise<WsJson | undefined> {
    await this.#until(() => this.received.length > 0 || this.isClosed, msMax);
    return this.received.shift();
  }

  /** Sends and waits for the next message. */
  async ask(message: unknown): Promise<WsJson | undefined> {
    this.send(message);
    return await this.next();
  }

  async closed(): Promise<void> {
    await this.#until(() => this.isClosed);
  }

  close(): void {
    this.socket.destroy();
  }

  async #until(is: () => boolean, msMax = WAIT_MS_MAX): Promise<void> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#wake();
    }, msMax);
    while (!is() && !isLate) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    clearTimeout(timer);
  }

  #hear(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    if (this.status === 0) {
      const end = this.#bytes.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.head = this.#bytes.toString('latin1', 0, end);
      this.#bytes = this.#bytes.subarray(end + 4);
      this.status = Number(this.head.slice(9, 12));
    }
    if (this.status === 101) while (this.#frame());
    this.#wake();
  }

  #frame(): boolean {
    const bytes = this.#bytes;
    if (bytes.length < 2) return false;
    const short = bytes.readUInt8(1);
    if (short > 126) throw new Error('the tracker sends no masked or longer frames');
    if (short === 126 && bytes.length < 4) return false;
    const length = short === 126 ? bytes.readUInt16BE(2) : short;
    const at = short === 126 ? 4 : 2;
    if (bytes.length < at + length) return false;
    const payload = bytes.subarray(at, at + length);
    this.#bytes = bytes.subarray(at + length);
    switch (bytes.readUInt8(0)) {
      case 0x81:
        this.received.push(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)));
        break;
      case 0x88:
        this.closeCode = payload.readUInt16BE(0);
        break;
      case 0x89:
        this.pings++;
        if (this.answersPings) this.socket.write(clientFrame(0xa, payload));
        break;
      case 0x8a:
        this.received.push({ pong: payload.toString('latin1') });
        break;
      default:
        throw new Error(`the tracker sent a frame that starts with ${bytes[0]}`);
    }
    return true;
  }
}
