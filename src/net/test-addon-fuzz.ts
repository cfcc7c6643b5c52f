// Plays with the addon until its time is over: calls with nonsense, sockets used as they should be and
// as they should not, traffic that comes and breaks off, threads that end in the middle. A process of
// its own, so that a test can run it under a sanitizer:
//
//   node -C swarmkeep-src src/net/test-addon-fuzz.ts ADDON SEED MS
//
// Exits with 0 when nothing broke and no descriptor is left.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { closeSync, openSync, readdirSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { SeededRandom } from '#base/random.ts';
import { Registry } from '#metrics/registry.ts';
import { type Addon, CONFIG, FAMILY_UNIX, loadAddon, PATH_BYTES, WORDS } from './addon.ts';
import { FileSender } from './file-sender.ts';
import { batchedTcp } from './tcp-batched.ts';
import type { TcpConnection, TcpServer } from './tcp-server.ts';
import { BATCH, EVENT_WORDS, OPERATION_WORDS, TcpSlots } from './tcp-slots.ts';
import { TurnSlice } from './turn-slice.ts';
import { batchedUdp } from './udp-batched.ts';
import { DatagramSlots, type UdpSocket } from './udp-socket.ts';

interface FuzzRun {
  readonly path: string;
  readonly seed: number;
  readonly ms: number;
}

const THREADS = 3;

class Fuzz {
  readonly #random: SeededRandom;
  readonly #addon: Addon;
  readonly #untilMs: number;

  constructor(run: FuzzRun) {
    const loaded = loadAddon({ path: run.path });
    assert.ok('addon' in loaded, 'why' in loaded ? loaded.why : '');
    this.#addon = loaded.addon;
    this.#random = new SeededRandom(run.seed, 1);
    this.#untilMs = performance.now() + run.ms;
  }

  async run(): Promise<void> {
    while (performance.now() < this.#untilMs) {
      for (let call = 0; call < 200; call++) this.#callNonsense();
      this.#playRawUdp();
      await this.#playRawTcp();
      await this.#playUdp();
      await this.#playTcp();
      await this.#playSender();
    }
  }

