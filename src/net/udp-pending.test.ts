import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { Registry, renderCollected } from '#metrics/registry.ts';
import { type Addon, UDP_REPORT } from './addon.ts';
import { TurnSlice } from './turn-slice.ts';
import { batchedUdp } from './udp-batched.ts';
import type { UdpSocket } from './udp-socket.ts';

/** An addon whose kernel takes `room` more datagrams and refuses those to port 9. */
class FullKernel implements Addon {
  readonly version = 1;
  room = 0;
  readonly taken: number[] = [];
  watched = 0;
  #words = new Int32Array();
  #slots = { bytes: new Uint8Array(), lengths: new Uint16Array(), ports: new Uint16Array() };
  #onReady: (events: number) => void = () => undefined;

  udpOpen(
    words: ArrayBuffer,
    _input: ArrayBuffer,
    output: ArrayBuffer,
    onReady: (events: number) => void,
  ): number {
    this.#words = new Int32Array(words);
    const slots = this.#words[4]!;
    this.#slots = {
      bytes: new Uint8Array(output, 0, slots * 8),
      lengths: new Uint16Array(output, slots * 24, slots),
      ports: new Uint16Array(output, slots * 26, slots),
    };
    this.#onReady = onReady;
    return 0;
  }

  udpTurn(_id: number, count: number): number {
    const words = this.#words.fill(0, 16, 26);
    let slot = 0;
    for (; slot < count && this.room > 0; slot++) {
      if (this.#slots.ports[slot] === 9) words[UDP_REPORT.unreachable]!++;
      else {
        this.room--;
        this.taken.push(this.#slots.bytes[slot * 8]!);
        words[UDP_REPORT.sent]!++;
        words[UDP_REPORT.bytesOut]! += this.#slots.lengths[slot]!;
      }
    }
    words[UDP_REPORT.unsentFrom] = slot;
    return 0;
  }

  udpWatch(_id: number, forWriting: number): void {
    this.watched = forWriting;
  }

  /** The kernel has room again, and the event loop says so. */
  drain(room: number): void {
    this.room = room;
    this.#onReady(2);
  }

  close(): void {}
  tcpOpen(): number {
    return -1;
  }

  tcpDial(): number {
    return -1;
  }
  tcpAddOutput(): number {
    return -1;
  }
  tcpTurn(): number {
    return -1;
  }
  tcpAccept(): void {}
  sendOpen(): number {
    return -1;
  }
  sendFile(): number {
    return -1;
  }
  sendCancel(): void {}
  sendTake(): number {
    return 0;
  }
  hashSegment(): number {
    return -1;
  }
  hashFile(): number {
    return -1;
  }
  pageOffset(): number {
    return -1;
  }
  crc32c(): number {
    return -1;
  }
}

describe('datagrams that the kernel does not take at once', () => {
  test('wait in order, go out when there is room, and beyond the bound are counted', async () => {
    const kernel = new FullKernel();
    const metrics = new Registry();
    const socket = await open(kernel, metrics);
    kernel.room = 2;
    send(socket, [1, 2, 3, 4]);
    assert.deepEqual(kernel.taken, [1, 2]);
    assert.equal(kernel.watched, 1);
    send(socket, [5, 6, 7]);
    // Five fit: 8 and 9 find no room.
    send(socket, [8, 9]);
    kernel.drain(3);
    assert.deepEqual(kernel.taken, [1, 2, 3, 4, 5]);
    assert.equal(kernel.watched, 1);
    kernel.room = 10;
    send(socket, [10]);
    assert.deepEqual(kernel.taken, [1, 2, 3, 4, 5, 6, 7, 10]);
    assert.equal(kernel.watched, 0);
    await socket.close();
    const text = renderCollected([metrics.collect()]);
    assert.match(text, /dropped_total\{reason="send queue full"\} 2\n/);
    assert.match(text, /bytes_total\{direction="out"\} 8\n/);
  });

  test('one that cannot be sent does not hold up those behind it', async () => {
    const kernel = new FullKernel();
    const metrics = new Registry();
    const socket = await open(kernel, metrics);
    send(socket, [1, 2, 3], 9);
    send(socket, [4]);
    kernel.drain(10);
    assert.deepEqual(kernel.taken, [1, 3, 4]);
    await socket.close();
    const text = renderCollected([metrics.collect()]);
    assert.match(text, /dropped_total\{reason="unreachable"\} 1\n/);
  });

  test('what still waits at close is counted as lost', async () => {
    const metrics = new Registry();
    const socket = await open(new FullKernel(), metrics);
    send(socket, [1, 2]);
    await socket.close();
    const text = renderCollected([metrics.collect()]);
    assert.match(text, /dropped_total\{reason="closed"\} 2\n/);
  });
});

function open(addon: Addon, metrics: Registry): Promise<UdpSocket> {
  const world = {
    clock: new SystemClock(),
    logger: silentLogger,
    metrics,
    addon,
    slice: new TurnSlice(),
  };
  return batchedUdp(world)({
    address: '127.0.0.1',
    port: 0,
    slotsMax: 4,
    inputBytesMax: 8,
    outputBytesMax: 8,
    receiveBufferBytes: 0,
    sendBufferBytes: 0,
    sendsPendingMax: 5,
    onBatch: () => undefined,
    onFailed: (error) => {
      throw error;
    },
  });
}

/** One byte each; the second one goes to `secondPort`. */
function send(socket: UdpSocket, values: readonly number[], secondPort = 5): void {
  const { output } = socket;
  for (const [at, value] of values.entries()) {
    const slot = output.count++;
    output.bytes[slot * 8] = value;
    output.lengths[slot] = 1;
    output.ports[slot] = at === 1 ? secondPort : 5;
  }
  socket.flush();
}
