import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SystemClock } from '#base/clock.ts';
import { silentLogger } from '#base/logger.ts';
import { findOrBuildAddon } from '#cli/addon-build.ts';
import { Registry } from '#metrics/registry.ts';
import { loadAddon } from './addon.ts';
import { TurnSlice } from './turn-slice.ts';
import { batchedUdp } from './udp-batched.ts';
import { udpSocketSuite } from './udp-socket.conformance.ts';
import type { DatagramSlots, UdpOptions, UdpSocket } from './udp-socket.ts';

const OPTIONS: Omit<UdpOptions, 'onBatch'> = {
  address: '127.0.0.1',
  port: 0,
  slotsMax: 16,
  inputBytesMax: 128,
  outputBytesMax: 128,
  receiveBufferBytes: 0,
  sendBufferBytes: 0,
  sendsPendingMax: 64,
  onFailed: (error) => {
    throw error;
  },
};

const loaded = loadAddon(findOrBuildAddon());
if ('why' in loaded) {
  describe('batchedUdp as a UdpSocket', () => {
    test('answers datagrams', { skip: `no addon: ${loaded.why}` }, () => undefined);
  });
} else {
  const world = {
    clock: new SystemClock(),
    logger: silentLogger,
    metrics: new Registry(),
    addon: loaded.addon,
    slice: new TurnSlice(),
  };
  udpSocketSuite('batchedUdp', batchedUdp(world));
  udpSocketSuite(
    'batchedUdp, one batch at a time',
    batchedUdp({ ...world, slice: new TurnSlice(0) }),
  );

  describe('a thread with batched sockets', () => {
    test('has its timers run while datagrams never cease', async () => {
      // Every datagram is sent to the socket itself again, so there is always a next batch.
      const socket = await batchedUdp(world)({ ...OPTIONS, onBatch: circle });
      const { output, bound } = socket;
      for (let slot = 0; slot < 16; slot++) fill(output, slot, bound.port);
      output.count = 16;
      socket.flush();
      const waitsMs: number[] = [];
      while (waitsMs.length < 31) {
        const before = process.cpuUsage();
        await new Promise((resolve) => setTimeout(resolve, 1));
        const { user, system } = process.cpuUsage(before);
        waitsMs.push((user + system) / 1000);
      }
      await socket.close();
      // 8 ms by design, of work: what else the machine does in between does not count. The median, as the
      // engine works beside it now and then.
      const middleMs = waitsMs.toSorted((a, b) => a - b)[15] ?? 0;
      assert.ok(middleMs < 60, `timers of 1 ms waited ${middleMs} ms of CPU`);
    });

    test('costs nothing while nothing arrives', async () => {
      const sockets = await Promise.all(
        ['127.0.0.1', '::1'].map((address) =>
          batchedUdp(world)({ ...OPTIONS, address, onBatch: circle }),
        ),
      );
      await new Promise((resolve) => setTimeout(resolve, 50));
      const before = process.cpuUsage();
      await new Promise((resolve) => setTimeout(resolve, 300));
      const { user, system } = process.cpuUsage(before);
      await Promise.all(sockets.map((socket) => socket.close()));
      assert.ok(user + system < 100_000, `${(user + system) / 1000} ms of CPU in 300 ms`);
    });
  });
}

function circle({ input, output, bound }: UdpSocket): void {
  for (let slot = 0; slot < input.count; slot++) fill(output, slot, bound.port);
  output.count = input.count;
}

function fill(output: DatagramSlots, slot: number, port: number): void {
  output.lengths[slot] = 100;
  output.addresses.set([127, 0, 0, 1], slot * 16);
  output.ports[slot] = port;
}
