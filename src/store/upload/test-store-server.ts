// For tests: a store behind its protocol, on a real port and a UNIX socket.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { SystemClock } from '#base/clock.ts';
import { SystemDisk } from '#base/disk.ts';
import type { BlobRef } from '#base/ids.ts';
import { type LogLine, memoryLogger } from '#base/logger.ts';
import { SystemRandom } from '#base/random.ts';
import { Registry, renderCollected } from '#metrics/registry.ts';
import type { StreamListener } from '#net/byte-stream.ts';
import { listenNode, streamOfSocket } from '#net/stream-node.ts';
import type { Store } from '#store/store.ts';
import { WsRooms, wsHandshake } from '#wire/ws-frame.ts';
import { type UploadConfig, uploadConfig } from './config.ts';
import { type Caller, openDoor, type StoreDoor } from './door.ts';
import { FramedMessages } from './framed-messages.ts';
import { HttpStore } from './http-store.ts';
import { StoreServer } from './store-server.ts';
import { Uploads } from './uploads.ts';
import { WsMessages } from './ws-messages.ts';

export const TEST_TOKEN = 'token-of-a-test';

export class TestStoreServer {
  readonly folder = mkdtempSync(join(tmpdir(), 'sk-door-'));
  readonly pins: BlobRef[] = [];
  readonly lines: LogLine[] = [];
  readonly door: StoreDoor;
  readonly metrics = new Registry();
  mayStay = true;
  mayRemove = true;
  /** What torrents need. */
  readonly needed = new Set<BlobRef>();
  server: StoreServer;
  readonly #sockets = new Set<Socket>();
  readonly #http: Server;
  readonly #listener: ReturnType<typeof getRequestListener>;
  readonly #caller: Caller = {
    budget: 'member 1',
    name: 'tester',
    mayStay: async () => this.mayStay,
    mayRemove: async () => this.mayRemove,
  };
  #unix: StreamListener | undefined;

  private constructor(store: () => Promise<Store>, config: Partial<UploadConfig>) {
    this.door = openDoor({
      store,
      pin: async (refs) => {
        this.pins.push(...refs);
      },
      unpin: async (refs) => {
        for (const ref of refs)
          if (this.pins.includes(ref)) this.pins.splice(this.pins.indexOf(ref), 1);
      },
      countNeeded: async (refs) => refs.filter((ref) => this.needed.has(ref)).length,
      clock: new SystemClock(),
      logger: memoryLogger(this.lines),
      metrics: this.metrics,
      config: { ...uploadConfig.parse({}), ...config },
    });
    this.server = new StoreServer(this.door);
    const world = { door: this.door, disk: new SystemDisk(), random: new SystemRandom() };
    const http = new HttpStore(
      this.door,
      new Uploads({ ...world, folder: join(this.folder, 'uploads') }),
    );
    this.#listener = getRequestListener((request) => http.answer(request, this.#caller));
    const rooms = new WsRooms();
    this.#http = createServer((request, response) => {
      if (request.url !== '/api/store/socket') {
        void this.#listener(request, response);
        return;
      }
      const isKnown = request.headers.authorization === `Bearer ${TEST_TOKEN}`;
      response.writeHead(isKnown ? 426 : 401).end();
    });
    this.#http.on('upgrade', (request, socket: Socket, head) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.write(wsHandshake(request.headers['sec-websocket-key'] ?? ''));
      this.#take(new WsMessages(streamOfSocket(socket), rooms, new Uint8Array(head)));
    });
  }

  static async open(
    store: () => Promise<Store>,
    config: Partial<UploadConfig> = {},
  ): Promise<TestStoreServer> {
    const test = new TestStoreServer(store, config);
    await new Promise<void>((resolve) => test.#http.listen(0, '127.0.0.1', resolve));
    const place = { kind: 'unix', path: join(test.folder, 'store.sock') } as const;
    const onStream = (stream: Parameters<Parameters<typeof listenNode>[1]>[0]) =>
      test.#take(new FramedMessages(stream));
    test.#unix = await listenNode(place, onStream, () => undefined);
    return test;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  get unixUrl(): string {
    return `unix:${join(this.folder, 'store.sock')}`;
  }

  metricsText(): string {
    return renderCollected([this.metrics.collect()]);
  }

  /** Every connection breaks. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #take(stream: WsMessages | FramedMessages): void {
    this.server.take(this.#caller, stream);
  }

  async close(): Promise<void> {
    await this.server.close();
    await this.#unix?.close();
    this.#http.close();
    this.#http.closeAllConnections();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