  #below(limit: number): number {
    return this.#random.u32() % limit;
  }

  #pick<T>(list: readonly T[]): T {
    return list[this.#below(list.length)]!;
  }

  /** Values of any kind where ids, counts, buffers and functions are expected. */
  #nonsense(): unknown {
    return this.#pick<() => unknown>([
      () => this.#below(4),
      () => -this.#below(4),
      () => this.#random.u32(),
      () => Number.NaN,
      () => undefined,
      () => null,
      () => 'text',
      () => 12n,
      () => Symbol('x'),
      () => ({}),
      () => new Uint8Array(8),
      () => new SharedArrayBuffer(128),
      () => new ArrayBuffer(this.#below(300)),
      () => this.#words(),
      () => detached(new ArrayBuffer(128)),
      () => () => undefined,
    ])();
  }

  /** Words that may ask for anything. */
  #words(): ArrayBuffer {
    const words = new Int32Array(WORDS + this.#pick([0, 0, PATH_BYTES / 4]));
    for (let at = 0; at < 12; at++) {
      words[at] = this.#pick([0, 1, 2, 4, 6, 16, 64, 300, -1, 1 << 30, this.#random.u32() | 0]);
    }
    words[CONFIG.family] = this.#pick([4, 4, 6, 0, FAMILY_UNIX]);
    // No path, or one without an end: nothing is made on the disk.
    if (words.length > WORDS && this.#below(2) === 0) words.fill(0x61616161, WORDS);
    words[CONFIG.port] = 0;
    if (this.#below(2) === 0)
      new Uint8Array(words.buffer).set([127, 0, 0, 1], CONFIG.addressBytesAt);
    return words.buffer;
  }

  #callNonsense(): void {
    const names = [
      'close',
      'udpOpen',
      'udpTurn',
      'udpWatch',
      'tcpOpen',
      'tcpDial',
      'tcpAddOutput',
      'tcpTurn',
      'tcpAccept',
      'sendOpen',
      'sendFile',
      'sendCancel',
      'sendTake',
      'hashSegment',
      'hashFile',
      'pageOffset',
      'crc32c',
    ] as const;
    const name = this.#pick(names);
    const call = this.#addon[name] as (...args: unknown[]) => unknown;
    const args = Array.from({ length: this.#below(6) }, () => this.#nonsense());
    try {
      const id = call(...args);
      // Nonsense that happens to be an open socket must not stay one.
      const opens = name.endsWith('Open');
      if (opens && typeof id === 'number' && id >= 0) this.#addon.close(id);
    } catch (error) {
      assert.ok(error instanceof TypeError, String(error));
    }
  }

  #playRawUdp(): void {
    const slots = 1 + this.#below(70);
    const input = new DatagramSlots(slots, 1 + this.#below(200));
    const output = new DatagramSlots(slots, 1 + this.#below(200));
    const words = this.#words();
    const view = new Int32Array(words);
    view.set([4, 0, 0, 0, slots, input.slotBytes, output.slotBytes, 0, 0, 0], 0);
    new Uint8Array(words).set([127, 0, 0, 1], CONFIG.addressBytesAt);
    const id = this.#addon.udpOpen(words, input.memory, output.memory, () => undefined);
    assert.ok(id >= 0);
    const port = view[16]!;
    for (let turn = 0; turn < 20; turn++) {
      for (let slot = 0; slot < slots; slot++) {
        output.addresses.set([127, 0, 0, this.#below(3)], slot * 16);
        output.ports[slot] = this.#pick([port, port, 0, 9]);
        output.lengths[slot] = this.#random.u32();
      }
      const received = this.#addon.udpTurn(id, this.#below(slots + 1), this.#below(2));
      assert.ok(received >= -1 && received <= slots);
      if (this.#below(30) === 0) {
        detached(this.#pick([words, input.memory, output.memory]));
        assert.throws(() => this.#addon.udpTurn(id, 0, 1), TypeError);
        break;
      }
    }
    this.#addon.close(id);
    assert.throws(() => this.#addon.udpTurn(id, 0, 1), TypeError);
  }

  async #playRawTcp(): Promise<void> {
    const connections = 1 + this.#below(20);
    const inputBytes = 1 + this.#below(100);
    const slots = new TcpSlots(connections, inputBytes);
    const words = this.#words();
    const view = new Int32Array(words);
    view.set([4, 0, 0, 0, 0, inputBytes, 100, 16, connections, BATCH], 0);
    new Uint8Array(words).set([127, 0, 0, 1], CONFIG.addressBytesAt);
    const id = this.#addon.tcpOpen(words, slots.shared, slots.input, () => undefined);
    assert.ok(id >= 0);
    const port = view[16]!;
    const peers = Array.from({ length: this.#below(12) }, () => knock(port));
    const chunks = [new ArrayBuffer(100), new ArrayBuffer(5000)];
    for (const chunk of chunks) this.#addon.tcpAddOutput(id, chunk);
    for (let turn = 0; turn < 40; turn++) {
      const count = this.#below(BATCH + 1);
      for (let at = 0; at < count * OPERATION_WORDS; at++) {
        slots.operations[at] = this.#pick([0, 1, 2, 3, 4, 8, 9, 16, 64, this.#random.u32() | 0]);
      }
      slots.rooms[this.#below(connections)] = this.#pick([0, 1, -5, inputBytes, 1 << 30]);
      const events = this.#addon.tcpTurn(id, count, this.#below(2));
      assert.ok(events >= 0 && events <= BATCH);
      for (let at = 0; at < events; at++) {
        const bytes = slots.events[at * EVENT_WORDS + 2]!;
        assert.ok(slots.events[at * EVENT_WORDS]! < connections && bytes <= inputBytes);
      }
      this.#pick(peers.length === 0 ? [undefined] : peers)?.write('x'.repeat(this.#below(300)));
      if (this.#below(20) === 0) this.#addon.tcpAccept(id, this.#below(4));
      if (this.#below(200) === 0) detached(chunks[0]!);
      if (this.#below(4) === 0) await pause();
    }
    this.#addon.close(id);
    for (const peer of peers) peer.destroy();
  }

  async #playUdp(): Promise<void> {
    const open = batchedUdp(this.#world());
    const sockets: UdpSocket[] = [];
    const count = 1 + this.#below(3);
    for (let index = 0; index < count; index++) {
      sockets.push(
        await open({
          address: '127.0.0.1',
          port: sockets[0]?.bound.port ?? 0,
          ...(count > 1 && { share: { index, count, steer: this.#below(2) === 0 } }),
          slotsMax: 1 + this.#below(40),
          inputBytesMax: 400,
          outputBytesMax: 400,
          receiveBufferBytes: 0,
          sendBufferBytes: 0,
          sendsPendingMax: 64,
          onBatch: (socket) => this.#echo(socket),
          onFailed: fail,
        }),
      );
    }
    const { port } = sockets[0]!.bound;
    const peer = createSocket('udp4');
    peer.on('error', () => undefined);
    for (let index = 0; index < 200; index++) {
      peer.send(this.#random.bytes(this.#below(500)), port, '127.0.0.1');
      if (index % 40 === 0) await pause();
      if (this.#below(100) === 0) await this.#pick(sockets).close();
    }
    await pause();
    await Promise.all(sockets.map((socket) => socket.close()));
    peer.close();
  }

  #echo(socket: UdpSocket): void {
    const { input, output } = socket;
    for (let slot = 0; slot < input.count; slot++) {
      if (output.count === output.slotsMax) socket.flush();
      const to = output.count;
      output.lengths[to] = input.lengths[slot]!;
      output.addresses.set(input.addresses.subarray(slot * 16, slot * 16 + 16), to * 16);
      output.ports[to] = input.ports[slot]!;
      output.count++;
    }
    if (this.#below(200) === 0) void socket.close();
  }

  async #playTcp(): Promise<void> {
    const held: TcpConnection[] = [];
    const server: TcpServer = await batchedTcp(this.#world())({
      address: '127.0.0.1',
      port: 0,
      backlog: 64,
      connectionsMax: 1 + this.#below(100),
      inputBytesMax: 64,
      outputBytesMax: 1 + this.#below(100_000),
      idleMsMax: 20 + this.#below(200),
      readMsMax: 20 + this.#below(200),
      writeMsMax: 20 + this.#below(200),
      handler: {
        onInput: (connection) => this.#onInput(connection, held),
        onClosed: (connection) => {
          const at = held.indexOf(connection);
          if (at >= 0) held.splice(at, 1);
        },
      },
      onFailed: fail,
    });
    const peers = [];
    for (let index = 0; index < 100; index++) {
      const peer = knock(server.bound.port);
      peers.push(peer);
      if (this.#below(3) > 0) peer.on('data', () => undefined);
      peer.write('y'.repeat(this.#below(200)));
      // With answers unread that is a reset. (Node's resetAndDestroy() keeps an ended thread alive.)
      if (this.#below(8) === 0) this.#pick(peers).destroy();
      if (this.#below(8) === 0) this.#pick(peers).end('last');
      const connection = held.pop();
      if (connection !== undefined && this.#below(2) === 0) this.#act(connection, held);
      if (index % 10 === 0) await pause();
    }
    await server.close(this.#below(20));
    assert.equal(server.connections, 0);
    for (const peer of peers) peer.destroy();
  }

  #onInput(connection: TcpConnection, held: TcpConnection[]): void {
    const { inputLength } = connection;
    if (this.#below(3) > 0) connection.consume(1 + this.#below(inputLength));
    this.#act(connection, held);
  }

  #act(connection: TcpConnection, held: TcpConnection[]): void {
    const { output, outputLength } = connection;
    if (this.#below(2) === 0) connection.produce(this.#below(output.length - outputLength + 1));
    switch (this.#below(12)) {
      case 0:
        connection.hold();
        if (!held.includes(connection)) held.push(connection);
        return;
      case 1:
        connection.end();
        return;
      case 2:
        connection.destroy();
        return;
      case 3:
        connection.setIdle(this.#below(100));
        connection.flush();
        return;
      case 4:
        connection.flush();
        connection.release();
        return;
      default:
        connection.flush();
    }
  }

  /** Parts of a file to peers who take them, stop taking, or go. */
  async #playSender(): Promise<void> {
    const sender = FileSender.open(this.#addon);
    assert.ok(sender !== undefined);
    const file = openSync(process.execPath, 'r');
    const other = openSync(process.execPath, 'r');
    const sockets: Socket[] = [];
    const sending: Promise<unknown>[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      sockets.push(socket);
      const handle = socket as unknown as { readonly _handle: { readonly fd: number } | null };
      const to = handle._handle?.fd ?? -1;
      const parts = Array.from({ length: 1 + this.#below(5) }, () => ({
        descriptor: this.#pick([file, other]),
        position: this.#below(1000),
        bytes: 1 + this.#below(this.#pick([10, 8_000_000])),
      }));
      const stop = new AbortController();
      sending.push(sender.send(to, parts, stop.signal));
      if (this.#below(4) === 0) stop.abort();
      if (this.#below(4) === 0) socket.destroy();
      if (this.#below(8) === 0) sending.push(sender.send(to, parts.slice(0, 1), stop.signal));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const peers = Array.from({ length: 1 + this.#below(20) }, () => {
      const peer = knock(port);
      if (this.#below(3) > 0) peer.on('data', () => undefined);
      return peer;
    });
    for (let wait = this.#below(10); wait > 0; wait--) await pause();
    // Some files are closed while they are sent.
    const isEarly = this.#below(2) === 0;
    if (isEarly) closeSync(file);
    for (const peer of peers) if (this.#below(2) === 0) peer.destroy();
    await pause();
    sender.close();
    await Promise.all(sending);
    for (const socket of [...peers, ...sockets]) socket.destroy();
    server.close();
    if (!isEarly) closeSync(file);
    closeSync(other);
    await this.#hash();
  }

  async #hash(): Promise<void> {
    const into = new Uint8Array(32 * (1 + this.#below(5)));
    const bytes = new Uint8Array(1 + this.#below(40_000));
    const blocks = Math.ceil(bytes.length / 16_384);
    const [height, layer] = [this.#below(4), this.#below(7) - 2];
    const isTree = 2 ** height >= blocks && layer <= height;
    const call = (done: () => void): number =>
      this.#addon.hashSegment(bytes, into, height, layer, done);
    assert.ok(this.#addon.pageOffset(bytes) >= 0);
    const [from, to] = [this.#below(2000), this.#below(40_000)];
    const sum = (): number => this.#addon.crc32c(bytes, from, to, this.#random.u32());
    if (from > to || to > bytes.length) assert.throws(sum, TypeError);
    else assert.ok(sum() >= -1);
    if (!isTree || into.length < (2 + blocks) * 32) {
      assert.throws(() => call(() => undefined), TypeError);
      return;
    }
    await new Promise<void>((resolve) => {
      // Some are under way when the thread ends.
      if (call(resolve) < 0 || this.#below(2) === 0) resolve();
    });
    await this.#hashFile();
  }

  async #hashFile(): Promise<void> {
    const rooms = Array.from({ length: this.#below(10) }, () => {
      return new Uint8Array(this.#below(20_000));
    });
    const into = new Uint8Array(this.#below(2000));
    const spare = new Uint8Array(this.#pick([0, 1, 2 ** 20, 2 ** 22]));
    const file = openSync(process.execPath, 'r');
    try {
      await new Promise<void>((resolve) => {
        const [position, isEnd] = [this.#below(2 ** 40), this.#below(2) === 0];
        const from = this.#below(4) === 0 ? this.#below(10_000) : file;
        const begun = this.#addon.hashFile(from, position, isEnd, rooms, spare, into, 2, 0, () =>
          resolve(),
        );
        if (begun < 0 || this.#below(2) === 0) resolve();
      });
    } catch (error) {
      assert.ok(error instanceof TypeError);
    } finally {
      closeSync(file);
    }
  }

  #world(): Parameters<typeof batchedTcp>[0] {
    return {
      clock: new SystemClock(),
      logger: silentLogger,
      metrics: new Registry(),
      addon: this.#addon,
      slice: new TurnSlice(),
    };
  }
}

function detached(buffer: ArrayBuffer): ArrayBuffer {
  if (!buffer.detached) structuredClone(buffer, { transfer: [buffer] });
  return buffer;
}

function knock(port: number): ReturnType<typeof connect> {
  const peer = connect({ host: '127.0.0.1', port });
  peer.on('error', () => undefined);
  return peer;
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}

function fail(error: Error): never {
  throw error;
}

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Threads play side by side; some are ended in the middle of it. */
async function runThreads(run: FuzzRun): Promise<void> {
  const before = openDescriptors();
  const untilMs = performance.now() + run.ms;
  let threads = 0;
  const one = async (lane: number): Promise<void> => {
    while (performance.now() < untilMs) {
      const seed = run.seed + threads++;
      const isEnded = lane > 0;
      const ms = isEnded ? 200 : untilMs - performance.now();
      const worker = new Worker(new URL(import.meta.url), {
        workerData: { path: run.path, seed, ms },
        execArgv: process.execArgv,
      });
      await new Promise<void>((resolve, reject) => {
        worker.once('error', reject);
        worker.once('exit', () => resolve());
        if (isEnded) setTimeout(() => void worker.terminate(), 100 + (seed % 7) * 10);
      });
    }
  };
  await Promise.all(Array.from({ length: THREADS }, (_, lane) => one(lane)));
  await pause();
  const left = openDescriptors() - before;
  // Node keeps a few of its own for its pool.
  assert.ok(left <= 8, `${left} descriptors are left open by ${threads} threads`);
  process.stdout.write(`${threads} threads\n`);
}

if (isMainThread) {
  const [path = '', seed = '1', ms = '1000'] = process.argv.slice(2);
  await runThreads({ path, seed: Number(seed), ms: Number(ms) });
} else {
  await new Fuzz(workerData as FuzzRun).run();
}
