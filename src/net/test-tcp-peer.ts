// The other side of a TcpServer under test: a plain socket of Node's that reads and writes text.

import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';

export class TcpPeer {
  readonly #socket: Socket;
  #text = '';
  #ended = false;
  readonly #wire: Socket;

  /** `wire` is what carries a socket that encrypts. */
  constructor(socket: Socket, reads: boolean, wire = socket) {
    this.#socket = socket;
    this.#wire = wire;
    if (reads) socket.on('data', (chunk) => (this.#text += chunk.toString('latin1')));
    socket.on('close', () => (this.#ended = true));
    socket.on('end', () => (this.#ended = true));
    socket.on('error', () => (this.#ended = true));
  }

  get localPort(): number | undefined {
    return this.#socket.localPort;
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  finish(text: string): void {
    this.#socket.end(text);
  }

  async read(length: number): Promise<string> {
    await until(() => this.#text.length >= length || this.#ended);
    const text = this.#text.slice(0, length);
    this.#text = this.#text.slice(length);
    return text;
  }

  /** In pieces, with pauses. */
  async readSlowly(length: number): Promise<string> {
    while (this.#text.length < length && !this.#ended) {
      this.#text += (this.#socket.read() ?? '').toString('latin1');
      await pause(1);
    }
    return this.read(length);
  }

  async readToEnd(): Promise<string> {
    await until(() => this.#ended);
    return this.#text;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  reset(): void {
    this.#wire.resetAndDestroy();
  }
}

export type DialPeer = typeof newPeer;

export function newPeer(
  to: { readonly address: string; readonly port: number },
  options: { readonly reads: boolean } = { reads: true },
): Promise<TcpPeer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: to.address, port: to.port });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.removeListener('error', reject);
      resolve(new TcpPeer(socket, options.reads));
    });
  });
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export async function until(is: () => boolean): Promise<void> {
  const untilMs = performance.now() + 30_000;
  while (!is()) {
    assert.ok(performance.now() < untilMs, 'it happens within 30 seconds');
    await pause(2);
  }
}
