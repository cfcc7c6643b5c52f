// What every UdpSocket does, whichever way its slots are filled. An implementation's own test calls
// `udpSocketSuite(name, open)`; the peers are plain sockets of Node's.

import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { describe, test } from 'node:test';
import { codeOf } from '#base/errors.ts';
import type { OpenUdp, UdpOptions, UdpSocket } from './udp-socket.ts';

const DEFAULTS: Omit<UdpOptions, 'address' | 'port' | 'onBatch'> = {
  slotsMax: 16,
  inputBytesMax: 512,
  outputBytesMax: 1024,
  receiveBufferBytes: 0,
  sendBufferBytes: 0,
  sendsPendingMax: 1024,
  onFailed: (error) => {
    throw error;
  },
};

export function udpSocketSuite(name: string, open: OpenUdp): void {
  const cases = [
    { family: 4, address: '127.0.0.1' },
    { family: 6, address: '::1' },
  ] as const;
  describe(`${name} as a UdpSocket`, () => {
    for (const { family, address } of cases) {
      test(`answers each datagram to its sender over IPv${family}`, async () => {
        const socket = await open({ ...DEFAULTS, address, port: 0, onBatch: echo });
        const peer = await newPeer(address);
        for (let index = 0; index < 50; index++) peer.send(`ping ${index}`, socket.bound);
        const answers = await peer.receive(50);
        assert.deepEqual(
          answers.map(String).sort(),
          Array.from({ length: 50 }, (_, index) => `ping ${index}`).sort(),
        );
        assert.equal(socket.family, family);
        await peer.close();
        await socket.close();
      });
    }

    test('tells the sender as bytes in wire order', async () => {
      const seen: number[][] = [];
      const socket = await open({
        ...DEFAULTS,
        address: '127.0.0.1',
        port: 0,
        onBatch: ({ input }) => {
          for (let slot = 0; slot < input.count; slot++) {
            const address = input.addresses.subarray(slot * 16, slot * 16 + 4);
            seen.push([input.families[slot]!, ...address, input.ports[slot]!]);
          }
        },
      });
      const peer = await newPeer('127.0.0.1');
      peer.send('hello', socket.bound);
      await until(() => seen.length === 1);
      assert.deepEqual(seen, [[4, 127, 0, 0, 1, peer.port]]);
      await peer.close();
      await socket.close();
    });

    test('handles no more than slotsMax at once and loses none for it', async () => {
      let largest = 0;
      const socket = await open({
        ...DEFAULTS,
        slotsMax: 3,
        address: '127.0.0.1',
        port: 0,
        onBatch: (each) => {
          largest = Math.max(largest, each.input.count);
          echo(each);
        },
      });
      const peer = await newPeer('127.0.0.1');
      for (let index = 0; index < 40; index++) peer.send(`x${index}`, socket.bound);
      assert.equal((await peer.receive(40)).length, 40);
      assert.ok(largest >= 1 && largest <= 3);
      await peer.close();
      await socket.close();
    });

    test('drops a datagram longer than its input slot and goes on', async () => {
      const socket = await open({ ...DEFAULTS, address: '127.0.0.1', port: 0, onBatch: echo });
      const peer = await newPeer('127.0.0.1');
      peer.send('y'.repeat(513), socket.bound);
      peer.send('short', socket.bound);
      assert.deepEqual((await peer.receive(1)).map(String), ['short']);
      peer.send('z'.repeat(512), socket.bound);
      assert.deepEqual(
        (await peer.receive(1)).map((bytes) => bytes.byteLength),
        [512],
      );
      await peer.close();
      await socket.close();
    });

    test('an empty datagram is a datagram', async () => {
      const socket = await open({ ...DEFAULTS, address: '127.0.0.1', port: 0, onBatch: echo });
      const peer = await newPeer('127.0.0.1');
      peer.send('', socket.bound);
      assert.equal((await peer.receive(1))[0]?.byteLength, 0);
      await peer.close();
      await socket.close();
    });

    test('sends outside of a batch on flush()', async () => {
      const socket = await open({
        ...DEFAULTS,
        address: '127.0.0.1',
        port: 0,
        onBatch: () => undefined,
      });
      const peer = await newPeer('127.0.0.1');
      const { output } = socket;
      output.bytes.set([1, 2, 3], 0);
      output.lengths[0] = 3;
      output.addresses.set([127, 0, 0, 1], 0);
      output.ports[0] = peer.port;
      output.families[0] = 4;
      output.count = 1;
      socket.flush();
      assert.equal(output.count, 0);
      // The slot may be written over at once: what was flushed is no longer read from it.
      output.bytes.fill(0);
      assert.deepEqual([...(await peer.receive(1))[0]!], [1, 2, 3]);
      await peer.close();
      await socket.close();
    });

    test('a send that fails ends nothing', async () => {
      const socket = await open({ ...DEFAULTS, address: '127.0.0.1', port: 0, onBatch: echo });
      const { output } = socket;
      output.lengths[0] = 3;
      // Broadcast was not asked for, so the kernel refuses it.
      output.addresses.set([255, 255, 255, 255], 0);
      output.ports[0] = 9;
      output.families[0] = 4;
      output.count = 1;
      socket.flush();
      const peer = await newPeer('127.0.0.1');
      peer.send('still there', socket.bound);
      assert.deepEqual((await peer.receive(1)).map(String), ['still there']);
      await peer.close();
      await socket.close();
    });

    test('a port that is taken is an error that names address and port', async () => {
      const socket = await open({ ...DEFAULTS, address: '127.0.0.1', port: 0, onBatch: echo });
      const { port } = socket.bound;
      await assert.rejects(
        open({ ...DEFAULTS, address: '127.0.0.1', port, onBatch: echo }),
        (error: Error) =>
          codeOf(error) === 'NET_BIND_FAILED' && error.message.includes(`127.0.0.1:${port}`),
      );
      await socket.close();
    });

    test('a name is no address', async () => {
      await assert.rejects(
        open({ ...DEFAULTS, address: 'localhost', port: 0, onBatch: echo }),
        (error) => codeOf(error) === 'NET_ADDRESS_INVALID',
      );
    });

    test('an IPv4 and an IPv6 socket share a port', async () => {
      // The port that the first is given may be somebody else's for the second.
      for (let tries = 1; ; tries++) {
        const six = await open({ ...DEFAULTS, address: '::', port: 0, onBatch: echo });
        const { port } = six.bound;
        try {
          const four = await open({ ...DEFAULTS, address: '0.0.0.0', port, onBatch: echo });
          assert.equal(four.bound.port, port);
          await four.close();
          return;
        } catch (error) {
          if (codeOf(error) !== 'NET_BIND_FAILED' || tries === 20) throw error;
        } finally {
          await six.close();
        }
      }
    });

    test('sockets that share a port answer every datagram once', async () => {
      const sockets = await openShared(open, 3, { onBatch: echo });
      const peers = await Promise.all(Array.from({ length: 12 }, () => newPeer('127.0.0.1')));
      for (const [index, peer] of peers.entries()) peer.send(`from ${index}`, sockets[0]!.bound);
      for (const [index, peer] of peers.entries()) {
        assert.deepEqual((await peer.receive(1)).map(String), [`from ${index}`]);
      }
      await closeAll([...peers, ...sockets]);
    });

    test('steered announces arrive at the socket that their info hash names', async (t) => {
      // Odd, so that no other bytes of these announces would choose the same socket.
      const count = 3;
      const seen: { readonly index: number; readonly bytes: Uint8Array }[] = [];
      const sockets = await openShared(open, count, {
        onBatch: (socket) => {
          const { input } = socket;
          const index = sockets.indexOf(socket);
          for (let slot = 0; slot < input.count; slot++) {
            const from = slot * input.slotBytes;
            seen.push({ index, bytes: input.bytes.slice(from, from + input.lengths[slot]!) });
          }
        },
      });
      if (!sockets.at(-1)?.steered) {
        await closeAll(sockets);
        t.skip('these sockets do not steer');
        return;
      }
      const peer = await newPeer('127.0.0.1');
      for (let index = 0; index < 400; index++) {
        const announce = Buffer.alloc(98 + (index % 3), index);
        announce.writeUInt32BE(1, 8);
        announce.writeUInt32BE(Math.imul(index, 0x9e3779b1) >>> 0, 16);
        peer.send(announce, sockets[0]!.bound);
        // The receive buffers of an unconfigured system hold fewer than all of them.
        if (index % 50 === 49) await until(() => seen.length === index + 1);
      }
      for (const { index, bytes } of seen) {
        assert.equal(index, Buffer.from(bytes).readUInt32BE(16) % count);
      }
      assert.equal(new Set(seen.map(({ index }) => index)).size, count);
      await closeAll([peer, ...sockets]);
    });

    test('what is no announce goes by the hash of addresses, whatever stands in it', async (t) => {
      const seen = new Map<UdpSocket, number>();
      const sockets = await openShared(open, 2, {
        onBatch: (socket) => seen.set(socket, (seen.get(socket) ?? 0) + socket.input.count),
      });
      if (!sockets.at(-1)?.steered) {
        await closeAll(sockets);
        t.skip('these sockets do not steer');
        return;
      }
      // Connects, scrapes of any length, cut announces: with these 16 bytes all would go to the first.
      const packets = [16, 36, 97, 98, 1496].map((length) => {
        const packet = Buffer.alloc(length);
        packet.writeUInt32BE(length < 98 ? 1 : 2, 8);
        return packet;
      });
      const peers = await Promise.all(Array.from({ length: 24 }, () => newPeer('127.0.0.1')));
      for (const packet of packets) {
        seen.clear();
        for (const peer of peers) peer.send(packet, sockets[0]!.bound);
        await until(() => [...seen.values()].reduce((sum, one) => sum + one, 0) === peers.length);
        assert.equal(seen.size, 2, `datagrams of ${packet.byteLength} bytes are spread`);
      }
      await closeAll([...peers, ...sockets]);
    });

    test('the first of shared sockets does not take a port from somebody else', async () => {
      const other = await open({
        ...DEFAULTS,
        address: '127.0.0.1',
        port: 0,
        onBatch: echo,
        share: { index: 0, count: 2, steer: false },
      });
      const { port } = other.bound;
      const share = { index: 0, count: 2, steer: true };
      await assert.rejects(
        open({ ...DEFAULTS, address: '127.0.0.1', port, share, onBatch: echo }),
        (error) => codeOf(error) === 'NET_BIND_FAILED',
      );
      await other.close();
    });

    test('close() sends what stands in the output slots', async () => {
      const socket = await open({
        ...DEFAULTS,
        address: '127.0.0.1',
        port: 0,
        onBatch: () => undefined,
      });
      const peer = await newPeer('127.0.0.1');
      const { output } = socket;
      output.bytes.set([7], 0);
      output.lengths[0] = 1;
      output.addresses.set([127, 0, 0, 1], 0);
      output.ports[0] = peer.port;
      output.families[0] = 4;
      output.count = 1;
      await socket.close();
      assert.deepEqual([...(await peer.receive(1))[0]!], [7]);
      await peer.close();
    });

    test('receives nothing after close, twice closed is closed', async () => {
      let batches = 0;
      const socket = await open({
        ...DEFAULTS,
        address: '127.0.0.1',
        port: 0,
        onBatch: () => {
          batches++;
        },
      });
      const peer = await newPeer('127.0.0.1');
      await socket.close();
      await socket.close();
      peer.send('too late', socket.bound);
      await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal(batches, 0);
      await peer.close();
    });
  });
}

