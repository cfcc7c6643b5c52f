import assert from 'node:assert/strict';
import { hash, randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { findOrBuildAddon } from '#cli/addon-build.ts';
import { loadAddon } from './addon.ts';
import { FileSender } from './file-sender.ts';
import { descriptorOf } from './socket-descriptor.ts';

const loaded = loadAddon(findOrBuildAddon());
const skip = 'why' in loaded ? `no addon here: ${loaded.why}` : false;
/** More than the kernel takes of one socket without a reader. */
const BYTES = 16 * 1024 * 1024;

interface Sending {
  readonly sender: FileSender;
  readonly path: string;
  readonly file: number;
  readonly content: Uint8Array;
  /** A connection, its server's end first. */
  pair(): Promise<readonly [Socket, Socket]>;
}

async function withSender(run: (sending: Sending) => Promise<void>): Promise<void> {
  assert.ok('addon' in loaded);
  const sender = FileSender.open(loaded.addon);
  assert.ok(sender !== undefined);
  const folder = mkdtempSync(join(tmpdir(), 'swarmkeep-send-'));
  const path = join(folder, 'content');
  const content = randomBytes(BYTES);
  writeFileSync(path, content);
  const file = openSync(path, 'r');
  const waiting: ((socket: Socket) => void)[] = [];
  const sockets: Socket[] = [];
  const server = createServer((socket) => waiting.shift()?.(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const pair = async (): Promise<readonly [Socket, Socket]> => {
    const accepted = new Promise<Socket>((resolve) => waiting.push(resolve));
    const peer = connect({ port, host: '127.0.0.1' });
    const both = [await accepted, peer] as const;
    for (const socket of both) socket.on('error', () => undefined);
    sockets.push(...both);
    return both;
  };
  try {
    await run({ sender, path, file, content, pair });
  } finally {
    sender.close();
    for (const socket of sockets) socket.destroy();
    server.close();
    closeSync(file);
    rmSync(folder, { recursive: true, force: true });
  }
}

function received(peer: Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  peer.on('data', (part: Buffer) => parts.push(part));
  return new Promise((resolve) => peer.once('close', () => resolve(Buffer.concat(parts))));
}

const never = new AbortController().signal;

describe('FileSender', { skip }, () => {
  test('parts arrive whole and in order, to many at once', () =>
    withSender(async ({ sender, path, file, content, pair }) => {
      const other = openSync(path, 'r');
      const all = await Promise.all(
        [1, 1_000_003].map(async (position) => {
          const [socket, peer] = await pair();
          const got = received(peer);
          const descriptor = descriptorOf(socket);
          assert.ok(descriptor !== undefined);
          const bytes = BYTES - position - 7;
          const half = Math.floor(bytes / 2);
          const [a, b, c] = [
            { descriptor: file, position, bytes: half },
            { descriptor: other, position: position + half, bytes: 1000 },
            { descriptor: other, position: position + half + 1000, bytes: bytes - half - 1000 },
          ];
          // And more by the same socket.
          const first = sender
            .send(descriptor, [a, b], never)
            .then(() => sender.send(descriptor, [c], never));
          return { got, first, socket, position, bytes, last: c.bytes };
        }),
      );
      for (const { got, first, socket, position, bytes, last } of all) {
        assert.deepEqual(await first, { bytes: last, error: undefined });
        socket.end('last');
        const expected = Buffer.concat([
          content.subarray(position, position + bytes),
          Buffer.from('last'),
        ]);
        assert.equal(hash('sha256', await got), hash('sha256', expected));
      }
      closeSync(other);
    }));

  test('both descriptors may be closed as soon as it has begun', () =>
    withSender(async ({ sender, path, content, pair }) => {
      const file = openSync(path, 'r');
      const [socket, peer] = await pair();
      const got = received(peer);
      const part = { descriptor: file, position: 0, bytes: BYTES };
      const sending = sender.send(descriptorOf(socket) ?? -1, [part], never);
      closeSync(file);
      socket.destroy();
      assert.equal((await sending).error, undefined);
      assert.equal(hash('sha256', await got), hash('sha256', content));
    }));

  test('whoever does not read keeps nobody waiting, and is ended by the signal', () =>
    withSender(async ({ sender, file, pair }) => {
      const [silent] = await pair();
      const stop = new AbortController();
      const part = { descriptor: file, position: 0, bytes: BYTES };
      const stuck = sender.send(descriptorOf(silent) ?? -1, [part], stop.signal);
      const [socket, peer] = await pair();
      const got = received(peer);
      await sender.send(descriptorOf(socket) ?? -1, [part], never);
      socket.end();
      assert.equal((await got).length, BYTES);
      stop.abort();
      const { bytes, error } = await stuck;
      assert.ok(error !== undefined && bytes < BYTES, `${bytes}`);
    }));

  test('a file that is too short, a peer that has gone and no socket at all are told', () =>
    withSender(async ({ sender, path, file, pair }) => {
      const [socket, peer] = await pair();
      peer.resume();
      truncateSync(path, 1_000_000);
      const part = { descriptor: file, position: 0, bytes: BYTES };
      const short = await sender.send(descriptorOf(socket) ?? -1, [part], never);
      assert.equal(short.bytes, 1_000_000);
      assert.match(short.error?.message ?? '', /EIO/);
      const none = await sender.send(file, [part], never);
      assert.match(none.error?.message ?? '', /ENOTSOCK/);
      const [left, gone] = await pair();
      gone.resetAndDestroy();
      await new Promise((resolve) => left.once('close', resolve));
      assert.equal(descriptorOf(left), undefined);
    }));

  test('closing it ends what is being sent', () =>
    withSender(async ({ sender, file, pair }) => {
      const [silent] = await pair();
      const to = descriptorOf(silent) ?? -1;
      const parts = [{ descriptor: file, position: 0, bytes: BYTES }];
      const stuck = sender.send(to, parts, never);
      sender.close();
      assert.ok((await stuck).error !== undefined);
      assert.ok((await sender.send(to, parts, never)).error !== undefined);
    }));
});
