// A proxy of TCP connections that cuts each client off once, after it was given so many bytes: what a
// restart, a changed network or a lid that was closed does to a download.

import { connect, createServer, type Server, type Socket } from 'node:net';

export class CuttingProxy {
  readonly #server: Server;
  readonly #bytesUntilCut: number;
  readonly #given = new Map<string, number>();
  readonly #open = new Set<Socket>();
  /** Clients by their address that were cut off. */
  readonly cut = new Set<string>();

  private constructor(to: { address: string; port: number }, bytesUntilCut: number) {
    this.#bytesUntilCut = bytesUntilCut;
    this.#server = createServer((client) => this.#join(client, to));
  }

  static async listen(
    at: { readonly address: string; readonly port: number },
    to: { readonly address: string; readonly port: number },
    bytesUntilCut: number,
  ): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(to, bytesUntilCut);
    await new Promise<void>((resolve) => proxy.#server.listen(at.port, at.address, resolve));
    return proxy;
  }

  async close(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #join(client: Socket, to: { address: string; port: number }): void {
    const name = client.remoteAddress ?? '';
    const server = connect(to.port, to.address);
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#open.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#open.delete(socket);
        other.destroy();
      });
    }
    client.pipe(server);
    server.on('data', (part) => {
      const given = (this.#given.get(name) ?? 0) + part.length;
      this.#given.set(name, given);
      if (given > this.#bytesUntilCut && !this.cut.has(name)) {
        this.cut.add(name);
        client.destroy();
      } else if (!client.write(part)) {
        server.pause();
        client.once('drain', () => server.resume());
      }
    });
  }
}