async function openShared(
  open: OpenUdp,
  count: number,
  options: Pick<UdpOptions, 'onBatch'>,
): Promise<UdpSocket[]> {
  const sockets: UdpSocket[] = [];
  for (let index = 0; index < count; index++) {
    const port = sockets[0]?.bound.port ?? 0;
    const share = { index, count, steer: true };
    sockets.push(
      await open({
        ...DEFAULTS,
        ...options,
        address: '127.0.0.1',
        port,
        share,
        inputBytesMax: 2048,
        slotsMax: 64,
      }),
    );
  }
  return sockets;
}

async function closeAll(all: readonly { close(): Promise<void> }[]): Promise<void> {
  await Promise.all(all.map((one) => one.close()));
}

function echo(socket: UdpSocket): void {
  const { input, output } = socket;
  for (let slot = 0; slot < input.count; slot++) {
    if (output.count === output.slotsMax) socket.flush();
    const to = output.count++;
    const from = slot * input.slotBytes;
    const length = input.lengths[slot]!;
    output.bytes.set(input.bytes.subarray(from, from + length), to * output.slotBytes);
    output.lengths[to] = length;
    output.addresses.set(input.addresses.subarray(slot * 16, slot * 16 + 16), to * 16);
    output.ports[to] = input.ports[slot]!;
    output.families[to] = input.families[slot]!;
  }
}

class Peer {
  readonly #socket: Socket;
  readonly #received: Buffer[] = [];

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('message', (bytes) => this.#received.push(bytes));
  }

  get port(): number {
    return this.#socket.address().port;
  }

  send(text: string | Uint8Array, to: { readonly address: string; readonly port: number }): void {
    this.#socket.send(text, to.port, to.address);
  }

  async receive(count: number): Promise<Buffer[]> {
    await until(() => this.#received.length >= count);
    return this.#received.splice(0, count);
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#socket.close(() => resolve()));
  }
}

function newPeer(address: string): Promise<Peer> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.bind(0, address, () => resolve(new Peer(socket)));
  });
}

async function until(is: () => boolean): Promise<void> {
  const untilMs = performance.now() + 30_000;
  while (!is()) {
    assert.ok(performance.now() < untilMs, 'it happens within 30 seconds');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
